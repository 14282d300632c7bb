//! Programs that stand in for others.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::program::Program;

/// A folder with a program that stands in for another one, to come first in PATH.
pub struct StandIn {
    pub folder: tempfile::TempDir,
}

impl StandIn {
    /// Writes a program that runs these lines of `sh`.
    pub fn new(program: &str, lines: &str) -> StandIn {
        let stand_in = StandIn { folder: tempfile::tempdir().unwrap() };
        let script = stand_in.path(program);
        fs::write(&script, format!("#!/bin/sh\n{lines}\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        stand_in
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Returns PATH with its folder first.
    pub fn search_path(&self) -> String {
        format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap())
    }

    pub fn with(&self, program: Program) -> Program {
        program.env("PATH", &self.search_path())
    }
}
