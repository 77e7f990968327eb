//! The files of measured series, where they are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use crate::lab::simulation::series::Series;

/// The folder of the series within a folder of data.
const FOLDER: &str = "ripe_atlas_rtt";

/// Every series in a folder of data, by name; none where there is no such folder.
///
/// # Errors
/// When a file that is there cannot be read, or is no series.
pub fn read(data: &Path) -> anyhow::Result<Vec<Arc<Series>>> {
    let folder = data.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    let files: Result<Vec<PathBuf>, io::Error> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut files = files.with_context(|| format!("cannot read {}", folder.display()))?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "csv"));
    files.sort();
    files.iter().map(|file| series(file).map(Arc::new)).collect()
}

fn series(file: &Path) -> anyhow::Result<Series> {
    let told = || format!("cannot read {}", file.display());
    let bytes = fs::read(file).with_context(told)?;
    let text = crate::text::utf8(&bytes).with_context(told)?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Series::parse(&name, text)?)
}
