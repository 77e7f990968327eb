//! The configuration: defaults that are embedded, a TOML file over them, environment variables over both.
//!
//! * [`Config::load`] collects *every* fault before it refuses: each with where it stands (file and line, or variable),
//!   key, value and the rule that was broken. A key that nobody reads is a fault, because a misspelt `hold_mins` that is
//!   silently ignored is worse than a refused start.
//! * A variable is named `FLEETWATCH__SECTION__KEY`: the key's path in capitals, two underscores between its parts, so
//!   `FLEETWATCH__BROKER__EXTERNAL__HOST` is `broker.external.host`. An empty variable counts as not set.
//! * A secret is never a value here: keys name *files* that hold secrets, and [`Credentials`] does not print itself.
//! * The configuration is read once, at start: every change needs a restart. `deploy/fleetwatch.toml` is the commented
//!   sample; a test proves that it equals the defaults and names every key.
//!
//! | module | what it owns |
//! |---|---|
//! | [`settings`] | every section but those below, with its defaults |
//! | [`access`], [`ingest`], [`notify`] | the sections `access`; `ingest`; `notify` and `muster`: channels, people, who is called |
//! | [`kinds`] | what a key takes: kinds of value, checked |
//! | [`keys`], [`tables`] | the table of all keys: path, kind of value, allowed range; those of `[[notify.channel]]` and the like |
//! | [`layer`], `table_reader`, `values` | reading a file or the environment into checked values with their places |
//! | [`rules`], [`people`] | rules that join several keys; rules about channels and people |
//! | [`fault`] | one broken rule, and how it is shown |
//! | [`zone`] | the law of a time zone, looked up for the engine |
//! | [`overrides`] | settings of the detector from a command line: what-if, and grids of it |
//! | [`credentials`] | the file with a user name and a password |
//! | [`database`], `host` | the address of a database server; which host is this machine |

use std::collections::BTreeSet;
use std::path::Path;

use figment::Figment;
use figment::providers::Serialized;

pub mod access;
pub mod credentials;
pub mod database;
pub mod fault;
mod host;
pub mod ingest;
pub mod keys;
pub mod kinds;
pub mod layer;
pub mod notify;
pub mod overrides;
pub mod people;
pub mod rules;
pub mod settings;
mod table_reader;
pub mod tables;
mod values;
pub mod zone;

#[cfg(test)]
mod tests;

pub use access::{AccessConfig, AccessMode};
pub use credentials::{Credentials, Password};
pub use fault::{Fault, Place};
pub use ingest::{AllowanceConfig, IngestConfig};
pub use layer::ENV_PREFIX;
pub use notify::{ChannelConfig, ChannelKind, MailTls, MusterConfig, NotifyConfig};
pub use settings::{
    BrokerConfig, BrokerMode, CheckpointConfig, Config, DeviceMetrics, DevicesConfig, EmbeddedConfig, ExternalConfig,
    GateConfig, HttpConfig, JournalConfig, LogConfig, LogFormat, StoreConfig, TopicConfig,
};

impl Config {
    /// The defaults, overlaid by the file at `path` (none: no file) and by the variables in `env`; other variables
    /// than those with [`ENV_PREFIX`] are ignored. Take `std::env::vars_os` through [`process_environment`].
    ///
    /// Files that keys name are looked at (they must exist and be readable), not interpreted.
    ///
    /// # Errors
    /// All faults that were found, in the order of file, environment, rules that join keys. Never empty.
    pub fn load<E>(path: Option<&Path>, env: E) -> Result<Self, Vec<Fault>>
    where
        E: IntoIterator<Item = (String, String)>,
    {
        let mut faults = Vec::new();
        let mut entries = Vec::new();
        if let Some(path) = path {
            layer::read_file(path, &mut entries, &mut faults);
        }
        layer::read_env(env, &mut entries, &mut faults);

        let mut config = match merge(&entries) {
            Ok(config) => config,
            Err(fault) => {
                faults.push(*fault);
                return Err(faults);
            }
        };
        config.muster.form();
        zone::settle(&mut config, entries.iter().any(|entry| entry.key.path == zone::OFFSET));
        let refused: BTreeSet<String> = faults.iter().map(|fault| fault.key.clone()).collect();
        rules::check(&config, &entries, &refused, &mut faults);
        people::check(&config, &entries, &refused, &mut faults);
        if faults.is_empty() { Ok(config) } else { Err(faults) }
    }
}

/// The variables of this process that belong to the configuration. Bytes that are not UTF-8 are replaced, so that the
/// value is shown in a fault instead of being passed over.
pub fn process_environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with(ENV_PREFIX))
        .collect()
}

/// Lays the checked entries over the defaults; later entries win.
fn merge(entries: &[layer::Entry]) -> Result<Config, Box<Fault>> {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    for entry in entries {
        figment = figment.merge(Serialized::default(entry.key.path, &entry.value));
    }
    // Each value has passed its key's check, so only a key table that disagrees with the structs can fail here.
    figment.extract().map_err(|error| {
        Box::new(Fault {
            place: Place::Default,
            key: error.path.join("."),
            value: None,
            rule: format!("cannot be taken over: {}", error.kind),
            hint: None,
        })
    })
}
