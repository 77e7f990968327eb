//! The binary form: bincode 2, standard configuration, after a version byte. `fixtures/wire/README.md` has the layout.
//!
//! Read with bincode's own primitives, field by field, into the reused report: no length that a message claims is ever
//! used to reserve memory, so a lying one runs into the end of the payload.
//!
//! A number is read with 64 bits wherever it may be left out, because the form says how wide each one is: one that its field
//! cannot hold does not lose the place of the next.

use bincode::BorrowDecode;
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::de::read::{Reader, SliceReader};
use bincode::de::{BorrowDecoder as _, Decode, DecoderImpl};
use bincode::error::DecodeError as BincodeError;

use super::build::{self, Build, Counts, check_count, check_uptime, check_wall, full_name};
use super::error::DecodeError;
use super::left_out::{Field, LeftOut};
use super::limits::{Limits, MAX_PAYLOAD_BYTES};
use crate::engine::device::{Label, Package, Status, TrafficClass, Workaround};
use crate::engine::label;

/// bincode counts an integer at its full width whatever it takes on the wire: eight times the bytes at most.
const CLAIM_LIMIT: usize = 8 * MAX_PAYLOAD_BYTES;

type Config = Configuration<LittleEndian, Varint, Limit<CLAIM_LIMIT>>;
const CONFIG: Config = bincode::config::standard().with_limit::<CLAIM_LIMIT>();

impl From<BincodeError> for DecodeError {
    fn from(error: BincodeError) -> Self {
        match error {
            // A payload within its own limit can only exceed bincode's by a length that lies.
            BincodeError::UnexpectedEnd { .. } | BincodeError::LimitExceeded => Self::Truncated,
            BincodeError::InvalidIntegerType { .. } => Self::OutOfRange("integer"),
            BincodeError::InvalidBooleanValue(_) | BincodeError::UnexpectedVariant { .. } => Self::WrongType,
            _ => Self::Malformed,
        }
    }
}

/// Stands for a text that is no UTF-8, and is left out as one that cannot be read.
const NOT_UTF8: &str = "\u{fffd}";

/// A position in a payload.
struct Input<'a>(DecoderImpl<SliceReader<'a>, Config, ()>);

impl<'a> Input<'a> {
    /// Begins behind the version byte, which the caller has looked at.
    fn new(payload: &'a [u8]) -> Self {
        Self(DecoderImpl::new(SliceReader::new(&payload[1..]), CONFIG, ()))
    }

    #[inline]
    fn get<T: Decode<()>>(&mut self) -> Result<T, DecodeError> {
        Ok(T::decode(&mut self.0)?)
    }

    /// A text; where its bytes are no UTF-8 it is nothing that can be used.
    fn text(&mut self) -> Result<&'a str, DecodeError> {
        Ok(str::from_utf8(self.bytes()?).unwrap_or(NOT_UTF8))
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        Ok(<&[u8]>::borrow_decode(&mut self.0)?)
    }

    /// Whether an `Option` holds a value.
    fn some(&mut self) -> Result<bool, DecodeError> {
        match self.get::<u8>()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::WrongType),
        }
    }

    fn device(&mut self, expected: &str) -> Result<(), DecodeError> {
        if label::same(self.text()?, expected) { Ok(()) } else { Err(DecodeError::DeviceMismatch) }
    }

    fn end(mut self) -> Result<(), DecodeError> {
        let rest = self.0.borrow_reader().peek_read(1);
        if rest.is_none() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}

/// Decodes a report into `build`.
pub(super) fn report(mut build: Build<'_>, device: &str, payload: &[u8]) -> Result<(), DecodeError> {
    let mut input = Input::new(payload);
    input.device(device)?;
    build.report.boot = input.get()?;
    build.report.seq = input.get()?;
    build.report.uptime_ms = check_uptime(input.get()?)?;
    build.report.start = build.left.keep(Field::Start, check_wall("start", input.get()?)).unwrap_or(0);
    build.report.period_ms = check_count("period_ms", input.get()?)?;
    for _ in 0..input.get::<u64>()? {
        class(&mut build, &mut input)?;
    }
    input.end()?;
    build.finish()
}

fn class(build: &mut Build<'_>, input: &mut Input<'_>) -> Result<(), DecodeError> {
    let class = TrafficClass::from_index(usize::try_from(input.get::<u64>()?).unwrap_or(usize::MAX));
    let is_kept = build.open_class(class);
    if input.some()? {
        latency(build, input)?;
    }
    let left = build.left;
    let mut count = |field: Field| -> Result<u32, DecodeError> {
        let count = check_count(field.as_str(), input.get()?);
        Ok(left.keep(field, count).unwrap_or(0))
    };
    let counts = Counts {
        flows: count(Field::Flows)?,
        flagged: count(Field::Flagged)?,
        canary: count(Field::Canary)?,
        canary_flagged: count(Field::CanaryFlagged)?,
        released: count(Field::Released)?,
    };
    for _ in 0..input.get::<u64>()? {
        let name = input.text()?;
        let count = check_count("rules", input.get()?);
        if build.rule(name, 0) {
            build.set_rule_count(count);
        }
    }
    match class.filter(|_| is_kept) {
        Some(class) => build.close_class(class, counts),
        None => build.abandon_class(),
    }
    Ok(())
}

/// A latency in microseconds: what 32 bits do not hold is longer than a minute, and counts as one anyway.
#[inline]
fn us(input: &mut Input<'_>) -> Result<u32, DecodeError> {
    Ok(u32::try_from(input.get::<u64>()?).unwrap_or(u32::MAX))
}

fn latency(build: &mut Build<'_>, input: &mut Input<'_>) -> Result<(), DecodeError> {
    match input.get::<u32>()? {
        0 => {
            for _ in 0..input.get::<u64>()? {
                build.latency(us(input)?, 1);
            }
        }
        1 => {
            for _ in 0..input.get::<u64>()? {
                let us = us(input)?;
                if let Some(count) = build.left.keep(Field::Latency, check_count("latency", input.get()?)) {
                    build.latency(us, count);
                }
            }
        }
        2 => build.hdr(input.bytes()?),
        _ => return Err(DecodeError::WrongType),
    }
    Ok(())
}

/// Decodes a status.
pub(super) fn status((limits, left): (&Limits, &LeftOut), device: &str, payload: &[u8]) -> Result<Status, DecodeError> {
    let mut input = Input::new(payload);
    input.device(device)?;
    let status = Status {
        online: input.get()?,
        boot: input.get()?,
        at: wall(&mut input, left, Field::At)?.unwrap_or(0),
        model: name(&mut input, left, Field::Model)?,
        branch: name(&mut input, left, Field::Branch)?,
        customer: name(&mut input, left, Field::Customer)?,
        firmware: name(&mut input, left, Field::Firmware)?,
        update: name(&mut input, left, Field::Update)?,
        update_installed_at: wall(&mut input, left, Field::UpdateInstalledAt)?,
        packages: packages((limits, left), &mut input)?,
        workaround: workaround(&mut input, left)?,
    };
    input.end()?;
    Ok(status)
}

fn packages((limits, left): (&Limits, &LeftOut), input: &mut Input<'_>) -> Result<Vec<Package>, DecodeError> {
    let mut packages = build::Packages::new(left, limits);
    for _ in 0..input.get::<u64>()? {
        let (name, version) = (input.text()?, input.text()?);
        packages.add(name, full_name("version", version), wall(input, left, Field::Packages)?);
    }
    Ok(packages.finish())
}

fn workaround(input: &mut Input<'_>, left: &LeftOut) -> Result<Option<Workaround>, DecodeError> {
    if !input.some()? {
        return Ok(None);
    }
    Ok(Some(Workaround { id: name(input, left, Field::Workaround)?, active: input.get()? }))
}

fn wall(input: &mut Input<'_>, left: &LeftOut, field: Field) -> Result<Option<i64>, DecodeError> {
    Ok(if input.some()? { left.keep(field, check_wall(field.as_str(), input.get()?)) } else { None })
}

fn name(input: &mut Input<'_>, left: &LeftOut, field: Field) -> Result<Option<Label>, DecodeError> {
    Ok(if input.some()? { build::name(left, field, input.text()?) } else { None })
}
