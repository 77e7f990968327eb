//! HdrHistogram's V2 interchange format, plain and deflate: a bounded reader into our layout; [`write_v2`] and
//! [`write_v2_deflate`] write it.
//!
//! A V2 histogram is 40 bytes of header, big-endian, and then its counts:
//!
//! | bytes | what | accepted |
//! |---|---|---|
//! | 0..4 | cookie | 0x1C849313; the 1 may be any other digit |
//! | 4..8 | length of the counts in bytes | at most [`Limits::max_inflated`](super::Limits::max_inflated); 0: all that follow |
//! | 8..12 | normalizing index offset | 0, or one that cannot be an offset |
//! | 12..16 | significant digits | 0..=5 |
//! | 16..24 | lowest discernible value | 0 counts as 1 |
//! | 24..32 | highest trackable value | any; below twice the lowest it says nothing |
//! | 32..40 | integer-to-double ratio (IEEE 754) | 1.0, or the integers 1 and 0 in its place |
//!
//! The counts are zigzag LEB128 numbers of at most 9 bytes, in the order of the histogram's buckets: a positive number
//! is a count, a negative one a run of so many empty buckets. The deflate form is the cookie 0x1C849314, the length of
//! what follows, and a zlib stream of a plain one.
//!
//! Where a value lies follows from digits and lowest alone. So what libraries write wrongly elsewhere, and their own readers pass
//! over, is no reason to do without the counts: the JavaScript library (3.1.0) writes the offset 1 and the ratio as the integer 1, the Go
//! library before July 2026 the offset 1, older C libraries count the header into the length, and some write the lowest 0. A
//! real offset is a multiple of half a range of buckets; what it then means differs between Java and C, and nothing is made of it.
//! A ratio that is really one belongs to a histogram of doubles, whose unit is not ours.
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
/// The bits of a cookie that said how wide a count is, before the counts were LEB128.
const COOKIE_WIDTH: u32 = 0xF0;
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
    /// One of the `Hdr` refusals, [`DecodeError::OutOfRange`] for a count above 32 bits, or what `sink` refuses.
    pub fn read(&mut self, bytes: &[u8], max_counts: usize, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let (cookie, rest) = bytes.split_first_chunk::<4>().ok_or(DecodeError::HdrLength)?;
        match u32::from_be_bytes(*cookie) | COOKIE_WIDTH {
            cookie if cookie == COOKIE | COOKIE_WIDTH => {
                let (header, counts) = bytes.split_first_chunk().ok_or(DecodeError::HdrLength)?;
                let mut counter = Counter::new(header, max_counts)?;
                if counter.announced > counts.len() {
                    return Err(DecodeError::HdrLength);
                }
                counter.feed(counts, sink)?;
                counter.finish(sink)
            }
            cookie if cookie == COOKIE_DEFLATE | COOKIE_WIDTH => {
                // The stream says itself where it ends, and a checksum that it has come whole.
                let (_, stream) = rest.split_first_chunk::<4>().ok_or(DecodeError::HdrLength)?;
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
        // One window beyond the announced counts: enough to meet the checksum of an honest stream, too little for a bomb.
        let mut beyond = false;
        while !ended && !beyond {
            beyond = counter.left == 0;
            let filled = self.inflate_some(stream, 0, &mut ended)?;
            counter.feed(&self.window[..filled], sink)?;
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
            0 => 1,
            1 => 5,
            2 => 8,
            3 => 11,
            4 => 15,
            5 => 18,
            _ => return Err(DecodeError::HdrHeader),
        };
        let lowest = lowest.max(1);
        // A highest value that cannot be bounds nothing: HdrHistogram's values have 63 bits.
        let highest = if highest / 2 < lowest { i64::MAX as u64 } else { highest };
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

    /// Whether the counts stand where their buckets are, whatever the header says: an offset is a multiple of half a range.
    fn is_no_offset(&self, offset: i32) -> bool {
        let half = 1_i64 << self.half_magnitude;
        offset == 0 || offset == 1 || i64::from(offset) % half != 0
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
    /// Bytes of the counts that the header announces; 0: it does not say.
    announced: usize,
    /// Bytes of the counts that are still read.
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
        let is_plain = cookie | COOKIE_WIDTH == COOKIE | COOKIE_WIDTH;
        if !is_plain || !(ratio == 1.0_f64.to_bits() || ratio <= 1) {
            return Err(DecodeError::HdrHeader);
        }
        if length > max_counts {
            return Err(DecodeError::HdrLength);
        }
        let layout = Layout::new(digits, lowest, highest)?;
        if !layout.is_no_offset(offset as i32) {
            return Err(DecodeError::HdrHeader);
        }
        let left = if length == 0 { max_counts } else { length };
        Ok(Self { layout, announced: length, left, index: 0, number: 0, bits: 0, open: None })
    }

    /// Reads what is announced of `bytes`. What follows it is padding.
    fn feed(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if self.announced == 0 && bytes.len() > self.left {
            return Err(DecodeError::HdrLength);
        }
        let bytes = &bytes[..bytes.len().min(self.left)];
        self.left -= bytes.len();
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
        // What is longer than 32 bits of microseconds is longer than a minute too, and counts as one.
        let us = u32::try_from(value).unwrap_or(u32::MAX);
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

    /// Ends the histogram: the last number was whole.
    fn finish(self, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
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
