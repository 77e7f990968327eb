//! `dashboards`: writes the Grafana dashboards, or tells which files are not what would be written.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::dashboards::{self, File};
use crate::runtime::failure::Failure;

/// Options of `dashboards`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The dashboards are those of this program's metrics; after an upgrade they are to be written again. Grafana reads them by
the provisioning files in grafana/provisioning.

Examples:
  fleetwatch dashboards /var/lib/grafana/dashboards/fleetwatch
  fleetwatch dashboards --check grafana/dashboards      exit code 1 when a file differs")]
pub struct DashboardsArgs {
    /// Directory of the dashboards: en/ and ja/ are made in it.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Write nothing; tell which files differ from what this program would write.
    #[arg(long)]
    pub check: bool,
}

/// Writes, or checks.
///
/// # Errors
/// When a file cannot be written; with `--check`, when one differs or there is one too many.
pub fn run(args: &DashboardsArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let files = dashboards::files();
    let told = if args.check {
        let differences = differences(&args.dir, &files);
        if !differences.is_empty() {
            let dir = args.dir.display();
            let advice = format!("write them anew: fleetwatch dashboards {dir}");
            return Err(Failure::Runtime(anyhow!("{}\n{advice}", differences.join("\n"))));
        }
        writeln!(out, "{}: {} dashboards as they should be", args.dir.display(), files.len())
    } else {
        write(&args.dir, &files)?;
        writeln!(out, "{}: {} dashboards written", args.dir.display(), files.len())
    };
    told.map_err(|error| Failure::write(PathBuf::from("-"), error))
}

fn write(dir: &Path, files: &[File]) -> Result<(), Failure> {
    for file in files {
        let path = dir.join(&file.path);
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        fs::write(&path, &file.json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// One line for each file that is missing, differs, or is none of ours.
fn differences(dir: &Path, files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let path = dir.join(&file.path);
        match fs::read_to_string(&path) {
            Ok(text) if text == file.json => {}
            Ok(_) => found.push(format!("{} differs", path.display())),
            Err(error) => found.push(format!("{}: {error}", path.display())),
        }
    }
    let mut parents: Vec<_> = files.iter().filter_map(|file| file.path.parent()).collect();
    parents.dedup();
    for parent in parents {
        let entries = fs::read_dir(dir.join(parent)).into_iter().flatten().filter_map(Result::ok);
        let names = entries.map(|entry| parent.join(entry.file_name()));
        let strange = names.filter(|name| !files.iter().any(|file| file.path == *name));
        found.extend(strange.map(|name| format!("{} is none of this version's", dir.join(name).display())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_checked() {
        let place = tempfile::tempdir().unwrap();
        let args = |check| DashboardsArgs { dir: place.path().to_path_buf(), check };
        assert!(run(&args(true), &mut Vec::new()).is_err(), "nothing is there");
        run(&args(false), &mut Vec::new()).unwrap();
        run(&args(true), &mut Vec::new()).unwrap();
        fs::write(place.path().join("en/wall.json"), "{}").unwrap();
        fs::write(place.path().join("ja/old.json"), "{}").unwrap();
        let told = run(&args(true), &mut Vec::new()).unwrap_err().to_string();
        assert!(told.contains("wall.json differs") && told.contains("old.json is none"), "{told}");
    }
}
