//! A report in JSON.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::value::{Nullable, Skip, Text, Unsigned, Wall};
use super::{Guard, Seen, text};
use crate::engine::device::TrafficClass;
use crate::engine::wire::JSON_VERSION;
use crate::engine::wire::build::{Build, Counts, check_uptime};
use crate::engine::wire::error::DecodeError;

/// Decodes a report into `build`.
pub(crate) fn report(mut build: Build<'_>, device: &str, payload: &[u8]) -> Result<(), DecodeError> {
    let guard = Guard::new(build.limits);
    let mut json = serde_json::Deserializer::from_str(text(payload)?);
    let message = Message { guard: &guard, build: &mut build, device };
    message.deserialize(&mut json).map_err(|error| guard.reason(&error))?;
    json.end().map_err(|_| DecodeError::TrailingBytes)?;
    build.finish()
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum MessageKey {
    V,
    Device,
    Boot,
    Seq,
    UptimeMs,
    Start,
    PeriodMs,
    Traffic,
    #[serde(other)]
    Unknown,
}

/// Names of the required fields, by the number of their key.
const REQUIRED: [&str; 8] = ["v", "device", "boot", "seq", "uptime_ms", "start", "period_ms", "traffic"];

/// The whole message.
struct Message<'g, 'b> {
    guard: &'g Guard,
    build: &'g mut Build<'b>,
    device: &'g str,
}

impl<'de> DeserializeSeed<'de> for Message<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Message<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a report")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { guard, build, device } = self;
        let mut seen = Seen::default();
        while let Some(key) = map.next_key::<MessageKey>()? {
            let bit = key as u16;
            if let Some(name) = REQUIRED.get(usize::from(bit)) {
                guard.keep(seen.once(bit, name))?;
            }
            match bit {
                0 => version(guard, map.next_value_seed(Unsigned::u64(guard, "v"))?)?,
                1 => same_device(guard, device, &mut map)?,
                2 => build.report.boot = map.next_value_seed(Unsigned::u64(guard, "boot"))?,
                3 => build.report.seq = map.next_value_seed(Unsigned::u64(guard, "seq"))?,
                4 => {
                    let uptime_ms = map.next_value_seed(Unsigned::u64(guard, "uptime_ms"))?;
                    build.report.uptime_ms = guard.keep(check_uptime(uptime_ms))?;
                }
                5 => build.report.start = map.next_value_seed(Wall { guard, field: "start" })?,
                6 => build.report.period_ms = map.next_value_seed(Unsigned::u32(guard, "period_ms"))? as u32,
                7 => map.next_value_seed(Traffic { guard, build })?,
                _ => map.next_value_seed(Skip::new(guard))?,
            }
        }
        match (0..).zip(REQUIRED).find(|&(bit, _)| !seen.has(bit)) {
            Some((_, name)) => Err(guard.refuse(DecodeError::MissingField(name))),
            None => Ok(()),
        }
    }
}

/// Refuses another version than ours.
pub(super) fn version<E: serde::de::Error>(guard: &Guard, version: u64) -> Result<(), E> {
    if version == JSON_VERSION { Ok(()) } else { Err(guard.refuse(DecodeError::UnsupportedVersion)) }
}

/// Reads the device's id and refuses another than the topic's.
pub(super) fn same_device<'de, A: MapAccess<'de>>(guard: &Guard, device: &str, map: &mut A) -> Result<(), A::Error> {
    let take = |text: &str| if text == device { Ok(()) } else { Err(DecodeError::DeviceMismatch) };
    map.next_value_seed(Text { guard, take })
}

/// The object of traffic classes.
struct Traffic<'g, 'b> {
    guard: &'g Guard,
    build: &'g mut Build<'b>,
}

impl<'de> DeserializeSeed<'de> for Traffic<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Traffic<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of traffic classes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { guard, build } = self;
        let take = |name: &str| TrafficClass::from_name(name).ok_or(DecodeError::UnknownClass);
        while let Some(class) = map.next_key_seed(Text { guard, take })? {
            guard.keep(build.open_class(class))?;
            let counts = map.next_value_seed(Class { guard, build })?;
            guard.keep(build.close_class(class, counts))?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum ClassKey {
    Flows,
    Flagged,
    Canary,
    CanaryFlagged,
    Released,
    Latency,
    Rules,
    #[serde(other)]
    Unknown,
}

const CLASS_FIELDS: [&str; 7] = ["flows", "flagged", "canary", "canary_flagged", "released", "latency", "rules"];

/// One traffic class; what is left out counts as nothing.
struct Class<'g, 'b> {
    guard: &'g Guard,
    build: &'g mut Build<'b>,
}

impl<'de> DeserializeSeed<'de> for Class<'_, '_> {
    type Value = Counts;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Counts, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Class<'_, '_> {
    type Value = Counts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a traffic class")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Counts, A::Error> {
        let Self { guard, build } = self;
        let mut counts = Counts::default();
        let mut seen = Seen::default();
        while let Some(key) = map.next_key::<ClassKey>()? {
            let bit = key as u16;
            let name = CLASS_FIELDS.get(usize::from(bit)).copied();
            if let Some(name) = name {
                guard.keep(seen.once(bit, name))?;
            }
            let number = Nullable(Unsigned::u32(guard, name.unwrap_or_default()));
            let field = match bit {
                0 => &mut counts.flows,
                1 => &mut counts.flagged,
                2 => &mut counts.canary,
                3 => &mut counts.canary_flagged,
                4 => &mut counts.released,
                5 => {
                    map.next_value_seed(Nullable(Latency { guard, build }))?;
                    continue;
                }
                6 => {
                    map.next_value_seed(Nullable(Rules { guard, build }))?;
                    continue;
                }
                _ => {
                    map.next_value_seed(Skip::new(guard))?;
                    continue;
                }
            };
            *field = map.next_value_seed(number)?.unwrap_or(0) as u32;
        }
        Ok(counts)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum LatencyKey {
    Samples,
    Counts,
    Hdr,
    #[serde(other)]
    Unknown,
}

/// The latency of a class in one of its three forms.
struct Latency<'g, 'b> {
    guard: &'g Guard,
    build: &'g mut Build<'b>,
}

impl<'de> DeserializeSeed<'de> for Latency<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Latency<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `samples`, `counts` or `hdr`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { guard, build } = self;
        let mut forms = 0;
        while let Some(key) = map.next_key::<LatencyKey>()? {
            if !matches!(key, LatencyKey::Unknown) {
                forms += 1;
                if forms > 1 {
                    return Err(guard.refuse(DecodeError::LatencyForms));
                }
            }
            match key {
                LatencyKey::Samples => map.next_value_seed(Samples { guard, build })?,
                LatencyKey::Counts => map.next_value_seed(Pairs { guard, build })?,
                LatencyKey::Hdr => map.next_value_seed(Text { guard, take: |text: &str| build.hdr_base64(text) })?,
                LatencyKey::Unknown => map.next_value_seed(Skip::new(guard))?,
            }
        }
        Ok(())
    }
}

/// `[us, ...]`
struct Samples<'g, 'b> {
    guard: &'g Guard,
    build: &'g mut Build<'b>,
}

impl<'de> DeserializeSeed<'de> for Samples<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Samples<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of microseconds")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let us = Unsigned::u32(self.guard, "samples");
        while let Some(us) = seq.next_element_seed(us)? {
            self.guard.keep(self.build.latency(us as u32, 1))?;
        }
        Ok(())
    }
}

/// `[[us, count], ...]`
struct Pairs<'g, 'b> {
    guard: &'g Guard,
    build: &'g mut Build<'b>,
}

impl<'de> DeserializeSeed<'de> for Pairs<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Pairs<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of [microseconds, count]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let pair = Pair { guard: self.guard };
        while let Some((us, count)) = seq.next_element_seed(pair)? {
            self.guard.keep(self.build.latency(us, count))?;
        }
        Ok(())
    }
}

/// `[us, count]`
#[derive(Clone, Copy)]
struct Pair<'g> {
    guard: &'g Guard,
}

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = (u32, u32);

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(u32, u32), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = (u32, u32);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[microseconds, count]")
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(u32, u32), A::Error> {
        // A shorter or longer pair is refused: here for the shorter, by serde_json for the longer.
        let number = Unsigned::u32(self.guard, "counts");
        let us = seq.next_element_seed(number)?;
        let count = seq.next_element_seed(number)?;
        match (us, count) {
            (Some(us), Some(count)) => Ok((us as u32, count as u32)),
            _ => Err(self.guard.refuse(DecodeError::WrongType)),
        }
    }
}

/// Flagged counts by rule.
struct Rules<'g, 'b> {
    guard: &'g Guard,
    build: &'g mut Build<'b>,
}

impl<'de> DeserializeSeed<'de> for Rules<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Rules<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of rules")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { guard, build } = self;
        // The name is kept before its count is known, so that it need not be copied on the way.
        while map.next_key_seed(Text { guard, take: |name: &str| build.rule(name, 0) })?.is_some() {
            build.set_rule_count(map.next_value_seed(Unsigned::u32(guard, "rules"))? as u32);
        }
        Ok(())
    }
}
