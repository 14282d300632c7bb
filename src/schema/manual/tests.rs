//! Tests of lookup and search, and properties of the parser for any text.

use proptest::prelude::*;

use super::parse::tests::{NEWER, OLDER};
use super::*;

#[test]
fn finds_members_of_included_types() {
    for page in [NEWER, OLDER] {
        let manual = Manual::parse(page);
        let entry = manual.entry("thing-add").unwrap();
        let names: Vec<_> = manual
            .members(entry)
            .iter()
            .map(|found| (found.member.name.as_str(), found.entry.name.as_str(), found.when))
            .collect();
        assert_eq!(
            names,
            [
                ("id", "thing-add", None),
                ("kind", "ThingOptions", None),
                ("radius", "ThingRound", Some(("kind", "round"))),
            ]
        );
        for (name, path, expected) in [
            ("ThingOptions", "kind", Some("kind")),
            ("thing-add", "radius", Some("radius")),
            ("thing-add", "kind.square", Some("square")),
            ("thing-add", "unstable", None),
            ("thing-add", "", None),
            ("thing-add", "id.more", None),
            ("no-thing", "id", None),
        ] {
            let found = manual.member(name, path).map(|found| found.member.name.as_str());
            assert_eq!(found, expected, "{name} {path}");
        }
        assert_eq!(manual.members(manual.entry("THING_GONE").unwrap()), []);
    }
}

#[test]
fn lookup_and_layout_end_for_types_that_include_each_other() {
    let page = |name: &str, other: &str| {
        format!(
            ".SS \\fB{name}\\fP (Object)\n.SS Members\n.INDENT 0.0\n.TP\n.B \\fBa\\fP: \\fB{name}\\fP\nw\n.TP\n.B The \
             members of \\fB{other}\\fP\n.UNINDENT\n"
        )
    };
    let manual = Manual::parse(&(page("A", "B") + &page("B", "A")));
    let entry = manual.entry("A").unwrap();
    assert_eq!(manual.members(entry).len(), 2);
    assert!(!manual.layout(entry, 80).is_empty());
    assert!(manual.member("A", "a.a.0.a").is_some());
}

#[test]
fn search_sorts_by_rank() {
    let manual = Manual::parse(NEWER);
    for (word, expected) in [
        ("thing_add", &["thing-add: Adds a thing."][..]),
        ("gone", &["THING_GONE: Says that a thing is gone.", "thing-add: See THING_GONE."]),
        ("CORNERS", &["ThingKind: round: has no corners"]),
        ("radius", &["ThingRound: radius: from the middle"]),
        ("square", &["ThingKind: square"]),
        ("nowhere", &[]),
        (" ", &[]),
    ] {
        let hits: Vec<String> =
            manual.search(word).iter().map(|hit| format!("{}: {}", hit.entry.name, hit.sentence)).collect();
        assert_eq!(hits, expected, "{word}");
    }
    let names: Vec<&str> = manual.search("thing").iter().map(|hit| hit.entry.name.as_str()).collect();
    assert_eq!(names, ["thing-add", "THING_GONE", "ThingOptions", "ThingKind", "ThingRound"]);
}

#[test]
fn parses_version_and_examples() {
    for (page, version) in [(NEWER, "10.0.2"), (OLDER, "7.2.1")] {
        let manual = Manual::parse(page);
        assert_eq!(manual.version(), Some(version));
        let entry = manual.entry("thing-add").unwrap();
        assert_eq!(entry.examples(), ["{ \"execute\": \"thing-add\",\n     \"arguments\": { \"id\": \"a\" } }"]);
        assert_eq!(entry.summary(), "Adds a thing.");
    }
    assert_eq!(Manual::parse("no page").entries(), []);
}

/// Counts the steps of parsing a page and its examples.
fn steps(page: &str) -> usize {
    STEPS.set(0);
    let manual = Manual::parse(page);
    manual.entries().iter().for_each(|entry| drop(entry.examples()));
    STEPS.get()
}

#[test]
fn the_number_of_steps_grows_linearly() {
    let nested = |count: usize| format!("{}x\n{}", ".INDENT 0.0\n".repeat(count), ".UNINDENT\n".repeat(count));
    let example =
        |line: &'static str| move |count: usize| format!(".SS \\fBa\\fP (Command)\n.nf\n{}.fi\n", line.repeat(count));
    let many = |line: &'static str| move |count: usize| line.repeat(count);
    let shapes: &[(&str, &dyn Fn(usize) -> String)] = &[
        ("newer pages", &many(NEWER)),
        ("older pages", &many(OLDER)),
        ("groups in groups", &nested),
        ("groups never closed", &many(".INDENT 0.0\nx\n")),
        ("groups never opened", &many(".UNINDENT\n")),
        ("items in items", &many(".INDENT 0.0\n.TP\n.B Object A\nx\n")),
        ("one long line", &many("word \\fBb\\fP ")),
        ("one long paragraph", &many("words\n")),
        ("open escapes", &many("\\[")),
        ("escapes with no end", &many("\\h'")),
        ("requests never closed", &example("\\-> { { [\n")),
        ("an open string", &example("\\-> \" {\n\n")),
        ("a definition never ended", &many(".de x\n")),
        ("cells never closed", &many(".TS\nT{\n")),
        ("bullets", &many(".IP \\(bu 2\n\\fBa\\fP (((( \\-\\- b\n")),
    ];
    for (what, page) in shapes {
        let [one, two, four] = [100, 200, 400].map(|count| steps(&page(count)));
        assert!(two <= 2 * one + 200 && four <= 2 * two + 200, "{what}: {one}, {two}, {four}");
        assert!(four > 0, "{what}");
    }
}

/// Generates pages from typical lines in any order.
fn scraps() -> impl Strategy<Value = String> {
    const SCRAPS: &[&str] = &[
        ".SS \\fBa\\-b\\fP (Command)",
        ".SS Arguments",
        ".SS Since",
        ".SS If",
        ".SH CHAPTER",
        ".B Object  T  (Since: 1)",
        ".B Members",
        ".B Return",
        ".TP",
        ".IP \\(bu 2",
        ".IP 1. 3",
        ".IP \"Example:\"",
        ".INDENT 7.0",
        ".UNINDENT",
        ".sp",
        ".nf",
        ".fi",
        ".TS",
        "l l.",
        "T{",
        "T}\tT{",
        ".TE",
        "\\fBa\\fP (\\fBT\\fP, \\fIoptional\\fP) \\-\\- words",
        ".B \\fBa\\fP: \\fBT\\fP (optional)",
        "The members of \\fBT\\fP",
        "The members of \\fBT\\fP when \\fBa\\fP is \\fBé\\fP",
        "\\fBNOTE:\\fP",
        "\\fIAvailability\\fP: \\fBé\\fP.INDENT 7.0",
        "\\-> { \\(dqa\\(dq:",
        "<\\- }",
        "words é — (",
        "",
    ];
    let scrap = prop_oneof![
        8 => proptest::sample::select(SCRAPS).prop_map(str::to_owned),
        1 => ".{0,12}",
    ];
    proptest::collection::vec(scrap, 0..60).prop_map(|lines| lines.join("\n"))
}

/// Calls all functions of a manual.
fn exercise(page: &str, width: usize) {
    let manual = Manual::parse(page);
    for entry in manual.entries() {
        let lines = manual.layout(entry, width);
        assert!(lines.iter().flatten().all(|run| !run.text.contains('\n')));
        for found in manual.members(entry) {
            manual.layout_member(found, width);
        }
        let _ = (entry.examples(), entry.summary(), manual.member(&entry.name, "a.a"));
    }
    manual.search("a");
    manual.search("é");
}

proptest! {
    #[test]
    fn accepts_any_text(page in "(?s).{0,400}", width in 0_usize..200) {
        exercise(&page, width);
    }

    #[test]
    fn accepts_any_page(page in scraps(), width in 0_usize..200) {
        exercise(&page, width);
    }
}
