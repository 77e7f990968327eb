//! Tests of the journal: on a disk that works, faults and damage in the modules below.

mod basics;
mod damage;
mod disk;
mod faults;
mod room;

use std::path::Path;
use std::time::Duration;

use crate::engine::time::Timestamp;

use super::*;

/// An entry as a test keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Owned {
    lsn: u64,
    at: Timestamp,
    topic: String,
    payload: Vec<u8>,
    retain: bool,
}

impl Owned {
    fn entry(&self) -> Entry<'_> {
        Entry { at: self.at, topic: &self.topic, payload: &self.payload, retain: self.retain }
    }
}

impl From<Record<'_>> for Owned {
    fn from(record: Record<'_>) -> Self {
        Self {
            lsn: record.lsn,
            at: record.entry.at,
            topic: record.entry.topic.to_owned(),
            payload: record.entry.payload.to_vec(),
            retain: record.entry.retain,
        }
    }
}

/// Entry number `lsn`, whose content follows from the number, so that any mix-up shows.
fn sample(lsn: u64) -> Owned {
    Owned {
        lsn,
        at: Timestamp::from_ms(1_795_305_600_000 + lsn as i64 * 10),
        topic: format!("utm/v1/B-{lsn:04}/report"),
        payload: (0..lsn * 37 % 211).map(|i| (i * lsn) as u8).collect(),
        retain: lsn.is_multiple_of(5),
    }
}

/// Quick pauses, so that a test with faults takes milliseconds.
fn config(dir: &Path) -> JournalConfig {
    JournalConfig {
        commit_interval: Duration::from_millis(1),
        retry_first: Duration::from_micros(100),
        retry_most: Duration::from_millis(1),
        reserve_bytes: 4_096,
        ..JournalConfig::new(dir)
    }
}

fn all(dir: &Path, from: u64) -> (Vec<Owned>, ReadReport) {
    let mut reader = read_from(dir, from).unwrap();
    let mut found = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        found.push(Owned::from(record));
    }
    (found, reader.report().clone())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Waits until `lsn` is durable; fails the test if that takes absurdly long.
fn await_durable(journal: &Journal, lsn: u64) {
    runtime().block_on(async {
        let mut durable = journal.durable();
        let reached = durable.wait_for(|durable| *durable >= lsn);
        tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap().unwrap();
    });
}

/// Appends the samples of these numbers.
fn append(journal: &Journal, lsns: std::ops::RangeInclusive<u64>) {
    for lsn in lsns {
        assert_eq!(runtime().block_on(journal.append(&sample(lsn).entry())), Ok(lsn));
    }
}
