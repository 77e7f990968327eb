//! The quick way through a report that is written as agents write it: ASCII, no escapes, known fields, unsigned numbers.
//!
//! It never refuses, and leaves nothing out. Whatever is out of the ordinary, and everything that cannot be used, makes it give up
//! without an answer, and the strict reader begins anew. What it does accept the strict reader accepts too, with the same
//! content; a property test holds it to that.

use super::Seen;
use crate::engine::device::TrafficClass;
use crate::engine::wire::JSON_VERSION;
use crate::engine::wire::build::{Build, Counts, check_uptime, check_wall};

/// Digits that 64 bits hold, whatever they are.
const MAX_DIGITS: usize = 19;

/// Decodes a report into `build`; `None` when the strict reader has to look at it. What is in `build` then is void.
pub(crate) fn report(mut build: Build<'_>, device: &str, payload: &[u8]) -> Option<()> {
    let mut text = Text { bytes: payload, at: 0 };
    let mut seen = Seen::default();
    text.object(|text, key| {
        let bit = match key {
            b"v" => {
                (text.number()? == JSON_VERSION).then_some(())?;
                0
            }
            b"device" => {
                (text.string()? == device.as_bytes()).then_some(())?;
                1
            }
            b"boot" => {
                build.report.boot = text.number()?;
                2
            }
            b"seq" => {
                build.report.seq = text.number()?;
                3
            }
            b"uptime_ms" => {
                build.report.uptime_ms = check_uptime(text.number()?).ok()?;
                4
            }
            b"start" => {
                build.report.start = check_wall("start", i64::try_from(text.number()?).ok()?).ok()?;
                5
            }
            b"period_ms" => {
                build.report.period_ms = text.number_u32()?;
                6
            }
            b"traffic" => {
                traffic(&mut build, text)?;
                7
            }
            _ => return None,
        };
        seen.once(bit, "").ok()
    })?;
    text.space();
    let whole = text.at == payload.len() && (0..8).all(|bit| seen.has(bit));
    let left = build.left;
    (whole && build.finish().is_ok() && left.is_empty()).then_some(())
}

fn traffic(build: &mut Build<'_>, text: &mut Text<'_>) -> Option<()> {
    text.object(|text, name| {
        let class = TrafficClass::from_name(str::from_utf8(name).ok()?)?;
        build.open_class(Some(class)).then_some(())?;
        let counts = class_counts(build, text)?;
        build.close_class(class, counts);
        Some(())
    })
}

fn class_counts(build: &mut Build<'_>, text: &mut Text<'_>) -> Option<Counts> {
    let mut counts = Counts::default();
    let mut seen = Seen::default();
    text.object(|text, key| {
        let (bit, field) = match key {
            b"flows" => (0, &mut counts.flows),
            b"flagged" => (1, &mut counts.flagged),
            b"canary" => (2, &mut counts.canary),
            b"canary_flagged" => (3, &mut counts.canary_flagged),
            b"released" => (4, &mut counts.released),
            b"latency" => {
                seen.once(5, "").ok()?;
                return latency(build, text);
            }
            b"rules" => {
                seen.once(6, "").ok()?;
                return text.object(|text, name| {
                    let count = text.number_u32()?;
                    build.rule(str::from_utf8(name).ok()?, count).then_some(())
                });
            }
            _ => return None,
        };
        seen.once(bit, "").ok()?;
        *field = text.number_u32()?;
        Some(())
    })?;
    Some(counts)
}

fn latency(build: &mut Build<'_>, text: &mut Text<'_>) -> Option<()> {
    let mut forms = 0;
    text.object(|text, form| {
        forms += 1;
        match form {
            b"counts" if forms == 1 => text.list(|text| {
                text.expect(b'[')?;
                let us = text.number_u32()?;
                text.expect(b',')?;
                let count = text.number_u32()?;
                text.expect(b']')?;
                build.latency(us, count);
                Some(())
            }),
            b"samples" if forms == 1 => text.list(|text| {
                let us = text.number_u32()?;
                build.latency(us, 1);
                Some(())
            }),
            _ => None,
        }
    })
}

/// A place in the text.
struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    /// The next byte; 0, which no JSON holds, at the end.
    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Past `byte` and the space before it.
    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        self.space();
        (self.peek() == byte).then(|| self.at += 1)
    }

    /// An unsigned integer as JSON writes it.
    #[inline]
    fn number(&mut self) -> Option<u64> {
        self.space();
        let first = self.at;
        let mut number = 0_u64;
        while let digit @ b'0'..=b'9' = self.peek() {
            // More than 64 bits hold are given up below.
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - first;
        let plain = digits == 1 || (2..=MAX_DIGITS).contains(&digits) && self.bytes[first] != b'0';
        plain.then_some(number)
    }

    #[inline]
    fn number_u32(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    /// A text of printable ASCII without escapes.
    #[inline]
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&byte| !matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~'))?;
        self.at += end + 1;
        (rest[end] == b'"').then(|| &rest[..end])
    }

    /// An object whose every value `value` reads, told its key.
    #[inline]
    fn object(&mut self, mut value: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.items(b'{', b'}', |text| {
            let key = text.string()?;
            text.expect(b':')?;
            value(text, key)
        })
    }

    /// A list whose every element `element` reads.
    #[inline]
    fn list(&mut self, element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.items(b'[', b']', element)
    }

    #[inline]
    fn items(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(open)?;
        if self.expect(close).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.expect(b',').is_none() {
                return self.expect(close);
            }
        }
    }
}
