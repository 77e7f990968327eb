//! Keys of the configuration that a text names: each of them exists.

use fleetwatch::config::keys;
use fleetwatch::config::kinds::Key;

use super::{assert_none, files, is_test, read, without_tests};

/// Ends of file names, which look like keys of the section that they begin with.
const FILES: &[&str] = &[
    "rs", "toml", "md", "csv", "json", "jsonl", "sqlite", "service", "css", "js", "svg", "yml", "html", "tmp", "lock",
    "example",
];

/// The texts between quotation marks, roughly: a character that is a mark itself ends one too early, which hides nothing.
fn literals(text: &str) -> Vec<&str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
}

/// The words with dots in a text, or with underscores where it speaks of the configuration.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.'))
        .map(|word| word.trim_matches('.'))
        .filter(|word| !word.is_empty())
}

/// Whether the word is meant as a key, though none has this name.
fn is_wrong(word: &str, of_configuration: bool) -> bool {
    let Some((section, rest)) = word.split_once('.') else {
        let known = || keys::KEYS.iter().any(|key| key.path.split('.').any(|part| part == word));
        return of_configuration && word.trim_matches('_').contains('_') && !known();
    };
    let is_file = FILES.contains(&rest.rsplit('.').next().unwrap_or_default());
    let known = || {
        let inner = |key: &Key| word.strip_prefix(key.path).is_some_and(|rest| rest.starts_with('.'));
        keys::find(word).is_some()
            || keys::is_section(word)
            || keys::successor(word).is_some()
            || keys::KEYS.iter().any(inner)
    };
    keys::is_section(section) && !is_file && !known()
}

fn wrong_in(path: &str, texts: &[&str]) -> Vec<String> {
    let found = texts.iter().flat_map(|text| {
        let of_configuration = text.contains("in the configuration");
        words(text).filter(move |word| is_wrong(word, of_configuration))
    });
    found.map(|word| format!("{path}: `{word}` is no key of the configuration")).collect()
}

#[test]
fn a_key_that_does_not_exist_is_found() {
    for bad in [
        "see allowed_hosts_of in the configuration",
        "needs http.allowed_host or so",
        "set access.proxy.network.",
        "(detector.hold_mins)",
    ] {
        assert_eq!(wrong_in("x", &[bad]).len(), 1, "{bad}");
    }
    for good in [
        "see allowed_hosts in the configuration",
        "http.allowed_hosts, [access.roles], notify.channel.name",
        "src/store.rs, access.toml, some.thing, the store. and",
        "fleetwatch_broker_clients",
    ] {
        assert_eq!(wrong_in("x", &[good]), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn a_message_names_only_keys_that_exist() {
    let mut findings = Vec::new();
    for file in files("src", "rs").iter().filter(|file| !is_test(&file.path)) {
        findings.extend(wrong_in(&file.path, &literals(without_tests(&file.text))));
    }
    for path in [
        "README.md",
        "README.ja.md",
        "docs/operations.md",
        "docs/operations.ja.md",
        "docs/detection.md",
        "docs/detection.ja.md",
        "deploy/fleetwatch.toml",
        "deploy/caddy/Caddyfile",
        "deploy/fleetwatch.service",
    ] {
        findings.extend(wrong_in(path, &read(path).lines().collect::<Vec<_>>()));
    }
    assert_none(&findings);
}
