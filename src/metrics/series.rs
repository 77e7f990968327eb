//! Which series are shown, and what their labels say.

use crate::engine::effect::Scope;

/// Which devices have series of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DeviceSeries {
    /// Every device.
    #[default]
    Full,
    /// Devices that are degraded, have a streak or belong to an open event.
    Affected,
    /// None: fleet totals and events only.
    Off,
}

impl DeviceSeries {
    /// The setting of this name (`full`, `affected`, `off`), if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "full" => Some(Self::Full),
            "affected" => Some(Self::Affected),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// The value of the label `scope`.
pub(super) const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Fleet => "fleet",
        Scope::Isolated => "isolated",
    }
}
