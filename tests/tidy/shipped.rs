//! What is shipped beside the code: configurations that parse, scripts that can run, pages in two languages that say the same.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::{assert_none, files, read, root};

/// Pages in English, each with a twin in Japanese.
const TWINS: [&str; 3] = ["README", "docs/operations", "docs/detection"];

/// What both languages of a page must share: the level of each heading, the code blocks and the targets of links.
#[derive(Debug, PartialEq, Default)]
struct Outline {
    headings: Vec<usize>,
    code: Vec<String>,
    links: Vec<String>,
}

fn outline(text: &str) -> Outline {
    let mut outline = Outline::default();
    let mut in_code = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            // Comments are prose and so translated.
            let command = line.split(" # ").next().unwrap_or_default().trim_end();
            if !command.is_empty() && !command.starts_with('#') {
                outline.code.push(command.to_string());
            }
        } else if line.starts_with('#') {
            outline.headings.push(line.chars().take_while(|c| *c == '#').count());
        }
        if !in_code {
            outline
                .links
                .extend(line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_string));
        }
    }
    outline.links.sort();
    outline
}

#[test]
fn twins_say_the_same() {
    for page in TWINS {
        let name = page.rsplit('/').next().unwrap();
        let (mut english, mut japanese) =
            (outline(&read(&format!("{page}.md"))), outline(&read(&format!("{page}.ja.md"))));
        assert!(english.links.iter().any(|link| *link == format!("{name}.ja.md")), "{page}.md leads to its twin");
        assert!(japanese.links.iter().any(|link| *link == format!("{name}.md")), "{page}.ja.md leads to its twin");
        for outline in [&mut english, &mut japanese] {
            assert!(outline.headings.len() > 2, "{page}: {outline:?}");
            // A twin leads to twins, and to headings in its own language.
            let target = |link: &String| link.split('#').next().unwrap_or_default().replace(".ja.md", ".md");
            outline.links = outline.links.iter().map(target).collect();
            outline.links.sort();
        }
        assert_eq!(english, japanese, "{page}");
    }
}

/// The name by which a heading is linked to: small letters, a hyphen for each blank, no punctuation.
fn anchor(heading: &str) -> String {
    let kept =
        heading.trim().to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
    kept.replace(' ', "-")
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    let mut findings = Vec::new();
    let pages = TWINS.iter().flat_map(|page| [format!("{page}.md"), format!("{page}.ja.md")]);
    for name in pages.chain(["docs/architecture.md", "docs/CHANGELOG.md"].map(str::to_owned)) {
        let directory = root().join(&name).parent().unwrap().to_path_buf();
        for link in outline(&read(&name)).links {
            let (file, heading) = link.split_once('#').map_or((&*link, None), |(file, heading)| (file, Some(heading)));
            if file.contains("://") {
                continue;
            }
            let path = if file.is_empty() { root().join(&name) } else { directory.join(file) };
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let mut headings =
                text.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#')));
            if !path.exists() || heading.is_some_and(|heading| !headings.any(|known| known == heading)) {
                findings.push(format!("{name}: {link} leads nowhere"));
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn twins_that_differ_are_told_apart() {
    let base = "# a\n```\nrun x # why\n```\n[l](m)\n";
    assert_eq!(outline(base), outline("# あ\n```\nrun x # 理由\n```\n[ん](m)\n"));
    for other in ["## a\n```\nrun x\n```\n[l](m)\n", "# a\n```\nrun y\n```\n[l](m)\n", "# a\n```\nrun x\n```\n[l](n)\n"]
    {
        assert_ne!(outline(base), outline(other), "{other}");
    }
}

#[test]
fn shipped_configurations_have_no_fault() {
    let found = files("deploy", "toml");
    assert!(!found.is_empty());
    for source in found {
        if let Err(faults) = fleetwatch::config::Config::load(Some(&root().join(&source.path)), Vec::new()) {
            let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
            panic!("{}", text.join("\n"));
        }
    }
}

#[test]
fn scripts_are_executable_and_strict() {
    for path in [".ci/run", "tests/run", "deploy/stack/run", "deploy/stack/certs", "fuzz/run"] {
        let mode = std::fs::metadata(root().join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{path} is not executable");
        let text = read(path);
        assert!(
            text.starts_with("#!/usr/bin/env bash\n") && text.contains("\nset -euo pipefail\n"),
            "{path} is not strict"
        );
        let parsed = Command::new("bash").arg("-n").arg(root().join(path)).output().unwrap();
        assert!(parsed.status.success(), "{path}: {}", String::from_utf8_lossy(&parsed.stderr));
    }
}

#[test]
fn the_unit_starts_what_the_command_line_knows() {
    let unit = read("deploy/fleetwatch.service");
    for needed in [
        "Type=notify",
        "WatchdogSec=",
        "DynamicUser=yes",
        "StateDirectory=fleetwatch",
        "Restart=on-failure",
        "StartLimitIntervalSec=0",
        "UMask=0077",
        "RequiresMountsFor=/var/lib/fleetwatch",
    ] {
        assert!(unit.lines().any(|line| line.starts_with(needed)), "{needed} is missing");
    }
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let arguments: Vec<&str> = start.split_whitespace().collect();
    use clap::Parser;
    fleetwatch::commands::cli::Cli::try_parse_from(&arguments).unwrap();
}
