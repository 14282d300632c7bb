//! Prints lines of the manual, each role in its colour.

use crate::schema::manual::{Line, Role};

use super::palette::Palette;
use super::sanitize::printable;

/// Returns `lines` as text, each with a line end.
pub fn manual_text(lines: &[Line], palette: &Palette) -> String {
    let mut out = String::new();
    for line in lines {
        for run in line {
            let text = printable(&run.text);
            match code(run.role, palette) {
                "" => out.push_str(&text),
                code => out.push_str(&palette.paint(code, &text)),
            }
        }
        out.push('\n');
    }
    out
}

fn code(role: Role, palette: &Palette) -> &str {
    match role {
        Role::Plain | Role::Sent => "",
        Role::Strong => &palette.string,
        Role::Reference | Role::Type => &palette.number,
        Role::Heading => &palette.name,
        Role::Name => &palette.key,
        Role::Secondary | Role::Received => &palette.dim,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::manual::Run;

    #[test]
    fn colours_roles_and_escapes_control_characters() {
        let run = |role, text: &str| Run { role, text: text.to_owned() };
        let lines = [vec![run(Role::Name, "a"), run(Role::Plain, " \x1b[2J")], vec![]];
        assert_eq!(manual_text(&lines, &Palette::default()), "a \\x1b[2J\n\n");
        let colored = manual_text(&lines, &Palette::new(true));
        assert_eq!(colored, "\x1b[36ma\x1b[0m \\x1b[2J\n\n");
    }
}
