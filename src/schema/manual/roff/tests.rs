//! Pages, as rst2man writes them, and their shape.

use super::*;

/// The shape of a page as one line.
fn shape(roff: &str) -> String {
    fn of(nodes: &[Node]) -> String {
        let shapes: Vec<String> = nodes.iter().map(one).collect();
        shapes.join(" ")
    }
    fn one(node: &Node) -> String {
        match node {
            Node::Paragraph(text) => text.plain(),
            Node::Verbatim(lines) => format!("<{}>", lines.join("|")),
            Node::Item { mark, body } => match mark {
                Mark::Bullet => format!("*({})", of(body)),
                Mark::Number(number) => format!("{number}({})", of(body)),
                Mark::Title(title) => format!("!{}({})", title.plain(), of(body)),
                Mark::Term(term) => format!("{}=({})", term.plain(), of(body)),
            },
            Node::Group(nodes) => format!("[{}]", of(nodes)),
            Node::Table(rows) => format!("{} rows", rows.len()),
            Node::Heading(text) => format!("#{}", text.plain()),
        }
    }
    of(&page(roff).1)
}

#[test]
fn lines_become_paragraphs_items_and_groups() {
    for (roff, expected) in [
        ("one\ntwo\n.sp\nthree\n\nfour", "one two three four"),
        (".SH \"A \\- b\"\n.SS \\fBc\\fP (D)\ntext", "#A - b #c (D) text"),
        (".INDENT 0.0\n.IP \\(bu 2\na\n.IP \\(bu 2\nb\n.sp\nc\n.UNINDENT\nd", "[*(a) *(b c)] d"),
        (".INDENT 0.0\n.TP\n.B x  y\ntext\n.INDENT 7.0\n.TP\nz\n.UNINDENT\n.UNINDENT", "[x y=(text [z=()])]"),
        (".IP 2. 3\na\n.IP b) 3\nc\n.IP \"Say:\"\nd", "2.(a) b)(c) !Say:(d)"),
        (".sp\n.nf\n.ft C\n  a\n    \\-> b\n\n.ft P\n.fi\nc", "<a|  -> b> c"),
        (".EX\na\n.EE", "<a>"),
        (".TS\nl l.\na\tb\n.TE\nc", "1 rows c"),
        // What is set apart and empty is nothing.
        ("a\n.nf\n.fi\n.TS\nl l.\n.TE\nb", "a b"),
        (".de X\nnot text\n..\n.\\\" nor this\n'br\n.nr a 1\ntext", "text"),
        ("at the end.INDENT 7.0\n.IP \\(bu 2\na\n.UNINDENT\nb", "at the end [*(a)] b"),
        (".UNINDENT\n.UNINDENT\na\n.INDENT 2\nb", "a [b]"),
        (".TP\n.sp\na", "a"),
    ] {
        assert_eq!(shape(roff), expected, "{roff}");
    }
}

#[test]
fn the_header_is_read() {
    assert_eq!(page(".TH \"A B\" 7 \"\" \"1.2\"\n").0, ["A B", "7", "", "1.2"]);
}

#[test]
fn what_nests_too_deep_stands_with_its_surroundings() {
    let deep = format!("{}a\n{}b", ".INDENT 0.0\n".repeat(50_000), ".UNINDENT\n".repeat(50_000));
    let shape = shape(&deep);
    assert_eq!(shape, format!("{}a{} b", "[".repeat(DEPTH), "]".repeat(DEPTH)));
}
