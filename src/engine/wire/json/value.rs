//! The values that fields hold, as seeds: integers in a range, texts, optional ones, and what is skipped.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Guard;
use crate::engine::wire::error::DecodeError;
use crate::engine::wire::limits::MAX_WALL_MS;

/// An integer of `0 ..= max`.
#[derive(Clone, Copy)]
pub(super) struct Unsigned<'g> {
    pub guard: &'g Guard,
    pub field: &'static str,
    pub max: u64,
}

impl<'g> Unsigned<'g> {
    pub(super) fn u32(guard: &'g Guard, field: &'static str) -> Self {
        Self { guard, field, max: u64::from(u32::MAX) }
    }

    pub(super) fn u64(guard: &'g Guard, field: &'static str) -> Self {
        Self { guard, field, max: u64::MAX }
    }

    fn out_of_range<E: de::Error>(&self) -> E {
        self.guard.refuse(DecodeError::OutOfRange(self.field))
    }
}

impl<'de> DeserializeSeed<'de> for Unsigned<'_> {
    type Value = u64;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_u64(self)
    }
}

impl Visitor<'_> for Unsigned<'_> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an unsigned integer")
    }

    #[inline]
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        if number <= self.max { Ok(number) } else { Err(self.out_of_range()) }
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<u64, E> {
        Err(self.out_of_range())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<u64, E> {
        Err(self.guard.refuse(refuse_float(number, self.field)))
    }
}

/// An instant of the device's wall clock, in milliseconds.
#[derive(Clone, Copy)]
pub(super) struct Wall<'g> {
    pub guard: &'g Guard,
    pub field: &'static str,
}

impl<'de> DeserializeSeed<'de> for Wall<'_> {
    type Value = i64;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<i64, D::Error> {
        deserializer.deserialize_i64(self)
    }
}

impl Visitor<'_> for Wall<'_> {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer")
    }

    #[inline]
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }

    #[inline]
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
        if (-MAX_WALL_MS..=MAX_WALL_MS).contains(&number) {
            Ok(number)
        } else {
            Err(self.guard.refuse(DecodeError::OutOfRange(self.field)))
        }
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<i64, E> {
        Err(self.guard.refuse(refuse_float(number, self.field)))
    }
}

/// serde_json makes a float of an integer that 64 bits cannot hold; the two deserve different reasons.
fn refuse_float(number: f64, field: &'static str) -> DecodeError {
    if number.abs() >= 9.0e18 { DecodeError::OutOfRange(field) } else { DecodeError::NotAnInteger }
}

/// `true` or `false`.
pub(super) struct Flag;

impl<'de> DeserializeSeed<'de> for Flag {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        <bool as serde::Deserialize>::deserialize(deserializer)
    }
}

/// A text, given to `take`, which may refuse it. Not copied unless it holds escapes.
pub(super) struct Text<'g, F> {
    pub guard: &'g Guard,
    pub take: F,
}

impl<'de, T, F: FnOnce(&str) -> Result<T, DecodeError>> DeserializeSeed<'de> for Text<'_, F> {
    type Value = T;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> Result<T, DecodeError>> Visitor<'_> for Text<'_, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    #[inline]
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        self.guard.keep((self.take)(text))
    }
}

/// What `0` reads, or `null`.
pub(super) struct Nullable<S>(pub S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Nullable<S> {
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Nullable<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}

/// The value of an unknown field: read past, within the guard's bounds of depth and number.
pub(super) struct Skip<'g> {
    pub guard: &'g Guard,
    depth: u32,
}

impl<'g> Skip<'g> {
    pub(super) fn new(guard: &'g Guard) -> Self {
        Self { guard, depth: 0 }
    }

    fn inner<E: de::Error>(&self) -> Result<Self, E> {
        if self.depth >= self.guard.max_depth {
            return Err(self.guard.refuse(DecodeError::TooDeep));
        }
        Ok(Self { guard: self.guard, depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Skip<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let left = self.guard.skips_left.get().checked_sub(1);
        let Some(left) = left else { return Err(self.guard.refuse(DecodeError::TooMany("unknown fields"))) };
        self.guard.skips_left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.inner()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(self.inner()?)?;
        }
        Ok(())
    }
}
