//! The bytes of a segment: header and frames. See the module header of [`crate::journal`] for the layout.

use crate::engine::time::Timestamp;

use crate::delivery::Entry;

/// An entry that was read, and its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Record number: 1, 2, 3, ... in the order of acceptance, over all segments.
    pub lsn: u64,
    /// The message.
    pub entry: Entry<'a>,
}

/// First bytes of every segment. The line ends show a transfer in text mode.
pub(super) const MAGIC: [u8; 8] = *b"FWJRNL\r\n";

/// Version of the layout that is written, and the newest that is read.
pub(super) const VERSION: u16 = 1;

/// Bytes of a segment's header.
pub(super) const SEGMENT_HEAD: usize = 32;

/// Bytes of a frame before its topic.
pub(super) const FRAME_HEAD: usize = 28;

/// Bytes of a frame that its own length does not count: the length and the checksum.
const PREFIX: usize = 8;

/// Longest frame, head included.
pub(super) const MAX_FRAME: usize = 1 << 20;

const RETAIN: u8 = 1;

/// Why bytes are not a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bad {
    /// They end before the frame does.
    Short,
    /// The length is impossible.
    Length,
    /// The checksum differs.
    Checksum,
    /// The record number is not the expected one.
    Lsn,
    /// A flag that this version does not know, or a topic that is too long or not UTF-8.
    Content,
}

impl Bad {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Length => "length",
            Self::Checksum => "checksum",
            Self::Lsn => "record number",
            Self::Content => "content",
        }
    }
}

/// What the header of a segment says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Header {
    Good { first_lsn: u64 },
    Newer { version: u16 },
    Bad,
}

/// The header of a segment whose first frame is `first_lsn`.
pub(super) fn segment_header(first_lsn: u64) -> [u8; SEGMENT_HEAD] {
    let mut head = [0; SEGMENT_HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..10].copy_from_slice(&VERSION.to_le_bytes());
    head[16..24].copy_from_slice(&first_lsn.to_le_bytes());
    let crc = crc32c::crc32c(&head[..28]);
    head[28..].copy_from_slice(&crc.to_le_bytes());
    head
}

/// Reads the header of a segment. The checksum is judged before the version, so that a flipped bit is damage and not
/// a newer version.
pub(super) fn read_segment_header(bytes: &[u8]) -> Header {
    let Some(head) = bytes.first_chunk::<SEGMENT_HEAD>() else { return Header::Bad };
    if head[..8] != MAGIC || crc32c::crc32c(&head[..28]) != u32_at(head, 28) {
        return Header::Bad;
    }
    match u16_at(head, 8) {
        VERSION => Header::Good { first_lsn: u64_at(head, 16) },
        0 => Header::Bad,
        version => Header::Newer { version },
    }
}

/// Bytes that `entry` takes in a segment; `None` when it is longer than a frame may be.
pub(super) fn frame_len(entry: &Entry<'_>) -> Option<usize> {
    let len = FRAME_HEAD.checked_add(entry.topic.len())?.checked_add(entry.payload.len())?;
    (len <= MAX_FRAME && entry.topic.len() <= usize::from(u16::MAX)).then_some(len)
}

/// Appends the frame of `entry`, of which [`frame_len`] said `len`.
pub(super) fn encode(out: &mut Vec<u8>, lsn: u64, entry: &Entry<'_>, len: usize) {
    let mut head = [0; FRAME_HEAD];
    head[..4].copy_from_slice(&((len - PREFIX) as u32).to_le_bytes());
    head[8..16].copy_from_slice(&lsn.to_le_bytes());
    head[16..24].copy_from_slice(&entry.at.as_ms().to_le_bytes());
    head[24] = if entry.retain { RETAIN } else { 0 };
    head[26..28].copy_from_slice(&(entry.topic.len() as u16).to_le_bytes());
    let start = out.len();
    out.reserve(len);
    out.extend_from_slice(&head);
    out.extend_from_slice(entry.topic.as_bytes());
    out.extend_from_slice(entry.payload);
    let crc = checksum(&out[start..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// The checksum of a whole frame: everything but the checksum itself.
fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[PREFIX..])
}

/// Whole length of the frame that begins `bytes`, by its length field alone.
///
/// # Errors
/// [`Bad::Short`] when there are fewer than four bytes, [`Bad::Length`] when no frame is that long.
pub(super) fn peek_len(bytes: &[u8]) -> Result<usize, Bad> {
    let len = bytes.first_chunk::<4>().ok_or(Bad::Short)?;
    let len = u32::from_le_bytes(*len) as usize;
    if !(FRAME_HEAD - PREFIX..=MAX_FRAME - PREFIX).contains(&len) {
        return Err(Bad::Length);
    }
    Ok(len + PREFIX)
}

/// Verifies the frame that is exactly `frame`, and whose record number must be `expected`.
pub(super) fn decode(frame: &[u8], expected: u64) -> Result<Record<'_>, Bad> {
    if checksum(frame) != u32_at(frame, 4) {
        return Err(Bad::Checksum);
    }
    if u64_at(frame, 8) != expected {
        return Err(Bad::Lsn);
    }
    view(frame)
}

/// The entry in a frame whose checksum has been verified.
pub(super) fn view(frame: &[u8]) -> Result<Record<'_>, Bad> {
    let topic_end = FRAME_HEAD + usize::from(u16_at(frame, 26));
    if frame[24] & !RETAIN != 0 || frame[25] != 0 || topic_end > frame.len() {
        return Err(Bad::Content);
    }
    let topic = std::str::from_utf8(&frame[FRAME_HEAD..topic_end]).map_err(|_| Bad::Content)?;
    let at = Timestamp::from_ms(u64_at(frame, 16) as i64);
    let entry = Entry { at, topic, payload: &frame[topic_end..], retain: frame[24] & RETAIN != 0 };
    Ok(Record { lsn: u64_at(frame, 8), entry })
}

/// Looks for whole frames behind a bad one: the greatest record number among those that are at least `expected`.
///
/// A torn tail has none, since frames are written in order; if there is one, bytes in the middle were damaged (or a
/// power cut persisted the pages of the last write out of order). The record number is what makes the search cheap
/// and chance hits impossible: it must be near the expected one before a checksum is even computed.
pub(super) fn last_frame_behind(bytes: &[u8], expected: u64) -> Option<u64> {
    let most = expected.saturating_add((bytes.len() / FRAME_HEAD) as u64);
    let (mut found, mut least, mut at) = (None, expected, 0);
    while at + FRAME_HEAD <= bytes.len() {
        let rest = &bytes[at..];
        let lsn = u64_at(rest, 8);
        let len = peek_len(rest).ok().filter(|&len| len <= rest.len() && (least..=most).contains(&lsn));
        match len {
            Some(len) if checksum(&rest[..len]) == u32_at(rest, 4) => {
                found = Some(lsn);
                least = lsn + 1;
                at += len;
            }
            _ => at += 1,
        }
    }
    found
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
