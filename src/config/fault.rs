//! One broken rule of the configuration, and how it is shown to whoever has to mend it.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value was set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In this file, at this line (from 1) where it is known.
    File(PathBuf, Option<usize>),
    /// In this environment variable.
    Env(String),
    /// In this option of the command line.
    Option(String),
    /// Nowhere: the default is what breaks the rule, together with something that was set.
    Default,
}

impl Place {
    /// A place in `path`, without a line.
    pub fn file(path: &Path) -> Self {
        Self::File(path.to_path_buf(), None)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::Option(option) => f.write_str(option),
            Self::Default => write!(f, "default"),
        }
    }
}

/// A fault of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Where it stands.
    pub place: Place,
    /// Path of the key, such as `detector.hold_min`; empty when the fault is the whole file's.
    pub key: String,
    /// The value as set, shortened. `None` where there is none or where it might be a secret.
    pub value: Option<String>,
    /// What is required, or what is wrong: completes the sentence "`key` ...".
    pub rule: String,
    /// What was probably meant.
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match (&self.key, &self.value) {
            (key, _) if key.is_empty() => {}
            (key, Some(value)) => write!(f, "{key} = {value}: ")?,
            (key, None) => write!(f, "{key}: ")?,
        }
        f.write_str(&self.rule)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Longest value that a fault repeats, in characters.
const MAX_SHOWN: usize = 60;

/// A value as it is repeated in a fault: one line, without control characters, shortened.
pub fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(MAX_SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().count() > MAX_SHOWN {
        out.push_str("...");
    }
    out
}
