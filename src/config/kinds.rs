//! What a key takes: kinds of value with their ranges, checked before anything is made of them.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Path with dots: `broker.external.host`.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
}

/// Kind of value, with its range.
#[derive(Debug)]
pub enum Kind {
    /// Integer in an inclusive range.
    Whole(u64, u64),
    /// Integer, possibly negative, in an inclusive range.
    Signed(i64, i64),
    /// Finite number above the first and at most the second.
    Above(f64, f64),
    /// `true` or `false`.
    Flag,
    /// Text of 1 to this many characters, without control characters.
    Text(usize),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `address:port`.
    Address,
    /// Path of a file that has to exist and be readable.
    ExistingFile,
    /// Like [`Kind::ExistingFile`]; holds a secret, so others must not be able to read it.
    SecretFile,
    /// Path of what fleetwatch makes itself.
    Path,
    /// Address of a database of PostgreSQL, without its password.
    DatabaseUrl,
    /// IANA time zone. `UTC` and `Asia/Tokyo` do not need the machine's time zone data.
    Zone,
    /// Log level with optional `target=level` pairs.
    Levels,
    /// Levels of a topic without wildcards.
    Topic,
    /// List of minutes, ascending, each at least 1.
    Marks,
    /// Address of the web: `https://` or `http://`, without user name and password.
    WebAddress,
    /// Bare mail address.
    MailAddress,
    /// Mail address, which may have a name before it.
    Mailbox,
    /// List of 1 to so many, each of this kind.
    List(usize, &'static Kind),
    /// List of tables.
    Tables(&'static Table),
    /// List of networks or addresses: `10.0.0.0/8`, `::1`. None of them is everywhere.
    Networks,
    /// List of texts.
    Words,
    /// Name of an HTTP header.
    Header,
}

/// The keys of one table.
#[derive(Debug)]
pub struct Table {
    /// By their names alone.
    pub keys: &'static [Key],
    /// Those that cannot be left out.
    pub required: &'static [&'static str],
}

/// Most texts or networks in a list, and the longest of them in characters.
const MAX_ITEMS: usize = 64;
const MAX_ITEM: usize = 256;

/// Most marks in a list of minutes.
const MAX_MARKS: usize = 16;

/// Words for a log level.
const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

impl Kind {
    /// The rule in words: completes "must be ...".
    pub fn rule(&self) -> String {
        match self {
            Self::Whole(min, max) => format!("must be a whole number from {min} to {max}"),
            Self::Signed(min, max) => format!("must be a whole number from {min} to {max}"),
            Self::Above(min, max) => format!("must be a number above {min} and at most {max}"),
            Self::Flag => "must be true or false".into(),
            Self::Text(max) => format!("must be a text of 1 to {max} characters without control characters"),
            Self::Choice(words) => format!("must be one of {}", words.join(", ")),
            Self::Address => "must be address:port with a numeric address, such as 127.0.0.1:8080".into(),
            Self::ExistingFile => "must be the path of a file that can be read".into(),
            Self::SecretFile => "must be the path of a file that can be read, and that others may not read".into(),
            Self::Path => "must be a path".into(),
            Self::DatabaseUrl => format!("must be the address of a database, such as {}", super::database::FORM),
            Self::Zone => "must be an IANA time zone known to this machine, such as Asia/Tokyo".into(),
            Self::Levels => format!("must be a level ({}), then optional ,target=level pairs", LEVELS.join(", ")),
            Self::Topic => "must be 1 to 64 of A-Z a-z 0-9 _ -".into(),
            Self::Networks => format!(
                "must be a list of at most {MAX_ITEMS} networks or addresses, such as [\"10.0.0.0/8\", \"::1\"], none of them /0"
            ),
            Self::Words => format!("must be a list of at most {MAX_ITEMS} texts of 1 to {MAX_ITEM} characters"),
            Self::Header => "must be the name of an HTTP header, such as x-remote-user".into(),
            Self::Marks => format!("must be a list of at most {MAX_MARKS} ascending minutes from 1 to 1440"),
            Self::WebAddress => {
                "must be an address that begins with https:// or http://, without user name and password".into()
            }
            Self::MailAddress => "must be a mail address, such as noc@example.jp".into(),
            Self::Mailbox => "must be a mail address, such as noc@example.jp or NOC <noc@example.jp>".into(),
            Self::List(max, kind) => format!("must be a list of 1 to {max}, each of which {}", kind.rule()),
            Self::Tables(_) => {
                "must be tables, which only the file can hold: write [[section.name]] before each".into()
            }
        }
    }

    /// Checks `value`.
    ///
    /// # Errors
    /// The broken rule in words: [`Kind::rule`], or what the system said about a file.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let text = value.as_str();
        let good = match self {
            Self::Whole(min, max) => value.as_u64().is_some_and(|n| (*min..=*max).contains(&n)),
            Self::Signed(min, max) => value.as_i64().is_some_and(|n| (*min..=*max).contains(&n)),
            Self::Above(min, max) => value.as_f64().is_some_and(|n| n > *min && n <= *max),
            Self::Flag => value.is_boolean(),
            Self::Text(max) => {
                text.is_some_and(|t| !t.is_empty() && t.chars().count() <= *max && !t.chars().any(char::is_control))
            }
            Self::Choice(words) => text.is_some_and(|t| words.contains(&t)),
            Self::Address => text.is_some_and(|t| t.parse::<SocketAddr>().is_ok()),
            Self::ExistingFile => return text.ok_or_else(|| self.rule()).and_then(readable),
            Self::SecretFile => return text.ok_or_else(|| self.rule()).and_then(private),
            Self::DatabaseUrl => return text.ok_or_else(|| self.rule()).and_then(super::database::check),
            Self::Path => text.is_some_and(|t| !t.is_empty() && !t.contains('\0')),
            Self::Zone => text.is_some_and(|t| matches!(t, "UTC" | "Asia/Tokyo") || jiff::tz::TimeZone::get(t).is_ok()),
            Self::Levels => text.is_some_and(are_levels),
            Self::Topic => text.is_some_and(crate::engine::device::DeviceId::is_valid),
            Self::Marks => value.as_array().is_some_and(|marks| are_marks(marks)),
            Self::WebAddress => text.is_some_and(is_web_address),
            Self::MailAddress => text.is_some_and(|t| t.parse::<lettre::Address>().is_ok()),
            Self::Mailbox => text.is_some_and(|t| t.parse::<lettre::message::Mailbox>().is_ok()),
            Self::List(max, kind) => value.as_array().is_some_and(|items| {
                (1..=*max).contains(&items.len()) && items.iter().all(|item| kind.check(item).is_ok())
            }),
            // Tables are read, and their keys checked, in `tables`; what comes here is none.
            Self::Tables(_) => false,
            Self::Networks => are_texts(value, is_network),
            Self::Words => are_texts(value, |word| !word.trim().is_empty() && !word.chars().any(char::is_control)),
            Self::Header => text.is_some_and(is_header),
        };
        if good { Ok(()) } else { Err(self.rule()) }
    }

    /// Reads the text of an environment variable as this kind; what cannot be read stays text and fails the check.
    pub fn from_text(&self, text: &str) -> Value {
        let as_text = || Value::from(text);
        match self {
            Self::Whole(..) => text.replace('_', "").parse::<u64>().map_or_else(|_| as_text(), Value::from),
            Self::Signed(..) => text.replace('_', "").parse::<i64>().map_or_else(|_| as_text(), Value::from),
            Self::Above(..) => text.parse::<f64>().map_or_else(|_| as_text(), Value::from),
            Self::Flag => text.parse::<bool>().map_or_else(|_| as_text(), Value::from),
            Self::Networks | Self::Words => {
                // As in the file: a text may hold a comma then.
                if let Ok(Value::Array(items)) = serde_json::from_str(text) {
                    return Value::Array(items);
                }
                let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
                let items = inner.split(',').map(|item| item.trim().trim_matches('"')).filter(|item| !item.is_empty());
                items.map(Value::from).collect()
            }
            Self::Marks => {
                let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
                let marks: Result<Vec<u64>, _> =
                    inner.split(',').map(str::trim).filter(|mark| !mark.is_empty()).map(str::parse).collect();
                marks.map_or_else(|_| as_text(), Value::from)
            }
            _ => as_text(),
        }
    }
}

/// Whether the file at `path` can be opened and is a file.
fn readable(path: &str) -> Result<(), String> {
    let told = |error: std::io::Error| format!("must be the path of a file that can be read: {error}");
    let file = std::fs::File::open(Path::new(path)).map_err(told)?;
    if file.metadata().map_err(told)?.is_file() { Ok(()) } else { Err("must be the path of a file".into()) }
}

/// [`readable`], and closed to others. Group access is left alone: service managers hand secrets over that way.
fn private(path: &str) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    readable(path)?;
    let mode = std::fs::metadata(path).map_err(|error| error.to_string())?.permissions().mode();
    if mode & 0o007 == 0 {
        Ok(())
    } else {
        Err(format!("holds a secret, but others may use the file (mode {:03o}): chmod o= it", mode & 0o777))
    }
}

/// `level[,target=level]...`
fn are_levels(text: &str) -> bool {
    let mut parts = text.split(',');
    let level = |word: &str| LEVELS.contains(&word.to_ascii_lowercase().as_str());
    parts.next().is_some_and(|first| level(first.trim()))
        && parts.all(|part| {
            part.trim().split_once('=').is_some_and(|(target, word)| {
                !target.is_empty()
                    && target.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-'))
                    && level(word)
            })
        })
}

/// An address that a request can be sent to.
fn is_web_address(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
    })
}

/// A list of texts, each of which is sound.
fn are_texts(value: &Value, is_sound: fn(&str) -> bool) -> bool {
    let sound = |item: &Value| item.as_str().is_some_and(|text| text.chars().count() <= MAX_ITEM && is_sound(text));
    value.as_array().is_some_and(|items| items.len() <= MAX_ITEMS && items.iter().all(sound))
}

/// A network, or an address as a network of one.
pub fn network(text: &str) -> Option<ipnet::IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from))
}

/// A network that is not everywhere: whoever believes a header from everywhere believes everybody.
fn is_network(text: &str) -> bool {
    network(text).is_some_and(|network| network.prefix_len() > 0)
}

/// A token in the sense of HTTP.
fn is_header(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Ascending minutes, bounded in number and size.
fn are_marks(marks: &[Value]) -> bool {
    let minutes: Vec<u64> = marks.iter().filter_map(Value::as_u64).collect();
    minutes.len() == marks.len()
        && minutes.len() <= MAX_MARKS
        && minutes.iter().all(|minute| (1..=1_440).contains(minute))
        && minutes.is_sorted_by(|a, b| a < b)
}
