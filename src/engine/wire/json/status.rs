//! A status in JSON.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::report::{same_device, version};
use super::value::{Flag, Nullable, Skip, Text, Unsigned, Wall};
use super::{Guard, Seen};
use crate::engine::device::{Label, Package, Status, Workaround};
use crate::engine::wire::build::{label, optional_label};
use crate::engine::wire::error::DecodeError;
use crate::engine::wire::limits::Limits;

/// Decodes a status.
pub(crate) fn status(limits: &Limits, device: &str, payload: &[u8]) -> Result<Status, DecodeError> {
    let guard = Guard::new(limits);
    let mut json = serde_json::Deserializer::from_str(super::text(payload)?);
    let message = Message { guard: &guard, limits, device };
    let status = message.deserialize(&mut json).map_err(|error| guard.reason(&error))?;
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

/// Names of the fields by the number of their key; the first four are required.
const FIELDS: [&str; 13] = [
    "v",
    "device",
    "online",
    "boot",
    "at",
    "model",
    "branch",
    "customer",
    "firmware",
    "update",
    "update_installed_at",
    "packages",
    "workaround",
];
const REQUIRED: usize = 4;

/// The whole message.
struct Message<'g> {
    guard: &'g Guard,
    limits: &'g Limits,
    device: &'g str,
}

impl<'de> DeserializeSeed<'de> for Message<'_> {
    type Value = Status;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Status, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Message<'_> {
    type Value = Status;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Status, A::Error> {
        let guard = self.guard;
        let mut status = Status::default();
        let mut seen = Seen::default();
        while let Some(key) = map.next_key::<MessageKey>()? {
            let bit = key as u16;
            let field = FIELDS.get(usize::from(bit)).copied().unwrap_or_default();
            if !field.is_empty() {
                guard.keep(seen.once(bit, field))?;
            }
            let wall = Nullable(Wall { guard, field });
            match bit {
                0 => version(guard, map.next_value_seed(Unsigned::u64(guard, field))?)?,
                1 => same_device(guard, self.device, &mut map)?,
                2 => status.online = map.next_value_seed(Flag)?,
                3 => status.boot = map.next_value_seed(Unsigned::u64(guard, field))?,
                4 => status.at = map.next_value_seed(wall)?.unwrap_or(0),
                5 => status.model = text(guard, field, &mut map)?,
                6 => status.branch = text(guard, field, &mut map)?,
                7 => status.customer = text(guard, field, &mut map)?,
                8 => status.firmware = text(guard, field, &mut map)?,
                9 => status.update = text(guard, field, &mut map)?,
                10 => status.update_installed_at = map.next_value_seed(wall)?,
                11 => {
                    let packages = Packages { guard, most: self.limits.max_packages };
                    status.packages = map.next_value_seed(Nullable(packages))?.unwrap_or_default();
                }
                12 => status.workaround = map.next_value_seed(Nullable(WorkaroundSeed { guard }))?,
                _ => map.next_value_seed(Skip::new(guard))?,
            }
        }
        match (0..).zip(&FIELDS[..REQUIRED]).find(|&(bit, _)| !seen.has(bit)) {
            Some((_, name)) => Err(guard.refuse(DecodeError::MissingField(name))),
            None => Ok(status),
        }
    }
}

/// A text that may be left out, null or empty.
fn text<'de, A: MapAccess<'de>>(guard: &Guard, field: &'static str, map: &mut A) -> Result<Option<Label>, A::Error> {
    let take = |text: &str| optional_label(field, text);
    Ok(map.next_value_seed(Nullable(Text { guard, take }))?.flatten())
}

/// The object of packages.
struct Packages<'g> {
    guard: &'g Guard,
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Packages<'_> {
    type Value = Vec<Package>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Package>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Packages<'_> {
    type Value = Vec<Package>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of packages")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Package>, A::Error> {
        let guard = self.guard;
        let mut packages: Vec<Package> = Vec::new();
        while let Some(name) = map.next_key_seed(Text { guard, take: |text: &str| label("packages", text) })? {
            if packages.len() >= self.most {
                return Err(guard.refuse(DecodeError::TooMany("packages")));
            }
            if packages.iter().any(|package| package.name == name) {
                return Err(guard.refuse(DecodeError::DuplicateName));
            }
            let (version, installed_at) = map.next_value_seed(PackageSeed { guard })?;
            packages.push(Package { name, version, installed_at });
        }
        Ok(packages)
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
struct PackageSeed<'g> {
    guard: &'g Guard,
}

impl<'de> DeserializeSeed<'de> for PackageSeed<'_> {
    type Value = (Label, Option<i64>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PackageSeed<'_> {
    type Value = (Label, Option<i64>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a package")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let guard = self.guard;
        let (mut version, mut installed_at) = (None, None);
        let mut seen = Seen::default();
        while let Some(key) = map.next_key::<PackageKey>()? {
            match key {
                PackageKey::Version => {
                    guard.keep(seen.once(0, "version"))?;
                    version = Some(map.next_value_seed(Text { guard, take: |text: &str| label("version", text) })?);
                }
                PackageKey::InstalledAt => {
                    guard.keep(seen.once(1, "installed_at"))?;
                    installed_at = map.next_value_seed(Nullable(Wall { guard, field: "installed_at" }))?;
                }
                PackageKey::Unknown => map.next_value_seed(Skip::new(guard))?,
            }
        }
        match version {
            Some(version) => Ok((version, installed_at)),
            None => Err(guard.refuse(DecodeError::MissingField("version"))),
        }
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

/// The state of the workaround.
struct WorkaroundSeed<'g> {
    guard: &'g Guard,
}

impl<'de> DeserializeSeed<'de> for WorkaroundSeed<'_> {
    type Value = Workaround;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Workaround, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for WorkaroundSeed<'_> {
    type Value = Workaround;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a workaround")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Workaround, A::Error> {
        let guard = self.guard;
        let (mut id, mut active) = (None, None);
        let mut seen = Seen::default();
        while let Some(key) = map.next_key::<WorkaroundKey>()? {
            match key {
                WorkaroundKey::Id => {
                    guard.keep(seen.once(0, "workaround id"))?;
                    id = text(guard, "workaround id", &mut map)?;
                }
                WorkaroundKey::Active => {
                    guard.keep(seen.once(1, "active"))?;
                    active = Some(map.next_value_seed(Flag)?);
                }
                WorkaroundKey::Unknown => map.next_value_seed(Skip::new(guard))?,
            }
        }
        match active {
            Some(active) => Ok(Workaround { id, active }),
            None => Err(guard.refuse(DecodeError::MissingField("active"))),
        }
    }
}
