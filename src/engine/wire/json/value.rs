//! The values that fields hold, as seeds. Each reads whatever value stands there, so that one of another type costs itself.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::engine::wire::build::check_wall;
use crate::engine::wire::error::DecodeError;

/// Beyond it a float of 64 bits does not hold every integer (2^53), so what was meant is unknown.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The visits of values that are neither a number nor anything else that is looked for: read past, and `$other`.
macro_rules! read_past {
    ($other:expr; $($visit:ident: $type:ty),*) => {
        $(fn $visit<E: de::Error>(self, _: $type) -> Result<Self::Value, E> {
            Ok($other)
        })*
    };
    ($other:expr; seq) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok($other)
        }
    };
    ($other:expr; map) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($other)
        }
    };
}

/// What a value turned out to be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Held<T> {
    Value(T),
    Null,
    /// Of another type.
    Other,
}

impl<T> Held<T> {
    /// The value; nothing for null.
    pub(super) fn or_null(self) -> Result<Option<T>, DecodeError> {
        match self {
            Self::Value(value) => Ok(Some(value)),
            Self::Null => Ok(None),
            Self::Other => Err(DecodeError::WrongType),
        }
    }

    /// The value, which has to be there.
    pub(super) fn required(self) -> Result<T, DecodeError> {
        self.or_null()?.ok_or(DecodeError::WrongType)
    }
}

/// A number as it is written: `12`, `12.0`, `1.2e1`, or `"12"`, as JSON of Protocol Buffers has those of 64 bits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Number {
    Whole(u64),
    Negative(i64),
    /// Not an integer, or none that is known exactly.
    Inexact(f64),
}

impl Number {
    fn of_float(number: f64) -> Self {
        match number {
            whole if whole.fract() == 0.0 && (0.0..MAX_EXACT).contains(&whole) => Self::Whole(whole as u64),
            whole if whole.fract() == 0.0 && (-MAX_EXACT..0.0).contains(&whole) => Self::Negative(whole as i64),
            other => Self::Inexact(other),
        }
    }

    fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        let whole = text.parse().map(Self::Whole).or_else(|_| text.parse().map(Self::Negative));
        let float = || text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Self::of_float);
        whole.ok().or_else(float)
    }

    /// An integer of 0 or more.
    pub(super) fn unsigned(self, field: &'static str) -> Result<u64, DecodeError> {
        match self {
            Self::Whole(number) => Ok(number),
            Self::Inexact(number) if number.abs() < MAX_EXACT => Err(DecodeError::NotAnInteger),
            Self::Negative(_) | Self::Inexact(_) => Err(DecodeError::OutOfRange(field)),
        }
    }

    /// A count of 32 bits.
    pub(super) fn count(self, field: &'static str) -> Result<u32, DecodeError> {
        self.unsigned(field).and_then(|count| crate::engine::wire::build::check_count(field, count))
    }

    /// Milliseconds or microseconds of 0 or more, of which a fraction is cut off.
    pub(super) fn duration(self, field: &'static str) -> Result<u64, DecodeError> {
        match self {
            Self::Inexact(number) if (0.0..MAX_EXACT).contains(&number) => Ok(number as u64),
            other => other.unsigned(field),
        }
    }

    /// A latency: what 32 bits of microseconds do not hold is longer than a minute, and counts as one anyway.
    pub(super) fn latency(self) -> Result<u32, DecodeError> {
        match self {
            Self::Inexact(number) if number >= MAX_EXACT => Ok(u32::MAX),
            other => other.duration("latency").map(|us| u32::try_from(us).unwrap_or(u32::MAX)),
        }
    }

    /// An instant of a wall clock in milliseconds, of which a fraction is cut off.
    pub(super) fn wall(self, field: &'static str) -> Result<i64, DecodeError> {
        let ms = match self {
            Self::Whole(number) => i64::try_from(number).unwrap_or(i64::MAX),
            Self::Negative(number) => number,
            Self::Inexact(number) if number.abs() < MAX_EXACT => number.floor() as i64,
            Self::Inexact(_) => i64::MAX,
        };
        check_wall(field, ms)
    }
}

/// Reads a [`Number`].
#[derive(Clone, Copy)]
pub(super) struct AnyNumber;

impl<'de> DeserializeSeed<'de> for AnyNumber {
    type Value = Held<Number>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyNumber {
    type Value = Held<Number>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    #[inline]
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Held::Value(Number::Whole(number)))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Held::Value(u64::try_from(number).map_or(Number::Negative(number), Number::Whole)))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Held::Value(Number::of_float(number)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Number::of_text(text).map_or(Held::Other, Held::Value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Held::Null)
    }

    read_past!(Held::Other; visit_bool: bool);
    read_past!(Held::Other; seq);
    read_past!(Held::Other; map);
}

/// `true` or `false`.
#[derive(Clone, Copy)]
pub(super) struct Flag;

impl<'de> DeserializeSeed<'de> for Flag {
    type Value = Held<bool>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Flag {
    type Value = Held<bool>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Held::Value(value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Held::Null)
    }

    read_past!(Held::Other; visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str);
    read_past!(Held::Other; seq);
    read_past!(Held::Other; map);
}

/// A text, given to `take`. Not copied unless it holds escapes.
pub(super) struct Text<F>(pub F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for Text<F> {
    type Value = Held<T>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T, F: FnOnce(&str) -> T> Visitor<'de> for Text<F> {
    type Value = Held<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    #[inline]
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Held::Value((self.0)(text)))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Held::Null)
    }

    read_past!(Held::Other; visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64);
    read_past!(Held::Other; seq);
    read_past!(Held::Other; map);
}

/// The key of an object whose keys are names, given to `take`.
pub(super) struct Key<F>(pub F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for Key<F> {
    type Value = T;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for Key<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    #[inline]
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        Ok((self.0)(text))
    }
}

/// Reads the fields of an object.
pub(super) trait Fields<'de> {
    type Value;

    fn fields<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error>;
}

/// An object.
pub(super) struct Object<F>(pub F);

impl<'de, F: Fields<'de>> DeserializeSeed<'de> for Object<F> {
    type Value = Held<F::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: Fields<'de>> Visitor<'de> for Object<F> {
    type Value = Held<F::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.0.fields(map).map(Held::Value)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Held::Null)
    }

    read_past!(Held::Other; visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str);
    read_past!(Held::Other; seq);
}

/// Reads the items of a list.
pub(super) trait Items<'de> {
    type Value;

    fn items<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error>;
}

/// A list.
pub(super) struct List<F>(pub F);

impl<'de, F: Items<'de>> DeserializeSeed<'de> for List<F> {
    type Value = Held<F::Value>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: Items<'de>> Visitor<'de> for List<F> {
    type Value = Held<F::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        self.0.items(seq).map(Held::Value)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Held::Null)
    }

    read_past!(Held::Other; visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str);
    read_past!(Held::Other; map);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_however_it_is_written() {
        for (text, whole) in [("12", 12), ("12.0", 12), ("1.2e1", 12), (" 12 ", 12), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(Number::of_text(text).unwrap().unsigned("n"), Ok(whole), "{text}");
        }
        for text in ["", "x", "nan", "inf", "1e400", "0x10", "1,5"] {
            assert_eq!(Number::of_text(text), None, "{text}");
        }
        let number = |text| Number::of_text(text).unwrap();
        assert_eq!(number("1.5").unsigned("n"), Err(DecodeError::NotAnInteger));
        assert_eq!(number("-1").unsigned("n"), Err(DecodeError::OutOfRange("n")));
        assert_eq!(number("18446744073709551616").unsigned("n"), Err(DecodeError::OutOfRange("n")));
        assert_eq!(number("1500.9").latency(), Ok(1500));
        assert_eq!(number("1e300").latency(), Ok(u32::MAX));
        assert_eq!(number("-0.5").latency(), Err(DecodeError::NotAnInteger));
        assert_eq!(number("4294967296").count("n"), Err(DecodeError::OutOfRange("n")));
        assert_eq!(number("-1.5").wall("at"), Ok(-2));
        assert_eq!(number("1e17").wall("at"), Err(DecodeError::OutOfRange("at")));
    }
}
