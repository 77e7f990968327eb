//! What may be suspected: attributes of devices, and their kinds.

use std::sync::Arc;

use bincode::{Decode, Encode};

use crate::engine::device::Label;
use crate::engine::time::Minute;

/// An attribute of a device, and when it came to it, where that is known.
pub type Attribute = (AttributeKey, Option<Minute>);

/// The attributes of a device. Made when its status changes, shared by whoever needs them.
pub type Attributes = Arc<[Attribute]>;

/// Whether `key` is among the attributes.
pub fn has(attributes: &[Attribute], key: &AttributeKey) -> bool {
    attributes.iter().any(|(own, _)| own == key)
}

/// When `key` came to whoever has these attributes; `None` where it is not among them, or its age is not known.
pub fn install_of(attributes: &[Attribute], key: &AttributeKey) -> Option<Minute> {
    attributes.iter().find(|(own, _)| own == key).and_then(|(_, installed)| *installed)
}

/// Kind and value of an attribute. Kinds are ordered as below, so that a tie goes to what changes most often.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct AttributeKey {
    pub kind: Kind,
    pub value: Label,
}

/// Kinds of suspects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum Kind {
    Update,
    Package,
    UpdateModel,
    UpdateFirmware,
    Branch,
    Firmware,
    Model,
    Fleet,
}

impl Kind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 8] = [
        Self::Update,
        Self::Package,
        Self::UpdateModel,
        Self::UpdateFirmware,
        Self::Branch,
        Self::Firmware,
        Self::Model,
        Self::Fleet,
    ];

    /// The kind's name in the output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Package => "package",
            Self::UpdateModel => "update+model",
            Self::UpdateFirmware => "update+firmware",
            Self::Branch => "branch",
            Self::Firmware => "firmware",
            Self::Model => "model",
            Self::Fleet => "fleet",
        }
    }

    /// The kind of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether devices take it one after the other, so that some may still be waiting for it.
    pub const fn is_rolled_out(self) -> bool {
        matches!(self, Self::Update | Self::Package | Self::UpdateModel | Self::UpdateFirmware)
    }

    /// Share of past events that one expects of this kind. The nightly update changes every day, a model hardly ever.
    pub(super) fn prior(self) -> f64 {
        match self {
            Self::Update => 0.36,
            Self::Package => 0.14,
            Self::UpdateModel | Self::UpdateFirmware => 0.05,
            Self::Branch => 0.20,
            Self::Firmware | Self::Model => 0.08,
            Self::Fleet => 0.04,
        }
    }
}
