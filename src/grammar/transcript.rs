//! Separates the typed lines of a pasted session from the rest of it: prompts, replies, events, echoes.

use std::borrow::Cow;

use crate::wire::HMP_COMMAND;

use super::json::{comment_end, string_end};
use super::scan::is_blank;

/// The members that only messages of a server have.
const SERVER_MEMBERS: &[&str] = &["return", "error", "event", "QMP"];

/// The prompt before a line of a pasted session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prompt {
    /// `(QEMU)`, or with a VM's name.
    Shell,
    /// `TRANS>`.
    Block,
    /// `(qemu)`, or with a VM's name after `qemu`.
    HumanMonitor,
    /// `$` or `user@host:~$`, of the system's shell.
    System,
}

impl Prompt {
    /// Returns the record of a line with this prompt.
    fn before(self, line: &str) -> Prompted {
        match self {
            Prompt::Shell => Prompted::Shell(line.to_owned()),
            // The end of a block sends it.
            Prompt::Block => Prompted::Shell("transaction".to_owned()),
            Prompt::HumanMonitor => Prompted::HumanMonitor,
            Prompt::System => Prompted::System,
        }
    }
}

/// The last line that had a prompt, if its output may follow.
#[derive(Debug, Default, PartialEq, Eq)]
enum Prompted {
    #[default]
    Nothing,
    /// A line for a QMP shell.
    Shell(String),
    /// A line for the human monitor, whose output is any text.
    HumanMonitor,
    /// A line for the system's shell, whose output is any text.
    System,
}

impl Prompted {
    /// Returns whether its output can be any text, which has no form of its own.
    fn has_any_output(&self) -> bool {
        matches!(self, Prompted::HumanMonitor | Prompted::System)
    }
}

/// The part of a pasted session that has been read.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    before: Prompted,
    /// The prompt of the line that is being read.
    prompt: Option<Prompt>,
    /// Whether `before` was entered separately.
    is_resumed: bool,
    /// The number of rows that were passed over although they may have been meant.
    doubtful: usize,
}

impl Transcript {
    /// Notes that the following lines are entered separately; `is_pasted` says whether too fast for a human. Text without a form of
    /// its own is recognised as output only within one paste.
    pub(super) fn resume(&mut self, is_pasted: bool) {
        if self.before.has_any_output() && !is_pasted {
            self.before = Prompted::Nothing;
        }
        self.is_resumed = true;
    }

    /// Returns the number of rows that were passed over although they may have been meant, and forgets it.
    pub(super) fn take_doubtful(&mut self) -> usize {
        std::mem::take(&mut self.doubtful)
    }

    /// Returns the typed part of a row that begins a line; `None` if nothing of it was typed. `is_hmp` says whether
    /// lines are for the human monitor.
    pub(super) fn typed_part<'r>(&mut self, row: &'r str, is_hmp: bool) -> Option<Cow<'r, str>> {
        let (prompt, typed) = split_prompts(row);
        let Some(prompt) = prompt else {
            return self.may_be_typed(row.trim_start_matches(is_blank), is_hmp).then_some(Cow::Borrowed(row));
        };
        self.is_resumed = false;
        let prompt = if is_hmp && prompt != Prompt::System { Prompt::HumanMonitor } else { prompt };
        self.before = prompt.before(typed);
        if typed.is_empty() || prompt == Prompt::System {
            return None;
        }
        self.prompt = Some(prompt).filter(|_| !is_hmp);
        // In QMP mode, a dot command sends a line to the human monitor.
        let needs_command = prompt == Prompt::HumanMonitor && !is_hmp && !typed.starts_with(['.', '!', '#', '{']);
        Some(if needs_command { Cow::Owned(format!(".hmp {typed}")) } else { Cow::Borrowed(typed) })
    }

    /// Returns whether a row without a prompt may have been typed.
    fn may_be_typed(&mut self, row: &str, is_hmp: bool) -> bool {
        if is_filler(row) || is_banner(row) {
            return false;
        }
        match self.before {
            Prompted::Nothing => true,
            Prompted::Shell(_) => {
                let may_be_typed = row.is_empty() || can_begin_line(row);
                self.doubtful += usize::from(self.is_resumed && !may_be_typed);
                may_be_typed
            }
            Prompted::HumanMonitor | Prompted::System => {
                let is_own = is_dot_command(row) || !is_hmp && without_arrow(row).starts_with('{');
                self.doubtful += usize::from(!is_own && !row.is_empty());
                is_own
            }
        }
    }

    /// Returns whether a line of QMP mode was typed: whether it is anything but a message of the server, or the echo of the
    /// line before.
    pub(super) fn is_typed(&mut self, line: &str) -> bool {
        let role = Role::of(line.trim());
        if let Some(prompt) = self.prompt.take() {
            self.before = prompt.before(line);
            return role != Role::Message && role != Role::Filler;
        }
        match role {
            Role::Blank => true,
            Role::Filler | Role::Message => false,
            Role::Request(command) if self.is_echo(command) => {
                self.doubtful += usize::from(self.is_resumed);
                // The same request once more is not an echo.
                self.before = Prompted::Shell(String::new());
                false
            }
            // A shell may show a reply without its `return`.
            Role::Object if self.before != Prompted::Nothing => {
                self.doubtful += usize::from(self.is_resumed);
                false
            }
            Role::Request(_) | Role::Object | Role::Command => {
                self.before = Prompted::Nothing;
                true
            }
        }
    }

    /// Returns whether a request for `command` is the echo of the line before, as a verbose shell shows it.
    fn is_echo(&self, command: &str) -> bool {
        match &self.before {
            Prompted::Nothing | Prompted::System => false,
            Prompted::HumanMonitor => command == HMP_COMMAND,
            Prompted::Shell(line) if line.starts_with('{') => command_of(&outer_members(line)) == Some(command),
            Prompted::Shell(line) => {
                let mut words = line.split_whitespace();
                words.any(|word| word == command || word == ".hmp" && command == HMP_COMMAND)
            }
        }
    }
}

/// The role of a line of QMP mode in a session.
#[derive(Debug, PartialEq, Eq)]
enum Role<'t> {
    /// Nothing, or a comment.
    Blank,
    /// Dots and the like.
    Filler,
    /// A request for this command.
    Request(&'t str),
    /// A message of the server.
    Message,
    /// Another object.
    Object,
    /// Anything else.
    Command,
}

impl Role<'_> {
    fn of(line: &str) -> Role<'_> {
        let rest = without_arrow(line);
        if rest.is_empty() || line.starts_with('#') {
            return Role::Blank;
        }
        if is_filler(rest) {
            return Role::Filler;
        }
        if !rest.starts_with('{') {
            return Role::Command;
        }
        let members = outer_members(rest);
        let has_only = |keys: &[&str]| !members.is_empty() && members.iter().all(|(key, _)| keys.contains(key));
        if let Some(command) = command_of(&members) {
            Role::Request(command)
        } else if members.iter().any(|(key, _)| SERVER_MEMBERS.contains(key)) || has_arrow_of_server(line) {
            Role::Message
        } else if has_only(&["type", "data"]) {
            // An action of a transaction.
            Role::Command
        } else {
            Role::Object
        }
    }
}

/// Returns the offset after the pasted prompts at the beginning of `text`.
pub fn typed_start(text: &str) -> usize {
    text.len() - split_prompts(text).1.len()
}

/// Splits a row into the prompts at its beginning, of which the last is returned, and the rest.
fn split_prompts(row: &str) -> (Option<Prompt>, &str) {
    let (mut last, mut rest) = (None, row);
    while let Some((prompt, len)) = leading_prompt(rest.trim_start_matches(is_blank)) {
        last = Some(prompt);
        rest = rest.trim_start_matches(is_blank)[len..].trim_start_matches(is_blank);
    }
    (last, rest)
}

/// Returns the prompt at the beginning of a row, and its length.
fn leading_prompt(row: &str) -> Option<(Prompt, usize)> {
    const FIXED: [(&str, Prompt); 3] =
        [("TRANS>", Prompt::Block), ("(qemu)", Prompt::HumanMonitor), ("(not connected)", Prompt::Shell)];
    let named = || {
        let (name, _) = row.strip_prefix('(')?.split_once(')')?;
        let human_monitor = name.strip_prefix("qemu ").filter(|vm| !vm.trim_matches(is_blank).is_empty());
        // A name may contain blanks, but other text in parentheses is not followed by what begins a line.
        let typed = row[name.len() + 2..].trim_start_matches(is_blank);
        let is_text = name.contains(char::is_whitespace) && !(typed.is_empty() || can_begin_line(typed));
        let is_name = !name.trim().is_empty() && !name.contains('(') && !is_text;
        let prompt = human_monitor.map(|_| Prompt::HumanMonitor).or(is_name.then_some(Prompt::Shell))?;
        Some((prompt, name.len() + 2))
    };
    let word = |text: &str| row.strip_prefix(text).is_some_and(|rest| rest.is_empty() || rest.starts_with(is_blank));
    let fixed = FIXED.iter().find(|(text, _)| word(text)).map(|(text, prompt)| (*prompt, text.len()));
    let named = || named().filter(|(_, len)| word(&row[..*len]));
    fixed.or_else(named).or_else(|| Some((Prompt::System, system_prompt_len(row)?)))
}

/// Returns the length of a prompt of the system's shell: `$`, or with the user and the host before it, where root has `#`.
fn system_prompt_len(row: &str) -> Option<usize> {
    let end = row.find(['$', '#'])? + 1;
    let (prompt, rest) = row.split_at(end);
    let first = prompt.split_whitespace().next()?;
    let is_named = !first.starts_with('@') && first.contains('@') && !prompt.contains(['=', '{', '"', '\'']);
    let len = match prompt {
        "$" if rest.starts_with('>') => end + 1,
        "$" => end,
        _ if is_named => end,
        _ => return None,
    };
    row[len..].chars().next().is_none_or(char::is_whitespace).then_some(len)
}

/// Returns whether a row inside an unfinished object shows that the object is not continued: a prompt, or an arrow
/// before another object.
pub(super) fn begins_anew(row: &str) -> bool {
    let trimmed = row.trim_start_matches(is_blank);
    leading_prompt(trimmed).is_some() || arrow_len(trimmed) > 0 && without_arrow(trimmed).starts_with('{')
}

/// The arrows of documents, old and new, before a message: to the server, and from it.
const ARROWS: [(&str, &str); 3] = [("->", "<-"), ("→", "←"), ("C:", "S:")];

/// Returns the arrow at the beginning of a row, and whether it comes from the server. Only `->` and `<-` are arrows
/// whatever follows.
fn leading_arrow(row: &str) -> Option<(&'static str, bool)> {
    let is_arrow = |arrow: &str| {
        let rest = row.strip_prefix(arrow);
        rest.is_some_and(|rest| matches!(arrow, "->" | "<-") || rest.trim_start().starts_with('{'))
    };
    let arrows = ARROWS.iter().flat_map(|(to, from)| [(*to, false), (*from, true)]);
    arrows.into_iter().find(|(arrow, _)| is_arrow(arrow))
}

fn has_arrow_of_server(line: &str) -> bool {
    leading_arrow(line).is_some_and(|(_, is_from_server)| is_from_server)
}

/// Returns the length of the arrow before a pasted message, with the whitespace before it.
pub(super) fn arrow_len(row: &str) -> usize {
    let trimmed = row.trim_start_matches(is_blank);
    let indent = row.len() - trimmed.len();
    leading_arrow(trimmed).map_or(0, |(arrow, _)| indent + arrow.len())
}

/// Returns the text after a leading arrow, or the whole text.
pub(super) fn without_arrow(text: &str) -> &str {
    text[arrow_len(text)..].trim_start_matches(is_blank)
}

/// Returns the offset of another object after the end of the one before, if only an arrow and whitespace come before it.
pub(super) fn next_object(rest: &str) -> Option<usize> {
    let trimmed = rest.trim_start_matches(is_blank);
    without_arrow(trimmed).starts_with('{').then_some(rest.len() - trimmed.len())
}

/// Returns a row without the dots that some programs show before the continuation of a line.
pub(super) fn without_continuation_prompt(row: &str) -> &str {
    match row.trim_start_matches(is_blank).strip_prefix("...") {
        Some(rest) if rest.starts_with(is_blank) => rest,
        _ => row,
    }
}

/// Returns whether a row stands for what a document left out, or for the key that ended the session.
fn is_filler(row: &str) -> bool {
    matches!(row.trim_end(), "..." | "…" | "[...]" | "[…]" | "^C" | "^D")
}

/// Returns whether a row is the banner of a monitor or of a shell for one.
fn is_banner(row: &str) -> bool {
    let is_monitor = || row.strip_prefix("QEMU ").is_some_and(|rest| rest.contains(" monitor - type "));
    ["Welcome to the QMP ", "Welcome to the HMP ", "Connected to QEMU "].iter().any(|text| row.starts_with(text))
        || is_monitor()
}

fn is_dot_command(row: &str) -> bool {
    row.strip_prefix('.').is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Returns whether a row may be a line of QMP mode, or its beginning. Rows of output such as `[`, `12:01:02.345 STOP` or
/// `error: …` cannot.
fn can_begin_line(row: &str) -> bool {
    if row.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return row.split_whitespace().next().is_some_and(|word| !word.ends_with(':'));
    }
    row.starts_with(['!', '#', '@', '{', ')']) || is_dot_command(row) || arrow_len(row) > 0
}

/// A member of an object: its key, and its value if that is a string.
type OuterMember<'t> = (&'t str, Option<&'t str>);

/// Returns the members of an object that is not valid JSON everywhere: in documents a comma is missing, or the middle.
fn outer_members(text: &str) -> Vec<OuterMember<'_>> {
    let (mut members, mut depth, mut at) = (Vec::<OuterMember<'_>>::new(), 0, 0);
    let mut is_value = false;
    while let Some(c) = text[at..].chars().next() {
        let end = match c {
            '"' | '\'' => string_end(text, at, c).unwrap_or(text.len()),
            '#' => comment_end(text, at).unwrap_or(text.len()),
            '/' if text[at..].starts_with("//") || text[at..].starts_with("/*") => {
                comment_end(text, at).unwrap_or(text.len())
            }
            _ => at + c.len_utf8(),
        };
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' if depth <= 1 => break,
            '}' | ']' => depth -= 1,
            '"' | '\'' if depth == 1 => {
                let string = text[at..end].trim_matches(c);
                match members.last_mut() {
                    Some((_, value)) if is_value => *value = Some(string),
                    _ => members.push((string, None)),
                }
            }
            _ => {}
        }
        // The comma is what a document forgets, so the next string is a value only right after a colon.
        is_value = c == ':' || is_value && c.is_whitespace();
        at = end;
    }
    members
}

fn command_of<'t>(members: &[OuterMember<'t>]) -> Option<&'t str> {
    let (_, command) = members.iter().find(|(key, _)| matches!(*key, "execute" | "exec-oob"))?;
    Some(command.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_prompts() {
        for (row, prompt, rest) in [
            ("(QEMU) stop", Some(Prompt::Shell), "stop"),
            ("  (QEMU)", Some(Prompt::Shell), ""),
            ("(QEMU-VM1) stop", Some(Prompt::Shell), "stop"),
            ("(QEMU) (QEMU) stop ", Some(Prompt::Shell), "stop "),
            ("(not connected) stop", Some(Prompt::Shell), "stop"),
            ("(qemu) info name", Some(Prompt::HumanMonitor), "info name"),
            ("$ ls", Some(Prompt::System), "ls"),
            ("$x", None, "$x"),
            ("$> ls", Some(Prompt::System), "ls"),
            ("user@host:~/my dir$ ls", Some(Prompt::System), "ls"),
            ("[root@host ~]# ls", Some(Prompt::System), "ls"),
            ("@vm stop # now", None, "@vm stop # now"),
            ("migrate uri=exec:ssh root@host # now", None, "migrate uri=exec:ssh root@host # now"),
            ("TRANS> )", Some(Prompt::Block), ")"),
            ("(QEMU)stop", None, "(QEMU)stop"),
            ("(vm one) stop", Some(Prompt::Shell), "stop"),
            ("(vm one)", Some(Prompt::Shell), ""),
            ("(vm one) [1]", None, "(vm one) [1]"),
            ("(qemu vm one) x", Some(Prompt::HumanMonitor), "x"),
            ("() stop", None, "() stop"),
            ("(open stop", None, "(open stop"),
            ("(open", None, "(open"),
        ] {
            assert_eq!(split_prompts(row), (prompt, rest), "{row}");
        }
    }

    #[test]
    fn reads_the_members_of_what_is_almost_json() {
        for (text, expected) in [
            (r#"{"execute": "stop"}"#, vec![("execute", Some("stop"))]),
            (r#"{ 'id' : 1, "return": {"event": "x"} }"#, vec![("id", None), ("return", None)]),
            ("{\"arguments\": {}\n \"execute\" : \"a\",\n}", vec![("arguments", None), ("execute", Some("a"))]),
            ("{\"a\": {...}, # it's\n \"b\": [1, \"c\"] // d\"\n}", vec![("a", None), ("b", None)]),
            ("{\"execute\": }", vec![("execute", None)]),
            ("{\"open", vec![("open", None)]),
        ] {
            assert_eq!(outer_members(text), expected, "{text}");
        }
    }
}
