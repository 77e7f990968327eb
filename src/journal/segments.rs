//! The segments of a directory: their names, their order, and what an earlier process left.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::engine::time::Timestamp;

use super::error::JournalError;
use super::found::{Damage, Recovery};
use super::frame::{self, FRAME_HEAD, SEGMENT_HEAD};
use super::reader::Reader;
use super::storage::Storage;

const SUFFIX: &str = ".journal";
const TEMPORARY: &str = ".journal.tmp";

/// A segment on the disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) first_lsn: u64,
    pub(super) bytes: u64,
}

/// The path of the segment that begins with `first_lsn`. The number is padded so that names sort as numbers do.
pub(super) fn path_of(dir: &Path, first_lsn: u64) -> PathBuf {
    dir.join(format!("{first_lsn:020}{SUFFIX}"))
}

/// A path for a segment that is not complete yet, new for each `attempt`.
pub(super) fn temporary_path(dir: &Path, first_lsn: u64, attempt: u64) -> PathBuf {
    dir.join(format!("{first_lsn:020}.{attempt}{TEMPORARY}"))
}

/// The segments of `dir` in the order of their record numbers. Other files are ignored.
pub(super) fn list(dir: &Path) -> Result<Vec<Segment>, JournalError> {
    let mut segments = Vec::new();
    for item in fs::read_dir(dir).map_err(JournalError::io("read the directory", dir))? {
        let item = item.map_err(JournalError::io("read the directory", dir))?;
        let name = item.file_name();
        let Some(number) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else { continue };
        let Ok(first_lsn) = number.parse() else { continue };
        // Retention of a running process may remove it between the two calls.
        let Ok(data) = item.metadata() else { continue };
        segments.push(Segment { path: item.path(), first_lsn, bytes: data.len() });
    }
    segments.sort_by_key(|segment| segment.first_lsn);
    Ok(segments)
}

/// Arrival of the first entry of a segment, if it can be read; for retention only, so nothing is verified.
pub(super) fn first_at(path: &Path) -> Option<Timestamp> {
    let mut head = [0; SEGMENT_HEAD + FRAME_HEAD];
    fs::File::open(path).ok()?.read_exact(&mut head).ok()?;
    let at = head[SEGMENT_HEAD + 16..].first_chunk()?;
    Some(Timestamp::from_ms(i64::from_le_bytes(*at)))
}

/// What recovery found: the report, and the segments as they are.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) report: Recovery,
    pub(super) segments: Vec<Segment>,
}

/// Reads the last segment to its end and makes sure that what is readable of it is on the disk.
///
/// An earlier process may have been killed between its write and its sync, so that the entries are in the page cache
/// only. They will be applied now, and their redelivery will be dropped as a duplicate and acknowledged: they must be
/// durable first. If that sync fails, its file is not asked again; its entries are written to a new one.
pub(super) fn recover(dir: &Path, floor_lsn: u64, storage: &dyn Storage) -> Result<Recovered, JournalError> {
    let removed_temporary = remove_temporary(dir, storage)?;
    let mut segments = list(dir)?;
    let mut report = Recovery { next_lsn: floor_lsn.max(1), removed_temporary, ..Recovery::default() };
    report.oldest_lsn = segments.first().map_or(report.next_lsn, |segment| segment.first_lsn);
    if let Some(last) = segments.last_mut() {
        let synced = sync(last, storage);
        let tail = read_tail(last)?;
        if !synced {
            rewrite(dir, last, tail.good_bytes, storage)?;
        }
        storage.sync_dir(dir).map_err(JournalError::io("sync the directory", dir))?;
        report.next_lsn = report.next_lsn.max(tail.next_lsn);
        report.torn_bytes = tail.torn_bytes;
        report.damaged = tail.damaged;
    }
    report.segments = segments.len();
    report.bytes = segments.iter().map(|segment| segment.bytes).sum();
    Ok(Recovered { report, segments })
}

struct Tail {
    next_lsn: u64,
    good_bytes: u64,
    torn_bytes: u64,
    damaged: Vec<Damage>,
}

fn read_tail(last: &Segment) -> Result<Tail, JournalError> {
    let mut reader = Reader::over(vec![last.clone()], last.first_lsn);
    while reader.next()?.is_some() {}
    let report = reader.report();
    // Numbers of entries that cannot be reached any more are not given again.
    let lost: u64 = report.damaged.iter().map(|damage| damage.lost).sum();
    Ok(Tail {
        next_lsn: last.first_lsn + report.entries + lost,
        good_bytes: reader.position(),
        torn_bytes: report.torn_bytes,
        damaged: report.damaged.clone(),
    })
}

/// Whether the segment is on the disk as it is read from now on.
fn sync(segment: &Segment, storage: &dyn Storage) -> bool {
    storage.open(&segment.path).is_ok_and(|mut file| {
        let synced = file.sync().is_ok();
        if synced {
            // Had an earlier process seen a sync of this file fail, this one proves nothing: the pages count as clean,
            // and the disk may not have them. Without them in the cache, the disk itself is read.
            file.forget();
        }
        synced
    })
}

fn rewrite(dir: &Path, segment: &mut Segment, good_bytes: u64, storage: &dyn Storage) -> Result<(), JournalError> {
    let bytes = fs::read(&segment.path).map_err(JournalError::io("read", &segment.path))?;
    let good_bytes = usize::try_from(good_bytes).unwrap_or(usize::MAX).min(bytes.len());
    let Some(frames) = bytes.get(SEGMENT_HEAD..good_bytes).filter(|frames| !frames.is_empty()) else { return Ok(()) };
    let temporary = temporary_path(dir, segment.first_lsn, 0);
    publish(&temporary, &segment.path, &[&frame::segment_header(segment.first_lsn), frames], storage)?;
    segment.bytes = good_bytes as u64;
    Ok(())
}

/// Writes a file so that it is there whole or not at all: temporary name, sync, rename, sync of the directory.
///
/// On an error the temporary file is removed if that is possible; `to` is then the old one or, if only the last step
/// failed, the new one.
pub(super) fn publish(
    temporary: &Path,
    to: &Path,
    parts: &[&[u8]],
    storage: &dyn Storage,
) -> Result<Box<dyn super::storage::Output>, JournalError> {
    let write = || {
        let mut file = storage.create(temporary).map_err(JournalError::io("create", temporary))?;
        for part in parts {
            file.append(part).map_err(JournalError::io("write", temporary))?;
        }
        file.sync().map_err(JournalError::io("sync", temporary))?;
        storage.rename(temporary, to).map_err(JournalError::io("rename to", to))?;
        Ok(file)
    };
    let file = write().inspect_err(|_| {
        // What cannot be removed now is removed at the next start.
        let _ = storage.remove(temporary);
    })?;
    let dir = to.parent().unwrap_or(Path::new("."));
    storage.sync_dir(dir).map_err(JournalError::io("sync the directory", dir))?;
    Ok(file)
}

fn remove_temporary(dir: &Path, storage: &dyn Storage) -> Result<usize, JournalError> {
    let mut removed = 0;
    for item in fs::read_dir(dir).map_err(JournalError::io("read the directory", dir))? {
        let path = item.map_err(JournalError::io("read the directory", dir))?.path();
        if path.to_str().is_some_and(|name| name.ends_with(TEMPORARY)) {
            storage.remove(&path).map_err(JournalError::io("remove", &path))?;
            removed += 1;
        }
    }
    Ok(removed)
}
