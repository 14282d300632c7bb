//! Tests with pages as rst2man writes them.

use super::*;

/// Returns the nodes of a page as one line.
fn outline(roff: &str) -> String {
    fn outline_of(nodes: &[Node]) -> String {
        let nodes: Vec<String> = nodes.iter().map(node).collect();
        nodes.join(" ")
    }
    fn node(node: &Node) -> String {
        match node {
            Node::Paragraph(text) => text.plain(),
            Node::Verbatim(lines) => format!("<{}>", lines.join("|")),
            Node::Item { mark, body } => match mark {
                Mark::Bullet => format!("*({})", outline_of(body)),
                Mark::Number(number) => format!("{number}({})", outline_of(body)),
                Mark::Title(title) => format!("!{}({})", title.plain(), outline_of(body)),
                Mark::Term(term) => format!("{}=({})", term.plain(), outline_of(body)),
            },
            Node::Group(nodes) => format!("[{}]", outline_of(nodes)),
            Node::Table(rows) => format!("{} rows", rows.len()),
            Node::Heading(text) => format!("#{}", text.plain()),
        }
    }
    outline_of(&parse_page(roff).1)
}

#[test]
fn parses_paragraphs_items_and_groups() {
    for (roff, expected) in [
        ("one\ntwo\n.sp\nthree\n\nfour", "one two three four"),
        (".SH \"A \\- b\"\n.SS \\fBc\\fP (D)\ntext", "#A - b #c (D) text"),
        (".INDENT 0.0\n.IP \\(bu 2\na\n.IP \\(bu 2\nb\n.sp\nc\n.UNINDENT\nd", "[*(a) *(b c)] d"),
        (".INDENT 0.0\n.TP\n.B x  y\ntext\n.INDENT 7.0\n.TP\nz\n.UNINDENT\n.UNINDENT", "[x y=(text [z=()])]"),
        (".IP 2. 3\na\n.IP b) 3\nc\n.IP \"Say:\"\nd", "2.(a) b)(c) !Say:(d)"),
        (".sp\n.nf\n.ft C\n  a\n    \\-> b\n\n.ft P\n.fi\nc", "<a|  -> b> c"),
        (".EX\na\n.EE", "<a>"),
        (".TS\nl l.\na\tb\n.TE\nc", "1 rows c"),
        // Empty examples and tables are dropped.
        ("a\n.nf\n.fi\n.TS\nl l.\n.TE\nb", "a b"),
        (".de X\nnot text\n..\n.\\\" nor this\n'br\n.nr a 1\ntext", "text"),
        ("at the end.INDENT 7.0\n.IP \\(bu 2\na\n.UNINDENT\nb", "at the end [*(a)] b"),
        (".UNINDENT\n.UNINDENT\na\n.INDENT 2\nb", "a [b]"),
        (".TP\n.sp\na", "a"),
    ] {
        assert_eq!(outline(roff), expected, "{roff}");
    }
}

#[test]
fn parses_the_header() {
    assert_eq!(parse_page(".TH \"A B\" 7 \"\" \"1.2\"\n").0, ["A B", "7", "", "1.2"]);
}

#[test]
fn merges_groups_that_nest_too_deep() {
    let deep = format!("{}a\n{}b", ".INDENT 0.0\n".repeat(50_000), ".UNINDENT\n".repeat(50_000));
    let outline = outline(&deep);
    assert_eq!(outline, format!("{}a{} b", "[".repeat(MAX_GROUP_DEPTH), "]".repeat(MAX_GROUP_DEPTH)));
}
