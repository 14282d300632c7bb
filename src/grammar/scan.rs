//! The state machine of the tokenizer: quotes, escapes, brackets and comments, character by character.
//!
//! It keeps its state between calls, so it can split a finished line into words, and can also tell after each physical
//! line whether the input is complete, without scanning it again.

/// Returns whether a character separates words outside quotes.
#[inline]
pub fn is_blank(c: char) -> bool {
    c.is_whitespace() || !c.is_ascii() && is_invisible(c)
}

/// Returns whether a character shows nothing, and comes with text pasted from web pages, chats and word processors: a
/// soft hyphen, a space without width, a byte order mark, a direction mark. Joiners are not among them: words of some
/// languages are spelled with them.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

/// Returns whether a character is a quotation mark of typography, which word processors put in the place of `'` and `"`.
pub(super) fn is_curly_quote(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201f}')
}

/// The prefix of a block device's description in JSON, where QEMU expects a file name.
const JSON_PREFIX: &str = "json:";

/// The role of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CharClass {
    /// Whitespace between words, or an invisible character there.
    Blank,
    /// An invisible character inside a word, not part of the text.
    Invisible,
    /// Part of a comment, `#` included.
    Comment,
    /// Part of the word's text.
    Keep,
    /// Part of the word's text, and so is the backslash before it.
    KeepBoth,
    /// Part of the word's text, after a backslash that is not.
    Escaped,
    /// A quote or an escaping backslash, not part of the text.
    Skip,
    /// The first unquoted `=` of a word.
    Equals,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    BetweenWords,
    Bare,
    BareEscape,
    Single,
    Double,
    DoubleEscape,
    Comment,
    Bracket,
    BracketString(char),
    BracketEscape(char),
    /// After a `/`, which may begin a comment.
    BracketSlash,
    BracketLineComment,
    BracketBlockComment,
    /// After a `*` in a block comment, which may end it.
    BracketBlockCommentStar,
    /// After a backslash outside strings in `json:{…}`.
    BracketBareEscape,
}

/// A construct that is unclosed at the end of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclosed {
    /// A single quote.
    Single,
    /// A double quote.
    Double,
    /// A bracket or brace, or a string or comment inside it.
    Bracket,
    /// A backslash without the character that it escapes.
    Escape,
}

#[derive(Debug, Clone)]
pub(super) struct Scanner {
    state: State,
    depth: usize,
    /// The number of characters of [`JSON_PREFIX`] that have been read, if nothing else has been since the start of the
    /// word, or of the value after its `=`. A bracket at the start, or after the whole prefix, opens JSON.
    prefix: Option<usize>,
    /// Whether the brackets are those of `json:{…}`, which is a string. It has no comments, and outside the strings in it
    /// a backslash escapes.
    is_text: bool,
    /// Whether the word's `=` has been read.
    has_equals: bool,
    /// Whether the escape being read is at the beginning of a word.
    escape_starts_word: bool,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Scanner {
            state: State::BetweenWords,
            depth: 0,
            prefix: Some(0),
            is_text: false,
            has_equals: false,
            escape_starts_word: false,
        }
    }

    /// Returns the construct that is unclosed after the characters so far.
    pub(super) fn open(&self) -> Option<Unclosed> {
        match self.state {
            State::BetweenWords | State::Bare | State::Comment => None,
            State::BareEscape | State::DoubleEscape => Some(Unclosed::Escape),
            State::Single => Some(Unclosed::Single),
            State::Double => Some(Unclosed::Double),
            _ => Some(Unclosed::Bracket),
        }
    }

    /// Returns whether the next character is inside brackets.
    pub(super) fn in_bracket(&self) -> bool {
        self.depth > 0
    }

    /// Returns whether the line continues between two words, after a backslash.
    pub(super) fn continues_between_words(&self) -> bool {
        self.state == State::BareEscape && self.escape_starts_word
    }

    /// Returns whether the next character is outside quotes, escapes, brackets and comments.
    pub(super) fn is_bare(&self) -> bool {
        matches!(self.state, State::BetweenWords | State::Bare)
    }

    /// Reads one character. Returns whether it belongs to a word, and whether to the word's text.
    pub(super) fn step_in_words(&mut self, c: char) -> (bool, bool) {
        let class = self.step(c);
        (!matches!(class, CharClass::Blank | CharClass::Comment), class == CharClass::Keep)
    }

    fn enter_word(&mut self, state: State) {
        self.state = state;
        self.prefix = None;
    }

    /// Reads one character.
    pub(super) fn step(&mut self, c: char) -> CharClass {
        match self.state {
            State::BetweenWords | State::Bare => self.step_bare(c),
            State::BareEscape => {
                self.state = State::Bare;
                if c != '\n' {
                    return CharClass::Escaped;
                }
                if self.escape_starts_word {
                    // The line continues between two words.
                    self.state = State::BetweenWords;
                    self.prefix = Some(0);
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
                    self.state = State::BetweenWords;
                    return CharClass::Blank;
                }
                CharClass::Comment
            }
            State::Bracket if c == '\\' && self.is_text => {
                self.state = State::BracketBareEscape;
                CharClass::Skip
            }
            State::BracketBareEscape => {
                self.state = State::Bracket;
                CharClass::Escaped
            }
            _ => {
                self.step_bracket(c);
                CharClass::Keep
            }
        }
    }

    fn step_bare(&mut self, c: char) -> CharClass {
        let between_words = self.state == State::BetweenWords;
        match c {
            c if c.is_whitespace() => {
                self.state = State::BetweenWords;
                self.prefix = Some(0);
                self.has_equals = false;
                CharClass::Blank
            }
            c if is_invisible(c) => {
                if between_words {
                    CharClass::Blank
                } else {
                    CharClass::Invisible
                }
            }
            '#' if between_words => {
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
                self.escape_starts_word = between_words;
                self.enter_word(State::BareEscape);
                CharClass::Skip
            }
            '{' | '[' if self.prefix == Some(0) => self.open_bracket(false),
            '{' if self.prefix == Some(JSON_PREFIX.len()) => self.open_bracket(true),
            '=' if !self.has_equals => {
                self.state = State::Bare;
                self.has_equals = true;
                self.prefix = Some(0);
                CharClass::Equals
            }
            _ => {
                let prefix = self.prefix.filter(|read| JSON_PREFIX[*read..].starts_with(c)).map(|read| read + 1);
                self.enter_word(State::Bare);
                self.prefix = prefix;
                CharClass::Keep
            }
        }
    }

    fn open_bracket(&mut self, is_text: bool) -> CharClass {
        self.enter_word(State::Bracket);
        self.depth = 1;
        self.is_text = is_text;
        CharClass::Keep
    }

    /// Reads one character of JSON. Strings can have single or double quotes; comments can begin with `#`, `//` or
    /// `/*`.
    fn step_bracket(&mut self, c: char) {
        self.state = match (self.state, c) {
            (State::BracketString(quote), _) if c == quote => State::Bracket,
            (State::BracketString(quote), '\\') => State::BracketEscape(quote),
            (State::BracketString(quote), _) | (State::BracketEscape(quote), _) => State::BracketString(quote),
            (State::BracketLineComment, '\n') => State::Bracket,
            (State::BracketLineComment, _) => State::BracketLineComment,
            (State::BracketBlockComment | State::BracketBlockCommentStar, '*') => State::BracketBlockCommentStar,
            (State::BracketBlockCommentStar, '/') => State::Bracket,
            (State::BracketBlockComment | State::BracketBlockCommentStar, _) => State::BracketBlockComment,
            (State::BracketSlash, '/') => State::BracketLineComment,
            (State::BracketSlash, '*') => State::BracketBlockComment,
            (_, '/') if !self.is_text => State::BracketSlash,
            (_, '#') if !self.is_text => State::BracketLineComment,
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
