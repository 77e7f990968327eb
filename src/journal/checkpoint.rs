//! Checkpoints: the whole state at one moment, kept in two generations.
//!
//! A file `{generation, 20 digits}.checkpoint`, little endian, checksums CRC32C. The head, 48 bytes:
//!
//! | at | size | what |
//! |---|---|---|
//! | 0 | 8 | magic `FWCHKP\r\n` |
//! | 8 | 2 | version of this layout, 2 (the state inside has its own) |
//! | 10 | 6 | zero |
//! | 16 | 8 | generation, as in the name |
//! | 24 | 8 | record number of the journal up to which the state has seen everything |
//! | 32 | 12 | zero |
//! | 44 | 4 | checksum of bytes 0..44 |
//!
//! Then the state in pieces, so that nobody has to hold it in memory as a whole, neither to write it nor to read it. It is
//! the bytes of all pieces; where one ends means nothing:
//!
//! | at | size | what |
//! |---|---|---|
//! | 0 | 4 | n: bytes of the piece, 1 ..= 1,048,576 |
//! | 4 | 4 | checksum of bytes 0..4 and of the piece |
//! | 8 | n | the piece |
//!
//! The end, after which nothing comes: n = 0, the checksum of bytes 0..4 and 8..24, the number of pieces (8 bytes), the bytes
//! of the state (8 bytes).
//!
//! Version 1 is still read: its head has the bytes of the state at 32 (8 bytes) and their checksum at 40 (4), and the state
//! follows as it is.
//!
//! A changed byte is found by its piece's checksum, a torn or shortened file by the end. The file gets its name only when it
//! is whole and synced, so a failed save costs nothing but its own generation.
//!
//! On a full disk a save takes the room of a reserve that lies beside the files, and if that is not enough the place of
//! the older of two generations, once the newer has been read again and is good.

use std::fs;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::layout::{self, Unreadable, VERSION};
use super::reserve::Reserve;
use super::storage::{Disk, Output, Storage};
use super::{JournalError, error};

const SUFFIX: &str = ".checkpoint";
const TEMPORARY: &str = ".checkpoint.tmp";

/// Least and greatest size of the reserve in bytes. A state that needs more takes the older one's place, if it has to.
const RESERVE: (u64, u64) = (1 << 20, 1 << 30);

/// A state that was saved, and whose file has been read to its end: it is good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Rises by one with each save.
    pub generation: u64,
    /// The state has seen the journal up to and including this number.
    pub lsn: u64,
    path: PathBuf,
}

impl Checkpoint {
    /// Reads the state once more and hands it on piece by piece.
    ///
    /// # Errors
    /// When the file cannot be read any more, or has changed since it was found good.
    pub fn read(&self, mut each: impl FnMut(&[u8])) -> Result<(), JournalError> {
        let file = fs::File::open(&self.path).map_err(JournalError::io("read", &self.path))?;
        let scanned = layout::scan(BufReader::new(file), |piece| each(piece));
        let changed = |_| io::Error::new(io::ErrorKind::InvalidData, "it has changed since it was found good");
        scanned.map(drop).map_err(changed).map_err(JournalError::io("read", &self.path))
    }

    /// The whole state.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn bytes(&self) -> Result<Vec<u8>, JournalError> {
        let mut bytes = Vec::new();
        self.read(|piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }
}

/// What a save left on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Saved {
    /// The new generation.
    pub generation: u64,
    /// Number of the oldest checkpoint that is kept: what [`super::Journal::release`] is to be given.
    pub oldest_lsn: u64,
    /// Bytes of the state.
    pub bytes: u64,
}

/// What was found at the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Loaded {
    /// The newest good state, if there is one.
    pub checkpoint: Option<Checkpoint>,
    /// Number of the oldest checkpoint that can be fallen back to; what [`super::Journal::release`] may be given once the
    /// newest has been taken up. 0 without one.
    pub oldest_lsn: u64,
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
    reserve: Mutex<Reserve>,
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
        let reserve = Mutex::new(Reserve::find(&dir, Arc::clone(&storage)));
        Ok(Self { dir, storage, newest: Mutex::new(None), reserve })
    }

    /// The newest good state. Damaged ones are reported and passed over.
    ///
    /// # Errors
    /// When a file cannot be read, or a newer version of fleetwatch wrote it: an older state under a newer program's
    /// journal would be misleading, so a person decides.
    pub fn load(&self) -> Result<Loaded, JournalError> {
        let mut loaded = Loaded::default();
        let mut older = generations(&self.dir)?;
        while let Some((path, generation)) = older.pop() {
            match examine(&path, generation)? {
                Ok(lsn) => {
                    *self.newest() = Some((generation, lsn));
                    loaded.oldest_lsn = older.iter().filter_map(|(path, _)| lsn_of(path)).fold(lsn, u64::min);
                    self.make_reserve(fs::metadata(&path).map_or(0, |data| data.len()));
                    loaded.checkpoint = Some(Checkpoint { generation, lsn, path });
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

    /// Begins to save a state that has seen the journal up to and including `lsn`. One at a time.
    ///
    /// # Errors
    /// When a step on the disk fails. The next save starts afresh.
    pub fn begin(&self, lsn: u64) -> Result<Saving<'_>, JournalError> {
        let generation = generations(&self.dir)?.last().map_or(0, |(_, generation)| *generation).saturating_add(1);
        let path = self.dir.join(format!("{generation:020}{SUFFIX}"));
        let temporary = self.dir.join(format!("{generation:020}{TEMPORARY}"));
        // The remains of a failed save of the same generation; if they cannot go, creating says so.
        let _ = self.storage.remove(&temporary);
        let file = loop {
            match self.storage.create(&temporary).map_err(JournalError::io("create", &temporary)) {
                Err(error) if error::is_no_space(&error) && self.make_room() => {}
                file => break file?,
            }
        };
        let saving = Saving { store: self, generation, lsn, path, temporary, file, len: 0, pieces: 0, bytes: 0 };
        saving.begun()
    }

    /// Saves a state that is in memory as a whole, see [`begin`](Self::begin). Blocks for the disk: call it from a thread that
    /// may.
    ///
    /// `lsn` must be durable in the journal already, or a power cut leaves a state that knows more than the journal.
    /// The new file and the newest good one before it are kept, the others removed. An error leaves the older ones as
    /// they are, unless the disk was so full that the older of two had to give its place.
    ///
    /// # Errors
    /// When a step on the disk fails. The next save starts afresh.
    pub fn save(&self, bytes: &[u8], lsn: u64) -> Result<Saved, JournalError> {
        let mut saving = self.begin(lsn)?;
        saving.write(bytes)?;
        saving.finish()
    }

    /// Keeps room for one more state of this size.
    fn make_reserve(&self, bytes: u64) {
        let mut reserve = self.reserve.lock().unwrap_or_else(PoisonError::into_inner);
        reserve.resize((bytes + bytes / 4).clamp(RESERVE.0, RESERVE.1));
        reserve.keep();
    }

    /// The disk is full: gives up the reserve, or else what is older than the newest good state. Whether that was anything.
    fn make_room(&self) -> bool {
        if self.reserve.lock().unwrap_or_else(PoisonError::into_inner).release() {
            return true;
        }
        let Some((newest, _)) = *self.newest() else { return false };
        let Ok(found) = generations(&self.dir) else { return false };
        let is_good = |(path, generation): &(PathBuf, u64)| {
            *generation == newest && examine(path, newest).is_ok_and(|examined| examined.is_ok())
        };
        if !found.iter().any(is_good) {
            return false;
        }
        let older = found.iter().filter(|(_, generation)| *generation < newest);
        older.filter(|(path, _)| self.storage.remove(path).is_ok()).count() > 0
    }

    fn newest(&self) -> MutexGuard<'_, Option<(u64, u64)>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A state that is being saved, piece by piece. Dropped before it is finished, it leaves nothing behind.
#[derive(Debug)]
pub struct Saving<'a> {
    store: &'a CheckpointStore,
    generation: u64,
    lsn: u64,
    path: PathBuf,
    temporary: PathBuf,
    file: Box<dyn Output>,
    /// Bytes of the file that are known to be right.
    len: u64,
    pieces: u64,
    bytes: u64,
}

impl Saving<'_> {
    fn begun(mut self) -> Result<Self, JournalError> {
        let head = layout::head(self.generation, self.lsn);
        self.append(&head)?;
        Ok(self)
    }

    /// Appends to the state.
    ///
    /// # Errors
    /// When the disk refuses: this state cannot be finished then.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        for piece in bytes.chunks(layout::PIECE_MOST) {
            self.append(&layout::piece(piece))?;
            self.pieces += 1;
            self.bytes += piece.len() as u64;
        }
        Ok(())
    }

    /// Makes the state durable and gives it its name. From now on it is the newest.
    ///
    /// # Errors
    /// When a step on the disk fails; the older states are as they were.
    pub fn finish(mut self) -> Result<Saved, JournalError> {
        let end = layout::end(self.pieces, self.bytes);
        self.append(&end)?;
        let Self { store, generation, lsn, .. } = self;
        let synced = self.file.sync().map_err(JournalError::io("sync", &self.temporary));
        if let Err(error) = synced {
            // Not tried again on this file: it proves nothing. The next one finds the room.
            if error::is_no_space(&error) {
                store.make_room();
            }
            return Err(error);
        }
        let found = generations(&store.dir)?;
        store.storage.rename(&self.temporary, &self.path).map_err(JournalError::io("rename to", &self.path))?;
        store.storage.sync_dir(&store.dir).map_err(JournalError::io("sync the directory", &store.dir))?;
        let before = store.newest().replace((generation, lsn));
        let keep = before.or(found.last().map(|(_, generation)| (*generation, 0)));
        for (path, old) in found {
            if keep.is_none_or(|(kept, _)| kept != old) && old != generation {
                // Tried again with the next save: it is found again by its name.
                let _ = store.storage.remove(&path);
            }
        }
        store.make_reserve(self.len);
        Ok(Saved { generation, oldest_lsn: keep.map_or(lsn, |(_, before)| before), bytes: self.bytes })
    }

    /// Appends to the file. A disk that is full is asked again when room has been made; what had got through of the first
    /// attempt is cut off.
    fn append(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        while let Err(source) = self.file.append(bytes) {
            let error = JournalError::io("write", &self.temporary)(source);
            if !error::is_no_space(&error) || !self.store.make_room() {
                return Err(error);
            }
            self.file.truncate(self.len).map_err(JournalError::io("shorten", &self.temporary))?;
        }
        self.len += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for Saving<'_> {
    fn drop(&mut self) {
        // There is no such file any more once it has its name; what cannot be removed now is removed at the next start.
        let _ = self.store.storage.remove(&self.temporary);
    }
}

/// The record number of the state in a file that should hold `generation`, or what is wrong with it.
fn examine(path: &Path, generation: u64) -> Result<Result<u64, Unreadable>, JournalError> {
    let file = fs::File::open(path).map_err(JournalError::io("read", path))?;
    match layout::scan(BufReader::new(file), |_| ()) {
        Ok(head) if head.generation == generation => Ok(Ok(head.lsn)),
        Ok(_) => Ok(Err(Unreadable::Damaged("generation"))),
        Err(layout::ScanError::Unreadable(why)) => Ok(Err(why)),
        Err(layout::ScanError::Io(source)) => Err(JournalError::io("read", path)(source)),
    }
}

/// The record number that a file's head says, if that is good.
fn lsn_of(path: &Path) -> Option<u64> {
    layout::read_head(&mut fs::File::open(path).ok()?).ok().map(|head| head.lsn)
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
