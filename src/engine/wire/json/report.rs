//! A report in JSON.

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess};

use super::value::{AnyNumber, Fields, Held, Items, Key, List, Number, Object, Text};
use super::{Guard, Seen, text};
use crate::engine::device::TrafficClass;
use crate::engine::label;
use crate::engine::wire::JSON_VERSION;
use crate::engine::wire::build::{Build, Counts, check_count, check_uptime};
use crate::engine::wire::error::DecodeError;
use crate::engine::wire::left_out::Field;

/// Decodes a report into `build`.
pub(crate) fn report(mut build: Build<'_>, device: &str, payload: &[u8]) -> Result<(), DecodeError> {
    let guard = Guard::new(build.left);
    let text = text(payload)?;
    let mut json = serde_json::Deserializer::from_str(&text);
    let message = Object(Message { guard: &guard, build: &mut build, device });
    message.deserialize(&mut json).map_err(|error| guard.reason(&error))?.required()?;
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
    PeriodMs,
    Traffic,
    Start,
    #[serde(other)]
    Unknown,
}

/// Names of the fields without which there is no report, by the number of their key. One that comes twice says two things of
/// whose and what the report is, so that refuses it.
const REQUIRED: [&str; 7] = ["v", "device", "boot", "seq", "uptime_ms", "period_ms", "traffic"];

/// The whole message.
struct Message<'g, 'b> {
    guard: &'g Guard<'g>,
    build: &'g mut Build<'b>,
    device: &'g str,
}

impl<'de> Fields<'de> for Message<'_, '_> {
    type Value = ();

    fn fields<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { guard, build, device } = self;
        let mut seen = Seen::default();
        while let Some(key) = map.next_key::<MessageKey>()? {
            let bit = key as u16;
            if let Some(name) = REQUIRED.get(usize::from(bit)) {
                guard.keep(seen.once(bit, name))?;
            }
            match bit {
                0 => version(guard, &mut map)?,
                1 => same_device(guard, device, &mut map)?,
                2 => build.report.boot = identity(guard, "boot", &mut map)?,
                3 => build.report.seq = identity(guard, "seq", &mut map)?,
                4 => {
                    let uptime_ms = number(guard, &mut map)?.duration("uptime_ms");
                    build.report.uptime_ms = guard.keep(uptime_ms.and_then(check_uptime))?;
                }
                5 => {
                    let period_ms = number(guard, &mut map)?.duration("period_ms");
                    let period_ms = period_ms.and_then(|ms| check_count("period_ms", ms));
                    build.report.period_ms = guard.keep(period_ms)?;
                }
                6 => {
                    let traffic = map.next_value_seed(Object(Traffic { guard, build }))?;
                    guard.keep(traffic.required())?;
                }
                7 if seen.is_new(7) => {
                    let start = map.next_value_seed(AnyNumber)?.required().and_then(|start| start.wall("start"));
                    build.report.start = guard.or_left_out(Field::Start, start).unwrap_or(0);
                }
                7 => again(guard, Field::Start, &mut map)?,
                _ => skip(&mut map)?,
            }
        }
        if !seen.has(7) {
            guard.left.note(Field::Start, DecodeError::MissingField("start"));
        }
        match (0..).zip(REQUIRED).find(|&(bit, _)| !seen.has(bit)) {
            Some((_, name)) => Err(guard.refuse(DecodeError::MissingField(name))),
            None => Ok(()),
        }
    }
}

/// Reads past the value of an unknown field, whatever it is.
pub(super) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// Reads past the value of a field that has come before: the first one counts.
pub(super) fn again<'de, A: MapAccess<'de>>(guard: &Guard<'_>, field: Field, map: &mut A) -> Result<(), A::Error> {
    guard.left.note(field, DecodeError::DuplicateField(field.as_str()));
    skip(map)
}

/// Reads a number without which there is no message.
fn number<'de, A: MapAccess<'de>>(guard: &Guard<'_>, map: &mut A) -> Result<Number, A::Error> {
    let held = map.next_value_seed(AnyNumber)?;
    guard.keep(held.required())
}

/// Reads an integer without which there is no message.
pub(super) fn identity<'de, A: MapAccess<'de>>(
    guard: &Guard<'_>,
    field: &'static str,
    map: &mut A,
) -> Result<u64, A::Error> {
    let number = number(guard, map)?;
    guard.keep(number.unsigned(field))
}

/// Reads the version, and refuses another than ours.
pub(super) fn version<'de, A: MapAccess<'de>>(guard: &Guard<'_>, map: &mut A) -> Result<(), A::Error> {
    let version = identity(guard, "v", map)?;
    if version == JSON_VERSION { Ok(()) } else { Err(guard.refuse(DecodeError::UnsupportedVersion)) }
}

/// Reads the device's id and refuses another than the topic's.
pub(super) fn same_device<'de, A: MapAccess<'de>>(
    guard: &Guard<'_>,
    device: &str,
    map: &mut A,
) -> Result<(), A::Error> {
    let is_same = map.next_value_seed(Text(|text: &str| label::same(text, device)))?;
    match is_same {
        Held::Value(true) => Ok(()),
        Held::Value(false) => Err(guard.refuse(DecodeError::DeviceMismatch)),
        Held::Null | Held::Other => Err(guard.refuse(DecodeError::WrongType)),
    }
}

/// The object of traffic classes.
struct Traffic<'g, 'b> {
    guard: &'g Guard<'g>,
    build: &'g mut Build<'b>,
}

impl<'de> Fields<'de> for Traffic<'_, '_> {
    type Value = ();

    fn fields<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { guard, build } = self;
        while let Some(class) = map.next_key_seed(Key(TrafficClass::from_name))? {
            let Some(class) = class.filter(|class| build.open_class(Some(*class))) else {
                if class.is_none() {
                    build.open_class(None);
                }
                skip(&mut map)?;
                continue;
            };
            let counts = map.next_value_seed(Object(Class { guard, build }))?;
            match guard.or_left_out(Field::Class, counts.or_null()) {
                Some(counts) => build.close_class(class, counts.unwrap_or_default()),
                None => build.abandon_class(),
            }
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

/// The fields by the number of their key.
const CLASS_FIELDS: [Field; 7] =
    [Field::Flows, Field::Flagged, Field::Canary, Field::CanaryFlagged, Field::Released, Field::Latency, Field::Rules];

/// One traffic class; what is left out counts as nothing.
struct Class<'g, 'b> {
    guard: &'g Guard<'g>,
    build: &'g mut Build<'b>,
}

impl<'de> Fields<'de> for Class<'_, '_> {
    type Value = Counts;

    fn fields<A: MapAccess<'de>>(self, mut map: A) -> Result<Counts, A::Error> {
        let Self { guard, build } = self;
        let mut counts = Counts::default();
        let mut seen = Seen::default();
        while let Some(key) = map.next_key::<ClassKey>()? {
            let bit = key as u16;
            let Some(&field) = CLASS_FIELDS.get(usize::from(bit)) else {
                skip(&mut map)?;
                continue;
            };
            if !seen.is_new(bit) {
                again(guard, field, &mut map)?;
                continue;
            }
            let count = match field {
                Field::Flows => &mut counts.flows,
                Field::Flagged => &mut counts.flagged,
                Field::Canary => &mut counts.canary,
                Field::CanaryFlagged => &mut counts.canary_flagged,
                Field::Released => &mut counts.released,
                Field::Latency => {
                    let held = map.next_value_seed(Object(Latency { guard, build }))?;
                    guard.or_left_out(field, held.or_null());
                    continue;
                }
                _ => {
                    let held = map.next_value_seed(Object(Rules { build }))?;
                    guard.or_left_out(field, held.or_null());
                    continue;
                }
            };
            let held = map.next_value_seed(AnyNumber)?.or_null();
            let number = held.and_then(|number| number.map_or(Ok(0), |number| number.count(field.as_str())));
            *count = guard.or_left_out(field, number).unwrap_or(0);
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
    guard: &'g Guard<'g>,
    build: &'g mut Build<'b>,
}

impl<'de> Fields<'de> for Latency<'_, '_> {
    type Value = ();

    fn fields<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { guard, build } = self;
        let mut has_one = false;
        while let Some(key) = map.next_key::<LatencyKey>()? {
            if has_one && !matches!(key, LatencyKey::Unknown) {
                guard.left.note(Field::Latency, DecodeError::LatencyForms);
                skip(&mut map)?;
                continue;
            }
            let held = match key {
                LatencyKey::Samples => map.next_value_seed(List(Samples { guard, build }))?,
                LatencyKey::Counts => map.next_value_seed(List(Pairs { guard, build }))?,
                LatencyKey::Hdr => map.next_value_seed(Text(|text: &str| build.hdr_base64(text)))?,
                LatencyKey::Unknown => {
                    skip(&mut map)?;
                    continue;
                }
            };
            has_one = held != Held::Null;
            guard.or_left_out(Field::Latency, held.or_null());
        }
        Ok(())
    }
}

/// `[us, ...]`
struct Samples<'g, 'b> {
    guard: &'g Guard<'g>,
    build: &'g mut Build<'b>,
}

impl<'de> Items<'de> for Samples<'_, '_> {
    type Value = ();

    fn items<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(held) = seq.next_element_seed(AnyNumber)? {
            let us = held.required().and_then(Number::latency);
            if let Some(us) = self.guard.or_left_out(Field::Latency, us) {
                self.build.latency(us, 1);
            }
        }
        Ok(())
    }
}

/// `[[us, count], ...]`
struct Pairs<'g, 'b> {
    guard: &'g Guard<'g>,
    build: &'g mut Build<'b>,
}

impl<'de> Items<'de> for Pairs<'_, '_> {
    type Value = ();

    fn items<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(held) = seq.next_element_seed(List(Pair))? {
            let pair = held.required().and_then(|pair| pair);
            if let Some((us, count)) = self.guard.or_left_out(Field::Latency, pair) {
                self.build.latency(us, count);
            }
        }
        Ok(())
    }
}

/// `[us, count]`
struct Pair;

impl<'de> Items<'de> for Pair {
    type Value = Result<(u32, u32), DecodeError>;

    #[inline]
    fn items<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let us = seq.next_element_seed(AnyNumber)?;
        let count = seq.next_element_seed(AnyNumber)?;
        let mut is_longer = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            is_longer = true;
        }
        let (Some(us), Some(count), false) = (us, count, is_longer) else { return Ok(Err(DecodeError::WrongType)) };
        let pair = || Ok((us.required()?.latency()?, count.required()?.count("latency")?));
        Ok(pair())
    }
}

/// Flagged counts by rule.
struct Rules<'g, 'b> {
    build: &'g mut Build<'b>,
}

impl<'de> Fields<'de> for Rules<'_, '_> {
    type Value = ();

    fn fields<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { build } = self;
        // The name is kept before its count is known, so that it need not be copied on the way.
        while let Some(is_kept) = map.next_key_seed(Key(|name: &str| build.rule(name, 0)))? {
            let held = map.next_value_seed(AnyNumber)?;
            if is_kept {
                build.set_rule_count(held.required().and_then(|count| count.count("rules")));
            }
        }
        Ok(())
    }
}
