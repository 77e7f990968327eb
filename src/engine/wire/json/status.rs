//! A status in JSON.

use serde::Deserialize;
use serde::de::{DeserializeSeed, MapAccess};

use super::report::{again, identity, same_device, skip, version};
use super::value::{AnyNumber, Fields, Flag, Key, Object, Text};
use super::{Guard, Seen};
use crate::engine::device::{Label, Package, Status, Workaround};
use crate::engine::wire::build::{self, full_name};
use crate::engine::wire::error::DecodeError;
use crate::engine::wire::left_out::{Field, LeftOut};
use crate::engine::wire::limits::Limits;

/// Decodes a status.
pub(crate) fn status((limits, left): (&Limits, &LeftOut), device: &str, payload: &[u8]) -> Result<Status, DecodeError> {
    let guard = Guard::new(left);
    let text = super::text(payload)?;
    let mut json = serde_json::Deserializer::from_str(&text);
    let message = Object(Message { guard: &guard, limits, device });
    let status = message.deserialize(&mut json).map_err(|error| guard.reason(&error))?.required()?;
    json.end().map_err(|_| DecodeError::TrailingBytes)?;
    Ok(status)
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum MessageKey {
    V,
    Device,
    Online,
    Boot,
    At,
    Model,
    Branch,
    Customer,
    Firmware,
    Update,
    UpdateInstalledAt,
    Packages,
    Workaround,
    #[serde(other)]
    Unknown,
}

/// Names of the fields without which there is no status, by the number of their key.
const REQUIRED: [&str; 4] = ["v", "device", "online", "boot"];

/// The fields after them.
const FIELDS: [Field; 9] = [
    Field::At,
    Field::Model,
    Field::Branch,
    Field::Customer,
    Field::Firmware,
    Field::Update,
    Field::UpdateInstalledAt,
    Field::Packages,
    Field::Workaround,
];

/// The whole message.
struct Message<'g> {
    guard: &'g Guard<'g>,
    limits: &'g Limits,
    device: &'g str,
}

impl<'de> Fields<'de> for Message<'_> {
    type Value = Status;

    fn fields<A: MapAccess<'de>>(self, mut map: A) -> Result<Status, A::Error> {
        let guard = self.guard;
        let mut status = Status::default();
        let mut seen = Seen::default();
        while let Some(key) = map.next_key::<MessageKey>()? {
            let bit = key as u16;
            if let Some(name) = REQUIRED.get(usize::from(bit)) {
                guard.keep(seen.once(bit, name))?;
                match bit {
                    0 => version(guard, &mut map)?,
                    1 => same_device(guard, self.device, &mut map)?,
                    2 => {
                        let online = map.next_value_seed(Flag)?;
                        status.online = guard.keep(online.required())?;
                    }
                    _ => status.boot = identity(guard, "boot", &mut map)?,
                }
                continue;
            }
            match FIELDS.get(usize::from(bit) - REQUIRED.len()) {
                Some(&field) if seen.is_new(bit) => self.field(field, &mut status, &mut map)?,
                Some(&field) => again(guard, field, &mut map)?,
                None => skip(&mut map)?,
            }
        }
        match (0..).zip(REQUIRED).find(|&(bit, _)| !seen.has(bit)) {
            Some((_, name)) => Err(guard.refuse(DecodeError::MissingField(name))),
            None => Ok(status),
        }
    }
}

impl Message<'_> {
    /// Reads one of [`FIELDS`] into `status`.
    fn field<'de, A: MapAccess<'de>>(&self, field: Field, status: &mut Status, map: &mut A) -> Result<(), A::Error> {
        let guard = self.guard;
        match field {
            Field::At => status.at = wall(guard, field, map)?.unwrap_or(0),
            Field::Model => status.model = name(guard, field, map)?,
            Field::Branch => status.branch = name(guard, field, map)?,
            Field::Customer => status.customer = name(guard, field, map)?,
            Field::Firmware => status.firmware = name(guard, field, map)?,
            Field::Update => status.update = name(guard, field, map)?,
            Field::UpdateInstalledAt => status.update_installed_at = wall(guard, field, map)?,
            Field::Packages => {
                let packages = build::Packages::new(guard.left, self.limits);
                let held = map.next_value_seed(Object(Packages { guard, packages }))?;
                status.packages = guard.or_left_out(field, held.or_null()).flatten().unwrap_or_default();
            }
            _ => {
                let held = map.next_value_seed(Object(WorkaroundFields { guard }))?;
                let workaround = held.or_null().and_then(Option::transpose);
                status.workaround = guard.or_left_out(field, workaround).flatten();
            }
        }
        Ok(())
    }
}

/// A text that may be absent, null or empty.
fn name<'de, A: MapAccess<'de>>(guard: &Guard<'_>, field: Field, map: &mut A) -> Result<Option<Label>, A::Error> {
    let held = map.next_value_seed(Text(|text: &str| build::name(guard.left, field, text)))?;
    Ok(guard.or_left_out(field, held.or_null()).flatten().flatten())
}

/// An instant that may be absent or null.
fn wall<'de, A: MapAccess<'de>>(guard: &Guard<'_>, field: Field, map: &mut A) -> Result<Option<i64>, A::Error> {
    let held = map.next_value_seed(AnyNumber)?.or_null();
    let ms = held.and_then(|number| number.map(|number| number.wall(field.as_str())).transpose());
    Ok(guard.or_left_out(field, ms).flatten())
}

/// The object of packages.
struct Packages<'g> {
    guard: &'g Guard<'g>,
    packages: build::Packages<'g>,
}

impl<'de> Fields<'de> for Packages<'_> {
    type Value = Vec<Package>;

    fn fields<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Package>, A::Error> {
        let Self { guard, mut packages } = self;
        while let Some(name) = map.next_key_seed(Key(str::to_owned))? {
            let held = map.next_value_seed(Object(PackageFields { guard }))?;
            let (version, installed_at) = held.required().unwrap_or_else(|why| (Err(why), None));
            packages.add(&name, version, installed_at);
        }
        Ok(packages.finish())
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum PackageKey {
    Version,
    InstalledAt,
    #[serde(other)]
    Unknown,
}

/// One package: its version, and when it was installed.
struct PackageFields<'g> {
    guard: &'g Guard<'g>,
}

impl<'de> Fields<'de> for PackageFields<'_> {
    type Value = (Result<Label, DecodeError>, Option<i64>);

    fn fields<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let guard = self.guard;
        let mut version = Err(DecodeError::MissingField("version"));
        let mut installed_at = None;
        let mut seen = Seen::default();
        while let Some(key) = map.next_key::<PackageKey>()? {
            let bit = key as u16;
            match bit {
                0 if seen.is_new(bit) => {
                    let held = map.next_value_seed(Text(|text: &str| full_name("version", text)))?;
                    version = held.required().and_then(|version| version);
                }
                1 if seen.is_new(bit) => installed_at = wall(guard, Field::Packages, &mut map)?,
                0 | 1 => again(guard, Field::Packages, &mut map)?,
                _ => skip(&mut map)?,
            }
        }
        Ok((version, installed_at))
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum WorkaroundKey {
    Id,
    Active,
    #[serde(other)]
    Unknown,
}

/// The state of the workaround, of which `active` has to be there.
struct WorkaroundFields<'g> {
    guard: &'g Guard<'g>,
}

impl<'de> Fields<'de> for WorkaroundFields<'_> {
    type Value = Result<Workaround, DecodeError>;

    fn fields<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let guard = self.guard;
        let (mut id, mut active) = (None, Err(DecodeError::MissingField("active")));
        let mut seen = Seen::default();
        while let Some(key) = map.next_key::<WorkaroundKey>()? {
            let bit = key as u16;
            match bit {
                0 if seen.is_new(bit) => id = name(guard, Field::Workaround, &mut map)?,
                1 if seen.is_new(bit) => active = map.next_value_seed(Flag)?.required(),
                0 | 1 => again(guard, Field::Workaround, &mut map)?,
                _ => skip(&mut map)?,
            }
        }
        Ok(active.map(|active| Workaround { id, active }))
    }
}
