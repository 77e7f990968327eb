//! Circles of imports: files that need each other can only be understood together, so at most three may.
//!
//! A path in the code leads to the file that defines what it names: through re-exports, through private imports that children
//! reach over `super`, and through globs. A `mod` declaration is no import, and neither is a re-export that its own file does not
//! use: whoever follows it needs the file behind it.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{bare, tokens};
use super::{assert_none, files, is_test, without_tests};

/// Files that may need each other.
const MAX_CIRCLE: usize = 3;

/// A path as it is written, and the name that an import gives it.
#[derive(Debug)]
struct Path {
    segments: Vec<String>,
    name: String,
    is_glob: bool,
}

/// One file as a module: what it defines, what it imports, what else it names.
#[derive(Debug, Default)]
struct Module {
    file: String,
    children: BTreeSet<String>,
    items: BTreeSet<String>,
    imports: Vec<Path>,
    reexports: Vec<Path>,
    mentions: Vec<Path>,
    words: BTreeSet<String>,
}

type Modules = BTreeMap<Vec<String>, Module>;

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads the path or tree of paths that begins at `at`; gives the place after it.
fn tree(tokens: &[String], mut at: usize, mut segments: Vec<String>, found: &mut Vec<Path>) -> usize {
    let mut continues = true;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "{" if continues && !segments.is_empty() => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    let begins = is_word(&tokens[at]) || tokens[at] == "*";
                    at = if begins { tree(tokens, at, segments.clone(), found) } else { at + 1 };
                }
                return at + 1;
            }
            "*" if continues && !segments.is_empty() => {
                found.push(Path { segments, name: String::new(), is_glob: true });
                return at + 1;
            }
            "::" => continues = true,
            word if continues && is_word(word) => {
                segments.push(word.to_owned());
                continues = false;
            }
            _ => break,
        }
        at += 1;
    }
    if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
        segments.pop();
    }
    let alias = (tokens.get(at).is_some_and(|token| token == "as")).then(|| tokens.get(at + 1)).flatten();
    let name = alias.or(segments.last()).cloned().unwrap_or_default();
    found.push(Path { segments, name, is_glob: false });
    if alias.is_some() { at + 2 } else { at }
}

/// The path as seen from the file's own module: `super` inside an inline module may mean the file itself.
fn outside(mut path: Path, depth: usize) -> Option<Path> {
    let supers = path.segments.iter().take_while(|segment| *segment == "super").count();
    if depth == 0 || supers == 0 {
        return (depth == 0 || path.segments[0] == "crate").then_some(path);
    }
    path.segments.drain(..depth.min(supers));
    (supers > depth).then_some(path)
}

fn module(file: &str, text: &str) -> Module {
    let tokens = tokens(&bare(without_tests(text)));
    let mut module = Module { file: file.to_owned(), ..Module::default() };
    let (mut braces, mut inline): (usize, Vec<usize>) = (0, Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let next = |step: usize| tokens.get(at + step).map(String::as_str).unwrap_or_default();
        let before = at.checked_sub(1).map(|at| tokens[at].as_str()).unwrap_or_default();
        match tokens[at].as_str() {
            "mod" if next(2) == ";" => {
                module.children.insert(next(1).to_owned());
                at += 2;
            }
            "mod" if next(2) == "{" => {
                module.items.insert(next(1).to_owned());
                inline.push(braces);
                at += 1;
            }
            "use" => {
                let mut found = Vec::new();
                let after = tree(&tokens, at + 1, Vec::new(), &mut found);
                let found = found.into_iter().filter_map(|path| outside(path, inline.len()));
                if ["pub", ")"].contains(&before) {
                    module.reexports.extend(found)
                } else {
                    module.imports.extend(found)
                }
                at = after;
            }
            "{" => {
                braces += 1;
                at += 1;
            }
            "}" => {
                braces = braces.saturating_sub(1);
                inline.pop_if(|began| *began == braces);
                at += 1;
            }
            "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" | "union" => {
                module.items.insert(next(1).to_owned());
                at += 1;
            }
            word if is_word(word) => {
                module.words.insert(word.to_owned());
                // Not the path of `pub(in path)`, which says who may look.
                if next(1) == "::" && before != "::" && before != "in" {
                    let mut found = Vec::new();
                    at = tree(&tokens, at, Vec::new(), &mut found);
                    module.words.extend(found.iter().flat_map(|path| path.segments.first()).cloned());
                    module.mentions.extend(found.into_iter().filter_map(|path| outside(path, inline.len())));
                } else {
                    at += 1;
                }
            }
            _ => at += 1,
        }
    }
    module
}

/// The path from the root of the crate; `None` when it leads out of it.
fn absolute(modules: &Modules, from: &[String], segments: &[String]) -> Option<Vec<String>> {
    let supers = segments.iter().take_while(|segment| *segment == "super").count();
    match segments.first()?.as_str() {
        "crate" => Some(segments[1..].to_vec()),
        "self" => Some([from, &segments[1..]].concat()),
        "super" => Some([from.get(..from.len().checked_sub(supers)?)?, &segments[supers..]].concat()),
        child if modules[from].children.contains(child) => Some([from, segments].concat()),
        _ => None,
    }
}

/// The module whose file defines what the path names.
fn definition(modules: &Modules, path: &[String], depth: usize) -> Option<Vec<String>> {
    let mut at: Vec<String> = Vec::new();
    for (nth, segment) in path.iter().enumerate() {
        let module = modules.get(&at)?;
        if module.children.contains(segment) {
            at.push(segment.clone());
            continue;
        }
        if module.items.contains(segment) || depth > 8 {
            return Some(at);
        }
        let imports = || module.reexports.iter().chain(&module.imports);
        if let Some(import) = imports().find(|import| !import.is_glob && import.name == *segment) {
            let target = absolute(modules, &at, &import.segments)?;
            return definition(modules, &[&target, &path[nth + 1..]].concat(), depth + 1);
        }
        let behind = imports().filter(|import| import.is_glob).find_map(|import| {
            let target = absolute(modules, &at, &import.segments)?;
            let found = definition(modules, &[target.as_slice(), &path[nth..]].concat(), depth + 1)?;
            modules[&found].items.contains(segment).then_some(found)
        });
        return Some(behind.unwrap_or(at));
    }
    modules.contains_key(&at).then_some(at)
}

/// The files that each file needs.
fn needs(modules: &Modules) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut needs = BTreeMap::new();
    for (own, module) in modules {
        let used = module.reexports.iter().filter(|import| !import.is_glob && module.words.contains(&import.name));
        let paths = module.imports.iter().chain(used).chain(&module.mentions);
        let found = paths.filter_map(|path| {
            let target = absolute(modules, own, &path.segments)?;
            definition(modules, &target, 0).map(|found| modules[&found].file.as_str())
        });
        let found = found.filter(|file| *file != module.file).collect();
        needs.insert(module.file.as_str(), found);
    }
    needs
}

/// Groups of more than one file of which each leads to each.
fn circles<'a>(needs: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<Vec<&'a str>> {
    let reach = |from: &'a str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            open.extend(needs[file].iter().filter(|next| seen.insert(**next)));
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = needs.keys().map(|file| (*file, reach(file))).collect();
    let together = |file: &str| reached[file].iter().copied().filter(|other| reached[other].contains(file)).collect();
    reached.keys().map(|file| together(file)).filter(|circle: &Vec<&str>| circle.len() > 1).collect()
}

/// The modules of these files, given with their paths from `src/`.
fn modules<'a>(sources: impl Iterator<Item = (&'a str, &'a str)>) -> Modules {
    let path = |file: &str| -> Vec<String> {
        let name = file.trim_start_matches("src/").trim_end_matches(".rs");
        if name == "lib" { Vec::new() } else { name.split('/').map(str::to_owned).collect() }
    };
    sources.map(|(file, text)| (path(file), module(file, text))).collect()
}

#[test]
fn at_most_three_files_need_each_other() {
    let sources = files("src", "rs");
    let kept = sources.iter().filter(|source| !is_test(&source.path) && source.path != "src/main.rs");
    let modules = modules(kept.map(|source| (source.path.as_str(), source.text.as_str())));
    let needs = needs(&modules);
    let circles = circles(&needs);
    let large = circles.iter().filter(|circle| circle.len() > MAX_CIRCLE);
    let mut findings = Vec::new();
    for circle in large {
        findings.push(format!("{} files need each other: {}", circle.len(), circle.join(", ")));
        for file in circle {
            let inside: Vec<&str> = needs[file].iter().copied().filter(|next| circle.contains(next)).collect();
            findings.push(format!("    {file} needs {}", inside.join(", ")));
        }
    }
    assert_none(&findings);
}

#[test]
fn a_circle_is_found_through_reexports_and_only_where_there_is_one() {
    let found = |sources: &[(&str, &str)]| {
        let modules = modules(sources.iter().copied());
        let needs = needs(&modules);
        circles(&needs).iter().map(|circle| circle.join(" ")).collect::<Vec<_>>()
    };
    let root = ("src/lib.rs", "pub mod a;\npub mod b;");
    // A declaration and a re-export are no imports; the path leads to the file behind the re-export.
    assert_eq!(
        found(&[
            root,
            ("src/a.rs", "mod x;\npub use x::X;\npub use crate::b::B;"),
            ("src/a/x.rs", "use crate::b::B;\npub struct X;"),
            ("src/b.rs", "use crate::a::{X as Y, B as Own};\npub struct B;"),
        ]),
        ["src/a/x.rs src/b.rs"]
    );
    // What the parent defines is an import, over a private import and a glob too.
    assert_eq!(
        found(&[
            root,
            ("src/a.rs", "mod x;\nuse crate::b::*;\nfn f() { x::run(); }\nstruct A;"),
            ("src/a/x.rs", "pub fn run(a: super::A, b: super::B) {}"),
            ("src/b.rs", "pub struct B;\nfn g() { crate::a::x::run(); }"),
        ]),
        ["src/a.rs src/a/x.rs src/b.rs"]
    );
    // Visibility, comments, tests and inline modules lead nowhere.
    assert_eq!(
        found(&[
            root,
            ("src/a.rs", "pub(in crate::b) struct A;\n// crate::b::B\nmod i {\n    use super::A;\n}\nuse crate::b::B;"),
            ("src/b.rs", "pub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n"),
        ]),
        [""; 0]
    );
}
