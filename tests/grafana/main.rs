//! What the night shift looks at: dashboards, rules and the stack that starts from files.
//!
//! | module | what it looks at |
//! |---|---|
//! | [`colours`] | the colour of each value, and of none, as Grafana computes it |
//! | [`dashboards`] | the files: as generated, keys that Grafana knows, rules of good dashboards |
//! | [`series`] | what is drawn: colours that can be told apart, one unit a graph, nothing cut, the few chosen over the range |
//! | [`words`] | what people read: their language, and no identifiers |
//! | [`names`] | every metric that is used exists, every one that is exported is described |
//! | [`live`] | Debian's Prometheus and Alertmanager on a running demo: every query runs and returns data |
//! | [`stack`] | `deploy/stack/run` |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "says what is skipped")]
#![allow(clippy::disallowed_methods, reason = "waits for other processes with bounded deadlines")]

mod colours;
mod dashboards;
mod keys;
mod live;
mod names;
mod process;
#[path = "../interfaces/sample.rs"]
mod sample;
mod series;
mod stack;
mod words;

use std::path::PathBuf;

use serde_json::Value;

/// The project's directory.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the project.
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every dashboard, parsed, with its path.
fn all_dashboards() -> Vec<(String, Value)> {
    let files = fleetwatch::dashboards::files();
    files.into_iter().map(|file| (file.path.display().to_string(), serde_json::from_str(&file.json).unwrap())).collect()
}

/// The list at `pointer`, empty when it is not there.
fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text at `pointer`, empty when it is not there.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}
