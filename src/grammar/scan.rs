//! The character machine under the tokenizer: quotes, escapes, brackets and comments.
//!
//! It holds its state between characters, so the same machine splits a finished line into words and tells, line by
//! line and without looking back, whether what was typed so far is whole.

/// What one character is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CharClass {
    /// White space between words.
    Blank,
    /// Part of a comment, `#` included.
    Comment,
    /// A character of the word's text.
    Keep,
    /// As [`CharClass::Keep`], and the backslash before it belongs to the text as well.
    KeepBoth,
    /// A quote or backslash that does its work and is not part of the text.
    Skip,
    /// The first unquoted `=` of a word.
    Equals,
}

/// Where the machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    Bare,
    BareEscape,
    Single,
    Double,
    DoubleEscape,
    Comment,
    Bracket,
    BracketString(char),
    BracketEscape(char),
    BracketSlash,
    BracketLine,
    BracketBlock,
    BracketStar,
}

/// What is still open where the text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclosed {
    /// A single quote.
    Single,
    /// A double quote.
    Double,
    /// A bracket or brace, or a string or comment inside it.
    Bracket,
    /// A backslash that waits for the character it quotes.
    Escape,
}

/// The machine.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    state: State,
    depth: usize,
    /// A bracket here opens JSON: the start of a word, or of the value behind its `=`.
    at_value: bool,
    /// The word's `=` has been seen.
    equals: bool,
    /// The escape being read stands where a word might begin.
    fresh: bool,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Scanner { state: State::Between, depth: 0, at_value: true, equals: false, fresh: false }
    }

    /// What is open after the characters so far.
    pub(super) fn open(&self) -> Option<Unclosed> {
        match self.state {
            State::Between | State::Bare | State::Comment => None,
            State::BareEscape | State::DoubleEscape => Some(Unclosed::Escape),
            State::Single => Some(Unclosed::Single),
            State::Double => Some(Unclosed::Double),
            _ => Some(Unclosed::Bracket),
        }
    }

    /// Whether the next character would be inside quotes or brackets: text that is taken as it is.
    pub(super) fn in_bracket(&self) -> bool {
        self.depth > 0
    }

    fn enter_word(&mut self, state: State) {
        self.state = state;
        self.at_value = false;
    }

    /// Takes one character.
    pub(super) fn step(&mut self, c: char) -> CharClass {
        match self.state {
            State::Between | State::Bare => self.step_bare(c),
            State::BareEscape => {
                self.state = State::Bare;
                if c != '\n' {
                    return CharClass::Keep;
                }
                if self.fresh {
                    // A continued line between two words: the next word is still to begin.
                    self.state = State::Between;
                    self.at_value = true;
                }
                CharClass::Skip
            }
            State::Single => {
                if c == '\'' {
                    self.state = State::Bare;
                    return CharClass::Skip;
                }
                CharClass::Keep
            }
            State::Double => match c {
                '"' => {
                    self.state = State::Bare;
                    CharClass::Skip
                }
                '\\' => {
                    self.state = State::DoubleEscape;
                    CharClass::Skip
                }
                _ => CharClass::Keep,
            },
            State::DoubleEscape => {
                self.state = State::Double;
                match c {
                    '$' | '`' | '"' | '\\' => CharClass::Keep,
                    '\n' => CharClass::Skip,
                    _ => CharClass::KeepBoth,
                }
            }
            State::Comment => {
                if c == '\n' {
                    self.state = State::Between;
                    return CharClass::Blank;
                }
                CharClass::Comment
            }
            _ => {
                self.step_bracket(c);
                CharClass::Keep
            }
        }
    }

    fn step_bare(&mut self, c: char) -> CharClass {
        let between = self.state == State::Between;
        match c {
            ' ' | '\t' | '\n' | '\r' => {
                self.state = State::Between;
                self.at_value = true;
                self.equals = false;
                CharClass::Blank
            }
            '#' if between => {
                self.state = State::Comment;
                CharClass::Comment
            }
            '\'' => {
                self.enter_word(State::Single);
                CharClass::Skip
            }
            '"' => {
                self.enter_word(State::Double);
                CharClass::Skip
            }
            '\\' => {
                self.fresh = between;
                self.enter_word(State::BareEscape);
                CharClass::Skip
            }
            '{' | '[' if self.at_value => {
                self.enter_word(State::Bracket);
                self.depth = 1;
                CharClass::Keep
            }
            '=' if !self.equals => {
                self.state = State::Bare;
                self.equals = true;
                self.at_value = true;
                CharClass::Equals
            }
            _ => {
                self.enter_word(State::Bare);
                CharClass::Keep
            }
        }
    }

    /// Inside brackets text is JSON: strings in either quote, comments in any of three manners.
    fn step_bracket(&mut self, c: char) {
        self.state = match (self.state, c) {
            (State::BracketString(quote), _) if c == quote => State::Bracket,
            (State::BracketString(quote), '\\') => State::BracketEscape(quote),
            (State::BracketString(quote), _) | (State::BracketEscape(quote), _) => State::BracketString(quote),
            (State::BracketLine, '\n') => State::Bracket,
            (State::BracketLine, _) => State::BracketLine,
            (State::BracketBlock | State::BracketStar, '*') => State::BracketStar,
            (State::BracketStar, '/') => State::Bracket,
            (State::BracketBlock | State::BracketStar, _) => State::BracketBlock,
            (State::BracketSlash, '/') => State::BracketLine,
            (State::BracketSlash, '*') => State::BracketBlock,
            (_, '/') => State::BracketSlash,
            (_, '#') => State::BracketLine,
            (_, '"' | '\'') => State::BracketString(c),
            (_, '{' | '[') => {
                self.depth += 1;
                State::Bracket
            }
            (_, '}' | ']') => {
                self.depth -= 1;
                if self.depth == 0 { State::Bare } else { State::Bracket }
            }
            _ => State::Bracket,
        };
    }
}
