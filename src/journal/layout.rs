//! The bytes of a checkpoint's file, see [`super::checkpoint`] for the layout. Pure: it reads what it is given and never
//! holds more than one piece.

use std::io::{self, Read};

const MAGIC: [u8; 8] = *b"FWCHKP\r\n";

/// Version of the layout that is written, and the newest that is read.
pub(super) const VERSION: u16 = 2;
/// The version in which the state follows the head in one.
const VERSION_WHOLE: u16 = 1;

const HEAD: usize = 48;

/// Bytes before a piece.
const PREFIX: usize = 8;

/// Longest piece, in bytes.
pub(super) const PIECE_MOST: usize = 1 << 20;

/// What a head says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// As in the name of the file.
    pub generation: u64,
    /// Record number of the journal up to which the state has seen everything.
    pub lsn: u64,
    /// Bytes of the state and their checksum, where the state is whole.
    whole: Option<(u64, u32)>,
}

/// Why bytes are no checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// The closed word, see [`super::Damaged::why`].
    Damaged(&'static str),
    /// A newer fleetwatch has written it.
    Newer(u16),
}

/// Why a checkpoint could not be read.
#[derive(Debug)]
pub enum ScanError {
    /// It is none that can be used.
    Unreadable(Unreadable),
    /// The source of the bytes has failed.
    Io(io::Error),
}

pub(super) fn head(generation: u64, lsn: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..10].copy_from_slice(&VERSION.to_le_bytes());
    head[16..24].copy_from_slice(&generation.to_le_bytes());
    head[24..32].copy_from_slice(&lsn.to_le_bytes());
    let crc = crc32c::crc32c(&head[..44]);
    head[44..].copy_from_slice(&crc.to_le_bytes());
    head
}

/// A piece as it stands in the file; `bytes` are at least one and at most [`PIECE_MOST`].
pub(super) fn piece(bytes: &[u8]) -> Vec<u8> {
    let len = (bytes.len() as u32).to_le_bytes();
    let mut piece = Vec::with_capacity(PREFIX + bytes.len());
    piece.extend_from_slice(&len);
    piece.extend_from_slice(&crc32c::crc32c_append(crc32c::crc32c(&len), bytes).to_le_bytes());
    piece.extend_from_slice(bytes);
    piece
}

pub(super) fn end(pieces: u64, bytes: u64) -> Vec<u8> {
    let mut totals = pieces.to_le_bytes().to_vec();
    totals.extend_from_slice(&bytes.to_le_bytes());
    let len = 0_u32.to_le_bytes();
    let mut end = len.to_vec();
    end.extend_from_slice(&crc32c::crc32c_append(crc32c::crc32c(&len), &totals).to_le_bytes());
    end.extend_from_slice(&totals);
    end
}

/// Reads the head. Its checksum is judged before the version, so that a flipped bit is damage and not a newer version.
pub(super) fn read_head(input: &mut impl Read) -> Result<Head, ScanError> {
    let mut head = [0; HEAD];
    fill(input, &mut head)?;
    let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    if head[..8] != MAGIC {
        return Err(damaged("magic"));
    }
    if crc32c::crc32c(&head[..44]) != u32_at(44) {
        return Err(damaged("header"));
    }
    let whole = match u16::from_le_bytes([head[8], head[9]]) {
        VERSION => None,
        VERSION_WHOLE => Some((u64_at(32), u32_at(40))),
        0 => return Err(damaged("header")),
        newer => return Err(ScanError::Unreadable(Unreadable::Newer(newer))),
    };
    Ok(Head { generation: u64_at(16), lsn: u64_at(24), whole })
}

/// Reads a checkpoint to its end and hands its state on, piece by piece. Only when this returns well is the state good.
///
/// # Errors
/// When the bytes are no checkpoint, or cannot be read.
pub fn scan(mut input: impl Read, mut each: impl FnMut(&[u8])) -> Result<Head, ScanError> {
    let head = read_head(&mut input)?;
    let mut buffer = Vec::new();
    match head.whole {
        Some((mut left, expected)) => {
            let mut crc = 0;
            while left > 0 {
                buffer.resize(PIECE_MOST.min(usize::try_from(left).unwrap_or(usize::MAX)), 0);
                fill(&mut input, &mut buffer).map_err(|error| shorter(error, "length"))?;
                crc = crc32c::crc32c_append(crc, &buffer);
                each(&buffer);
                left -= buffer.len() as u64;
            }
            if crc != expected {
                return Err(damaged("checksum"));
            }
        }
        None => scan_pieces(&mut input, &mut buffer, &mut each)?,
    }
    // Nothing may follow.
    match fill(&mut input, &mut [0]) {
        Err(ScanError::Unreadable(_)) => Ok(head),
        Err(error) => Err(error),
        Ok(()) => Err(damaged("length")),
    }
}

fn scan_pieces(input: &mut impl Read, buffer: &mut Vec<u8>, each: &mut impl FnMut(&[u8])) -> Result<(), ScanError> {
    let (mut pieces, mut bytes) = (0_u64, 0_u64);
    loop {
        let mut prefix = [0; PREFIX];
        fill(input, &mut prefix)?;
        let [a, b, c, d, check @ ..] = prefix;
        let (len, check) = (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes(check));
        if len > PIECE_MOST {
            return Err(damaged("length"));
        }
        buffer.resize(if len == 0 { 16 } else { len }, 0);
        fill(input, buffer)?;
        if crc32c::crc32c_append(crc32c::crc32c(&prefix[..4]), buffer) != check {
            return Err(damaged("checksum"));
        }
        if len == 0 {
            let totals = [pieces.to_le_bytes(), bytes.to_le_bytes()].concat();
            return if *buffer == totals { Ok(()) } else { Err(damaged("length")) };
        }
        each(buffer);
        pieces += 1;
        bytes += len as u64;
    }
}

fn damaged(why: &'static str) -> ScanError {
    ScanError::Unreadable(Unreadable::Damaged(why))
}

/// An input that ends early is damaged in this way.
fn shorter(error: ScanError, why: &'static str) -> ScanError {
    match error {
        ScanError::Unreadable(_) => damaged(why),
        error => error,
    }
}

fn fill(input: &mut impl Read, bytes: &mut [u8]) -> Result<(), ScanError> {
    input.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("short"),
        _ => ScanError::Io(error),
    })
}
