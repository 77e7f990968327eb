//! The file with a user name and a password: the name on the first line, the password on the second.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Longest user name or password in bytes.
const MAX_BYTES: usize = 1_024;

/// A user name and a password. Prints the name only.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password; never logged.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A password alone. Prints nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Reads the file at `path`: one line of UTF-8. The line end may be LF or CRLF; empty lines at the end are ignored.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold exactly one line. The text of the error never repeats it.
    pub fn read(path: &Path) -> Result<Self, CredentialsError> {
        let text = std::fs::read_to_string(path).map_err(|error| CredentialsError::Read(path.into(), error))?;
        let line = text.trim_end_matches(['\r', '\n']);
        if line.is_empty() || line.len() > MAX_BYTES || line.contains(['\r', '\n', '\0']) {
            return Err(CredentialsError::Line(path.into()));
        }
        Ok(Self(line.into()))
    }

    /// The password; never to be logged.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// Why a credentials file could not be used.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// The system refused.
    #[error("cannot read credentials from {0}")]
    Read(PathBuf, #[source] std::io::Error),
    /// Not two lines of text.
    #[error("{0} must hold two lines of UTF-8: the user name, then the password (at most 1024 bytes each)")]
    Form(PathBuf),
    /// Not one line of text.
    #[error("{0} must hold one line of UTF-8: the password (at most 1024 bytes)")]
    Line(PathBuf),
}

impl Credentials {
    /// Reads the file at `path`. Line ends may be LF or CRLF; empty lines at the end are ignored.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold exactly two lines. The text of the error never repeats them.
    pub fn read(path: &Path) -> Result<Self, CredentialsError> {
        let text = std::fs::read_to_string(path).map_err(|error| CredentialsError::Read(path.into(), error))?;
        let mut lines = text.trim_end_matches(['\r', '\n']).lines();
        match (lines.next(), lines.next(), lines.next()) {
            (Some(username), Some(password), None)
                if !username.is_empty() && username.len() <= MAX_BYTES && password.len() <= MAX_BYTES =>
            {
                Ok(Self { username: username.into(), password: password.into() })
            }
            _ => Err(CredentialsError::Form(path.into())),
        }
    }
}
