//! HdrHistogram's V2 interchange format, plain and deflate: a bounded reader into our layout; [`write_v2`] and
//! [`write_v2_deflate`] write it.
//!
//! A V2 histogram is 40 bytes of header, big-endian, and then its counts:
//!
//! | bytes | what | accepted |
//! |---|---|---|
//! | 0..4 | cookie | 0x1C849313 |
//! | 4..8 | length of the counts in bytes | what is there, at most [`Limits::max_inflated`](super::Limits::max_inflated) |
//! | 8..12 | normalizing index offset | 0 |
//! | 12..16 | significant digits | 1..=5 |
//! | 16..24 | lowest discernible value | 1 or more |
//! | 24..32 | highest trackable value | twice the lowest or more |
//! | 32..40 | integer-to-double ratio (IEEE 754) | 1.0 |
//!
//! The counts are zigzag LEB128 numbers of at most 9 bytes, in the order of the histogram's buckets: a positive number
//! is a count, a negative one a run of so many empty buckets. The deflate form is the cookie 0x1C849314, the length of
//! what follows, and a zlib stream of a plain one.
//!
//! The header of a foreign histogram says how much memory *its* library would need. This reader never builds that
//! histogram: it walks the numbers, adds each count to the bucket of ours that holds the middle of its value range
//! (what HdrHistogram calls the median equivalent value), and inflates through a window of 4 KiB.

#[cfg(test)]
mod tests;
mod writer;

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

pub use writer::{write_v2, write_v2_deflate};

use super::error::DecodeError;
use crate::engine::histogram::bucket_of;
use crate::engine::report::Bucket;

const COOKIE: u32 = 0x1C84_9313;
const COOKIE_DEFLATE: u32 = 0x1C84_9314;
const HEADER_BYTES: usize = 40;
const WINDOW_BYTES: usize = 4096;

/// Takes the buckets of a histogram one by one, in ascending order, each index once.
type Sink<'a> = dyn FnMut(Bucket) -> Result<(), DecodeError> + 'a;

/// Reads V2 histograms, one after the other, in memory that it keeps.
pub struct HdrReader {
    inflate: Decompress,
    window: Box<[u8; WINDOW_BYTES]>,
}

impl fmt::Debug for HdrReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HdrReader").finish_non_exhaustive()
    }
}

impl Default for HdrReader {
    fn default() -> Self {
        Self::new()
    }
}

impl HdrReader {
    /// A reader with its inflater (about 45 KiB).
    pub fn new() -> Self {
        Self { inflate: Decompress::new(true), window: Box::new([0; WINDOW_BYTES]) }
    }

    /// Gives the buckets of `bytes`, a histogram in either form, to `sink`. `max_counts` bounds the counts section in
    /// bytes, after inflation. What `sink` was given before an error is of no use.
    ///
    /// # Errors
    /// One of the `Hdr` refusals, [`DecodeError::OutOfRange`] for a count or value above 32 bits, or what `sink` refuses.
    pub fn read(&mut self, bytes: &[u8], max_counts: usize, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let (cookie, rest) = bytes.split_first_chunk::<4>().ok_or(DecodeError::HdrLength)?;
        match u32::from_be_bytes(*cookie) {
            COOKIE => {
                let (header, counts) = bytes.split_first_chunk().ok_or(DecodeError::HdrLength)?;
                let mut counter = Counter::new(header, max_counts)?;
                counter.feed(counts, sink)?;
                counter.finish(sink)
            }
            COOKIE_DEFLATE => {
                let (length, stream) = rest.split_first_chunk::<4>().ok_or(DecodeError::HdrLength)?;
                if u32::from_be_bytes(*length) as usize != stream.len() {
                    return Err(DecodeError::HdrLength);
                }
                self.read_deflate(stream, max_counts, sink)
            }
            _ => Err(DecodeError::HdrHeader),
        }
    }

    fn read_deflate(&mut self, stream: &[u8], max_counts: usize, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        self.inflate.reset(true);
        let (mut filled, mut ended) = (0, false);
        while filled < HEADER_BYTES && !ended {
            filled += self.inflate_some(stream, filled, &mut ended)?;
        }
        let (header, counts) = self.window[..filled].split_first_chunk().ok_or(DecodeError::HdrLength)?;
        let mut counter = Counter::new(header, max_counts)?;
        counter.feed(counts, sink)?;
        // The counter refuses what goes beyond the length in the header, so a bomb ends within one window of it.
        while !ended {
            let filled = self.inflate_some(stream, 0, &mut ended)?;
            counter.feed(&self.window[..filled], sink)?;
        }
        if self.inflate.total_in() as usize != stream.len() {
            return Err(DecodeError::HdrLength);
        }
        counter.finish(sink)
    }

    /// Inflates into the window from `at`, and says how many bytes came and whether the stream has ended.
    fn inflate_some(&mut self, stream: &[u8], at: usize, ended: &mut bool) -> Result<usize, DecodeError> {
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(&stream[read as usize..], &mut self.window[at..], FlushDecompress::None);
        *ended = status.map_err(|_| DecodeError::HdrInflate)? == Status::StreamEnd;
        let progress = (self.inflate.total_in() - read, self.inflate.total_out() - written);
        if progress == (0, 0) && !*ended { Err(DecodeError::HdrInflate) } else { Ok(progress.1 as usize) }
    }
}

/// Where the values of a histogram's buckets lie; HdrHistogram's own arithmetic.
struct Layout {
    unit_magnitude: u32,
    half_magnitude: u32,
    buckets: u64,
}

impl Layout {
    fn new(digits: u32, lowest: u64, highest: u64) -> Result<Self, DecodeError> {
        // log2 of the buckets in the first range: 2 * 10^digits, rounded up to a power of two.
        let sub_magnitude = match digits {
            1 => 5,
            2 => 8,
            3 => 11,
            4 => 15,
            5 => 18,
            _ => return Err(DecodeError::HdrHeader),
        };
        if lowest == 0 || lowest > u64::MAX / 2 || highest < 2 * lowest {
            return Err(DecodeError::HdrHeader);
        }
        let unit_magnitude = lowest.ilog2();
        if unit_magnitude + sub_magnitude > 63 {
            return Err(DecodeError::HdrHeader);
        }
        // Each range doubles the one before; enough of them to reach the highest value.
        let first = unit_magnitude + sub_magnitude;
        let ranges = (u64::BITS - highest.leading_zeros()).saturating_sub(first) + 1;
        let half_magnitude = sub_magnitude - 1;
        Ok(Self { unit_magnitude, half_magnitude, buckets: u64::from(ranges + 1) << half_magnitude })
    }

    /// The middle of the values that bucket `index` counts, rounded up.
    #[inline]
    fn median_of(&self, index: u64) -> u64 {
        let half = 1 << self.half_magnitude;
        let range = (index >> self.half_magnitude).saturating_sub(1) as u32;
        let sub = if index < half { index } else { (index & (half - 1)) + half };
        let shift = range + self.unit_magnitude;
        (sub << shift) + ((1 << shift) >> 1)
    }
}

/// Walks the counts of a histogram, in as many pieces as they come in.
struct Counter {
    layout: Layout,
    /// Bytes of the counts that have not come yet.
    left: usize,
    /// Index of the next count in the foreign histogram.
    index: u64,
    /// A number of which the first `bits` bits have come.
    number: u64,
    bits: u32,
    /// The bucket of ours that is being added up: neighbours of theirs often share one.
    open: Option<(u16, u64)>,
}

impl Counter {
    fn new(header: &[u8; HEADER_BYTES], max_counts: usize) -> Result<Self, DecodeError> {
        let u32_at = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) << 32 | u64::from(u32_at(at + 4));
        let (cookie, length, offset, digits) = (u32_at(0), u32_at(4) as usize, u32_at(8), u32_at(12));
        let (lowest, highest, ratio) = (u64_at(16), u64_at(24), u64_at(32));
        if cookie != COOKIE || offset != 0 || ratio != 1.0_f64.to_bits() {
            return Err(DecodeError::HdrHeader);
        }
        if length > max_counts {
            return Err(DecodeError::HdrLength);
        }
        let layout = Layout::new(digits, lowest, highest)?;
        Ok(Self { layout, left: length, index: 0, number: 0, bits: 0, open: None })
    }

    fn feed(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(DecodeError::HdrLength)?;
        for &byte in bytes {
            // The ninth byte is used whole: 8 * 7 + 8 bits make 64.
            let last = self.bits == 56;
            let payload = if last { byte } else { byte & 0x7F };
            self.number |= u64::from(payload) << self.bits;
            if byte & 0x80 != 0 && !last {
                self.bits += 7;
                continue;
            }
            let zigzag = self.number;
            (self.number, self.bits) = (0, 0);
            self.take((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64), sink)?;
        }
        Ok(())
    }

    /// A count, or a run of empty buckets.
    #[inline]
    fn take(&mut self, number: i64, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let index = self.index;
        let step = if number < 0 { number.unsigned_abs() } else { 1 };
        self.index = index.checked_add(step).ok_or(DecodeError::HdrCounts)?;
        if self.index > self.layout.buckets {
            return Err(DecodeError::HdrCounts);
        }
        if number > 0 { self.count(self.layout.median_of(index), number as u64, sink) } else { Ok(()) }
    }

    #[inline]
    fn count(&mut self, value: u64, count: u64, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let us = u32::try_from(value).map_err(|_| DecodeError::OutOfRange("latency"))?;
        let ours = bucket_of(us) as u16;
        self.open = match self.open {
            Some((open, sum)) if open == ours => Some((open, sum.saturating_add(count))),
            open => {
                emit(open, sink)?;
                Some((ours, count))
            }
        };
        Ok(())
    }

    /// Ends the histogram: everything announced has come, and the last number was whole.
    fn finish(self, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if self.left != 0 {
            return Err(DecodeError::HdrLength);
        }
        if self.bits != 0 {
            return Err(DecodeError::HdrCounts);
        }
        emit(self.open, sink)
    }
}

fn emit(bucket: Option<(u16, u64)>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
    let Some((index, count)) = bucket else { return Ok(()) };
    let count = u32::try_from(count).map_err(|_| DecodeError::OutOfRange("count"))?;
    sink(Bucket { index, count })
}
