//! Tests of the layout at several widths.

use crate::schema::manual::parse::tests::{NEWER, OLDER};
use crate::schema::manual::{Line, Manual, Role};

fn plain(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        line.iter().for_each(|run| text.push_str(&run.text));
        text.push('\n');
    }
    text
}

fn page(manual: &Manual, name: &str, width: usize) -> String {
    let entry = manual.entry(name).unwrap();
    plain(&[manual.heading(entry)]) + &plain(&manual.layout(entry, width))
}

#[test]
fn lays_out_entries() {
    let manual = Manual::parse(NEWER);
    assert_eq!(
        page(&manual, "thing-add", 40),
        "\
thing-add  command, since 2.9, if CONFIG_THING
Adds a thing. See THING_GONE.

Arguments
  id: string
      what to call it.

      More of it:
      • short
      • unique
  kind: ThingKind, optional
      of which kind
  and, depending on kind, the members of
      round  ThingRound

Features
  unstable  It is new.

Returns
  [ThingKind] — all kinds

Errors
  • If there is no room, NoRoom

Note: Mind the id.

Example
  -> { \"execute\": \"thing-add\",
       \"arguments\": { \"id\": \"a\" } }
  <- { \"return\": {} }
"
    );
    assert_eq!(
        page(&manual, "ThingKind", 24),
        "\
ThingKind  enum, since 2.9
Values
  round  has no corners
  square, flat
"
    );
    assert_eq!(
        page(&manual, "ThingRound", 80),
        "\
ThingRound  object, since 2.9
A round one.

Members
  radius: int
      from the middle

Which go together
    a    b
    yes  no
"
    );
}

#[test]
fn puts_conditions_beside_or_below() {
    let manual = Manual::parse(OLDER);
    let wide = page(&manual, "ThingOptions", 80);
    assert!(wide.contains("\n      round  ThingRound  (if CONFIG_ROUND)\n"), "{wide}");
    let narrow = page(&manual, "ThingOptions", 30);
    assert!(narrow.contains("\n      round  ThingRound\n             (if CONFIG_ROUND)\n"), "{narrow}");
    let values = page(&manual, "ThingKind", 80);
    assert!(values.contains("\n  square, flat (if CONFIG_FLAT)\n"), "{values}");
}

#[test]
fn lays_out_a_member_with_the_values_of_its_type() {
    let manual = Manual::parse(NEWER);
    let found = manual.member("thing-add", "kind").unwrap();
    assert_eq!(
        plain(&manual.layout_member(found, 80)),
        "\
kind: ThingKind, optional  of ThingOptions
  of which kind

ThingKind  enum, since 2.9
  Values
    round  has no corners
    square, flat
"
    );
    let found = manual.member("thing-add", "radius").unwrap();
    assert_eq!(
        plain(&manual.layout_member(found, 30)),
        "\
radius: int
  of ThingRound, when kind is
  round
  from the middle
"
    );
}

#[test]
fn gives_each_run_its_role() {
    let manual = Manual::parse(NEWER);
    let lines = manual.layout(manual.entry("thing-add").unwrap(), 80);
    let role = |text: &str| {
        let mut runs = lines.iter().flatten();
        runs.find(|run| run.text.contains(text)).map(|run| run.role)
    };
    for (text, expected) in [
        ("Adds a thing", Role::Plain),
        ("THING_GONE", Role::Reference),
        ("Arguments", Role::Heading),
        ("Note: ", Role::Heading),
        ("id", Role::Name),
        ("string", Role::Type),
        ("•", Role::Secondary),
        ("-> {", Role::Sent),
        ("\"arguments\"", Role::Sent),
        ("<- {", Role::Received),
        ("round", Role::Strong),
    ] {
        assert_eq!(role(text), Some(expected), "{text}");
    }
}

#[test]
fn lists_a_type_that_includes_itself_once() {
    let page = |inner: &str| {
        format!(
            ".INDENT 0.0\n.TP\n.B Object  Ring\n.INDENT 7.0\n.TP\n.B Members\n.INDENT 7.0\n.IP \\(bu 2\n{inner}.UNINDENT\n\
             .UNINDENT\n.UNINDENT\n"
        )
    };
    let itself = "The members of \\fI\\%Ring\\fP\\&.\n";
    // Directly, and in the documentation of a member.
    let in_member =
        format!("words\n.INDENT 0.0\n.TP\n.B Members\n.INDENT 7.0\n.IP \\(bu 2\n{itself}.UNINDENT\n.UNINDENT\n");
    for (inner, expected) in
        [(itself, "  the members of Ring\n"), (&in_member, "  words\n\n  Members\n    the members of Ring\n")]
    {
        let manual = Manual::parse(&page(inner));
        let lines = manual.layout(manual.entry("Ring").unwrap(), 40);
        assert_eq!(plain(&lines), format!("Members\n{expected}"));
    }
}
