//! State that others could read is closed to them, and said.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Endings of the files that are ours; a directory that the configuration names may hold others.
const OURS: [&str; 3] = ["journal", "checkpoint", "id"];

/// What everybody but the owner may.
const OTHERS: u32 = 0o077;

/// Closes the files of journal and checkpoints in `directory` to everybody but their owner. A directory that others may enter is only
/// told of: it may be another's too.
pub fn close(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let (mut closed, mut open) = (0, 0);
    for entry in entries.flatten() {
        let path = entry.path();
        let is_ours = path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| OURS.contains(&ending));
        let Ok(found) = entry.metadata() else { continue };
        let mode = found.permissions().mode() & 0o777;
        if !is_ours || !found.is_file() || mode & OTHERS == 0 {
            continue;
        }
        match std::fs::set_permissions(&path, Permissions::from_mode(mode & !OTHERS)) {
            Ok(()) => closed += 1,
            Err(_) => open += 1,
        }
    }
    let directory = directory.display();
    if closed > 0 {
        tracing::warn!(%directory, files = closed, "others could read files of the state; that is ended");
    }
    if open > 0 {
        tracing::error!(%directory, files = open, "others can read files of the state, which are another user's: chmod 600");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_closed_and_what_is_not_ours_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        for name in ["00.journal", "01.checkpoint", "record.id", "notes.txt"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
            std::fs::set_permissions(dir.path().join(name), Permissions::from_mode(0o644)).unwrap();
        }
        close(dir.path());
        assert_eq!(["00.journal", "01.checkpoint", "record.id", "notes.txt"].map(mode), [0o600, 0o600, 0o600, 0o644]);
        close(&dir.path().join("nowhere"));
    }
}
