//! Everything that may be set, section by section, with its defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::access::AccessConfig;
use super::ingest::IngestConfig;
use super::notify::{ChannelConfig, MusterConfig, NotifyConfig, RotaConfig, StepConfig};
use crate::engine::gate::{Policy, ReleaseOn};
use crate::engine::settings::Settings;
use crate::incident::{LifeSettings, Rota, RotaStep, Seat};
use crate::record::directory::{Person, Purpose};

/// Everything that may be set. Read once at start.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the MQTT topics begin with.
    pub topic: TopicConfig,
    /// Which broker is used, and how.
    pub broker: BrokerConfig,
    /// Bounds on what devices send.
    pub ingest: IngestConfig,
    /// The one-hour rule and the verdicts below it.
    pub detector: Settings,
    /// The raw reports on disk.
    pub journal: JournalConfig,
    /// The engine's state on disk.
    pub checkpoint: CheckpointConfig,
    /// The record of incidents.
    pub store: StoreConfig,
    /// The operators' listener.
    pub http: HttpConfig,
    /// Who may use that listener, and for what.
    pub access: AccessConfig,
    /// The expected fleet.
    pub devices: DevicesConfig,
    /// What the updater is told.
    pub gate: GateConfig,
    /// An incident's life: the promise, reminders, what a claim is worth.
    pub incident: LifeSettings,
    /// Where people and programs are told.
    pub notify: NotifyConfig,
    /// Who is called.
    pub muster: MusterConfig,
    /// What is logged, and in which form.
    pub log: LogConfig,
}

/// Section `topic`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopicConfig {
    /// First level of every topic: `{root}/v1/{device}/report`.
    pub root: String,
}

/// Which broker `serve` works with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrokerMode {
    /// One inside the process; nothing has to be installed.
    Embedded,
    /// One that runs elsewhere, such as Mosquitto.
    External,
}

/// Section `broker`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerConfig {
    /// Which of the two is used; the other's section is checked but has no effect.
    pub mode: BrokerMode,
    /// Section `broker.embedded`.
    pub embedded: EmbeddedConfig,
    /// Section `broker.external`.
    pub external: ExternalConfig,
}

/// Section `broker.embedded`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddedConfig {
    /// Where devices connect. Another address than loopback needs `users_file`.
    pub listen: SocketAddr,
    /// Password file in the form of `mosquitto_passwd`, user name = device id; with it every client needs a password,
    /// without it every client id is accepted under its own topics.
    pub users_file: Option<PathBuf>,
    /// Largest MQTT packet that is accepted, in bytes.
    pub max_packet_bytes: u32,
    /// Most retained messages that are kept (one status a device, one gate an update).
    pub max_retained: u32,
    /// How long the session of a device that went away is kept, in seconds.
    pub session_expiry_s: u32,
}

/// Section `broker.external`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalConfig {
    /// Host name or address of the broker.
    pub host: String,
    /// TCP port of the broker.
    pub port: u16,
    /// Whether the connection is encrypted; needs `ca_file`.
    pub tls: bool,
    /// PEM file with the authorities that may have signed the broker's certificate.
    pub ca_file: Option<PathBuf>,
    /// Name that the broker's certificate must carry, when it is not `host`.
    pub server_name: Option<String>,
    /// PEM file with the client certificate; together with `key_file`.
    pub cert_file: Option<PathBuf>,
    /// PEM file with the client's private key; together with `cert_file`.
    pub key_file: Option<PathBuf>,
    /// File with user name and password, see [`Credentials`](super::Credentials).
    pub credentials_file: Option<PathBuf>,
    /// Allows a connection to another host without TLS.
    pub allow_plaintext: bool,
    /// Client id of the persistent session. Two instances with one id throw each other out.
    pub client_id: String,
    /// Parallel connections; more than one shares the load by a `$share` subscription.
    pub connections: u16,
    /// Keep-alive interval in seconds.
    pub keep_alive_s: u16,
}

/// Section `journal`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalConfig {
    /// Directory of the segments; made when it is missing.
    pub dir: PathBuf,
    /// Size at which a new segment is begun, in MiB.
    pub segment_mib: u32,
    /// Age at which a segment is deleted, in hours.
    pub max_age_h: u32,
    /// Size of all segments above which the oldest is deleted, in MiB.
    pub max_size_mib: u32,
    /// Longest wait before what was appended is made durable, in ms.
    pub commit_interval_ms: u32,
    /// Messages that are made durable at once when the interval has not passed before.
    pub commit_messages: u32,
}

/// Section `checkpoint`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Directory of the two newest checkpoints; made when it is missing.
    pub dir: PathBuf,
    /// Time between checkpoints, in seconds.
    pub interval_s: u32,
}

/// Section `store`: a file or a server, never both.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// SQLite file with the incidents; made when it is missing. Without it and without a server: [`StoreConfig::FILE`].
    pub path: Option<PathBuf>,
    /// Database of PostgreSQL, in place of the file: `postgres://user@host:port/database`.
    pub url: Option<String>,
    /// File with the password for it.
    pub password_file: Option<PathBuf>,
}

impl StoreConfig {
    /// The file that is used when nothing is said.
    pub const FILE: &str = "/var/lib/fleetwatch/fleetwatch.sqlite";

    /// The file that is used, if it is a file.
    pub fn file(&self) -> Option<&Path> {
        self.url.is_none().then(|| self.path.as_deref().unwrap_or(Path::new(Self::FILE)))
    }
}

/// How many series `/metrics` shows for devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceMetrics {
    /// Those of every device.
    Full,
    /// Only those of devices that are degraded now or belong to an open event.
    Affected,
    /// None; only the fleet's.
    Off,
}

/// Section `http`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Where the operators' pages, API and metrics are served. Another address than loopback needs an `access.mode`.
    pub listen: SocketAddr,
    /// Address under which browsers reach the pages, when a proxy with TLS stands in front.
    pub public_url: Option<String>,
    /// Further names under which the listener may be asked.
    pub allowed_hosts: Vec<String>,
    /// Time zone of the pages: an IANA name.
    pub time_zone: String,
    /// Per-device series in `/metrics`.
    pub device_metrics: DeviceMetrics,
}

/// Section `devices`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DevicesConfig {
    /// CSV file of the expected fleet (device, branch, model, customer).
    pub expected: Option<PathBuf>,
}

/// Section `gate`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateConfig {
    /// Whether anything is decided about updates and published.
    pub enabled: bool,
    /// Least confidence with which a suspect update is held.
    pub min_confidence: f64,
    /// Minutes of proved degradation from which on an early warning holds; a declared incident always does.
    pub hold_from_min: u32,
    /// Who may release what the detector holds.
    pub release_on: ReleaseOn,
    /// Share of the fleet that is kept out of the first night of an update, in percent.
    pub control_ring_percent: u32,
    /// What the choice of those devices begins with; another one chooses others.
    pub control_ring_seed: u32,
    /// CSV file with the devices of the ring, in place of a share.
    pub control_ring_file: Option<PathBuf>,
}

/// Form of the log lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people; coloured on a terminal unless `NO_COLOR` is set.
    Text,
}

/// Section `log`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Form of the lines on standard error.
    pub format: LogFormat,
    /// Level, optionally followed by `target=level` pairs: `info,rmqtt=warn`.
    pub level: String,
}

impl Config {
    /// Where the person is reached by what is for them alone, as channel and target.
    pub fn addresses_of(&self, person: &Person) -> Vec<(String, String)> {
        let channels = self.notify.channel.iter().filter(|channel| channel.purposes.contains(&Purpose::Pages));
        let address = |channel: &ChannelConfig| Some((channel.name.clone(), channel.kind.reach().target(person)?));
        channels.filter_map(address).collect()
    }

    /// Who is called for which seat.
    pub fn rota(&self) -> Rota {
        let step = |step: &StepConfig| RotaStep { people: step.people.clone(), timeout_min: step.wait_min };
        let seat = |rota: &RotaConfig| {
            (Seat { role: rota.role, branch: rota.branch.clone() }, rota.steps.iter().map(step).collect())
        };
        Rota(self.muster.rota.iter().map(seat).collect())
    }
}

const LOOPBACK: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const STATE_DIR: &str = "/var/lib/fleetwatch";

impl Default for TopicConfig {
    fn default() -> Self {
        Self { root: "utm".into() }
    }
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self { mode: BrokerMode::Embedded, embedded: EmbeddedConfig::default(), external: ExternalConfig::default() }
    }
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(LOOPBACK, 1883),
            users_file: None,
            max_packet_bytes: 66 * 1024,
            max_retained: 200_000,
            session_expiry_s: 2 * 3600,
        }
    }
}

impl Default for ExternalConfig {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            port: 1883,
            tls: false,
            ca_file: None,
            server_name: None,
            cert_file: None,
            key_file: None,
            credentials_file: None,
            allow_plaintext: false,
            client_id: "fleetwatch".into(),
            connections: 1,
            keep_alive_s: 30,
        }
    }
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            dir: Path::new(STATE_DIR).join("journal"),
            segment_mib: 64,
            max_age_h: 72,
            max_size_mib: 16_384,
            commit_interval_ms: 10,
            commit_messages: 1_000,
        }
    }
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { dir: Path::new(STATE_DIR).join("checkpoint"), interval_s: 60 }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(LOOPBACK, 8080),
            public_url: None,
            allowed_hosts: Vec::new(),
            time_zone: "Asia/Tokyo".into(),
            device_metrics: DeviceMetrics::Full,
        }
    }
}

impl Default for GateConfig {
    fn default() -> Self {
        let Policy { min_confidence, hold_from_min, release_on } = Policy::default();
        Self {
            enabled: true,
            min_confidence,
            hold_from_min,
            release_on,
            control_ring_percent: 0,
            control_ring_seed: 1,
            control_ring_file: None,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".into() }
    }
}
