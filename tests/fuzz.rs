//! Every fuzz target once more, as an ordinary test: the inputs of `fuzz/seeds` and a bounded number of edits of them, the same in
//! every run. No coverage guides it, so it finds what comes back, and `fuzz/run` what is new.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

#[path = "../fuzz/targets/checkpoint.rs"]
mod checkpoint;
#[path = "../fuzz/targets/commands.rs"]
mod commands;
#[path = "../fuzz/targets/csv.rs"]
mod csv;
#[path = "../fuzz/common/edit.rs"]
mod edit;
#[path = "../fuzz/targets/events.rs"]
mod events;
#[path = "../fuzz/targets/forms.rs"]
mod forms;
#[path = "../fuzz/targets/hdr.rs"]
mod hdr;
#[path = "../fuzz/targets/journal.rs"]
mod journal;
#[path = "../fuzz/common/site.rs"]
mod site;
#[path = "../fuzz/targets/wire_binary.rs"]
mod wire_binary;
#[path = "../fuzz/targets/wire_json.rs"]
mod wire_json;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
// The modules of the tests name each other from the root.
use site::{desk, life, sample};

/// Longest input, in bytes.
const MAX_LEN: usize = 4_096;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// A small generator, so that a failure comes again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.below(256) as u8).collect()
    }

    /// `input` with one change. `other` gives a part of itself.
    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len() + 1);
        let end = (at + self.below(16)).min(input.len());
        let part = match self.below(6) {
            0 => Vec::new(),
            1 => self.bytes(8),
            2 => input[at..end].repeat(1 + self.below(20)),
            3 => vec![[0, 0xff, 0x7f, 0x80, b'"', b'\n', b'0', b'-'][self.below(8)]; 1 + self.below(9)],
            4 => self.below(usize::MAX).to_string().into_bytes(),
            _ => {
                let from = self.below(other.len() + 1);
                other[from..(from + self.below(64)).min(other.len())].to_vec()
            }
        };
        input.splice(at..end, part);
        input.truncate(MAX_LEN);
    }
}

/// Tells the input if the target panics over it.
struct Told<'a>(&'a [u8]);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex = self.0.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            eprintln!("the input, in hexadecimal: {hex}");
        }
    }
}

/// The inputs that are kept of a target: one a line, in base64.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(root().join("seeds").join(format!("{name}.txt"))).unwrap();
    let seeds: Vec<_> = text.lines().map(|line| STANDARD.decode(line).unwrap()).collect();
    assert!(!seeds.is_empty(), "{name}");
    seeds
}

/// Runs a target with its seeds, then with `count` edits of them and of nothing.
fn exercise(name: &str, run: fn(&[u8]), count: usize) {
    let seeds = seeds(name);
    let once = |input: &[u8]| {
        let _told = Told(input);
        run(input);
    };
    seeds.iter().for_each(|seed| once(seed));
    let mut random = Random(0x5EED);
    for _ in 0..count {
        let mut input = match random.below(8) {
            0 => random.bytes(64),
            _ => seeds[random.below(seeds.len())].clone(),
        };
        for _ in 0..=random.below(4) {
            let other = random.below(seeds.len());
            random.change(&mut input, &seeds[other]);
        }
        once(&input);
    }
}

macro_rules! targets {
    ($($name:ident: $count:expr;)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                exercise(stringify!($name), self::$name::run, $count);
            }
        )*
    };
}

targets! {
    checkpoint: 3_000;
    commands: 2_000;
    csv: 10_000;
    events: 5_000;
    forms: 2_000;
    hdr: 100_000;
    journal: 1_000;
    wire_binary: 100_000;
    wire_json: 100_000;
}

#[test]
fn every_target_is_here_in_the_manifest_and_in_the_runner() {
    let files = |folder: &str, suffix: &str| -> BTreeSet<String> {
        let names = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter_map(|name| Some(name.to_str()?.strip_suffix(suffix)?.to_owned())).collect()
    };
    let here: BTreeSet<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(files("targets", ".rs"), here);
    assert_eq!(files("fuzz_targets", ".rs"), here);
    assert_eq!(files("seeds", ".txt"), here);
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let runner = std::fs::read_to_string(root().join("run")).unwrap();
    let bins = manifest.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    assert_eq!(bins.filter(|name| *name != "fleetwatch-fuzz").map(str::to_owned).collect::<BTreeSet<_>>(), here);
    let listed = runner.lines().find(|line| line.contains("TARGETS=(wire_json")).unwrap();
    let listed = listed.split_once("TARGETS=(").unwrap().1.trim_end_matches(')');
    assert_eq!(listed.split(' ').map(str::to_owned).collect::<BTreeSet<_>>(), here);
}
