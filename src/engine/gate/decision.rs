//! What is decided about a version, and which versions, names and reasons there can be.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::engine::label;
use crate::engine::time::Timestamp;

/// Who decides what no person has.
pub const DETECTOR: &str = "detector";

/// Most versions with a in_force decision. A nightly update that is blamed each night fills it in three years.
pub const MAX_VERSIONS: usize = 1_000;

/// Longest name of a person and longest reason, in characters.
pub const MAX_NAME: usize = label::MAX_CHARS;
/// See [`MAX_NAME`].
pub const MAX_REASON: usize = 500;

/// May the updater go on with a version?
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// Install it on no further device.
    Hold,
    /// Go on.
    Release,
}

impl Gate {
    /// The word in messages, in the record and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Release => "release",
        }
    }
}

/// What was decided about one version: the unit that is recorded, published and restored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    pub version: String,
    pub gate: Gate,
    /// What held before; `None` when nothing had been decided.
    pub before: Option<Gate>,
    /// [`DETECTOR`], or a person's name.
    pub by: String,
    pub reason: String,
    /// Number of the incident, if the event behind it has one.
    pub incident: Option<String>,
    /// The event behind it; `None` for a person's decision about a version that no event had named.
    pub event: Option<String>,
    /// Affected devices, as last counted when it was decided.
    pub affected: u32,
    pub at: Timestamp,
}

impl Decision {
    /// Whether a person decided: then the detector does not.
    pub fn is_by_person(&self) -> bool {
        self.by != DETECTOR
    }
}

/// Why a version cannot have a gate. The topic's level is the version itself: an escaped one would be a topic that no
/// updater looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum VersionError {
    #[error("a version cannot be empty")]
    Empty,
    #[error("a version cannot be longer than 128 characters")]
    Long,
    #[error("a version with '/', '+', '#', '$' or a control character cannot be a level of an MQTT topic")]
    NoTopicLevel,
}

/// Why a person's decision was not taken.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DecideError {
    #[error(transparent)]
    Version(#[from] VersionError),
    #[error("say who decides: a name of 1 to 128 characters, other than \"detector\"")]
    Name,
    #[error("say why: a reason of 1 to 500 characters")]
    Reason,
    #[error("there are decisions about 1,000 versions already")]
    Full,
}

/// Checks that `version` can be a level of an MQTT topic.
///
/// # Errors
/// Why it cannot.
pub fn check_version(version: &str) -> Result<(), VersionError> {
    if version.is_empty() {
        return Err(VersionError::Empty);
    }
    if version.chars().nth(label::MAX_CHARS).is_some() {
        return Err(VersionError::Long);
    }
    if version.contains(['/', '+', '#', '$']) || version.contains(char::is_control) {
        return Err(VersionError::NoTopicLevel);
    }
    Ok(())
}
