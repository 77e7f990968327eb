//! Who may do what on the embedded broker: device identities, topics, and the password file.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::pbkdf2;
use thiserror::Error;

/// PBKDF2 rounds above which a password file is refused: each connection costs that many hashes.
const MAX_ROUNDS: u32 = 1_000_000;

/// The topic scheme under one root, seen from a client.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    prefix: String,
}

impl Topics {
    /// Topics below `{root}/v1/`.
    pub(super) fn new(root: &str) -> Self {
        Self { prefix: format!("{root}/v1/") }
    }

    /// Whether `topic` is the report or status topic of some device.
    pub(super) fn is_device_topic(&self, topic: &str) -> bool {
        self.split(topic).is_some_and(|(_, kind)| matches!(kind, "report" | "status"))
    }

    /// A client publishes its own report and status and nothing else.
    pub(super) fn may_publish(&self, client: &str, topic: &str) -> bool {
        self.is_device_topic(topic) && self.owner(topic) == Some(client)
    }

    /// A client leaves a will on its own status and nowhere else.
    pub(super) fn may_will(&self, client: &str, topic: &str) -> bool {
        self.split(topic) == Some((client, "status"))
    }

    /// A client reads its own topics, the gates of updates and the control ring.
    pub(super) fn may_subscribe(&self, client: &str, filter: &str) -> bool {
        if self.rest(filter) == Some("updates/control-ring") {
            return true;
        }
        if let Some((owner, kind)) = self.split(filter) {
            return owner == client && matches!(kind, "report" | "status" | "+" | "#");
        }
        let Some(version) = self.rest(filter).and_then(|rest| rest.strip_prefix("updates/")) else { return false };
        let Some(version) = version.strip_suffix("/gate") else { return false };
        version == "+" || (!version.is_empty() && !version.contains(['/', '+', '#']))
    }

    fn rest<'a>(&self, topic: &'a str) -> Option<&'a str> {
        topic.strip_prefix(self.prefix.as_str())
    }

    fn owner<'a>(&self, topic: &'a str) -> Option<&'a str> {
        self.split(topic).map(|(owner, _)| owner)
    }

    /// `(device, kind)` of a topic of exactly two levels below the prefix.
    fn split<'a>(&self, topic: &'a str) -> Option<(&'a str, &'a str)> {
        let (owner, kind) = self.rest(topic)?.split_once('/')?;
        (!kind.contains('/')).then_some((owner, kind))
    }
}

/// User names and password hashes, in the format of `mosquitto_passwd` (PBKDF2 with SHA-512), so that one file serves
/// the embedded broker and Mosquitto alike. A device's user name is its id.
#[derive(Clone, Default)]
pub struct Users {
    hashes: HashMap<String, Hash>,
}

#[derive(Clone)]
struct Hash {
    rounds: NonZeroU32,
    salt: Vec<u8>,
    key: Vec<u8>,
}

/// Why a password file cannot be used.
#[derive(Debug, Error)]
pub enum UsersError {
    /// The file cannot be read.
    #[error("cannot read the password file {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    /// Everybody on the machine could read the hashes.
    #[error("the password file {path} can be read by every user of this machine: chmod 640 it")]
    Exposed { path: PathBuf },
    /// It is no text.
    #[error("the password file {path} {error}")]
    Text { path: PathBuf, error: crate::text::TextError },
    /// A line is not `name:$7$rounds$salt$hash`.
    #[error("line {line} of the password file is not of the form name:$7$rounds$salt$hash (made by mosquitto_passwd)")]
    Line { line: usize },
}

impl Users {
    /// Reads a password file.
    ///
    /// # Errors
    /// When the file cannot be read, is readable by every user of the machine, or has a line of another form.
    pub fn from_file(path: &Path) -> Result<Self, UsersError> {
        use std::os::unix::fs::MetadataExt as _;
        let read = |source| UsersError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(read)?.mode() & 0o007 != 0 {
            return Err(UsersError::Exposed { path: path.to_owned() });
        }
        let bytes = std::fs::read(path).map_err(read)?;
        Self::parse(crate::text::utf8(&bytes).map_err(|error| UsersError::Text { path: path.to_owned(), error })?)
    }

    /// Reads the text of a password file. Empty lines and lines that start with `#` are skipped.
    ///
    /// # Errors
    /// At the first line that is not of the form `name:$7$rounds$salt$hash`.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let mut hashes = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = parse_line(line).ok_or(UsersError::Line { line: index + 1 })?;
            hashes.insert(name.to_owned(), hash);
        }
        Ok(Self { hashes })
    }

    /// Whether no user is known.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether `password` is that of `name`. Takes as long for a wrong password as for the right one.
    pub(super) fn verify(&self, name: &str, password: &[u8]) -> bool {
        self.hashes.get(name).is_some_and(|hash| {
            pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA512, hash.rounds, &hash.salt, password, &hash.key).is_ok()
        })
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("count", &self.hashes.len()).finish()
    }
}

fn parse_line(line: &str) -> Option<(&str, Hash)> {
    let (name, hash) = line.split_once(':')?;
    let mut parts = hash.strip_prefix("$7$")?.split('$');
    let (rounds, salt, key) = (parts.next()?, parts.next()?, parts.next()?);
    let rounds = rounds.parse().ok().filter(|rounds| *rounds <= MAX_ROUNDS).and_then(NonZeroU32::new)?;
    let hash = Hash { rounds, salt: STANDARD.decode(salt).ok()?, key: STANDARD.decode(key).ok()? };
    (!name.is_empty() && parts.next().is_none() && hash.key.len() >= 32).then_some((name, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_publishes_only_its_own_report_and_status() {
        let topics = Topics::new("utm");
        for good in ["utm/v1/B-1/report", "utm/v1/B-1/status"] {
            assert!(topics.may_publish("B-1", good), "{good}");
        }
        for bad in [
            "utm/v1/B-2/report",
            "utm/v1/B-1/report/x",
            "utm/v1/B-1",
            "utm/v1/B-1/",
            "utm/v1/B-1/gate",
            "utm/v1/updates/2026.11.21/gate",
            "utm/v1/updates/control-ring",
            "other/v1/B-1/report",
            "utm/v1//report",
            "utm/v1/+/report",
            "$SYS/x",
            "",
        ] {
            assert!(!topics.may_publish("B-1", bad), "{bad}");
        }
        assert!(topics.may_will("B-1", "utm/v1/B-1/status"));
        assert!(!topics.may_will("B-1", "utm/v1/B-1/report"));
        assert!(!topics.may_will("B-1", "utm/v1/B-2/status"));
    }

    #[test]
    fn a_client_subscribes_to_its_own_topics_and_to_gates() {
        let topics = Topics::new("utm");
        for good in [
            "utm/v1/B-1/#",
            "utm/v1/B-1/status",
            "utm/v1/updates/+/gate",
            "utm/v1/updates/2026.11.21/gate",
            "utm/v1/updates/control-ring",
        ] {
            assert!(topics.may_subscribe("B-1", good), "{good}");
        }
        for bad in [
            "#",
            "utm/#",
            "utm/v1/+/report",
            "utm/v1/B-2/#",
            "utm/v1/updates/#",
            "utm/v1/updates/+/+",
            "utm/v1/updates//gate",
            "utm/v1/updates/#/gate",
            "$SYS/#",
            "$share/x/utm/v1/B-1/report",
        ] {
            assert!(!topics.may_subscribe("B-1", bad), "{bad}");
        }
    }

    // Made with `mosquitto_passwd -c -b file B-0001 correct`, mosquitto 2.0.11.
    const FILE: &str = "# devices\nB-0001:$7$101$yZWNEj7fqYezdgzc$Tejp2HCOuBEbj4cnUWr0NfAgYGtPvgEBs24Zk3Ky14K2fflBILycNkqRrtEGsSAcxFv6+w4tgrO5x0eousofmA==\n";

    #[test]
    fn a_file_of_mosquitto_passwd_is_understood() {
        let users = Users::parse(FILE).unwrap();
        assert!(users.verify("B-0001", b"correct"));
        assert!(!users.verify("B-0001", b"wrong"));
        assert!(!users.verify("B-0002", b"correct"));
    }

    #[test]
    fn other_lines_are_refused_with_their_number() {
        for bad in ["B-1:plain", "B-1:$6$salt$hash", "B-1:$7$0$AAAA$AAAA", "B-1:$7$101$AAAA$AAAA", ":$7$101$A$A", "B-1"]
        {
            let text = format!("\n# c\n{bad}\n");
            assert!(matches!(Users::parse(&text), Err(UsersError::Line { line: 3 })), "{bad}");
        }
    }
}
