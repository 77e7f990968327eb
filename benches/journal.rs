//! What the journal costs: the appender's share, the whole way to the disk, reading back, and checkpoints of 30 MB.
//!
//! "memory" is a disk whose syncs do nothing: what is left is our own work. "disk" is the real one, with fdatasync, in
//! the directory for temporary files (set `TMPDIR` to measure another disk).
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fleetwatch::engine::time::Timestamp;
use fleetwatch::journal::storage::{Disk, Output, Space, Storage};
use fleetwatch::journal::{AppendError, CheckpointStore, Entry, Journal, JournalConfig, read_from};

const MESSAGES: u64 = 20_000;

/// The real file system without its syncs.
#[derive(Debug)]
struct Unsynced;

#[derive(Debug)]
struct UnsyncedFile(Box<dyn Output>);

impl Storage for Unsynced {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(UnsyncedFile(Disk.create(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(UnsyncedFile(Disk.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn allocate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        Disk.allocate(path, bytes)
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        Disk.space(dir)
    }
}

impl Output for UnsyncedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }

    fn forget(&mut self) {
        self.0.forget();
    }
}

fn config(dir: &Path) -> JournalConfig {
    // What has been written is removed soon, so that a long measurement does not fill the disk.
    JournalConfig { max_bytes: 256 << 20, ..JournalConfig::new(dir) }
}

fn entry(payload: &[u8]) -> Entry<'_> {
    Entry { at: Timestamp::from_ms(1_795_305_600_000), topic: "utm/v1/B-0042/report", payload, retain: false }
}

/// Appends `MESSAGES` and waits until they are durable.
fn append(journal: &Journal, runtime: &tokio::runtime::Runtime, payload: &[u8]) {
    let entry = entry(payload);
    runtime.block_on(async {
        let mut last = 0;
        for _ in 0..MESSAGES {
            last = match journal.try_append(&entry) {
                Err(AppendError::Full) => journal.append(&entry).await.unwrap(),
                appended => appended.unwrap(),
            };
        }
        journal.durable().wait_for(|durable| *durable >= last).await.unwrap();
        journal.release(last);
    });
}

fn appends(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut group = c.benchmark_group("journal/append_until_durable");
    group.throughput(Throughput::Elements(MESSAGES)).sample_size(10);
    for (name, storage) in [("memory", Arc::new(Unsynced) as Arc<dyn Storage>), ("disk", Arc::new(Disk))] {
        for bytes in [100, 400] {
            let dir = tempfile::tempdir().unwrap();
            let (journal, _) = Journal::open_on(config(dir.path()), 0, Arc::clone(&storage)).unwrap();
            let payload = vec![0x5A; bytes];
            group.bench_function(format!("{name}/{bytes}_bytes"), |b| b.iter(|| append(&journal, &runtime, &payload)));
            journal.close().unwrap();
        }
    }
    group.finish();
}

/// One message on an idle journal, from the call until it may be acknowledged.
fn latency(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    // Without the spacing of commits, so that each message finds the journal as it is after a pause.
    let config = JournalConfig { commit_interval: std::time::Duration::ZERO, ..config(dir.path()) };
    let (journal, _) = Journal::open(config, 0).unwrap();
    let payload = [0x5A; 100];
    c.bench_function("journal/one_message_until_durable/disk", |b| {
        b.iter(|| {
            runtime.block_on(async {
                let lsn = journal.append(&entry(&payload)).await.unwrap();
                journal.durable().wait_for(|durable| *durable >= lsn).await.unwrap();
            });
        });
    });
}

fn reads(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut group = c.benchmark_group("journal/read");
    group.throughput(Throughput::Elements(10 * MESSAGES)).sample_size(20);
    for bytes in [100, 400] {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open_on(config(dir.path()), 0, Arc::new(Unsynced)).unwrap();
        for _ in 0..10 {
            append(&journal, &runtime, &vec![0x5A; bytes]);
        }
        journal.close().unwrap();
        group.bench_function(format!("{bytes}_bytes"), |b| {
            b.iter(|| {
                let mut reader = read_from(dir.path(), 0).unwrap();
                let mut count = 0;
                while let Some(record) = reader.next().unwrap() {
                    count += u64::from(!black_box(record).entry.retain);
                }
                assert_eq!(count, 10 * MESSAGES);
            });
        });
    }
    group.finish();
}

fn checkpoints(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = CheckpointStore::open(dir.path()).unwrap();
    let state: Vec<u8> = (0..30_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut group = c.benchmark_group("checkpoint/30_MB");
    group.throughput(Throughput::Bytes(state.len() as u64)).sample_size(10);
    group.bench_function("save", |b| b.iter(|| store.save(&state, 1).unwrap()));
    group.bench_function("load", |b| b.iter(|| assert!(store.load().unwrap().checkpoint.is_some())));
    group.finish();
}

criterion_group!(benches, appends, latency, reads, checkpoints);
criterion_main!(benches);
