//! Files of at most 500 lines and functions of at most 70, tests apart; no leftovers.

use super::{assert_none, files, is_test, without_tests};

const MAX_FILE_LINES: usize = 500;
const MAX_FUNCTION_LINES: usize = 70;

/// Functions that are one flat match with an arm for each event: to cut them would hide which events are left out.
const FLAT: &[(&str, &str)] = &[
    ("src/incident/notice.rs", "audiences"),
    ("src/record/review/words.rs", "action"),
    ("src/words/pages/refusal.rs", "why"),
    ("src/words/pages/story.rs", "tell"),
];

/// Functions of `text` that are too long, as (line, name, length). Relies on rustfmt: a body ends at the indentation at
/// which its function began. Empty lines and comments do not count.
fn long_functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let end_brace = format!("{indent}}}");
        let end_semicolon = |line: &str| line.starts_with(indent) && line.ends_with(';') && !line.contains('{');
        if line.ends_with('}') || end_semicolon(line) {
            continue;
        }
        let body = lines[at..].iter().position(|line| *line == end_brace).unwrap_or(0);
        let counted = lines[at..=at + body].iter().map(|line| line.trim());
        let length = counted.filter(|line| !line.is_empty() && !line.starts_with("//")).count();
        if length > MAX_FUNCTION_LINES {
            found.push((at + 1, name.to_string(), length));
        }
    }
    found
}

/// The name when a function begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    loop {
        let (word, after) = rest.split_once(' ')?;
        match word {
            "fn" => return after.split(['(', '<']).next(),
            "pub" | "const" | "async" | "unsafe" | "extern" | "\"C\"" => rest = after,
            _ if word.starts_with("pub(") => rest = rest.split_once(") ")?.1,
            _ => return None,
        }
    }
}

#[test]
fn files_and_functions_stay_readable() {
    let mut findings = Vec::new();
    for source in files("src", "rs") {
        if is_test(&source.path) {
            continue;
        }
        let text = without_tests(&source.text);
        let lines = text.lines().count();
        if lines > MAX_FILE_LINES {
            findings
                .push(format!("{}: {lines} lines, at most {MAX_FILE_LINES}: give a part its own file", source.path));
        }
        let flat = |name: &str| FLAT.contains(&(source.path.as_str(), name));
        for (line, name, length) in long_functions(text).into_iter().filter(|(_, name, _)| !flat(name)) {
            findings
                .push(format!("{}:{line}: fn {name} has {length} lines, at most {MAX_FUNCTION_LINES}", source.path));
        }
    }
    assert_none(&findings);
}

#[test]
fn a_long_function_is_found_and_a_short_one_is_not() {
    let body = |lines: usize| {
        format!("impl A {{\n    pub(super) fn f(&self) {{\n{}    }}\n}}\n", "        x();\n".repeat(lines))
    };
    assert_eq!(long_functions(&body(68)), []);
    assert_eq!(long_functions(&body(69)), [(2, "f".to_string(), 71)]);
    assert_eq!(long_functions("trait A {\n    fn f(&self);\n}\n"), []);
}

#[test]
fn there_is_no_mod_rs() {
    let found = files("src", "rs").into_iter();
    let findings: Vec<String> = found
        .filter(|source| source.path.ends_with("/mod.rs"))
        .map(|source| format!("{}: name it after its module", source.path))
        .collect();
    assert_none(&findings);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, or this file would find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("dbg", "!("),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ign", "ore"),
    ];
    let mut findings = Vec::new();
    let all = ["src", "tests", "benches"].into_iter().flat_map(|directory| files(directory, "rs"));
    for source in all {
        for (at, line) in source.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                findings.push(format!("{}:{}: {word}", source.path, at + 1));
            }
        }
    }
    assert_none(&findings);
}
