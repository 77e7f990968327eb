//! The rules of the house that no compiler checks: layers, purity, sizes, the maps, what is shipped beside the code.
//!
//! Each rule is a function from text to findings, so that its own test can show it a text that breaks it; the tests
//! then run it over the project's files. A finding names the file, and says what to do.
#![allow(clippy::unwrap_used)]

#[path = "tidy/arms.rs"]
mod arms;
#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/keys.rs"]
mod keys;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/shipped.rs"]
mod shipped;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/words.rs"]
mod words;

use std::path::{Path, PathBuf};

/// A file of the project, with its path from the root.
#[derive(Debug)]
struct Source {
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below `directory` whose name ends in `.{ext}`, sorted by path.
fn files(directory: &str, ext: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![root().join(directory)];
    while let Some(directory) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == ext) {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Whether the file holds nothing but tests: `foo/tests.rs`, what lies below `foo/tests/`, and everything in `tests/`.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/") || path.ends_with("/loom.rs")
}

/// The text up to its inline test module, which by habit is the last item of a file.
fn without_tests(text: &str) -> &str {
    let mut at = 0;
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().copied().unwrap_or_default();
        if line.trim_end() == "#[cfg(test)]" && next.starts_with("mod ") && next.trim_end().ends_with('{') {
            return &text[..at];
        }
        at += line.len();
    }
    text
}

/// Fails with every finding on a line of its own.
#[track_caller]
fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn an_inline_test_module_is_left_out() {
    assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests {\n}\n"), "a\n");
    assert_eq!(without_tests("#[cfg(test)]\nmod tests;\nb\n"), "#[cfg(test)]\nmod tests;\nb\n");
}
