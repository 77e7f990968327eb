//! A match over what happens to an incident, or over what people command, lists every variant: a new one has to be decided everywhere.

use super::{assert_none, files, is_test, read, without_tests};

/// The variants that `as_str` of the file at `path` names.
fn variants(path: &str) -> Vec<String> {
    let text = read(path);
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""));
    let names: Vec<String> =
        names.map(|(pattern, _)| pattern.split([' ', '(']).next().unwrap_or_default().to_owned()).collect();
    assert!(names.len() > 10, "{path}: {names:?}");
    names
}

/// Lines with a wildcard beside an arm that is of one of `names`, from 1. Relies on rustfmt: the arms of a match begin at one indentation,
/// and its head ends one level further out.
fn wildcards(text: &str, names: &[String]) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let arm = line.trim_start();
        if !arm.starts_with("_ =>") && !arm.starts_with("_ if ") {
            continue;
        }
        let indent = line.len() - arm.len();
        let own = |line: &&&str| line.len() - line.trim_start().len() >= indent || line.trim().is_empty();
        let arms =
            lines[..at].iter().rev().take_while(own).filter(|line| line.len() - line.trim_start().len() == indent);
        let is_named = |line: &&str| {
            let pattern = line.trim_start().trim_start_matches("| ");
            let name = ["Action::", "Command::"].iter().find_map(|kind| pattern.strip_prefix(kind));
            name.is_some_and(|rest| names.iter().any(|name| rest.split([' ', '(', ',']).next() == Some(name)))
        };
        if arms.into_iter().any(is_named) {
            found.push(at + 1);
        }
    }
    found
}

#[test]
fn a_match_over_events_or_commands_lists_all_of_them() {
    let mut names = variants("src/incident/event.rs");
    names.extend(variants("src/incident/command.rs"));
    let mut findings = Vec::new();
    for source in files("src", "rs").into_iter().filter(|source| !is_test(&source.path)) {
        for line in wildcards(without_tests(&source.text), &names) {
            findings
                .push(format!("{}:{line}: a wildcard beside events or commands: list what is left out", source.path));
        }
    }
    assert_none(&findings);
}

#[test]
fn a_wildcard_beside_an_event_is_found() {
    let names = ["Opened".to_owned(), "Join".to_owned()];
    let text = "fn f() {\n    match a {\n        Action::Opened(_) => {\n            1\n        }\n        _ => {}\n    }\n}\n";
    assert_eq!(wildcards(text, &names), [6]);
    let of_others = "    match a {\n        Action::See => 1,\n        _ => 2,\n    }\n";
    assert!(wildcards(of_others, &names).is_empty());
    let inner = "    match a {\n        Action::Opened(_) => match b {\n            1 => 2,\n            _ => 3,\n        },\n    }\n";
    assert!(wildcards(inner, &names).is_empty());
}
