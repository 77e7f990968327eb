//! Which record belongs to the state, kept beside the checkpoints: a start that finds another record, or none, can say so.

use std::io;
use std::path::{Path, PathBuf};

/// The file's name in the directory of the checkpoints.
const NAME: &str = "record.id";

/// The note of the record's identity.
#[derive(Clone, Debug)]
pub struct Marker(PathBuf);

impl Marker {
    /// The note in this directory, which need not be there yet.
    pub fn in_directory(directory: &Path) -> Self {
        Self(directory.join(NAME))
    }

    /// The record that was written last; `None` when there was none, or the note cannot be read.
    pub fn read(&self) -> Option<String> {
        let text = std::fs::read_to_string(&self.0).ok()?;
        let id = text.trim();
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// Notes the record, in one step.
    ///
    /// # Errors
    /// When the disk refuses; then the earlier note stands.
    pub fn write(&self, id: &str) -> io::Result<()> {
        let draft = self.0.with_extension("id.tmp");
        std::fs::write(&draft, format!("{id}\n"))?;
        std::fs::rename(&draft, &self.0)
    }
}

/// Places that `/etc/fstab` says are to be mounted, that hold `path`, and that are not mounted: whatever is found or made at `path` is on
/// another disk than was meant.
pub fn missing_mounts(path: &Path) -> Vec<PathBuf> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    missing(&path, &read("/etc/fstab"), &read("/proc/self/mountinfo"))
}

fn missing(path: &Path, fstab: &str, mountinfo: &str) -> Vec<PathBuf> {
    let field = |line: &str, nth: usize| line.split_whitespace().nth(nth).map(unescaped);
    let mounted: Vec<PathBuf> = mountinfo.lines().filter_map(|line| field(line, 4)).collect();
    let meant = fstab.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(|line| field(line, 1));
    meant.filter(|place| place.is_absolute() && path.starts_with(place) && !mounted.contains(place)).collect()
}

/// Both files write spaces and their like as `\040`.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = (*first == b'\\').then(|| more.get(..3)).flatten();
        let code = code
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = &more[3..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    use std::os::unix::ffi::OsStringExt as _;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_last() {
        let dir = tempfile::tempdir().unwrap();
        let marker = Marker::in_directory(dir.path());
        assert_eq!(marker.read(), None);
        marker.write("one").unwrap();
        marker.write("two").unwrap();
        assert_eq!(marker.read().as_deref(), Some("two"));
        assert!(Marker::in_directory(&dir.path().join("nowhere")).write("x").is_err());
    }

    #[test]
    fn a_mount_is_missing_when_it_is_meant_and_not_there() {
        let fstab = "# /dev/x /srv ext4\n/dev/a / ext4\n/dev/b /srv/state\\040of\\040it ext4 defaults 0 2\n\
                     /dev/c none swap\n/dev/d /srv/other ext4\n";
        let state = Path::new("/srv/state of it/journal");
        assert_eq!(missing(state, fstab, "1 0 8:1 / / rw - ext4 /dev/a rw\n"), [Path::new("/srv/state of it")]);
        let mounted = "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 / /srv/state\\040of\\040it rw - ext4 /dev/b rw\n";
        assert!(missing(state, fstab, mounted).is_empty());
        assert!(missing(Path::new("/srv/state"), fstab, "1 0 8:1 / / rw - ext4 /dev/a rw\n").is_empty());
        assert!(missing(state, "", "").is_empty());
    }
}
