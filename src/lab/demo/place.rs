//! Where a demo keeps its journal and its record.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::runtime::failure::Failure;

/// A directory for one demo. A temporary one is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    temporary: bool,
}

impl Place {
    /// `wanted`, which is made if it is missing and must be empty; or a new temporary directory that only we may read.
    pub(super) fn new(wanted: Option<&Path>) -> anyhow::Result<Self> {
        match wanted {
            Some(path) => {
                fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
                let mut entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
                if entries.next().is_some() {
                    let path = path.display();
                    let told =
                        format!("{path} is not empty: a demo's time begins anew, so give it a directory of its own");
                    return Err(Failure::Usage(told).into());
                }
                Ok(Self { path: path.to_owned(), temporary: false })
            }
            None => Self::temporary(),
        }
    }

    fn temporary() -> anyhow::Result<Self> {
        let base = std::env::temp_dir();
        for attempt in 0..100 {
            let path = base.join(format!("fleetwatch-demo-{}-{attempt}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path, temporary: true }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("cannot make {}; --data-dir names another place", path.display()));
                }
            }
        }
        anyhow::bail!("{} is full of directories of other demos; --data-dir names another place", base.display())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "the demo's directory could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_place_goes_away_and_a_chosen_one_stays() {
        let temporary = Place::new(None).unwrap();
        let path = temporary.path().to_owned();
        fs::write(path.join("something"), "").unwrap();
        drop(temporary);
        assert!(!path.exists());

        let outer = tempfile::tempdir().unwrap();
        let chosen = outer.path().join("a/b");
        drop(Place::new(Some(&chosen)).unwrap());
        assert!(chosen.is_dir());
        fs::write(chosen.join("journal"), "").unwrap();
        let error = Place::new(Some(&chosen)).unwrap_err();
        assert!(matches!(error.downcast_ref::<Failure>(), Some(Failure::Usage(_))), "{error:#}");
    }
}
