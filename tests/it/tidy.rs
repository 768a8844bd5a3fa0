//! The rules of docs/ARCHITECTURE.md that the compiler cannot hold: who may import whom, which library may be named
//! where, and what every source file must have. The table is data; exceptions stand in one list that only gets shorter.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// module -> what of the crate it may name.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("config", &["error"]),
    ("telemetry", &["config", "error"]),
    ("document", &["error"]),
    ("consensus", &[]),
    ("p2p", &["error", "config"]),
    ("security", &["error", "config"]),
    ("storage", &["document", "error", "config", "security"]),
    ("sql", &["document", "error", "storage"]),
    ("exec", &["sql", "storage", "security", "document", "error", "config"]),
    ("pg", &["exec", "sql", "security", "document", "error", "config"]),
    ("http", &["exec", "sql", "security", "document", "error", "config"]),
    (
        "node",
        &[
            "pg",
            "http",
            "exec",
            "sql",
            "storage",
            "consensus",
            "p2p",
            "security",
            "document",
            "error",
            "config",
            "telemetry",
        ],
    ),
    ("cli", &["node", "config", "error", "telemetry"]),
    ("main", &["cli", "error"]),
    ("lib", &[]),
];

/// library -> the places (path prefixes under src/) that may name it.
const FENCES: &[(&str, &[&str])] = &[
    ("datafusion", &["exec/"]),
    ("pgwire", &["pg/"]),
    ("rocksdb", &["storage/"]),
    ("sqlparser", &["sql/", "exec/"]),
    ("arrow", &["exec/", "pg/"]),
];

/// Known breaches: (file, what it names). This list only gets shorter.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// A file past this has a second idea in it that wants a room of its own.
const LINES_MAX: usize = 1000;

/// Files known to be longer. This list only gets shorter.
const LONG_FILES: &[&str] = &[];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// (path under src/, text without line comments and without `#[cfg(test)]` tails).
fn tree() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

fn without_comments_and_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    code.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The module a path belongs to: its first folder, or the file at the top.
fn module_of(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Every identifier that follows `prefix` in `code`; for `prefix{a, b::c}` the first segments inside the braces.
fn named_after<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut start) = (0, true);
            for (i, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if start && !c.is_whitespace() => {
                        start = false;
                        found.push(identifier(&group[i..]));
                    }
                    _ => {}
                }
            }
        } else {
            found.push(identifier(rest));
        }
    }
    found
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn modules_import_only_what_they_may() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut breaches = Vec::new();
    for (path, text) in tree() {
        let module = module_of(&path);
        let allowed = table.get(module).unwrap_or_else(|| panic!("src/{path}: module {module} is not in the table"));
        for name in named_after(&without_comments_and_tests(&text), "crate::") {
            let known = table.contains_key(name);
            if known && name != module && !allowed.contains(&name) && !EXCEPTIONS.contains(&(path.as_str(), name)) {
                breaches.push(format!("src/{path} names crate::{name}"));
            }
        }
    }
    breaches.sort();
    breaches.dedup();
    assert!(breaches.is_empty(), "import rules broken:\n{}", breaches.join("\n"));
}

#[test]
fn libraries_stay_behind_their_fences() {
    let mut breaches = Vec::new();
    for (path, text) in tree() {
        let code = without_comments_and_tests(&text);
        for (library, places) in FENCES {
            let used = code.contains(&format!("use {library}::")) || code.contains(&format!(" {library}::"));
            if used && !places.iter().any(|p| path.starts_with(p)) && !EXCEPTIONS.contains(&(path.as_str(), *library)) {
                breaches.push(format!("src/{path} names {library}"));
            }
        }
    }
    assert!(breaches.is_empty(), "library fences broken:\n{}", breaches.join("\n"));
}

#[test]
fn consensus_knows_no_clock_no_randomness_and_no_hash_order() {
    for (path, text) in tree().into_iter().filter(|(p, _)| p.starts_with("consensus/")) {
        let code = without_comments_and_tests(&text);
        let simulator = path.contains("/simulator/") || path.contains("/testing/");
        for word in ["std::time::Instant", "SystemTime", "HashMap", "HashSet", "tokio", "rand::", "std::net", "std::fs"]
        {
            assert!(simulator || !code.contains(word), "src/{path} names {word}");
        }
    }
}

#[test]
fn every_source_file_opens_with_what_it_is() {
    for (path, text) in tree() {
        assert!(text.starts_with("//!"), "src/{path} has no //! header");
        let lines = text.lines().count();
        assert!(
            lines <= LINES_MAX || LONG_FILES.contains(&path.as_str()),
            "src/{path} has {lines} lines; which second idea moved in?"
        );
    }
}

#[test]
fn no_stub_is_left_and_no_machine_is_named() {
    // Written in two halves so that this file does not find itself.
    let words =
        [("todo", "!("), ("unimplemented", "!("), ("#[ig", "nore"), ("/roo", "t/"), ("/wor", "k/"), ("/home", "/")];
    for (path, text) in tree() {
        for (a, b) in words {
            assert!(!text.contains(&format!("{a}{b}")), "src/{path} contains {a}{b}");
        }
    }
}

#[test]
fn the_checker_sees_grouped_imports() {
    let code = "use crate::{error::Result, sql::{plan::Rel, eval}};\nlet x = crate::exec::run();";
    assert_eq!(named_after(code, "crate::"), ["error", "sql", "exec"]);
}
