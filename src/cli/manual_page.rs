//! The manual page of a program, in the language of `man`, from the same tables as its help.
//!
//! `clap_mangen` writes one page for each subcommand, and has no place for addresses, lines and dot commands.

use clap::{Arg, Command};

use crate::shell::manual_section;

use super::args::{HelpExt, Section, help_command};

/// The date of the pages: that of the version in Cargo.toml.
const DATE: &str = "2026-11-27";

/// The longest line of a page.
const MAX_LINE_BYTES: usize = 80;

/// Returns the manual page of a program.
pub(super) fn manual_page<A: HelpExt>() -> String {
    let mut command = help_command::<A>();
    command.build();
    let name = command.get_name().to_owned();
    let mut page = Page::default();
    let title = name.to_uppercase();
    let version = command.get_version().unwrap_or_default();
    // Commands and options must not be hyphenated, nor stretched to the right margin. A line may end after any word.
    page.request(&format!(".TH \"{}\" 1 \"{DATE}\" \"{name} {version}\" \"User Commands\"", roff(&title)));
    page.request(".nh\n.ad l\n.ss 12 0");
    page.heading("Name");
    page.line(&format!("{} \\- {}", roff(&name), roff(&lower_case_start(&about(&command)))));
    page.heading("Synopsis");
    page.synopsis(&name, &command);
    page.heading("Description");
    page.paragraphs(&description(&command));
    page.heading("Options");
    page.options(&command);
    if command.has_subcommands() {
        page.heading("Commands");
        command.get_subcommands().for_each(|subcommand| page.subcommand(subcommand));
    }
    for section in A::MANUAL_SECTIONS {
        page.section(section);
    }
    if A::HAS_DOT_COMMANDS {
        page.heading("Dot commands");
        for (usage, help) in manual_section() {
            page.item(&usage_markup(&usage), &help);
        }
    }
    for section in A::SECTIONS {
        page.section(section);
    }
    page.text
}

/// The text of a page.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// Appends a request, or text that is escaped already.
    fn request(&mut self, request: &str) {
        self.text.push_str(request);
        self.text.push('\n');
    }

    /// Appends an escaped line. Its start is not mistaken for a request.
    fn line(&mut self, text: &str) {
        let guard = if text.starts_with(['.', '\'']) { "\\&" } else { "" };
        self.request(&format!("{guard}{text}"));
    }

    /// Appends prose, on lines of at most [`MAX_LINE_BYTES`] if its words allow that.
    fn prose(&mut self, text: &str) {
        let text = prose(text);
        let mut line = String::new();
        for word in text.split(' ') {
            if !line.is_empty() && line.len() + 1 + word.len() > MAX_LINE_BYTES - "\\&".len() {
                self.line(&std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&line);
    }

    fn heading(&mut self, heading: &str) {
        self.request(&format!(".SH {}", heading.to_uppercase()));
    }

    fn paragraphs(&mut self, text: &str) {
        for (index, paragraph) in text.split("\n\n").filter(|text| !text.is_empty()).enumerate() {
            if index > 0 {
                self.request(".PP");
            }
            self.prose(paragraph);
        }
    }

    /// Appends an item, which is escaped already, and its description.
    fn item(&mut self, item: &str, description: &str) {
        self.request(".TP");
        self.line(item);
        self.prose(description);
    }

    fn section(&mut self, (heading, rows): &Section) {
        self.heading(heading);
        for (item, description) in *rows {
            self.item(&bold(item), description);
        }
    }

    fn synopsis(&mut self, name: &str, command: &Command) {
        let usage = command.clone().render_usage().to_string();
        for (index, line) in usage.trim_start_matches("Usage:").lines().enumerate() {
            if index > 0 {
                self.request(".br");
            }
            let rest = line.trim().strip_prefix(name).unwrap_or_default();
            self.line(&format!("{}{}", bold(name), placeholders(rest)));
        }
    }

    fn subcommand(&mut self, command: &Command) {
        self.request(&format!(".SS \"{}\"", roff(command.get_name())));
        let usage = command.clone().render_usage().to_string();
        for (index, line) in usage.trim_start_matches("Usage:").lines().enumerate() {
            if index > 0 {
                self.request(".br");
            }
            self.line(&usage_markup(&line.trim().replace(['<', '>'], "")));
        }
        self.request(".PP");
        let text = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
        let sentences: Vec<&str> = text.split("\n\n").map(|paragraph| paragraph.trim_end_matches('.')).collect();
        self.paragraphs(&format!("{}.", sentences.join(".\n\n")));
        for arg in own_arguments(command) {
            self.argument(arg);
        }
    }

    /// Appends the options without a heading, and then those of each heading.
    fn options(&mut self, command: &Command) {
        let (positional, mut options): (Vec<&Arg>, Vec<&Arg>) =
            command.get_arguments().filter(|arg| !arg.is_hide_set()).partition(|arg| arg.is_positional());
        options.sort_by_key(|arg| arg.get_display_order());
        positional.iter().for_each(|arg| self.argument(arg));
        let mut headings = Vec::new();
        for heading in options.iter().map(|arg| arg.get_help_heading()) {
            if !headings.contains(&heading) {
                headings.push(heading);
            }
        }
        headings.sort_by_key(|heading| heading.is_some());
        for heading in headings {
            if let Some(heading) = heading {
                self.request(&format!(".SS \"{}\"", roff(heading)));
            }
            options.iter().filter(|arg| arg.get_help_heading() == heading).for_each(|arg| self.argument(arg));
        }
    }

    fn argument(&mut self, arg: &Arg) {
        let help = match arg.get_id().as_str() {
            "help" => "Print the summary (`-h`) or the list of all options (`--help`)".to_owned(),
            _ => arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default(),
        };
        let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let help = match defaults.is_empty() || arg.is_hide_default_value_set() || !arg.get_action().takes_values() {
            true => help,
            false => format!("{help} [default: {}]", defaults.join(" ")),
        };
        self.item(&argument_markup(arg), &help);
        let values = arg.get_possible_values();
        if arg.is_hide_possible_values_set() || !arg.get_action().takes_values() || values.is_empty() {
            return;
        }
        self.request(".RS");
        for value in values {
            self.item(&bold(value.get_name()), &value.get_help().map(ToString::to_string).unwrap_or_default());
        }
        self.request(".RE");
    }
}

/// Returns the arguments of a subcommand that its program does not have.
fn own_arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_own = |arg: &&Arg| !arg.is_global_set() && !matches!(arg.get_id().as_str(), "help" | "version");
    command.get_arguments().filter(is_own)
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// Returns the description of a program without its first paragraph, the summary.
fn description(command: &Command) -> String {
    let text = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    text.split_once("\n\n").map(|(_, rest)| rest.to_owned()).unwrap_or(text)
}

/// Returns a summary as it follows the name of its program: in lower case, unless it begins with a name.
fn lower_case_start(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), text.chars().nth(1)) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// Returns an argument as it is typed, with its values in italics.
fn argument_markup(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default().iter().map(|name| placeholders(name)).collect::<Vec<_>>();
    let (min, max) = arg.get_num_args().map_or((0, 0), |range| (range.min_values(), range.max_values()));
    let repeated = if max > values.len() { "..." } else { "" };
    let values = format!("{}{repeated}", values.join(" "));
    if arg.is_positional() {
        return values;
    }
    let short = arg.get_short().map(|short| bold(&format!("-{short}")));
    let aliases = arg.get_visible_aliases().unwrap_or_default();
    let long = arg.get_long().into_iter().chain(aliases).map(|long| bold(&format!("--{long}")));
    let names = short.into_iter().chain(long).collect::<Vec<_>>().join(", ");
    match (arg.get_action().takes_values(), min) {
        (false, _) => names,
        (true, 0) if arg.is_require_equals_set() => format!("{names}[={values}]"),
        (true, 0) => format!("{names} [{values}]"),
        (true, _) => format!("{names} {values}"),
    }
}

/// Returns a usage with its first words, in lower case, in bold, and its placeholders in italics.
fn usage_markup(usage: &str) -> String {
    let is_literal = |word: &&str| word.starts_with(['.', '!']) || word.chars().all(|c| c.is_ascii_lowercase());
    let words: Vec<&str> = usage.split(' ').take_while(is_literal).filter(|word| *word != "!COMMAND").collect();
    let literal = words.join(" ");
    format!("{}{}", bold(&literal), placeholders(&usage[literal.len()..]))
}

/// Returns text with its words in capitals in italics.
fn placeholders(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_uppercase()) {
        let len = rest[start..].find(|c: char| !c.is_ascii_uppercase() && c != '-').unwrap_or(rest.len() - start);
        out.push_str(&roff(&rest[..start]));
        out.push_str(&format!("\\fI{}\\fR", roff(&rest[start..start + len])));
        rest = &rest[start + len..];
    }
    out + &roff(rest)
}

/// Returns prose with what is between backticks in bold.
fn prose(text: &str) -> String {
    let text = text.replace('\n', " ");
    let mut parts: Vec<String> = Vec::new();
    for (index, part) in text.split('`').enumerate() {
        parts.push(if index % 2 == 1 { bold(part) } else { roff(part) });
    }
    parts.concat()
}

fn bold(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("\\fB{}\\fR", roff(text)) }
}

/// Escapes backslashes, and the characters that a typesetter would replace with similar ones.
fn roff(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '"' => out.push_str("\\(dq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_up_options_usages_and_prose() {
        assert_eq!(placeholders(" [OPTIONS] QEMU-COMMAND..."), " [\\fIOPTIONS\\fR] \\fIQEMU\\-COMMAND\\fR...");
        assert_eq!(usage_markup(".wait job ID"), "\\fB.wait job\\fR \\fIID\\fR");
        assert_eq!(usage_markup("!COMMAND"), "!\\fICOMMAND\\fR");
        assert_eq!(prose("see `a-b` and 'x'"), "see \\fBa\\-b\\fR and \\(aqx\\(aq");
        let arg = Arg::new("wait").short('w').long("wait").value_name("SECONDS").num_args(0..=1).require_equals(true);
        assert_eq!(argument_markup(&arg), "\\fB\\-w\\fR, \\fB\\-\\-wait\\fR[=\\fISECONDS\\fR]");
    }

    #[test]
    fn a_line_never_begins_with_a_request() {
        let mut page = Page::default();
        page.line(".exit");
        page.prose(&["word", ".dot"].repeat(20).join(" "));
        assert!(page.text.starts_with("\\&.exit\n"));
        assert_eq!(page.text.matches("\n.").count(), 0, "{}", page.text);
        assert!(page.text.lines().count() > 2 && page.text.lines().all(|line| line.len() <= MAX_LINE_BYTES));
    }
}
