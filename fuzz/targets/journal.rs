//! A journal's segment with anything in it: read to its end, and opened to go on after it. Half of the inputs get the header and
//! checksums that they lack, so that what stands behind those is reached too.

use std::fs;
use std::path::Path;

use fleetwatch::journal::{self, Journal, JournalConfig};

const HEAD: usize = 32;
const FRAME_HEAD: usize = 28;

/// The input as a segment that begins with record 1, every frame with a length that fits, its number and its checksum.
fn mended(data: &[u8]) -> Vec<u8> {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(b"FWJRNL\r\n");
    head[8] = 1;
    head[16] = 1;
    let crc = crc32c::crc32c(&head[..28]);
    head[28..].copy_from_slice(&crc.to_le_bytes());
    let mut segment = head.to_vec();
    segment.extend_from_slice(data);
    let (mut at, mut lsn) = (HEAD, 1_u64);
    while at + FRAME_HEAD <= segment.len() {
        let rest = segment.len() - at - 8;
        let wanted = usize::from(u16::from_le_bytes([segment[at], segment[at + 1]]));
        let len = wanted.clamp(FRAME_HEAD - 8, rest);
        let frame = &mut segment[at..at + 8 + len];
        frame[..4].copy_from_slice(&(len as u32).to_le_bytes());
        frame[8..16].copy_from_slice(&lsn.to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..]);
        frame[4..8].copy_from_slice(&crc.to_le_bytes());
        at += 8 + len;
        lsn += 1;
    }
    segment
}

/// Without the reserve, which would be written anew each time.
fn config(dir: &Path) -> JournalConfig {
    JournalConfig { reserve_bytes: 0, ..JournalConfig::new(dir) }
}

/// Once, with these bytes.
pub fn run(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    // In memory, where there is such a place.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("there is room");
    let segment = if kind % 2 == 0 { mended(data) } else { data.to_vec() };
    fs::write(dir.path().join("00000000000000000001.journal"), segment).expect("there is room");
    if let Ok(mut reader) = journal::read_from(dir.path(), 1) {
        while let Ok(Some(_)) = reader.next() {}
    }
    // To open it starts a thread and syncs: less often.
    if kind % 8 == 0
        && let Ok((journal, _)) = Journal::open(config(dir.path()), 0)
    {
        let _ = journal.close();
    }
}
