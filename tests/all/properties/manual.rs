//! The parser of manual pages: it accepts any text, and lookup and search find what it parsed.

use qmp_shell::schema::manual::Manual;

/// The input is a page.
pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let manual = Manual::parse(&text);
    for entry in manual.entries() {
        assert!(!entry.name.is_empty());
        assert!(manual.entry(&entry.name).is_some(), "`{}` is not found", entry.name);
        assert!(entry.examples().iter().all(|example| !example.trim().is_empty()));
        assert!(entry.summary().len() <= text.len() * 3);
    }
    // Of two entries with one name, lookup returns the first.
    for entry in manual.entries().iter().take(8).filter_map(|entry| manual.entry(&entry.name)) {
        for found in manual.members(entry).into_iter().take(16) {
            if !found.member.name.contains('.') && !found.member.name.is_empty() {
                assert!(manual.member(&entry.name, &found.member.name).is_some(), "`{}`", found.member.name);
            }
        }
        let _ = manual.member(&entry.name, "driver.0.file.filename");
        assert!(!manual.search(&entry.name).is_empty(), "`{}` is not found by its own name", entry.name);
    }
    let _ = manual.search("node name");
}
