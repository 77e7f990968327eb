//! Writes histograms of our layout in the V2 format.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::{COOKIE, COOKIE_DEFLATE, HEADER_BYTES};
use crate::engine::histogram::{BUCKETS, MAX_US};

/// Appends `counts` (one per bucket of our layout) to `out` in plain V2: one significant digit, 1 us to 60 s.
///
/// Our layout is HdrHistogram's own for these parameters, so every library reads back the same counts.
pub fn write_v2(counts: &[u64; BUCKETS], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&COOKIE.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&0_u32.to_be_bytes());
    out.extend_from_slice(&1_u32.to_be_bytes());
    out.extend_from_slice(&1_u64.to_be_bytes());
    out.extend_from_slice(&u64::from(MAX_US).to_be_bytes());
    out.extend_from_slice(&1.0_f64.to_be_bytes());

    let end = counts.iter().rposition(|&count| count != 0).map_or(0, |last| last + 1);
    let mut rest = &counts[..end];
    while let Some(&count) = rest.first() {
        let zeros = rest.iter().take_while(|&&count| count == 0).count();
        // The format's counts are signed: what a 64-bit one cannot hold stops at its end.
        let number = if zeros > 0 { -(zeros as i64) } else { i64::try_from(count).unwrap_or(i64::MAX) };
        push_zigzag(number, out);
        rest = &rest[zeros.max(1)..];
    }
    let length = (out.len() - start - HEADER_BYTES) as u32;
    out[start + 4..start + 8].copy_from_slice(&length.to_be_bytes());
}

/// As [`write_v2`], in the deflate form.
pub fn write_v2_deflate(counts: &[u64; BUCKETS], out: &mut Vec<u8>) {
    let mut plain = Vec::new();
    write_v2(counts, &mut plain);
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&plain).expect("writing to memory does not fail");
    let stream = encoder.finish().expect("writing to memory does not fail");
    out.extend_from_slice(&COOKIE_DEFLATE.to_be_bytes());
    out.extend_from_slice(&(stream.len() as u32).to_be_bytes());
    out.extend_from_slice(&stream);
}

/// LEB128 of the zigzag number, at most 9 bytes: the ninth carries 8 bits.
pub(super) fn push_zigzag(number: i64, out: &mut Vec<u8>) {
    let mut rest = (number << 1 ^ number >> 63) as u64;
    for _ in 0..8 {
        if rest < 0x80 {
            out.push(rest as u8);
            return;
        }
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
