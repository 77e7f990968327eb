//! More than ten thousand payloads that no honest device sends, the same ones at each run.
#![allow(clippy::unwrap_used)] // a fixture that does not hold is a failed test

use std::io::Write as _;

use fleetwatch::engine::device::{Status, TrafficClass};
use fleetwatch::engine::report::{Bucket, ClassReport, Report};
use fleetwatch::engine::wire::encode::{self, LatencyForm};

pub const DEVICE: &str = "B-0042";

/// Which of a device's topics a payload comes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Report,
    Status,
}

/// A payload, and the reason for which it has to be refused where that is known beforehand; `""` when it has to be taken, with or
/// without what is wrong in it. A random change may leave a message valid; for those no reason is given.
pub struct Hostile {
    pub kind: Kind,
    pub payload: Vec<u8>,
    pub reason: Option<&'static str>,
}

/// Sebastiano Vigna's SplitMix64: enough to vary test data, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Gives every payload to `visit`, one at a time; returns how many there were.
pub fn each(visit: &mut dyn FnMut(Hostile)) -> usize {
    let mut count = 0;
    let mut give = |kind, payload: Vec<u8>, reason| {
        count += 1;
        visit(Hostile { kind, payload, reason });
    };
    numbers(&mut give);
    cuts(&mut give);
    json_shapes(&mut give);
    lengths(&mut give);
    histograms(&mut give);
    bombs(&mut give);
    mutations(&mut give);
    noise(&mut give);
    count
}

type Give<'a> = dyn FnMut(Kind, Vec<u8>, Option<&'static str>) + 'a;

fn report() -> Report {
    let buckets: Vec<_> = (100..120).map(|index| Bucket { index, count: 1 + u32::from(index) % 7 }).collect();
    let class = ClassReport {
        class: TrafficClass::Https,
        buckets: 0..20,
        rules: 0..0,
        flows: 1840,
        flagged: 12,
        canary: 20,
        canary_flagged: 1,
        released: 2,
    };
    Report {
        boot: 7,
        seq: 1234,
        uptime_ms: 86_400_000,
        start: 1_795_305_600_000,
        period_ms: 10_000,
        classes: vec![class],
        buckets,
        ..Report::default()
    }
}

fn status() -> Status {
    Status { online: true, boot: 7, at: 1_795_305_600_000, model: Some("B200".into()), ..Status::default() }
}

/// A valid message of each kind, encoding and form.
fn valid() -> Vec<(Kind, Vec<u8>)> {
    let mut messages = Vec::new();
    for form in LatencyForm::ALL {
        messages.push((Kind::Report, encode::report_json(DEVICE, &report(), form)));
        messages.push((Kind::Report, encode::report_binary(DEVICE, &report(), form)));
    }
    messages.push((Kind::Status, encode::status_json(DEVICE, &status())));
    messages.push((Kind::Status, encode::status_binary(DEVICE, &status())));
    messages
}

fn text_report() -> String {
    String::from_utf8(encode::report_json(DEVICE, &report(), LatencyForm::Counts)).unwrap()
}

/// Why a number costs the whole message, if it does: `""` is read, or left out alone.
fn cost(field: &str, value: &str, reason: &'static str) -> &'static str {
    let breaks_json = reason == "malformed" || value.contains("e400") || value.len() > 100;
    match field {
        _ if breaks_json => reason,
        "boot" | "seq" if ["1e3", "-0", "\"1\""].contains(&value) => "",
        "uptime_ms" if ["1.5", "1e3", "-0", "\"1\""].contains(&value) => "",
        "period_ms" if ["1.5", "1e3", "\"1\""].contains(&value) => "",
        "period_ms" if value == "-0" => "out_of_range",
        "boot" | "seq" | "uptime_ms" | "period_ms" => reason,
        _ => "",
    }
}

/// Every number of a report, replaced by what is no integer in its range.
fn numbers(give: &mut Give<'_>) {
    let huge = "9".repeat(400);
    let values = [
        ("NaN", "malformed"),
        ("Infinity", "malformed"),
        ("-Infinity", "malformed"),
        ("+1", "malformed"),
        ("01", "malformed"),
        ("0x10", "malformed"),
        ("1.5", "not_an_integer"),
        ("1e3", ""),
        ("-0", ""),
        ("1e400", "out_of_range"),
        ("-1e400", "out_of_range"),
        ("18446744073709551616", "out_of_range"),
        ("-9223372036854775809", "out_of_range"),
        (&huge, "out_of_range"),
        ("\"1\"", ""),
        ("\"nan\"", "wrong_type"),
        ("true", "wrong_type"),
        ("null", "wrong_type"),
        ("[1]", "wrong_type"),
        ("{}", "wrong_type"),
        ("-1", "out_of_range"),
    ];
    let fields =
        ["boot", "seq", "uptime_ms", "start", "period_ms", "flows", "flagged", "canary", "canary_flagged", "released"];
    for field in fields {
        for (value, reason) in values {
            give(Kind::Report, with_number(&text_report(), field, value), Some(cost(field, value, reason)));
        }
    }
    for (value, reason) in values {
        let reason = cost("latency", value, reason);
        let samples = text_report().replacen("{\"counts\":[", &format!("{{\"counts\":[[{value},1],"), 1);
        give(Kind::Report, samples.into_bytes(), Some(reason));
        let counts = text_report().replacen("{\"counts\":[", &format!("{{\"counts\":[[1,{value}],"), 1);
        give(Kind::Report, counts.into_bytes(), Some(reason));
    }
    let status = String::from_utf8(encode::status_json(DEVICE, &status())).unwrap();
    for field in ["boot", "at"] {
        for (value, reason) in values {
            give(Kind::Status, with_number(&status, field, value), Some(cost(field, value, reason)));
        }
    }
}

/// `text` with the number of `field` replaced.
fn with_number(text: &str, field: &str, value: &str) -> Vec<u8> {
    let start = text.find(&format!("\"{field}\":")).unwrap() + field.len() + 3;
    let end = start + text[start..].find([',', '}']).unwrap();
    [&text[..start], value, &text[end..]].concat().into_bytes()
}

/// Every message cut at every byte, and with something behind its end.
fn cuts(give: &mut Give<'_>) {
    for (kind, message) in valid() {
        for cut in 1..message.len() {
            give(kind, message[..cut].to_vec(), Some("truncated"));
        }
        for tail in [&b"\0"[..], b"x", b"{}", &message] {
            // An agent in C closes its text with a NUL, which is no fault.
            if tail == b"\0" && message[0] == b'{' {
                continue;
            }
            give(kind, [&message[..], tail].concat(), Some("trailing_bytes"));
        }
    }
}

/// JSON that is well-formed and wrong.
fn json_shapes(give: &mut Give<'_>) {
    let base = text_report();
    let mut swap = |old: &str, new: &str, reason| {
        assert!(base.contains(old), "{old}");
        give(Kind::Report, base.replacen(old, new, 1).into_bytes(), Some(reason));
    };
    for depth in [20, 200, 2_000, 10_000] {
        swap("\"v\":1", &format!("\"v\":1,\"x\":{}", "[".repeat(depth)), "malformed");
        swap("\"v\":1", &format!("\"v\":1,\"x\":{}", "{\"a\":".repeat(depth)), "malformed");
        swap("\"v\":1", &format!("\"v\":{}", "[".repeat(depth)), "malformed");
        swap("{\"https\":", &format!("{{\"https\":{}", "[".repeat(depth)), "malformed");
        swap("\"v\":1", &format!("\"v\":{}{}", "[".repeat(depth), "]".repeat(depth)), "wrong_type");
        swap("\"v\":1", &format!("\"v\":1,\"x\":{}{}", "[".repeat(depth), "]".repeat(depth)), "");
        swap("\"flows\"", &format!("\"rules\":{}{},\"flows\"", "[".repeat(depth), "]".repeat(depth)), "");
    }
    let invented: String = (0..3_000).map(|n| format!("\"k{n}\":{n},")).collect();
    swap("\"v\":1", &format!("{invented}\"v\":1"), "");
    swap("\"v\":1", &format!("\"x\":[{}0],\"v\":1", "0,".repeat(20_000)), "");
    let rules: Vec<_> = (0..3_000).map(|n| format!("\"r{n}\":1")).collect();
    swap("\"flows\"", &format!("\"rules\":{{{}}},\"flows\"", rules.join(",")), "");
    swap("{\"counts\":[", &format!("{{\"counts\":[{}", "[1,1],".repeat(9_000)), "");
    swap("{\"counts\":[", &format!("{{\"counts\":[{}", "[1,0],".repeat(9_000)), "");
    for name in
        ["r".repeat(30_000), "\\n".repeat(20_000), format!("e{}", "\u{301}".repeat(20_000)), "\u{fdfa}".repeat(9_000)]
    {
        swap("\"flows\"", &format!("\"rules\":{{\"{name}\":1}},\"flows\""), "");
    }
    swap("B-0042", &"B".repeat(60_000), "device_mismatch");
    swap("B-0042", "B-0043", "device_mismatch");
    swap("\"https\"", "\"HTTPS\"", "");
    swap("\"https\"", &format!("\"{}\"", "q".repeat(60_000)), "");
    swap("{\"https\":", "{\"https\":{},\"https\":", "");
    swap("\"v\":1", "\"v\":1,\"v\":1", "duplicate_field");
    swap("\"v\":1", "\"v\":2", "unsupported_version");
    swap("\"v\":1,", "", "missing_field");
    swap("\"flagged\":12", "\"flagged\":1841", "");
    swap("\"canary_flagged\":1", "\"canary_flagged\":21", "");
    swap("\"period_ms\":10000", "\"period_ms\":0", "out_of_range");
    swap("\"period_ms\":10000", "\"period_ms\":61001", "out_of_range");
    swap("\"flows\":1840", "\"flows\":100000001", "");
    swap("{\"counts\":[", "{\"counts\":[[1,100000000],", "");
    swap("{\"counts\":[", "{\"counts\":[[1],", "");
    swap("{\"counts\":[", "{\"counts\":[[1,2,3],", "");
    swap("{\"counts\":", "{\"samples\":[],\"counts\":", "");
    swap("B-0042", "B-\u{1}0042", "malformed");
    swap("B-0042", "B-\\ud8000042", "malformed");
    let mut broken = base.clone().into_bytes();
    broken[20] = 0xFF;
    give(Kind::Report, broken, Some("device_mismatch"));
    for first in 0..=255_u8 {
        if first != b'{' && first != 1 {
            give(Kind::Report, [&[first][..], base.as_bytes()].concat(), Some("unknown_encoding"));
        }
    }
}

/// Binary messages whose lengths lie.
fn lengths(give: &mut Give<'_>) {
    for lie in [1_000_u64, 65_000, 70_000, u64::from(u32::MAX), u64::MAX / 8, u64::MAX] {
        let mut length = vec![0xFD];
        length.extend(lie.to_le_bytes());
        for kind in [Kind::Report, Kind::Status] {
            give(kind, [&[1][..], &length].concat(), Some("truncated"));
        }
        // As the number of classes, samples, pairs, bytes of a histogram, and rules.
        let head = b"\x01\x06B-0042\x07\x07\x07\x02\x0a";
        for before in [
            &b""[..],
            b"\x01\x00\x01\x00",
            b"\x01\x00\x01\x01",
            b"\x01\x00\x01\x02",
            b"\x01\x00\x00\x01\x00\x00\x00\x00",
        ] {
            give(Kind::Report, [head, before, &length].concat(), Some("truncated"));
        }
        // As the number of packages.
        let status = b"\x01\x06B-0042\x01\x07\x00\x00\x00\x00\x00\x00\x00";
        give(Kind::Status, [&status[..], &length].concat(), Some("truncated"));
    }
}

/// Histograms with every field of their header replaced, plain and deflated, in both encodings.
fn histograms(give: &mut Give<'_>) {
    let counts = [0x03, 0x02, 0x05, 0x04];
    let fields: [(usize, usize); 7] = [(0, 4), (4, 4), (8, 4), (12, 4), (16, 8), (24, 8), (32, 8)];
    let mut random = Random(10);
    for (at, length) in fields {
        for round in 0..60 {
            let mut plain = header(counts.len() as u32, 1, 1, 60_000_000);
            plain.extend(counts);
            for byte in &mut plain[at..at + length] {
                *byte = match round {
                    0 => 0,
                    1 => 0xFF,
                    2 => 0x7F,
                    _ => random.next() as u8,
                };
            }
            histogram(give, &plain, None);
            histogram(give, &deflate(&plain), None);
        }
    }
    for length in [5, 3, 65_537, u32::MAX] {
        let plain = [&header(length, 5, 1, u64::MAX / 2)[..], &counts].concat();
        histogram(give, &plain, Some(""));
        histogram(give, &deflate(&plain), Some(""));
    }
}

/// Small messages that would become large.
fn bombs(give: &mut Give<'_>) {
    for (digits, highest) in [(1, 60_000_000), (5, u64::MAX / 2), (5, u64::MAX)] {
        for size in [100_000, 1_000_000, 20_000_000] {
            for admitted in [0, 4, 65_536, size as u32, u32::MAX] {
                let inner = [&header(admitted, digits, 1, highest)[..], &vec![0; size]].concat();
                histogram(give, &deflate(&inner), None);
            }
        }
    }
    let stream = deflate(&deflate(&vec![0; 1_000_000]));
    histogram(give, &stream, Some(""));
    // 4,096 buckets at most, however they come.
    let mut many = b"\x01\x06B-0042\x07\x07\x07\x02\xfb\x60\xea\x01\x00\x01\x00\xfc".to_vec();
    many.extend(65_000_u32.to_le_bytes());
    many.resize(65_000, 1);
    give(Kind::Report, many.clone(), Some("truncated"));
    // The same whole: what is too much is left out with its class' latencies.
    let samples = many.len() - 24;
    many[20..24].copy_from_slice(&(samples as u32).to_le_bytes());
    many.extend([0; 6]);
    give(Kind::Report, many, Some(""));
}

fn header(length: u32, digits: u32, lowest: u64, highest: u64) -> Vec<u8> {
    let mut bytes = 0x1C84_9313_u32.to_be_bytes().to_vec();
    bytes.extend(length.to_be_bytes());
    bytes.extend(0_u32.to_be_bytes());
    bytes.extend(digits.to_be_bytes());
    bytes.extend(lowest.to_be_bytes());
    bytes.extend(highest.to_be_bytes());
    bytes.extend(1.0_f64.to_be_bytes());
    bytes
}

fn deflate(inner: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(inner).unwrap();
    let stream = encoder.finish().unwrap();
    [&0x1C84_9314_u32.to_be_bytes()[..], &(stream.len() as u32).to_be_bytes(), &stream].concat()
}

/// A report with this histogram, in both encodings.
fn histogram(give: &mut Give<'_>, bytes: &[u8], reason: Option<&'static str>) {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let json = format!(
        "{{\"v\":1,\"device\":\"B-0042\",\"boot\":7,\"seq\":7,\"uptime_ms\":7,\"start\":1,\"period_ms\":10,\
         \"traffic\":{{\"https\":{{\"latency\":{{\"hdr\":\"{text}\"}}}}}}}}"
    );
    let fits = |bytes: &[u8]| if bytes.len() > 65_536 { Some("too_large") } else { reason };
    let fit = fits(json.as_bytes());
    give(Kind::Report, json.into_bytes(), fit);
    let mut binary = b"\x01\x06B-0042\x07\x07\x07\x02\x0a\x01\x00\x01\x02\xfc".to_vec();
    binary.extend((bytes.len() as u32).to_le_bytes());
    binary.extend(bytes);
    binary.extend([0; 6]);
    let fit = fits(&binary);
    give(Kind::Report, binary, fit);
}

/// Valid messages with a few bytes changed, put in, or taken out.
fn mutations(give: &mut Give<'_>) {
    let mut random = Random(20);
    for (kind, message) in valid() {
        for _ in 0..800 {
            let mut bytes = message.clone();
            for _ in 0..1 + random.below(3) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] = random.next() as u8,
                    1 => bytes[at] ^= 1 << random.below(8),
                    2 => bytes.insert(at, random.next() as u8),
                    _ => drop(bytes.remove(at)),
                }
            }
            give(kind, bytes, None);
        }
    }
}

/// Noise behind a first byte that names an encoding, and messages on the other kind's topic.
fn noise(give: &mut Give<'_>) {
    let mut random = Random(30);
    for round in 0..1_500 {
        let mut bytes: Vec<u8> = (0..1 + random.below(300)).map(|_| random.next() as u8).collect();
        bytes[0] = if round % 2 == 0 { 1 } else { b'{' };
        give(if round % 4 < 2 { Kind::Report } else { Kind::Status }, bytes, None);
    }
    for (kind, message) in valid() {
        give(if kind == Kind::Report { Kind::Status } else { Kind::Report }, message, None);
    }
    for size in [65_537, 1_000_000, 20_000_000] {
        for first in [1, b'{'] {
            let mut bytes = vec![b' '; size];
            bytes[0] = first;
            give(Kind::Report, bytes, Some("too_large"));
        }
    }
}

/// Gives the valid reports that the corpus is made from, in every encoding and form, to `visit`.
pub fn each_valid_report(visit: &mut dyn FnMut(&[u8])) {
    for (kind, message) in valid() {
        if kind == Kind::Report {
            visit(&message);
        }
    }
}
