//! A disk that fails when it is told to, and that forgets at a power cut what was never synced.
//!
//! Real files underneath play the page cache; beside them stands what a power cut would leave.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::journal::storage::{Output, Space, Storage};

/// How an operation fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// A full disk: half of a write gets through.
    NoSpace,
    /// The device gives errors; a failed sync leaves the pages readable, counted as clean and unwritten.
    Io,
    /// The same, but the pages are lost at once: zeros are read.
    IoZeros,
}

impl Fault {
    fn error(self) -> io::Error {
        let errno = if self == Self::NoSpace { rustix::io::Errno::NOSPC } else { rustix::io::Errno::IO };
        io::Error::from_raw_os_error(errno.raw_os_error())
    }
}

#[derive(Debug, Default)]
struct State {
    /// Operations so far, and which of them fail.
    operations: u64,
    failing: Option<(u64, u64, Fault)>,
    hit: bool,
    /// The content that survives a power cut, by name, for every file that this disk has made.
    durable: BTreeMap<PathBuf, Vec<u8>>,
    /// Files whose sync has failed: later syncs say yes and do nothing.
    poisoned: Vec<PathBuf>,
    /// Names as they are durable: the content follows at a power cut.
    named: BTreeMap<PathBuf, PathBuf>,
    inodes: BTreeMap<PathBuf, PathBuf>,
    next_inode: u64,
    gate_closed: bool,
    /// Size of the file system, if it has one, and what others have on it.
    capacity: Option<u64>,
    others: u64,
    /// A sync waits at the gate.
    waiting: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct TestDisk {
    state: Arc<Mutex<State>>,
    moved: Arc<Condvar>,
}

impl TestDisk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Takes the files in `dir` as synced, as if this disk had made them.
    pub(super) fn adopt(&self, dir: &Path) {
        let mut state = self.lock();
        for item in fs::read_dir(dir).unwrap() {
            let path = item.unwrap().path();
            state.next_inode += 1;
            let inode = PathBuf::from(state.next_inode.to_string());
            state.durable.insert(inode.clone(), fs::read(&path).unwrap());
            state.inodes.insert(path.clone(), inode.clone());
            state.named.insert(path, inode);
        }
    }

    /// Operations `first`, counted from now on and from 0, and the `count - 1` after it fail.
    pub(super) fn fail(&self, first: u64, count: u64, fault: Fault) {
        let mut state = self.lock();
        let first = state.operations + first;
        state.failing = Some((first, first.saturating_add(count), fault));
        state.hit = false;
    }

    /// The disk works again. Whether an operation has failed.
    pub(super) fn heal(&self) -> bool {
        let mut state = self.lock();
        state.failing = None;
        state.hit
    }

    /// From now on the file system has this size, and others have taken `others` bytes of it. How much is free.
    pub(super) fn limit(&self, capacity: u64, others: u64) -> u64 {
        let mut state = self.lock();
        (state.capacity, state.others) = (Some(capacity), others);
        state.free()
    }

    /// Others take all that is free, or give all back.
    pub(super) fn fill(&self, full: bool) {
        let mut state = self.lock();
        state.others = if full { state.others + state.free() } else { 0 };
    }

    /// Syncs wait from now on.
    pub(super) fn close_gate(&self) {
        self.lock().gate_closed = true;
    }

    pub(super) fn open_gate(&self) {
        self.lock().gate_closed = false;
        self.moved.notify_all();
    }

    /// Returns when a sync waits at the gate.
    pub(super) fn await_sync_at_gate(&self) {
        let state = self.lock();
        let _waiting = self.moved.wait_while(state, |state| !state.waiting).unwrap();
    }

    /// The power goes. Of what was not synced a part that follows from `seed` is left, damaged or not.
    pub(super) fn power_cut(&self, dir: &Path, seed: u64) {
        let mut state = self.lock();
        state.failing = None;
        state.poisoned.clear();
        let mut left = Vec::new();
        for (name, inode) in &state.named {
            let durable = state.durable.get(inode).cloned().unwrap_or_default();
            let cached = state.inodes.iter().find(|(_, other)| *other == inode);
            let cached = cached.and_then(|(name, _)| fs::read(name).ok()).unwrap_or_default();
            let mut content = durable.clone();
            if cached.len() > durable.len() {
                let more = seed as usize % (cached.len() - durable.len() + 1);
                content.extend_from_slice(&cached[durable.len()..durable.len() + more]);
                if more > 0 && seed.is_multiple_of(3) {
                    let at = durable.len() + (seed / 3) as usize % more;
                    content[at..].fill(0);
                }
            }
            left.push((name.clone(), inode.clone(), content));
        }
        for item in fs::read_dir(dir).unwrap() {
            let path = item.unwrap().path();
            if !path.ends_with("journal.lock") {
                fs::remove_file(path).unwrap();
            }
        }
        state.inodes.clear();
        state.durable.clear();
        for (name, inode, content) in left {
            fs::write(&name, &content).unwrap();
            state.inodes.insert(name, inode.clone());
            state.durable.insert(inode, content);
        }
    }
}

impl State {
    fn free(&self) -> u64 {
        let Some(capacity) = self.capacity else { return u64::MAX };
        let ours: u64 = self.inodes.keys().map(|path| fs::metadata(path).map_or(0, |data| data.len())).sum();
        capacity.saturating_sub(self.others + ours)
    }

    /// Writes as much as there is room for.
    fn write(&self, file: &mut fs::File, bytes: &[u8]) -> io::Result<()> {
        let fits = usize::try_from(self.free()).unwrap_or(usize::MAX).min(bytes.len());
        file.write_all(&bytes[..fits])?;
        if fits < bytes.len() { Err(Fault::NoSpace.error()) } else { Ok(()) }
    }

    fn step(&mut self) -> Result<(), Fault> {
        let now = self.operations;
        self.operations += 1;
        match self.failing {
            Some((first, end, fault)) if (first..end).contains(&now) => {
                self.hit = true;
                Err(fault)
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
struct TestFile {
    disk: TestDisk,
    inode: PathBuf,
    file: fs::File,
}

impl TestFile {
    /// Where the file is now: it may have been renamed.
    fn path(&self, state: &State) -> Option<PathBuf> {
        state.inodes.iter().find(|(_, inode)| **inode == self.inode).map(|(name, _)| name.clone())
    }
}

impl Storage for TestDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let mut state = self.lock();
        state.step().map_err(Fault::error)?;
        let file = fs::OpenOptions::new().append(true).create_new(true).open(path)?;
        state.next_inode += 1;
        let inode = PathBuf::from(state.next_inode.to_string());
        state.inodes.insert(path.to_owned(), inode.clone());
        Ok(Box::new(TestFile { disk: self.clone(), inode, file }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let mut state = self.lock();
        state.step().map_err(Fault::error)?;
        let file = fs::OpenOptions::new().append(true).open(path)?;
        let inode = state.inodes.get(path).expect("this disk has made it").clone();
        Ok(Box::new(TestFile { disk: self.clone(), inode, file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.step().map_err(Fault::error)?;
        fs::rename(from, to)?;
        let inode = state.inodes.remove(from).expect("this disk has made it");
        state.inodes.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.step().map_err(Fault::error)?;
        fs::remove_file(path)?;
        state.inodes.remove(path);
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.step().map_err(Fault::error)?;
        state.named = state.inodes.clone();
        Ok(())
    }

    fn allocate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let mut state = self.lock();
        state.step().map_err(Fault::error)?;
        if state.free() < bytes {
            return Err(Fault::NoSpace.error());
        }
        fs::write(path, vec![0; bytes as usize])?;
        state.next_inode += 1;
        let inode = PathBuf::from(state.next_inode.to_string());
        state.durable.insert(inode.clone(), vec![0; bytes as usize]);
        state.inodes.insert(path.to_owned(), inode);
        Ok(())
    }

    fn space(&self, _dir: &Path) -> io::Result<Space> {
        let state = self.lock();
        Ok(Space { free: state.free(), total: state.capacity.unwrap_or(u64::MAX) })
    }
}

impl Output for TestFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.lock();
        if let Err(fault) = state.step() {
            state.write(&mut self.file, &bytes[..bytes.len() / 2])?;
            return Err(fault.error());
        }
        state.write(&mut self.file, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.lock();
        if state.gate_closed {
            state.waiting = true;
            self.disk.moved.notify_all();
            state = self.disk.moved.wait_while(state, |state| state.gate_closed).unwrap();
            state.waiting = false;
        }
        let path = self.path(&state).expect("a file that is synced has a name");
        if let Err(fault) = state.step() {
            let kept = state.durable.get(&self.inode).map_or(0, Vec::len);
            if fault == Fault::IoZeros {
                let len = fs::metadata(&path)?.len();
                self.file.set_len(kept as u64)?;
                self.file.set_len(len)?;
            }
            state.poisoned.push(self.inode.clone());
            return Err(fault.error());
        }
        if !state.poisoned.contains(&self.inode) {
            let content = fs::read(path)?;
            state.durable.insert(self.inode.clone(), content);
        }
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.step().map_err(Fault::error)?;
        self.file.set_len(len)
    }

    fn forget(&mut self) {
        let state = self.disk.lock();
        let (Some(path), Some(durable)) = (self.path(&state), state.durable.get(&self.inode)) else { return };
        if state.poisoned.contains(&self.inode) {
            fs::write(path, durable).unwrap();
        }
    }
}
