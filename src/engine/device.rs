//! Who reports: device ids, traffic classes, and the bounded texts that describe a device.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A short text from outside (model, branch, version ...) in its [one form](super::label), of at most
/// [`MAX_CHARS`](super::label::MAX_CHARS) characters.
pub type Label = Arc<str>;

/// Longest device id in bytes.
pub const MAX_DEVICE_ID_BYTES: usize = 64;

/// Serial of a device = its certificate's CN = its MQTT client id: `[A-Za-z0-9_-]{1,64}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, Encode, Decode)]
#[serde(try_from = "String")]
pub struct DeviceId(Arc<str>);

/// The text is not a device id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a device id is 1 to 64 of A-Z a-z 0-9 _ -")]
pub struct DeviceIdError;

impl DeviceId {
    /// Checks and takes over `text`.
    ///
    /// # Errors
    /// When the text is empty, longer than 64 bytes, or holds another character than `A-Z a-z 0-9 _ -`.
    pub fn parse(text: &str) -> Result<Self, DeviceIdError> {
        if Self::is_valid(text) { Ok(Self(text.into())) } else { Err(DeviceIdError) }
    }

    /// Whether `text` is a device id; does not allocate.
    pub fn is_valid(text: &str) -> bool {
        (1..=MAX_DEVICE_ID_BYTES).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for DeviceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DeviceId {
    type Error = DeviceIdError;

    fn try_from(text: String) -> Result<Self, DeviceIdError> {
        Self::parse(&text)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Kind of traffic: the defect that fleetwatch was made for hit *particular* traffic, so quality is kept per class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum TrafficClass {
    Https,
    Http,
    Dns,
    Mail,
    Voip,
    Vpn,
    File,
    Other,
}

impl TrafficClass {
    /// How many classes there are.
    pub const COUNT: usize = 8;

    /// Every class, in the order of its number on the wire.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Https, Self::Http, Self::Dns, Self::Mail, Self::Voip, Self::Vpn, Self::File, Self::Other];

    /// The class' number, 0..8: its place in arrays and its byte on the wire.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The class with this number, if there is one.
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }

    /// The class' name, as in JSON and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Dns => "dns",
            Self::Mail => "mail",
            Self::Voip => "voip",
            Self::Vpn => "vpn",
            Self::File => "file",
            Self::Other => "other",
        }
    }

    /// The class of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

impl fmt::Display for TrafficClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A device's retained birth or will message, decoded and bounded. A field that the device left out is `None`.
///
/// Instants are the *device's* wall clock in ms since the epoch: a hint that has to be converted before use.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Status {
    pub online: bool,
    pub boot: u64,
    pub at: i64,
    pub model: Option<Label>,
    pub branch: Option<Label>,
    pub customer: Option<Label>,
    pub firmware: Option<Label>,
    pub update: Option<Label>,
    pub update_installed_at: Option<i64>,
    pub packages: Vec<Package>,
    pub workaround: Option<Workaround>,
}

impl Status {
    /// Adds what `before`, an earlier status, said and this one leaves out.
    pub fn complete(&mut self, before: &Self) {
        for (mine, theirs) in [
            (&mut self.model, &before.model),
            (&mut self.branch, &before.branch),
            (&mut self.customer, &before.customer),
            (&mut self.firmware, &before.firmware),
        ] {
            if mine.is_none() {
                mine.clone_from(theirs);
            }
        }
        // Times of installs are read by the clock of the boot and the status that say them.
        let is_same_boot = self.boot == before.boot;
        if self.update.is_none() {
            self.update.clone_from(&before.update);
            self.update_installed_at = before.update_installed_at.filter(|_| is_same_boot);
        }
        if self.packages.is_empty() {
            self.packages.clone_from(&before.packages);
            let forget = |package: &mut Package| package.installed_at = package.installed_at.filter(|_| is_same_boot);
            self.packages.iter_mut().for_each(forget);
        }
        if self.at == 0 && is_same_boot {
            self.at = before.at;
        }
        if self.workaround.is_none() {
            self.workaround.clone_from(&before.workaround);
        }
    }
}

/// Something updated apart from the nightly update (signatures, engine, url-list ...).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Package {
    pub name: Label,
    pub version: Label,
    pub installed_at: Option<i64>,
}

/// Whether the device runs with a workaround's settings.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Workaround {
    /// `None` when the device left it out or sent an empty one.
    pub id: Option<Label>,
    pub active: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_ids_are_checked_at_their_boundaries() {
        for good in ["B", "B-0042", "a_b-C9", &"x".repeat(64)] {
            assert!(DeviceId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", &"x".repeat(65), "a/b", "a+b", "a#", "a b", "é", "a\0"] {
            assert!(DeviceId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn class_names_and_numbers_are_each_others_inverse() {
        for (index, class) in TrafficClass::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), index);
            assert_eq!(TrafficClass::from_index(index), Some(class));
            assert_eq!(TrafficClass::from_name(class.as_str()), Some(class));
        }
        assert_eq!(TrafficClass::from_index(8), None);
        assert_eq!(TrafficClass::from_name("HTTPS"), None);
    }
}
