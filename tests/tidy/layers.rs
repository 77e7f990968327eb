//! The direction of imports, the purity of the engine, and the maps that name every module.

use std::collections::BTreeSet;

use super::paths::{bare, paths};
use super::{assert_none, files, is_test, read, without_tests};

/// Modules of the crate that every shell module may import: data, time and the words they share, no behaviour of the shell.
const SHARED: &[&str] = &["engine", "incident", "clock", "delivery", "record", "text", "words"];

/// Modules without a clock, IO, logging or randomness, each of which may use those before it.
const PURE: &[&str] = &["engine", "incident"];

/// What a shell module may import beside the shared ones: panels ask for metrics by the constants of their names.
const BESIDE: &[(&str, &str)] = &[("dashboards", "metrics")];

/// Rooms that wire the others together, each of which may use those before it.
const WIRING: &[&str] = &["runtime", "lab", "commands"];

/// What the engine may use beyond itself.
const ENGINE_CRATES: &[&str] = &[
    "std",
    "core",
    "alloc",
    "base64",
    "bincode",
    "dashmap",
    "flate2",
    "hdrhistogram",
    "serde",
    "serde_json",
    "thiserror",
    // tables of Unicode: names are compared in one form
    "unicode_normalization",
];

/// Parts of std that touch the world.
const WORLD: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread::sleep",
    "std::thread::spawn",
    "std::thread::scope",
    "std::thread::park",
    "std::thread::Builder",
    "std::thread::JoinHandle",
    "std::thread::available_parallelism",
    // Not `yield_now`: it gives way to a recorder that is inside a cell, and tells nothing of the world.
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
];

/// The names after `mod` in `text`.
fn modules(text: &str) -> BTreeSet<String> {
    let public = bare(text);
    let names = public.lines().filter_map(|line| {
        let line = line.trim();
        let rest = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "))?;
        rest.strip_suffix(';')
    });
    names.filter(|name| *name != "tests" && *name != "loom").map(str::to_string).collect()
}

/// The modules of both crates.
fn all_modules() -> BTreeSet<String> {
    modules(&read("src/lib.rs")).into_iter().chain(modules(&read("src/pure.rs"))).collect()
}

/// The first module of the crate that each path of the file at `path` (from `src/`) leads to.
fn crate_modules_of<'a>(path: &str, text: &str, known: &'a BTreeSet<String>) -> BTreeSet<&'a str> {
    // `src/a.rs` is one level below the root, `src/a/b.rs` two.
    let depth = path.trim_start_matches("src/").split('/').count();
    let mut found = BTreeSet::new();
    for path in paths(text) {
        let segments: Vec<&str> = path.split("::").collect();
        let supers = segments.iter().take_while(|segment| **segment == "super").count();
        let name = match segments.first() {
            Some(&"crate") => segments.get(1),
            Some(&"super") if supers == depth => segments.get(supers),
            _ => None,
        };
        found.extend(name.and_then(|name| known.get(*name)).map(String::as_str));
    }
    found
}

/// What the file at `path` imports against the direction of the layers.
fn against_the_layers(path: &str, text: &str, known: &BTreeSet<String>) -> Vec<String> {
    let own = path.trim_start_matches("src/").trim_end_matches(".rs").split('/').next().unwrap();
    if ["lib", "main", "pure"].contains(&own) {
        return Vec::new();
    }
    let height = |name: &str| WIRING.iter().position(|room| *room == name);
    let allowed = |name: &str| match own {
        _ if height(own).is_some() => height(name) <= height(own),
        "engine" => name == "engine",
        "incident" => PURE.contains(&name),
        // The clock and what is shared stand on what is pure, and on words.
        _ if SHARED.contains(&own) => name == own || name == "words" || PURE.contains(&name),
        _ => name == own || SHARED.contains(&name) || BESIDE.contains(&(own, name)),
    };
    let wrong = crate_modules_of(path, without_tests(text), known).into_iter().filter(|name| !allowed(name));
    wrong
        .map(|name| format!("{path}: imports `{name}`; let `runtime` wire them, or move what both need below"))
        .collect()
}

/// What the file at `path` imports inside `web` against its arrows: handlers -> drawings -> `ui`.
fn against_the_arrows_of_web(path: &str, text: &str) -> Vec<String> {
    let Some(own) = path.strip_prefix("src/web/") else { return Vec::new() };
    // Handlers, and the two folders that guard them.
    let hands = ["routes", "api", "submit", "forget", "params"];
    let handles = own.split(['/', '.']).any(|part| hands.contains(&part) || ["access", "server"].contains(&part));
    let allowed = |used: &[&str]| match (own.split(['/', '.']).next(), used) {
        (_, ["ui", ..]) => true,
        (Some("ui"), _) => false,
        // What a latch says is data.
        (_, ["server", "health", ..]) => true,
        (_, [first, rest @ ..]) => {
            handles || (!["server", "access"].contains(first) && rest.first().is_none_or(|file| *file != "routes"))
        }
        (_, []) => true,
    };
    let mut findings = Vec::new();
    for found in paths(without_tests(text)) {
        let Some(inside) = found.strip_prefix("crate::web::") else { continue };
        let used: Vec<&str> = inside.split("::").collect();
        if used.first().is_some_and(|first| first.starts_with(char::is_lowercase)) && !allowed(&used) {
            findings.push(format!("{path}: `{found}`: handlers use drawings, drawings `ui`; nothing back"));
        }
    }
    findings
}

/// What the engine's file mentions that it must not.
fn impure(path: &str, text: &str) -> Vec<String> {
    let text = without_tests(text);
    let mut findings = Vec::new();
    for found in paths(text) {
        // `use std::thread` as a whole would hide what of it is used.
        let whole = ["std::thread", "std::thread::self"].contains(&found.as_str());
        if whole || WORLD.iter().any(|world| found == *world || found.starts_with(&format!("{world}::"))) {
            findings.push(format!("{path}: `{found}`: the engine is pure, its caller gives what it needs"));
        }
    }
    for line in bare(text).lines() {
        let Some(used) = line.trim_start().trim_start_matches("pub ").strip_prefix("use ") else { continue };
        let name = used.split([':', ';', ' ']).next().unwrap_or_default();
        let local = ["crate", "self", "super"].contains(&name) || name.starts_with(char::is_uppercase);
        // A module of the same file or folder is written as a bare name too.
        let own = text.contains(&format!("mod {name};")) || text.contains(&format!("mod {name} {{"));
        let modelled = name == "loom" && text.contains("feature = \"loom\"");
        if !local && !own && !modelled && !ENGINE_CRATES.contains(&name) {
            findings.push(format!("{path}: uses crate `{name}`, which is not on the engine's list"));
        }
    }
    findings
}

/// Modules of `text` that its table of `//! | [`name`] |` rows does not name, and rows without a module.
fn off_the_map(path: &str, text: &str) -> Vec<String> {
    let cell = |line: &str| -> Option<Vec<String>> {
        let cell = line.strip_prefix("//! | ")?.split(" | ").next()?;
        Some(cell.split('`').skip(1).step_by(2).map(str::to_string).collect())
    };
    let mapped: BTreeSet<String> = text.lines().filter_map(cell).flatten().collect();
    let modules = modules(text);
    let missing = modules.difference(&mapped).map(|name| format!("{path}: module `{name}` is not in the table"));
    let stale = mapped.difference(&modules).map(|name| format!("{path}: the table names `{name}`, which is no module"));
    missing.chain(stale).collect()
}

#[test]
fn shell_modules_do_not_import_each_other() {
    let known = all_modules();
    let all = files("src", "rs").into_iter().filter(|source| !is_test(&source.path));
    let findings: Vec<String> = all.flat_map(|source| against_the_layers(&source.path, &source.text, &known)).collect();
    assert_none(&findings);
}

#[test]
fn an_import_against_the_layers_is_found() {
    let known: BTreeSet<String> =
        ["engine", "broker", "ingest", "clock", "delivery", "runtime", "lab", "commands"].map(str::to_string).into();
    for (path, text, expected) in [
        ("src/ingest.rs", "use crate::broker::X;", 1),
        ("src/ingest/acks.rs", "use super::super::broker::X;", 1),
        ("src/ingest/acks.rs", "use super::broker::X;", 0),
        ("src/ingest.rs", "use crate::{clock, runtime::{a}};", 1),
        ("src/ingest.rs", "fn f() { crate::broker::start(); }", 1),
        (
            "src/ingest.rs",
            "use crate::{clock::Clock, delivery::DurableSink, engine::time::Timestamp, ingest::acks};",
            0,
        ),
        ("src/engine/fleet.rs", "use crate::clock::Clock;", 1),
        ("src/clock.rs", "use crate::engine::time::Timestamp; use crate::delivery::X;", 1),
        ("src/runtime.rs", "use crate::{broker, ingest};", 0),
        ("src/runtime/core.rs", "use crate::lab::x; use crate::commands::y;", 2),
        ("src/lab/demo.rs", "use crate::{runtime::core, commands::args};", 1),
        ("src/commands/x.rs", "use crate::{runtime::core, lab::demo, broker};", 0),
        ("src/ingest.rs", "x\n#[cfg(test)]\nmod tests {\n    use crate::broker::X;\n}\n", 0),
    ] {
        assert_eq!(against_the_layers(path, text, &known).len(), expected, "{path}: {text}");
    }
}

#[test]
fn the_arrows_inside_web_run_one_way() {
    let all = files("src/web", "rs").into_iter().filter(|source| !is_test(&source.path));
    let findings: Vec<String> = all.flat_map(|source| against_the_arrows_of_web(&source.path, &source.text)).collect();
    assert_none(&findings);
}

#[test]
fn an_import_against_the_arrows_of_web_is_found() {
    for (path, text, expected) in [
        ("src/web/ui/frame.rs", "use crate::web::ui::parts::badge;", 0),
        ("src/web/ui/frame.rs", "use crate::web::incident::view::page;", 1),
        ("src/web/now/view.rs", "use crate::web::server::state::HttpState;", 1),
        ("src/web/now/view.rs", "use crate::web::{incident::people, server::health::Latch};", 0),
        ("src/web/now/view.rs", "fn f() { crate::web::incident::routes::one(); }", 1),
        ("src/web/now/routes.rs", "use crate::web::server::state::HttpState;", 0),
    ] {
        assert_eq!(against_the_arrows_of_web(path, text).len(), expected, "{path}: {text}");
    }
}

#[test]
fn the_engine_is_pure() {
    let pure = PURE.iter().flat_map(|room| files(&format!("src/{room}"), "rs")).filter(|source| !is_test(&source.path));
    let findings: Vec<String> = pure.flat_map(|source| impure(&source.path, &source.text)).collect();
    assert_none(&findings);
}

#[test]
fn what_touches_the_world_is_found() {
    for (text, expected) in [
        ("use std::time::{Duration, Instant};", 1),
        ("use std::{collections::BTreeMap, fs};", 1),
        ("fn f() { std::thread::spawn(g); std::thread::yield_now(); }", 1),
        ("use std::thread;", 1),
        ("use tokio::sync::watch;", 1),
        ("use rand::Rng;", 1),
        ("use serde::Serialize;\nuse std::io::Read;\nuse Kind::*;\nmod a;\npub use a::B;", 0),
        ("#[cfg(feature = \"loom\")]\nuse loom::sync::Arc;", 0),
    ] {
        assert_eq!(impure("e.rs", text).len(), expected, "{text}");
    }
}

#[test]
fn the_pure_crate_builds_from_its_short_list_alone() {
    let manifest: toml::Table = read("src/pure/Cargo.toml").parse().unwrap();
    let dependencies = manifest["dependencies"].as_table().unwrap();
    let optional = |value: &toml::Value| value.get("optional").and_then(toml::Value::as_bool).unwrap_or(false);
    let always: Vec<&String> =
        dependencies.iter().filter(|(_, value)| !optional(value)).map(|(name, _)| name).collect();
    assert!(always.len() > 5, "{always:?}");
    for name in always {
        assert!(ENGINE_CRATES.contains(&&*name.replace('-', "_")), "{name} is not on the engine's list");
    }
}

#[test]
fn every_module_is_on_its_map() {
    let mut findings = Vec::new();
    for room in ["lib", "pure"].iter().chain(PURE).map(|room| format!("src/{room}.rs")) {
        findings.extend(off_the_map(&room, &read(&room)));
    }
    assert_none(&findings);
}

#[test]
fn a_module_off_the_map_is_found() {
    let text = "//! | [`a`] | x |\n//! | [`b`], [`c`] | y |\npub mod a;\nmod b;\npub mod d;\n";
    assert_eq!(off_the_map("l.rs", text).len(), 2, "{:?}", off_the_map("l.rs", text));
}
