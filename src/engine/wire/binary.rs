//! The binary form: bincode 2, standard configuration, after a version byte. `fixtures/wire/README.md` has the layout.
//!
//! Read with bincode's own primitives, field by field, into the reused report: no length that a message claims is ever
//! used to reserve memory, so a lying one runs into the end of the payload.

use bincode::BorrowDecode;
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::de::read::{Reader, SliceReader};
use bincode::de::{BorrowDecoder as _, Decode, DecoderImpl};
use bincode::error::DecodeError as BincodeError;

use super::build::{Build, Counts, check_uptime, check_wall, label, optional_label};
use super::error::DecodeError;
use super::limits::{Limits, MAX_PAYLOAD_BYTES};
use crate::engine::device::{Package, Status, TrafficClass, Workaround};

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
            BincodeError::Utf8 { .. } => Self::BadText("utf-8"),
            BincodeError::InvalidBooleanValue(_) | BincodeError::UnexpectedVariant { .. } => Self::WrongType,
            _ => Self::Malformed,
        }
    }
}

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

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        Ok(<&str>::borrow_decode(&mut self.0)?)
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
        if self.text()? == expected { Ok(()) } else { Err(DecodeError::DeviceMismatch) }
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
    build.report.start = check_wall("start", input.get()?)?;
    build.report.period_ms = input.get()?;
    for _ in 0..input.get::<u64>()? {
        class(&mut build, &mut input)?;
    }
    input.end()?;
    build.finish()
}

fn class(build: &mut Build<'_>, input: &mut Input<'_>) -> Result<(), DecodeError> {
    let class = TrafficClass::from_index(input.get::<u32>()? as usize).ok_or(DecodeError::UnknownClass)?;
    build.open_class(class)?;
    if input.some()? {
        latency(build, input)?;
    }
    let counts = Counts {
        flows: input.get()?,
        flagged: input.get()?,
        canary: input.get()?,
        canary_flagged: input.get()?,
        released: input.get()?,
    };
    for _ in 0..input.get::<u64>()? {
        let name = input.text()?;
        let count = input.get()?;
        build.rule(name, count)?;
    }
    build.close_class(class, counts)
}

fn latency(build: &mut Build<'_>, input: &mut Input<'_>) -> Result<(), DecodeError> {
    match input.get::<u32>()? {
        0 => {
            for _ in 0..input.get::<u64>()? {
                build.latency(input.get()?, 1)?;
            }
        }
        1 => {
            for _ in 0..input.get::<u64>()? {
                let us = input.get()?;
                build.latency(us, input.get()?)?;
            }
        }
        2 => build.hdr(input.bytes()?)?,
        _ => return Err(DecodeError::WrongType),
    }
    Ok(())
}

/// Decodes a status.
pub(super) fn status(limits: &Limits, device: &str, payload: &[u8]) -> Result<Status, DecodeError> {
    let mut input = Input::new(payload);
    input.device(device)?;
    let status = Status {
        online: input.get()?,
        boot: input.get()?,
        at: wall(&mut input, "at")?.unwrap_or(0),
        model: text(&mut input, "model")?,
        branch: text(&mut input, "branch")?,
        customer: text(&mut input, "customer")?,
        firmware: text(&mut input, "firmware")?,
        update: text(&mut input, "update")?,
        update_installed_at: wall(&mut input, "update_installed_at")?,
        packages: packages(limits, &mut input)?,
        workaround: workaround(&mut input)?,
    };
    input.end()?;
    Ok(status)
}

fn packages(limits: &Limits, input: &mut Input<'_>) -> Result<Vec<Package>, DecodeError> {
    let mut packages: Vec<Package> = Vec::new();
    for _ in 0..input.get::<u64>()? {
        if packages.len() >= limits.max_packages {
            return Err(DecodeError::TooMany("packages"));
        }
        let name = label("packages", input.text()?)?;
        if packages.iter().any(|package| package.name == name) {
            return Err(DecodeError::DuplicateName);
        }
        let version = label("version", input.text()?)?;
        packages.push(Package { name, version, installed_at: wall(input, "installed_at")? });
    }
    Ok(packages)
}

fn workaround(input: &mut Input<'_>) -> Result<Option<Workaround>, DecodeError> {
    if !input.some()? {
        return Ok(None);
    }
    Ok(Some(Workaround { id: text(input, "workaround id")?, active: input.get()? }))
}

fn wall(input: &mut Input<'_>, field: &'static str) -> Result<Option<i64>, DecodeError> {
    if input.some()? { check_wall(field, input.get()?).map(Some) } else { Ok(None) }
}

fn text(input: &mut Input<'_>, field: &'static str) -> Result<Option<crate::engine::device::Label>, DecodeError> {
    if input.some()? { optional_label(field, input.text()?) } else { Ok(None) }
}
