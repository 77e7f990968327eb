//! `serve`: a core with a broker or a collector before it and the operators' listener beside it, as a daemon.
//!
//! It listens first, so that a port in use is said before a long journal is replayed; takes the state up; and only then lets
//! messages in. SIGTERM and Ctrl-C end it in the opposite order: no more messages, what was taken is written, the state is
//! saved, the files are closed.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::broker::{self, Embedded, RetainedLimits, Users};
use crate::clock::Clock;
use crate::config::{AccessMode, BrokerMode, Config, Credentials, DeviceMetrics};
use crate::engine::device::DeviceId;
use crate::engine::gate::Policy;
use crate::engine::wire::Limits;
use crate::ingest::{self, IngestConfig, IngestCounters, IngestError, SessionState, TlsConfig, TlsIdentity};
use crate::inventory;
use crate::journal::JournalConfig;
use crate::metrics::{Counters, DeviceSeries};
use crate::notify::alertmanager::Listed;
use crate::record::incident::{Contact, ContactEntry};
use crate::runtime::failure::Failure;
use crate::web::{self, Health, HttpConfig, HttpState};
use crate::words::Zone;

use super::bounds::{Room, budgets};
use super::core::{Core, CoreConfig};
use super::forget::clear_embedded;
use super::location;
use super::mirrors::{Mirrors, each_second};
use super::notify::{self, Delivery};
use crate::runtime::incidents::IncidentsConfig;
use crate::runtime::update_gates::{GateConfig, RingSource, publish_embedded};

use super::watch::BROKER;

/// A running daemon.
#[derive(Debug)]
pub struct Service {
    core: Core,
    transport: Transport,
    delivery: Delivery,
    /// Where the operators' listener answers.
    http_address: SocketAddr,
    http: JoinHandle<std::io::Result<()>>,
    stop: watch::Sender<bool>,
    gauges: JoinHandle<()>,
}

#[derive(Debug)]
enum Transport {
    Embedded(Embedded),
    External(JoinHandle<Result<(), IngestError>>),
}

impl Service {
    /// Starts everything on the given engine time, which is [`Clock::system`] in production.
    ///
    /// # Errors
    /// When an address, a directory or a file cannot be used, or another process has the journal.
    pub async fn start(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let room = Room::make(&config);
        let address = config.http.listen;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("the operators' pages cannot listen on {address} (http.listen)"))?;
        let http_address = listener.local_addr().context("the operators' listener has no address")?;
        if let Some(warning) = super::room::warning(&config) {
            tracing::warn!("{warning}");
        }
        let core = Core::start(core_config(&config, clock)?).await?;
        let delivery = delivery(&config, &core)?;
        let (stop, stopped) = watch::channel(false);
        let (transport, gauges) = match config.broker.mode {
            BrokerMode::Embedded => embedded(&config, &core, room).await?,
            BrokerMode::External => external(&config, &core, stopped.clone())?,
        };
        let shutdown = wait_for(stopped);
        let state = http_state(&config, &core, &delivery)?;
        let allowed_hosts = config.http.allowed_hosts.clone();
        let http_config = HttpConfig { allowed_hosts, max_connections: room.pages, ..HttpConfig::default() };
        let http = tokio::spawn(web::serve(listener, state, http_config, shutdown));
        warn_without_users(&config, &core).await;
        let broker = transport.address().map_or_else(|| "external".to_owned(), |address| address.to_string());
        tracing::info!(pages = %format!("http://{http_address}/"), broker, "watching");
        Ok(Self { core, transport, delivery, http_address, http, stop, gauges })
    }

    /// Where the operators' listener answers.
    pub fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// Where the embedded broker listens; `None` with an external one.
    pub fn broker_address(&self) -> Option<SocketAddr> {
        self.transport.address()
    }

    /// The core.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Returns when a part has ended that should not have.
    pub async fn failed(&mut self) -> anyhow::Error {
        let ingest = async {
            match &mut self.transport {
                Transport::Embedded(_) => std::future::pending().await,
                Transport::External(task) => match task.await {
                    Ok(Ok(())) => anyhow::anyhow!("the collector has ended"),
                    Ok(Err(error)) => anyhow::Error::new(error).context("the collector has ended"),
                    Err(error) => anyhow::Error::new(error).context("the collector has ended abnormally"),
                },
            }
        };
        tokio::select! {
            error = ingest => error,
            error = self.core.failed() => error,
            ended = &mut self.http => match ended {
                Ok(Ok(())) => anyhow::anyhow!("the operators' listener has ended"),
                Ok(Err(error)) => anyhow::Error::new(error).context("the operators' listener has ended"),
                Err(error) => anyhow::Error::new(error).context("the operators' listener has ended abnormally"),
            },
        }
    }

    /// Ends in order; see [`Core::shutdown`].
    ///
    /// # Errors
    /// As [`Core::shutdown`].
    pub async fn shutdown(self) -> anyhow::Result<()> {
        let Self { core, transport, delivery, http, stop, gauges, .. } = self;
        stop.send_replace(true);
        match transport {
            Transport::Embedded(broker) => broker.shutdown().await,
            // It acknowledges what became durable; if it has ended already, there is nothing to wait for.
            Transport::External(task) if !task.is_finished() => drop(task.await),
            Transport::External(_) => {}
        }
        gauges.abort();
        // Pages are short; a connection that keeps us waiting is cut.
        let abort = http.abort_handle();
        if tokio::time::timeout(Duration::from_secs(2), http).await.is_err() {
            abort.abort();
        }
        // What the core decides on its way out is delivered after the next start.
        delivery.shutdown().await;
        core.shutdown().await
    }
}

/// The delivery of messages about what the core decides.
///
/// # Errors
/// When a channel of the configuration cannot be made.
pub fn delivery(config: &Config, core: &Core) -> anyhow::Result<Delivery> {
    let incidents = core.incidents();
    let updates = incidents.updates();
    let listed: Listed = Arc::new(move || notify::alerts(&*incidents));
    Delivery::start(config, core.outbox(), &listed, updates, core.clock(), core.counters())
}

/// What the pages show, with the configuration that people may read.
fn http_state(config: &Config, core: &Core, delivery: &Delivery) -> anyhow::Result<HttpState> {
    let mut state = core.http_state();
    state.channels = Arc::clone(&delivery.health);
    state.settings = Arc::new(serde_json::to_value(config).context("the configuration cannot be shown")?);
    Ok(state)
}

impl Transport {
    fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Embedded(broker) => Some(broker.local_addr()),
            Self::External(_) => None,
        }
    }
}

/// Somebody has to be the first.
async fn warn_without_users(config: &Config, core: &Core) {
    let store = core.http_state().access.store();
    if config.access.mode == AccessMode::Users && store.users().await.is_ok_and(|users| users.is_empty()) {
        tracing::warn!("nobody can log in yet: fleetwatch user add NAME --role admin --config FILE");
    }
}

async fn wait_for(mut stopped: watch::Receiver<bool>) {
    // An error means that the daemon is gone: the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// The part of the configuration that the core is made from.
///
/// # Errors
/// When the time zone is unknown, the device list has faults, the record's directory cannot be made, or its password cannot be read.
pub fn core_config(config: &Config, clock: Clock) -> anyhow::Result<CoreConfig> {
    let mut journal = JournalConfig::new(&config.journal.dir);
    journal.segment_bytes = u64::from(config.journal.segment_mib) << 20;
    journal.max_age = Duration::from_secs(u64::from(config.journal.max_age_h) * 3_600);
    journal.max_bytes = u64::from(config.journal.max_size_mib) << 20;
    journal.commit_interval = Duration::from_millis(config.journal.commit_interval_ms.into());
    journal.commit_messages = config.journal.commit_messages.into();
    let listed = config.devices.expected.as_deref().map(read_expected).transpose()?.unwrap_or_default();
    Ok(CoreConfig {
        settings: config.detector.clone(),
        root: config.topic.root.clone(),
        limits: Limits { max_payload: config.ingest.max_payload_bytes as usize, ..Limits::default() },
        budgets: budgets(config),
        clock,
        journal,
        checkpoint_dir: config.checkpoint.dir.clone(),
        checkpoint_interval: Duration::from_secs(config.checkpoint.interval_s.into()),
        store: location::made(&config.store)?,
        contacts: contacts_of(&listed),
        expected: devices_of(listed),
        incidents: IncidentsConfig {
            settings: config.incident.clone(),
            rota: config.rota(),
            directory: notify::directory(config),
            ..IncidentsConfig::default()
        },
        gate: config.gate.enabled.then(|| gate_config(config)).transpose()?,
        device_series: match config.http.device_metrics {
            DeviceMetrics::Full => DeviceSeries::Full,
            DeviceMetrics::Affected => DeviceSeries::Affected,
            DeviceMetrics::Off => DeviceSeries::Off,
        },
        zone: Zone::named(&config.http.time_zone)?,
        access: super::access::settings(config)?,
        shown: Arc::new(serde_json::to_value(config).context("the configuration cannot be shown")?),
        preload: None,
    })
}

fn gate_config(config: &Config) -> anyhow::Result<GateConfig> {
    let gate = &config.gate;
    let ring = match &gate.control_ring_file {
        Some(path) => RingSource::Listed { devices: devices_of(read_expected(path)?), path: path.clone() },
        None if gate.control_ring_percent == 0 => RingSource::Nobody,
        None => RingSource::Share { percent: gate.control_ring_percent, seed: gate.control_ring_seed.into() },
    };
    let policy =
        Policy { min_confidence: gate.min_confidence, hold_from_min: gate.hold_from_min, release_on: gate.release_on };
    Ok(GateConfig { policy, ring })
}

/// The list of the expected fleet. Branch and model of a device are what its own status says; the list says who should be there, and
/// whom to call.
pub(crate) fn read_expected(path: &Path) -> anyhow::Result<Vec<inventory::Row>> {
    let file = std::fs::File::open(path)
        .with_context(|| format!("cannot read the expected devices from {}", path.display()))?;
    match inventory::read(file) {
        Ok(list) => {
            for note in &list.notes {
                tracing::warn!(list = %path.display(), line = note.line, note = note.rule, "a note on the list of devices");
            }
            Ok(list.rows)
        }
        Err(faults) => Err(Failure::Devices(path.to_owned(), faults).into()),
    }
}

/// Whom the support desk finds by the list, and which branch may see a device: every device of which it says anything.
fn contacts_of(rows: &[inventory::Row]) -> Vec<ContactEntry> {
    let entry = |row: &inventory::Row| ContactEntry {
        device: row.device.clone(),
        customer: row.customer.as_ref().map(ToString::to_string),
        branch: row.branch.as_ref().map(ToString::to_string),
        contact: row.contact.clone(),
    };
    let said = |entry: &ContactEntry| {
        entry.customer.is_some() || entry.branch.is_some() || entry.contact != Contact::default()
    };
    rows.iter().map(entry).filter(said).collect()
}

/// The devices of a list alone.
pub(crate) fn devices_of(rows: Vec<inventory::Row>) -> Vec<DeviceId> {
    rows.into_iter().map(|row| row.device).collect()
}

async fn embedded(config: &Config, core: &Core, room: Room) -> anyhow::Result<(Transport, JoinHandle<()>)> {
    let settings = &config.broker.embedded;
    let users = settings.users_file.as_deref().map(Users::from_file).transpose()?.unwrap_or_default();
    let broker = broker::BrokerConfig {
        listen: settings.listen,
        root: config.topic.root.clone(),
        max_packet: settings.max_packet_bytes,
        retained: RetainedLimits { messages: settings.max_retained as usize, ..RetainedLimits::default() },
        users,
        session_expiry: Duration::from_secs(settings.session_expiry_s.into()),
        max_connections: room.devices.min(broker::BrokerConfig::default().max_connections),
        ..broker::BrokerConfig::default()
    };
    let broker = Embedded::start(broker, Some(core.intake())).await?;
    core.health().open(BROKER);
    if let Some(retained) = core.retained() {
        // It ends with the broker.
        tokio::spawn(publish_embedded(broker.publisher(), retained, core.counters()));
    }
    tokio::spawn(clear_embedded(broker.publisher(), core.cleared().subscribe()));
    let (counters, seen) = (core.counters(), Arc::clone(broker.counters()));
    counters.broker_connected.set(1);
    let gauges = tokio::spawn(each_second(move |mirrors: &mut Mirrors| mirrors.embedded(&counters, &seen)));
    Ok((Transport::Embedded(broker), gauges))
}

fn external(
    config: &Config,
    core: &Core,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<(Transport, JoinHandle<()>)> {
    let ingest = IngestConfig { retained: core.retained(), cleared: Some(core.cleared()), ..ingest_config(config)? };
    let seen = Arc::new(IngestCounters::default());
    let (state_out, state) = watch::channel(SessionState::Connecting);
    let task = tokio::spawn(ingest::run(ingest, core.intake(), Arc::clone(&seen), state_out, stopped));
    let (counters, health) = (core.counters(), core.health());
    tokio::spawn(follow(state, Arc::clone(&counters), health));
    let gauges = tokio::spawn(each_second(move |mirrors: &mut Mirrors| mirrors.external(&counters, &seen)));
    Ok((Transport::External(task), gauges))
}

fn ingest_config(config: &Config) -> anyhow::Result<IngestConfig> {
    let settings = &config.broker.external;
    let credentials = settings.credentials_file.as_deref().map(Credentials::read).transpose()?;
    let identity = settings.cert_file.clone().zip(settings.key_file.clone());
    let tls = match (settings.tls, settings.ca_file.clone()) {
        (false, _) => None,
        (true, Some(ca)) => Some(TlsConfig {
            ca,
            identity: identity.map(|(certificate, key)| TlsIdentity { certificate, key }),
            server_name: settings.server_name.clone(),
        }),
        (true, None) => bail!("broker.external.tls needs broker.external.ca_file"),
    };
    Ok(IngestConfig {
        host: settings.host.clone(),
        port: settings.port,
        tls,
        credentials: credentials.map(|Credentials { username, password }| ingest::Credentials { username, password }),
        client_id: settings.client_id.clone(),
        root: config.topic.root.clone(),
        connections: settings.connections.into(),
        max_packet: config.ingest.max_packet_bytes as usize,
        window: config.ingest.max_unacked as usize,
        keep_alive: Duration::from_secs(settings.keep_alive_s.into()),
        ..IngestConfig::default()
    })
}

/// Follows the session with the broker: readiness and one log line for each turn.
async fn follow(mut state: watch::Receiver<SessionState>, counters: Arc<Counters>, health: Arc<Health>) {
    loop {
        let now = *state.borrow_and_update();
        counters.broker_connected.set(i64::from(now.is_up()));
        match now {
            SessionState::Up { session_present } => {
                tracing::info!(session_present, "the session with the broker is up");
                health.open(BROKER);
                if !session_present {
                    counters.broker_resubscriptions.inc();
                }
            }
            SessionState::Connecting => health.close(BROKER, "connecting"),
            SessionState::Down { reason, .. } => {
                tracing::warn!(reason = reason.as_str(), "the session with the broker is down; trying again");
                health.close(BROKER, reason.as_str());
            }
            SessionState::TakenOver { .. } => {
                tracing::error!("another client uses our client id: two instances cannot share one");
                health.close(BROKER, "taken over by another client with the same id");
            }
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}
