//! The file is its owner's alone: it holds telephone numbers, password hashes and sessions.

use std::fs::{OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::record::StoreError;

/// What everybody else is refused.
const OTHERS: u32 = 0o077;

/// Makes the file, where there is none, so that nobody else may read it, whatever the process' umask; SQLite gives its neighbours
/// the same mode. One that is there and too open is closed; where that is not allowed, the log says so.
///
/// # Errors
/// When the file cannot be made.
pub(super) fn keep(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == ErrorKind::StorageFull => return Err(StoreError::Full),
        Err(error) => {
            let (path, detail) = (path.display().to_string(), error.to_string());
            return Err(StoreError::Unwritable { path, detail });
        }
    }
    for file in ["", "-wal", "-shm"].map(|ending| beside(path, ending)) {
        let Ok(found) = std::fs::metadata(&file) else { continue };
        let mode = found.permissions().mode() & 0o777;
        if !found.is_file() || mode & OTHERS == 0 {
            continue;
        }
        let path = file.display();
        match std::fs::set_permissions(&file, Permissions::from_mode(mode & !OTHERS)) {
            Ok(()) => tracing::warn!(%path, "others could read or write the incident record; that is ended"),
            Err(error) => tracing::error!(
                %path, %error,
                "others can read or write the incident record with its telephone numbers and password hashes: chmod 600"
            ),
        }
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
