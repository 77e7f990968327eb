//! Every text that people read, in English and Japanese: read from the sources, written side by side into docs/words.md, and held to
//! the rules of both languages.

#[path = "words/pairs.rs"]
mod pairs;
#[path = "words/rules.rs"]
mod rules;

use std::fmt::Write as _;

use self::pairs::{Pair, loose, pairs};
use super::{assert_none, files, is_test, read, without_tests};

/// Where all pairs stand side by side for a reader to go through.
const SIDE_BY_SIDE: &str = "docs/words.md";

/// Sources with Japanese that is no text of ours: what people type, and what the demo's people say.
const NOT_OURS: &[&str] = &["src/lab/demo/crew/cast.rs", "src/record/phone.rs"];

/// The pairs of each source that has any, with its path.
fn all() -> Vec<(String, Vec<Pair>)> {
    let sources = files("src", "rs").into_iter().filter(|source| !is_test(&source.path));
    let read = sources.map(|source| (pairs(without_tests(&source.text)), source.path));
    read.filter(|(pairs, _)| !pairs.is_empty()).map(|(pairs, path)| (path, pairs)).collect()
}

/// In a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "\\<").replace('*', "\\*").replace('\n', "↵")
}

fn side_by_side() -> String {
    let mut page = "# Words\n\nEvery text that people read, in both languages, as the sources have it. `{...}` stands for a value, `↵` for a \
                    new line. A test writes this page: `UPDATE_WORDS=1 cargo test --test tidy words`.\n"
        .to_owned();
    for (path, pairs) in all() {
        let _ = write!(
            page,
            "\n## [{}](../{path})\n\n| text | English | 日本語 |\n|---|---|---|\n",
            path.trim_start_matches("src/")
        );
        for Pair { name, en, ja } in pairs {
            let _ = writeln!(page, "| {} | {} | {} |", cell(&name), cell(&en), cell(&ja));
        }
    }
    page
}

#[test]
fn words_stand_side_by_side() {
    let page = side_by_side();
    if std::env::var_os("UPDATE_WORDS").is_some() {
        std::fs::write(super::root().join(SIDE_BY_SIDE), page).unwrap();
        return;
    }
    let written = if super::root().join(SIDE_BY_SIDE).exists() { read(SIDE_BY_SIDE) } else { String::new() };
    let differs = page.lines().zip(written.lines()).find(|(now, then)| now != then);
    assert!(
        page == written,
        "{SIDE_BY_SIDE} is not up to date: UPDATE_WORDS=1 cargo test --test tidy words. First difference: {differs:?}"
    );
}

#[test]
fn words_keep_the_rules_of_both_languages() {
    let all = all();
    let count: usize = all.iter().map(|(_, pairs)| pairs.len()).sum();
    assert!(count > 900, "only {count} pairs are found: is a macro written in another way?");
    let findings: Vec<String> = all
        .iter()
        .flat_map(|(path, pairs)| pairs.iter().map(move |pair| (path, pair)))
        .flat_map(|(path, pair)| {
            rules::broken(pair)
                .into_iter()
                .map(move |what| format!("{path}, {}: {what}: {:?} | {:?}", pair.name, pair.en, pair.ja))
        })
        .collect();
    assert_none(&findings);
}

#[test]
fn japanese_stands_in_pairs_alone() {
    let sources = files("src", "rs").into_iter().filter(|source| !is_test(&source.path));
    let ours = sources.filter(|source| !NOT_OURS.contains(&source.path.as_str()));
    let findings: Vec<String> = ours
        .flat_map(|source| {
            let loose = loose(without_tests(&source.text));
            loose.into_iter().map(move |text| {
                format!("{}: {text:?}: put it beside its English: words!, phrase! or say", source.path)
            })
        })
        .collect();
    assert_none(&findings);
}
