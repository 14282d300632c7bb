//! Skipped tests. libtest cannot skip a test while it runs, so each skip is recorded in a file, and `tests/run` reports
//! the recorded tests as skipped instead of passed.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::{Scope, ScopedJoinHandle};

use super::find_program;

thread_local! {
    static SKIPPED: Cell<bool> = const { Cell::new(false) };
}

/// Records that the running test, or a part of it, is skipped because `missing` is not available. Fails the test
/// instead if `QMP_SHELL_TEST_REQUIRE` is set.
#[track_caller]
pub fn skip(missing: &str) {
    let is_required = std::env::var_os("QMP_SHELL_TEST_REQUIRE").is_some();
    assert!(!is_required, "{missing} is missing, and QMP_SHELL_TEST_REQUIRE is set");
    skip_optional(missing);
}

/// Records a skip that is never a failure. For requirements that `tests/install` cannot meet, such as permission to
/// mount.
pub fn skip_optional(missing: &str) {
    // One test may have several threads.
    static LOCK: Mutex<()> = Mutex::new(());

    SKIPPED.set(true);
    let missing = missing.split_whitespace().collect::<Vec<_>>().join(" ");
    let _lock = LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let file = record_folder().join(test_name());
    let recorded = fs::read_to_string(&file).unwrap_or_default();
    if !recorded.lines().any(|line| line == missing) {
        fs::create_dir_all(record_folder()).unwrap();
        let mut file = File::options().append(true).create(true).open(file).unwrap();
        writeln!(file, "{missing}").unwrap();
    }
}

/// Returns whether this thread has recorded a skip.
pub fn has_skipped() -> bool {
    SKIPPED.get()
}

/// Finds a program that a test needs; records a skip if it is missing.
#[track_caller]
pub fn require_program(program: &str) -> Option<PathBuf> {
    let found = find_program(program);
    if found.is_none() {
        skip(program);
    }
    found
}

/// Spawns a scoped thread with the name of the current one, so that a skip in it is recorded for the same test.
pub fn spawn_for_test<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    f: impl FnOnce() -> T + Send + 'scope,
) -> ScopedJoinHandle<'scope, T> {
    std::thread::Builder::new().name(test_name()).spawn_scoped(scope, f).unwrap()
}

/// Returns the folder with one file for each skipped test, named after the test.
fn record_folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cache = std::env::var_os("QMP_SHELL_TEST_CACHE").unwrap_or_else(|| "target/test-cache".into());
    root.join(cache).join("skipped")
}

/// Returns the name of the running test: libtest names a test's thread after it.
fn test_name() -> String {
    std::thread::current().name().unwrap_or("unnamed thread").to_owned()
}
