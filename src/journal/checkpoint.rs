//! Checkpoints: the whole state at one moment, kept in two generations.
//!
//! A file `{generation, 20 digits}.checkpoint`, little endian, checksums CRC32C:
//!
//! | at | size | what |
//! |---|---|---|
//! | 0 | 8 | magic `FWCHKP\r\n` |
//! | 8 | 2 | version of this layout, 1 (the state inside has its own) |
//! | 10 | 6 | zero |
//! | 16 | 8 | generation, as in the name |
//! | 24 | 8 | record number of the journal up to which the state has seen everything |
//! | 32 | 8 | n: bytes of the state |
//! | 40 | 4 | checksum of the state |
//! | 44 | 4 | checksum of bytes 0..44 |
//! | 48 | n | the state; the file ends with it |
//!
//! CRC32C finds every error of up to three bits in states of up to 256 MiB, and every torn one by the length. The file
//! gets its name only when it is whole and synced, so a failed save costs nothing but its own generation.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::JournalError;
use super::segments::publish;
use super::storage::{Disk, Storage};

const MAGIC: [u8; 8] = *b"FWCHKP\r\n";
const VERSION: u16 = 1;
const HEAD: usize = 48;
const SUFFIX: &str = ".checkpoint";
const TEMPORARY: &str = ".checkpoint.tmp";

/// A state that was saved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Rises by one with each save.
    pub generation: u64,
    /// The state has seen the journal up to and including this number.
    pub lsn: u64,
    /// The state.
    pub bytes: Vec<u8>,
}

/// What a save left on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Saved {
    /// The new generation.
    pub generation: u64,
    /// Number of the oldest checkpoint that is kept: what [`super::Journal::release`] is to be given.
    pub oldest_lsn: u64,
}

/// What was found at the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Loaded {
    /// The newest good state, if there is one.
    pub checkpoint: Option<Checkpoint>,
    /// Newer ones that are damaged, newest first.
    pub damaged: Vec<Damaged>,
}

impl Loaded {
    /// There were states, and none of them is good: what the journal does not hold any more is lost.
    pub fn state_lost(&self) -> bool {
        self.checkpoint.is_none() && !self.damaged.is_empty()
    }
}

/// A checkpoint that cannot be used. The file stays for inspection until the next save.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damaged {
    /// The file.
    pub path: PathBuf,
    /// The closed word for what is wrong: `short`, `magic`, `header`, `generation`, `length` or `checksum`.
    pub why: &'static str,
}

/// The checkpoints of a directory. It has no lock of its own: open it under the journal's.
#[derive(Debug)]
pub struct CheckpointStore {
    dir: PathBuf,
    storage: Arc<dyn Storage>,
    /// Generation and record number of the newest that is known to be good.
    newest: Mutex<Option<(u64, u64)>>,
}

impl CheckpointStore {
    /// The checkpoints in `dir`, which is made if it is missing.
    ///
    /// # Errors
    /// When the directory cannot be made, or the remains of an unfinished save cannot be removed.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, JournalError> {
        Self::open_on(dir, Arc::new(Disk))
    }

    /// As [`open`](Self::open), on another [`Storage`].
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(dir: impl Into<PathBuf>, storage: Arc<dyn Storage>) -> Result<Self, JournalError> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(JournalError::io("make the directory", &dir))?;
        for (path, _) in files(&dir, TEMPORARY)? {
            storage.remove(&path).map_err(JournalError::io("remove", &path))?;
        }
        Ok(Self { dir, storage, newest: Mutex::new(None) })
    }

    /// The newest good state. Damaged ones are reported and passed over.
    ///
    /// # Errors
    /// When a file cannot be read, or a newer version of fleetwatch wrote it: an older state under a newer program's
    /// journal would be misleading, so a person decides.
    pub fn load(&self) -> Result<Loaded, JournalError> {
        let mut loaded = Loaded::default();
        for (path, generation) in generations(&self.dir)?.into_iter().rev() {
            let bytes = fs::read(&path).map_err(JournalError::io("read", &path))?;
            match decode(bytes, generation) {
                Ok(checkpoint) => {
                    *self.newest() = Some((generation, checkpoint.lsn));
                    loaded.checkpoint = Some(checkpoint);
                    break;
                }
                Err(Unreadable::Damaged(why)) => loaded.damaged.push(Damaged { path, why }),
                Err(Unreadable::Newer(version)) => {
                    return Err(JournalError::NewerVersion { path, version, known: VERSION });
                }
            }
        }
        Ok(loaded)
    }

    /// Saves a state that has seen the journal up to and including `lsn`. Blocks for the disk: call it from a thread
    /// that may.
    ///
    /// `lsn` must be durable in the journal already, or a power cut leaves a state that knows more than the journal.
    /// The new file and the newest good one before it are kept, the others removed. An error leaves the older ones as
    /// they are.
    ///
    /// # Errors
    /// When a step on the disk fails. The next save starts afresh.
    pub fn save(&self, bytes: &[u8], lsn: u64) -> Result<Saved, JournalError> {
        let mut newest = self.newest();
        let found = generations(&self.dir)?;
        let generation = found.last().map_or(0, |(_, generation)| *generation).saturating_add(1);
        let path = self.dir.join(format!("{generation:020}{SUFFIX}"));
        let temporary = self.dir.join(format!("{generation:020}{TEMPORARY}"));
        let head = header(generation, lsn, bytes);
        // The remains of a failed save of the same generation; if they cannot go, creating says so.
        let _ = self.storage.remove(&temporary);
        publish(&temporary, &path, &[&head, bytes], &*self.storage)?;
        let before = newest.replace((generation, lsn));
        let keep = before.or(found.last().map(|(_, generation)| (*generation, 0)));
        for (path, old) in found {
            if keep.is_none_or(|(kept, _)| kept != old) {
                // Tried again with the next save: it is found again by its name.
                let _ = self.storage.remove(&path);
            }
        }
        Ok(Saved { generation, oldest_lsn: keep.map_or(lsn, |(_, before)| before) })
    }

    fn newest(&self) -> std::sync::MutexGuard<'_, Option<(u64, u64)>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn header(generation: u64, lsn: u64, state: &[u8]) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..10].copy_from_slice(&VERSION.to_le_bytes());
    head[16..24].copy_from_slice(&generation.to_le_bytes());
    head[24..32].copy_from_slice(&lsn.to_le_bytes());
    head[32..40].copy_from_slice(&(state.len() as u64).to_le_bytes());
    head[40..44].copy_from_slice(&crc32c::crc32c(state).to_le_bytes());
    let crc = crc32c::crc32c(&head[..44]);
    head[44..].copy_from_slice(&crc.to_le_bytes());
    head
}

enum Unreadable {
    Damaged(&'static str),
    Newer(u16),
}

/// Reads a file that should hold `generation`. The header's checksum is judged before the version, so that a flipped
/// bit is damage and not a newer version.
fn decode(mut file: Vec<u8>, generation: u64) -> Result<Checkpoint, Unreadable> {
    let damaged = |why| Err(Unreadable::Damaged(why));
    let Some(head) = file.first_chunk::<HEAD>() else { return damaged("short") };
    let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    if head[..8] != MAGIC {
        return damaged("magic");
    }
    if crc32c::crc32c(&head[..44]) != u32_at(44) {
        return damaged("header");
    }
    let version = u16::from_le_bytes([head[8], head[9]]);
    if version > VERSION {
        return Err(Unreadable::Newer(version));
    }
    if u64_at(16) != generation {
        return damaged("generation");
    }
    if u64_at(32) != (file.len() - HEAD) as u64 {
        return damaged("length");
    }
    if crc32c::crc32c(&file[HEAD..]) != u32_at(40) {
        return damaged("checksum");
    }
    let lsn = u64_at(24);
    file.drain(..HEAD);
    Ok(Checkpoint { generation, lsn, bytes: file })
}

/// The checkpoints of `dir`, oldest first.
fn generations(dir: &Path) -> Result<Vec<(PathBuf, u64)>, JournalError> {
    let mut found: Vec<_> =
        files(dir, SUFFIX)?.into_iter().filter_map(|(path, stem)| Some((path, stem.parse().ok()?))).collect();
    found.sort_by_key(|(_, generation)| *generation);
    Ok(found)
}

/// Files of `dir` whose names end so, and what stands before the ending.
fn files(dir: &Path, suffix: &str) -> Result<Vec<(PathBuf, String)>, JournalError> {
    let read = || -> io::Result<_> {
        let mut found = Vec::new();
        for item in fs::read_dir(dir)? {
            let item = item?;
            if let Some(stem) = item.file_name().to_str().and_then(|name| name.strip_suffix(suffix)) {
                found.push((item.path(), stem.to_owned()));
            }
        }
        Ok(found)
    };
    read().map_err(JournalError::io("read the directory", dir))
}
