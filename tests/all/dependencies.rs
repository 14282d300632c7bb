//! The dependencies: their licences, their source, and the packages that are built in two versions.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The licences under which a dependency may be used: none of them restricts the programs beyond naming the author.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages with another licence. MPL-2.0 concerns the files of the package itself, which are not changed here.
const OTHER_LICENCES: &[(&str, &str)] = &[("colored", "MPL-2.0")];

/// The systems for which the programs are built; packages for others are not built.
const TARGETS: &[&str] = &["x86_64-unknown-linux-gnu", "x86_64-apple-darwin", "x86_64-unknown-freebsd"];

/// Packages with two versions, and the dependency that needs the older one.
const IN_TWO_VERSIONS: &[(&str, &str)] = &[
    ("foldhash", "jaq-json 2.0"),
    ("miniz_oxide", "png 0.18"),
    ("syn", "zerocopy-derive and num_enum_derive, while building fuser"),
];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Returns every package of a build, tests and benchmarks included, except this one.
fn dependencies() -> Vec<Value> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--format-version", "1", "--locked"]);
    command.args(TARGETS.iter().flat_map(|target| ["--filter-platform", target]));
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let nodes = metadata["resolve"]["nodes"].take();
    let built: BTreeSet<&str> = nodes.as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
    let root = metadata["resolve"]["root"].take();
    let Value::Array(packages) = metadata["packages"].take() else { panic!("no packages") };
    let is_built = |package: &Value| package["id"] != root && built.contains(package["id"].as_str().unwrap());
    packages.into_iter().filter(is_built).collect()
}

/// Returns whether an expression of SPDX allows one of [`LICENCES`]. `AND` binds closer than `OR`; `/` is an old `OR`.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let mut depth = 0;
    let mut alternatives = vec![String::new()];
    for word in expression.replace('(', " ( ").replace(')', " ) ").split_whitespace() {
        depth += i32::from(word == "(") - i32::from(word == ")");
        match word {
            "OR" if depth == 0 => alternatives.push(String::new()),
            _ => *alternatives.last_mut().unwrap() += &format!("{word} "),
        }
    }
    alternatives.iter().any(|alternative| {
        let parts: Vec<&str> = alternative.split(" AND ").map(str::trim).collect();
        parts.iter().all(|part| match part.strip_prefix('(').and_then(|part| part.strip_suffix(')')) {
            Some(inner) => is_allowed(inner),
            None => LICENCES.contains(part),
        })
    })
}

#[test]
fn expressions_of_licences_are_understood() {
    for allowed in ["MIT", "GPL-2.0-only OR MIT", "Apache-2.0/MIT", "(GPL-3.0 OR MIT) AND Unicode-3.0"] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    for refused in ["", "GPL-2.0-only", "MIT AND GPL-2.0-only", "(MIT OR Zlib) AND MPL-2.0", "MIT WITH x"] {
        assert!(!is_allowed(refused), "{refused}");
    }
}

#[test]
fn dependencies_have_permissive_licences_and_come_from_the_registry() {
    let packages = dependencies();
    assert!(packages.len() > 50, "{}", packages.len());
    let may_be_used = |package: &&Value| {
        let (name, licence) = (package["name"].as_str().unwrap(), package["license"].as_str().unwrap_or(""));
        package["source"] == CRATES_IO && (is_allowed(licence) || OTHER_LICENCES.contains(&(name, licence)))
    };
    let others: Vec<String> = packages
        .iter()
        .filter(|package| !may_be_used(package))
        .map(|package| {
            format!("{} {}: {} {}", package["name"], package["version"], package["license"], package["source"])
        })
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn packages_in_two_versions_are_known() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in dependencies() {
        let text = |member: &str| package[member].as_str().unwrap().to_owned();
        versions.entry(text("name")).or_default().insert(text("version"));
    }
    versions.retain(|_, versions| versions.len() > 1);
    let found: Vec<&str> = versions.keys().map(String::as_str).collect();
    let known: Vec<&str> = IN_TWO_VERSIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(found, known, "see `cargo tree --duplicates`: {versions:?}");
}
