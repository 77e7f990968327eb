//! What the journal and the checkpoints ask of a disk, as a trait so that tests can make each step fail.
//!
//! Only what changes the disk is here. Reading goes to the file system directly: an error there is just an error.

use std::fmt::Debug;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// A directory's worth of operations that change the disk.
pub trait Storage: Debug + Send + Sync {
    /// Creates `path` for writing. It must not exist: a file that an error has been seen on is never written again.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// Opens the existing `path` to sync what an earlier process wrote.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// Renames within one file system; replaces `to` atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes the file `path`, which must not exist, of `bytes` that are taken from what is free: no sparse file.
    fn allocate(&self, path: &Path, bytes: u64) -> io::Result<()>;
    /// The room on the file system of `dir`.
    fn space(&self, dir: &Path) -> io::Result<Space>;
}

/// The room on a file system, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// What we may still write.
    pub free: u64,
    /// Its whole size.
    pub total: u64,
}

/// A file that is being written.
pub trait Output: Debug + Send {
    /// Writes all of `bytes` at the end. After an error an unknown part of them has been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written durable, the length included. After an error nothing since the last success may be
    /// counted on, and a second call proves nothing (the kernel may have dropped the pages).
    fn sync(&mut self) -> io::Result<()>;
    /// Shortens the file to `len` bytes.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    /// Drops what is cached of a synced file, so that the next reader asks the disk. As well as the system can.
    fn forget(&mut self);
}

/// The real file system.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Storage for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(fs::OpenOptions::new().append(true).create_new(true).open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(fs::OpenOptions::new().append(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn allocate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let mut file = fs::OpenOptions::new().append(true).create_new(true).open(path)?;
        match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
            // A file system without it takes the blocks when they are written.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                io::copy(&mut io::Read::take(io::repeat(0), bytes), &mut file)?;
            }
            allocated => allocated?,
        }
        file.sync_all()
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let stats = fs4::statvfs(dir)?;
        Ok(Space { free: stats.available_space(), total: stats.total_space() })
    }
}

impl Output for fs::File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // fdatasync: the length is synced too, only the times are not.
        self.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn forget(&mut self) {
        // Advice: a system that does not take it reads its cache, as without it.
        let _ = rustix::fs::fadvise(&*self, 0, None, rustix::fs::Advice::DontNeed);
    }
}
