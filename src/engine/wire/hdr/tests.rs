use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer, V2Serializer};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::engine::histogram::{BUCKETS, MAX_US, lowest_of};

const MAX_COUNTS: usize = 64 * 1024;

fn read(bytes: &[u8]) -> Result<BTreeMap<u16, u32>, DecodeError> {
    let mut buckets = BTreeMap::new();
    HdrReader::new().read(bytes, MAX_COUNTS, &mut |bucket| {
        let repeated = buckets.insert(bucket.index, bucket.count);
        assert_eq!(repeated, None, "each index comes once");
        Ok(())
    })?;
    Ok(buckets)
}

/// What the crate says of `histogram`, in our buckets.
fn expected(histogram: &Histogram<u64>) -> BTreeMap<u16, u32> {
    let mut buckets = BTreeMap::new();
    for value in histogram.iter_recorded() {
        let middle = histogram.median_equivalent(value.value_iterated_to());
        *buckets.entry(bucket_of(middle as u32) as u16).or_insert(0) += value.count_at_value() as u32;
    }
    buckets
}

fn both_forms(histogram: &Histogram<u64>) -> [Vec<u8>; 2] {
    let (mut plain, mut deflate) = (Vec::new(), Vec::new());
    V2Serializer::new().serialize(histogram, &mut plain).unwrap();
    V2DeflateSerializer::new().serialize(histogram, &mut deflate).unwrap();
    [plain, deflate]
}

/// A plain V2 with these header fields and counts section.
fn plain(digits: u32, lowest: u64, highest: u64, counts: &[u8]) -> Vec<u8> {
    let mut bytes = COOKIE.to_be_bytes().to_vec();
    bytes.extend((counts.len() as u32).to_be_bytes());
    bytes.extend(0_u32.to_be_bytes());
    bytes.extend(digits.to_be_bytes());
    bytes.extend(lowest.to_be_bytes());
    bytes.extend(highest.to_be_bytes());
    bytes.extend(1.0_f64.to_be_bytes());
    bytes.extend(counts);
    bytes
}

fn deflated(inner: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(inner).unwrap();
    let stream = encoder.finish().unwrap();
    [&COOKIE_DEFLATE.to_be_bytes()[..], &(stream.len() as u32).to_be_bytes(), &stream].concat()
}

proptest! {
    // Five digits are two million counters in the crate's histogram: fewer cases, or seconds are spent on clearing them.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn histograms_of_the_crate_are_read_as_the_crate_reads_them(
        digits in 1..=5_u8,
        lowest in prop_oneof![Just(1_u64), Just(2), Just(7), Just(1000)],
        values in vec((prop_oneof![0..2_000_u64, 0..100_000_u64, 0..60_000_000_u64, 0..4_000_000_000_u64], 1..100_000_u64), 0..60),
    ) {
        let mut histogram = Histogram::<u64>::new_with_bounds(lowest, 4_000_000_000, digits).unwrap();
        for (value, count) in values {
            histogram.record_n(value, count).unwrap();
        }
        for bytes in both_forms(&histogram) {
            prop_assert_eq!(read(&bytes), Ok(expected(&histogram)));
        }
    }
}

proptest! {
    #[test]
    fn our_histograms_are_read_by_the_crate_with_the_same_counts(
        values in vec((0..=bucket_of(MAX_US), prop_oneof![1..200_u64, 1..u64::from(u32::MAX)]), 0..80),
    ) {
        let mut counts = [0_u64; BUCKETS];
        for (index, count) in values {
            counts[index] = count;
        }
        let (mut plain, mut deflate) = (Vec::new(), Vec::new());
        write_v2(&counts, &mut plain);
        write_v2_deflate(&counts, &mut deflate);
        let ours = counts.iter().zip(0..).filter(|&(&count, _)| count > 0).map(|(&count, index)| (index, count as u32));
        let ours: BTreeMap<u16, u32> = ours.collect();
        for bytes in [plain, deflate] {
            let theirs: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
            prop_assert_eq!(theirs.len(), counts.iter().sum::<u64>());
            for (index, &count) in counts.iter().enumerate().take(bucket_of(MAX_US) + 1) {
                prop_assert_eq!(theirs.count_at(u64::from(lowest_of(index))), count);
            }
            prop_assert_eq!(read(&bytes).unwrap(), ours.clone());
        }
    }

    #[test]
    fn the_layout_agrees_with_the_crate_for_any_header(
        digits in 0..=7_u32,
        lowest in any::<u64>().prop_map(|n| n >> (n % 64)),
        highest in any::<u64>().prop_map(|n| n >> (n % 61)),
    ) {
        // The crate allocates what the header says, so only what it can hold is compared.
        let ours = Layout::new(digits, lowest, highest);
        if digits <= 3 && let Ok(theirs) = Histogram::<u8>::new_with_bounds(lowest, highest, digits as u8) {
            prop_assert_eq!(ours.unwrap().buckets, theirs.distinct_values() as u64);
        }
    }

    #[test]
    fn every_index_of_a_layout_has_a_value(
        digits in 0..=5_u32,
        lowest in any::<u64>().prop_map(|n| n >> (n % 64)),
        highest in any::<u64>().prop_map(|n| n >> (n % 61)),
        at in any::<prop::sample::Index>(),
    ) {
        if let Ok(layout) = Layout::new(digits, lowest, highest) {
            let index = at.index(layout.buckets as usize) as u64;
            let values = [layout.median_of(index), layout.median_of(layout.buckets - 1)];
            prop_assert!(values[0] <= values[1]);
        }
    }

    #[test]
    fn damaged_histograms_are_read_or_refused(
        counts in vec(any::<u8>(), 0..100), digits in 1..=5_u32, at in 0..48_usize, byte in any::<u8>(), deflate in any::<bool>(),
    ) {
        let mut bytes = plain(digits, 1, 60_000_000, &counts);
        if at < bytes.len() && byte % 2 == 0 {
            bytes[at] = byte;
        }
        let bytes = if deflate { deflated(&bytes) } else { bytes };
        let mut reader = HdrReader::new();
        let first = reader.read(&bytes, MAX_COUNTS, &mut |_| Ok(()));
        prop_assert_eq!(first, reader.read(&bytes, MAX_COUNTS, &mut |_| Ok(())));
    }
}

#[test]
fn a_reader_is_as_good_as_new_after_a_refusal() {
    let mut counts = [0; BUCKETS];
    counts[5] = 7;
    let mut good = Vec::new();
    write_v2_deflate(&counts, &mut good);
    let mut reader = HdrReader::new();
    for cut in 8..good.len() {
        let mut broken = good[..cut].to_vec();
        broken[4..8].copy_from_slice(&((cut - 8) as u32).to_be_bytes());
        assert!(reader.read(&broken, MAX_COUNTS, &mut |_| Ok(())).is_err(), "cut at {cut}");
        let mut buckets = Vec::new();
        let again = reader.read(&good, MAX_COUNTS, &mut |bucket| {
            buckets.push(bucket);
            Ok(())
        });
        assert_eq!((again, buckets), (Ok(()), vec![Bucket { index: 5, count: 7 }]));
    }
}

/// `good` with other bytes at a place.
fn with(good: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = good.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    changed
}

#[test]
fn headers_that_cannot_be_trusted_are_refused_by_name() {
    let good = plain(1, 1, 60_000_000, &[2]);
    assert_eq!(read(&good), Ok(BTreeMap::from([(0, 1)])));
    for (at, bytes, reason) in [
        (0, &b"\x1c\x84\x93\x01"[..], "hdr_header"),
        (4, b"\xff\xff\xff\xff", "hdr_length"),
        // Half a range of one digit is 16 buckets: this may be an offset, and so may its negative.
        (8, b"\0\0\0\x10", "hdr_header"),
        (8, b"\xff\xff\xff\xf0", "hdr_header"),
        (12, b"\0\0\0\x06", "hdr_header"),
        (12, b"\xff\xff\xff\xff", "hdr_header"),
        (16, b"\xff\xff\xff\xff\xff\xff\xff\xff", "hdr_header"),
        (32, b"\x40\0\0\0\0\0\0\0", "hdr_header"),
        (32, b"\x7f\xf8\0\0\0\0\0\0", "hdr_header"),
    ] {
        let broken = with(&good, at, bytes);
        assert_eq!(read(&broken).map_err(|error| error.reason()), Err(reason), "{at} {bytes:?}");
        assert_eq!(read(&deflated(&broken)).map_err(|error| error.reason()), Err(reason), "{at} {bytes:?}");
    }
    assert_eq!(
        read(&with(&good, 4, b"\0\0\0\x02")),
        Err(DecodeError::HdrLength),
        "of a plain one nothing shows that it is whole"
    );
    for cut in 0..good.len() - 1 {
        assert!(read(&good[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn what_libraries_write_wrongly_and_their_readers_pass_over_is_no_fault() {
    let mut counts = Vec::new();
    [-1200, 3, 9].into_iter().for_each(|number| writer::push_zigzag(number, &mut counts));
    let good = plain(3, 1, 60_000_000, &counts);
    let expected = read(&good).unwrap();
    assert_eq!(expected, BTreeMap::from([(bucket_of(1200) as u16, 3 + 9)]));
    let length = counts.len() as u32;
    for (at, bytes) in [
        (0, &b"\x1c\x84\x93\x03"[..]), // no width of a count in the cookie
        (4, b"\0\0\0\0"),              // the length was never filled in
        (8, b"\0\0\0\x01"),            // JavaScript, and Go before July 2026
        (8, b"\0\0\x02\x01"),
        (16, b"\0\0\0\0\0\0\0\0"), // lowest 0 counts as 1
        (24, b"\0\0\0\0\0\0\0\0"),
        (24, b"\0\0\0\0\0\0\0\x02"), // one that was resized by itself
        (24, b"\xff\xff\xff\xff\xff\xff\xff\xff"),
        (32, b"\0\0\0\0\0\0\0\x01"), // JavaScript
        (32, b"\0\0\0\0\0\0\0\0"),
    ] {
        let odd = with(&good, at, bytes);
        assert_eq!(read(&odd), Ok(expected.clone()), "{at} {bytes:?}");
        assert_eq!(read(&deflated(&odd)), Ok(expected.clone()), "{at} {bytes:?}");
    }
    // What follows the announced counts is padding; the zlib stream itself says where it ends.
    for tail in [&b"\0"[..], b"\x02\x02\x02", &[0xff; 9000]] {
        assert_eq!(read(&[&good, tail].concat()), Ok(expected.clone()));
        assert_eq!(read(&deflated(&[&good, tail].concat())), Ok(expected.clone()));
        assert_eq!(read(&[&deflated(&good), tail].concat()), Ok(expected.clone()));
    }
    // Older C libraries count the header into the length.
    let long = with(&good, 4, &(length + 40).to_be_bytes());
    assert_eq!(read(&deflated(&long)), Ok(expected.clone()));
    let mut outer = deflated(&good);
    outer[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(read(&outer), Ok(expected));
    // No digit at all: values are known to a power of two.
    assert_eq!(read(&plain(0, 1, 60_000_000, &[3, 2])), Ok(BTreeMap::from([(bucket_of(3) as u16, 1)])));
}

#[test]
fn the_vectors_of_the_field_are_read() {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    for (vector, us) in [
        ("HISTFAAAAB94nJNpmSzMwMDABMSMQMzMAAGMUJoJxg9mAgA1TQGm", 42),
        ("HISTFAAAACF4nJNpmSzMwMDABMSMQMzMAAGMUJrJ/gOEEcwEAEAwAtQ=", 42),
    ] {
        let buckets = read(&engine.decode(vector).unwrap());
        assert_eq!(buckets, Ok(BTreeMap::from([(bucket_of(us) as u16, 1)])), "{vector}");
    }
    let hung =
        read(&engine.decode("HISTFAAAACh4nJNpmSzMwMDAzgABzFCaEYhFZK8nMNh/gAic5xfa/oCJCQBxmwZ0").unwrap()).unwrap();
    assert_eq!(hung.last_key_value(), Some((&(bucket_of(MAX_US) as u16), &1)), "{hung:?}");
}

#[test]
fn counts_that_leave_the_range_are_refused() {
    let zeros = |n: i64| {
        let mut bytes = Vec::new();
        writer::push_zigzag(n, &mut bytes);
        bytes
    };
    let fits = [zeros(-367), vec![2]].concat();
    // Bucket 367 of the layout lies above 60 s, and what is above counts as 60 s.
    assert_eq!(read(&plain(1, 1, 60_000_000, &fits)), Ok(BTreeMap::from([(bucket_of(MAX_US) as u16, 1)])));
    for counts in
        [[zeros(-368), vec![2]].concat(), zeros(i64::MIN), [zeros(i64::MIN + 1), zeros(-9)].concat(), vec![0x80]]
    {
        assert_eq!(read(&plain(1, 1, 60_000_000, &counts)), Err(DecodeError::HdrCounts), "{counts:?}");
    }
    let count = [0xff; 9];
    assert_eq!(read(&plain(1, 1, 60_000_000, &count)), read(&plain(1, 1, 60_000_000, &zeros(i64::MIN))));
    let too_many = zeros(i64::from(u32::MAX) + 1);
    assert_eq!(read(&plain(1, 1, 60_000_000, &too_many)), Err(DecodeError::OutOfRange("count")));
    // A value of more than 32 bits of microseconds counts as a minute.
    let far = [zeros(-(16 * 40)), vec![2]].concat();
    assert_eq!(read(&plain(1, 1, u64::MAX / 2, &far)), Ok(BTreeMap::from([(bucket_of(MAX_US) as u16, 1)])));
}

#[test]
fn a_bomb_ends_at_the_length_its_header_admits() {
    let bomb = deflated(&plain(5, 1, u64::MAX / 2, &vec![0; 20_000_000]));
    assert!(bomb.len() < 64 * 1024);
    assert_eq!(read(&bomb), Err(DecodeError::HdrLength));
    // The same with a header that understates it.
    let mut inner = plain(5, 1, u64::MAX / 2, &vec![0; 20_000_000]);
    inner[4..8].copy_from_slice(&100_u32.to_be_bytes());
    let mut reader = HdrReader::new();
    assert_eq!(reader.read(&deflated(&inner), MAX_COUNTS, &mut |_| Ok(())), Ok(()));
    assert!(reader.inflate.total_out() <= 2 * WINDOW_BYTES as u64, "{}", reader.inflate.total_out());
    // And with one that does not say.
    inner[4..8].copy_from_slice(&[0; 4]);
    assert_eq!(reader.read(&deflated(&inner), MAX_COUNTS, &mut |_| Ok(())), Err(DecodeError::HdrLength));
    assert!(reader.inflate.total_out() <= (MAX_COUNTS + 2 * WINDOW_BYTES) as u64, "{}", reader.inflate.total_out());
}
