//! Files with secrets: a user name and a password, or a password alone.

use std::fmt;
use std::path::Path;

use crate::text::{SecretError, secret_lines};

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
    /// Reads the file at `path`: one line.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold exactly one line. The text of the error never repeats it.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        secret_lines(path, "one line of UTF-8: the password").map(|[line]| Self(line))
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

impl Credentials {
    /// Reads the file at `path`: the name on the first line, the password on the second.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold exactly two lines. The text of the error never repeats them.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let lines = secret_lines(path, "two lines of UTF-8: the user name, then the password");
        lines.map(|[username, password]| Self { username, password })
    }
}
