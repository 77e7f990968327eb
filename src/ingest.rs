//! Collects reports and statuses from an external broker, over a persistent session of MQTT 3.1.1.
//!
//! What it promises: a message is acknowledged to the broker only after the [`DurableSink`]'s sink has made it durable, so
//! whatever the broker has kept for us is journaled at least once; a message that is sent again is told by its identity,
//! downstream. No queue grows: at most [`IngestConfig::window`] messages are unacknowledged, and while that window is
//! full, or the sink is busy, nothing is read from the socket, so that the pressure goes to the broker. Pings go on
//! meanwhile, and so a full disk costs neither the session nor a message.
//!
//! Why it looks below rumqttc's client: its acknowledgement goes through a request channel, one wake-up and one system
//! call each. Here the packets are written into the connection's buffer directly and flushed once for each batch that
//! became durable; and everything that one read brought is drained before the event loop is polled again.
//!
//! Choices:
//!
//! - *Session.* With MQTT 3.1.1 the broker decides how long a session is kept (Mosquitto: `persistent_client_expiration`,
//!   for ever by default). A first connect always subscribes, since a session may exist from a life that ended before its
//!   subscription; later ones subscribe when the broker has forgotten the session.
//! - *Several connections* are shared subscriptions for reports, one client id each, and a plain one for statuses on the
//!   first, because retained messages are not sent to shared subscriptions. One connection is the default and enough
//!   for what Mosquitto passes.
//! - *Size.* The broker's limit belongs below [`IngestConfig::max_packet`]. A packet above ours is closed by us, comes
//!   again, and would go on so; the back-off keeps that to a few attempts a minute, and the state names it.

mod acks;
mod backoff;
mod connection;
mod outbox;
mod reason;
mod tls;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::rand::SecureRandom as _;
use rumqttc::{MqttOptions, TlsConfiguration, Transport};
use thiserror::Error;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

pub use backoff::ReconnectPolicy;
pub use tls::{TlsConfig, TlsError, TlsIdentity};

use crate::delivery::{DurableSink, Retained, Topics};

/// Longest wait for the broker to drop a session.
const FORGET_MOST: Duration = Duration::from_secs(5);

/// How to reach the broker and what to ask of it.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS; none means in clear, which is for loopback.
    pub tls: Option<TlsConfig>,
    /// User name and password.
    pub credentials: Option<Credentials>,
    /// Fixed client id: it names the session that the broker keeps for us. Further connections append `-1`, `-2` ...
    pub client_id: String,
    /// Topic root; subscribes to `{root}/v1/+/report` and `{root}/v1/+/status`.
    pub root: String,
    /// Connections, 1 to 16.
    pub connections: usize,
    /// Longest packet accepted in bytes. Must be above what the broker lets pass.
    pub max_packet: usize,
    /// Most unacknowledged messages per connection. The broker's own limit of messages in flight applies too.
    pub window: usize,
    /// Pause without traffic after which a ping is sent, in whole seconds.
    pub keep_alive: Duration,
    /// How reconnecting is paced.
    pub reconnect: ReconnectPolicy,
    /// Retained messages of ours that the broker is to hold; none by default.
    pub retained: Option<watch::Receiver<Retained>>,
    /// Retained messages of devices that the broker is to drop; none by default.
    pub cleared: Option<broadcast::Sender<Topics>>,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 1883,
            tls: None,
            credentials: None,
            client_id: "fleetwatch".to_owned(),
            root: "utm".to_owned(),
            connections: 1,
            max_packet: 1 << 20,
            window: 4_096,
            keep_alive: Duration::from_secs(30),
            reconnect: ReconnectPolicy::default(),
            retained: None,
            cleared: None,
        }
    }
}

/// User name and password for the broker.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

impl Credentials {
    /// Takes the password from the first line of a file, so that it stands in no configuration.
    ///
    /// # Errors
    /// When the file cannot be read or its first line is empty.
    pub fn read(username: &str, file: &Path) -> Result<Self, IngestError> {
        let error = |source| IngestError::Password { path: file.to_owned(), source };
        let text = std::fs::read_to_string(file).map_err(error)?;
        match text.lines().next() {
            Some(password) if !password.is_empty() => {
                Ok(Self { username: username.to_owned(), password: password.to_owned() })
            }
            _ => Err(error(io::Error::new(io::ErrorKind::InvalidData, "its first line is empty"))),
        }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Why ingest did not start, or ended.
#[derive(Debug, Error)]
pub enum IngestError {
    /// A setting is out of its range.
    #[error("{0}")]
    Config(&'static str),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The password cannot be read.
    #[error("cannot read the broker's password from {path}: {source}")]
    Password { path: PathBuf, source: io::Error },
    /// Nothing will become durable any more, so nothing could be acknowledged.
    #[error("the journal has ended, so messages can no longer be acknowledged")]
    JournalEnded,
}

/// Why a session is down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DownReason {
    /// Nobody listens there, the name does not resolve, or the network is cut.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The TLS handshake failed.
    Tls,
    /// The broker refused our credentials or client id.
    NotAuthorized,
    /// The broker is there and does not serve.
    Unavailable,
    /// The broker closed the connection.
    Closed,
    /// No answer to a ping.
    PingTimeout,
    /// A packet was longer than our limit; the broker's belongs below it.
    PacketTooLarge,
    /// The broker broke the protocol.
    Protocol,
    /// The broker refused a subscription.
    SubscriptionRefused,
}

impl DownReason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::Unreachable,
        Self::Timeout,
        Self::Tls,
        Self::NotAuthorized,
        Self::Unavailable,
        Self::Closed,
        Self::PingTimeout,
        Self::PacketTooLarge,
        Self::Protocol,
        Self::SubscriptionRefused,
    ];

    /// A label for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::NotAuthorized => "not_authorized",
            Self::Unavailable => "unavailable",
            Self::Closed => "closed",
            Self::PingTimeout => "ping_timeout",
            Self::PacketTooLarge => "packet_too_large",
            Self::Protocol => "protocol",
            Self::SubscriptionRefused => "subscription_refused",
        }
    }
}

/// How the session with the broker stands; of several connections, the worst.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionState {
    /// Subscribed and reading. `session_present`: the broker had kept our session.
    Up { session_present: bool },
    /// On the way to the first connection, or back.
    Connecting,
    /// Not connected since then; trying again.
    Down { reason: DownReason, since: Instant },
    /// Another client uses our id; waiting for longer and longer before taking it back.
    TakenOver { since: Instant },
}

impl SessionState {
    /// Whether messages flow.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Up { .. })
    }

    const fn badness(self) -> u8 {
        match self {
            Self::Up { .. } => 0,
            Self::Connecting => 1,
            Self::Down { .. } => 2,
            Self::TakenOver { .. } => 3,
        }
    }
}

/// What ingest has seen, over all connections. Plain numbers, only ever growing, but for [`in_flight`](Self::in_flight).
#[derive(Debug, Default)]
pub struct IngestCounters {
    /// Messages received, redeliveries among them.
    pub messages: AtomicU64,
    /// Payload bytes received.
    pub bytes: AtomicU64,
    /// Messages that the broker marked as sent before.
    pub redeliveries: AtomicU64,
    /// Messages that the sink refused.
    pub refused: AtomicU64,
    /// Acknowledgements written.
    pub acks: AtomicU64,
    /// Batches of acknowledgements, one flush each.
    pub ack_batches: AtomicU64,
    /// Messages received and not acknowledged now. A level, not a count.
    pub in_flight: AtomicU64,
    /// Times the sink was busy.
    pub busy_waits: AtomicU64,
    /// Connections made.
    pub connects: AtomicU64,
    /// Attempts that came to no connection.
    pub connect_failures: AtomicU64,
    /// Connections lost.
    pub disconnects: AtomicU64,
    /// Times another client with our id was noticed.
    pub takeovers: AtomicU64,
    /// Subscriptions refused by the broker.
    pub subscriptions_refused: AtomicU64,
    /// Retained messages of ours that the broker has acknowledged.
    pub published: AtomicU64,
    /// Retained messages of ours that the broker has never acknowledged. A level, not a count.
    pub untold: AtomicU64,
    /// Times publishing was paused, because the broker seems to close the connection for it.
    pub publish_pauses: AtomicU64,
}

/// Runs until `shutdown` holds true: collects from the broker into `intake` and keeps `state` current.
///
/// On shutdown it stops reading, waits at most a second for what it has read to become durable, acknowledges that, and
/// disconnects. The session stays with the broker.
///
/// # Errors
/// At the start, when the configuration cannot be used; later only when the journal has ended.
pub async fn run(
    config: IngestConfig,
    intake: DurableSink,
    counters: Arc<IngestCounters>,
    state: watch::Sender<SessionState>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), IngestError> {
    check(&config)?;
    let tls = config.tls.as_ref().map(TlsConfig::load).transpose()?;
    let board =
        Arc::new(SessionStates { states: Mutex::new(vec![SessionState::Connecting; config.connections]), out: state });
    let mut connections = JoinSet::new();
    for index in 0..config.connections {
        let mut options = options(&config, index);
        if let Some(tls) = &tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(tls))));
        }
        // One connection speaks for all of them.
        let speaks = index == 0;
        let outbox = outbox::Outbox::new(
            config.retained.clone().filter(|_| speaks),
            config.cleared.as_ref().filter(|_| speaks).map(broadcast::Sender::subscribe),
        );
        connections.spawn(
            connection::Connection {
                index,
                options,
                filters: filters(&config, index),
                window: config.window,
                intake: intake.clone(),
                counters: Arc::clone(&counters),
                board: Arc::clone(&board),
                shutdown: shutdown.clone(),
                backoff: backoff::Backoff::new(config.reconnect, seed()),
                outbox,
            }
            .run(),
        );
    }
    // The first error ends all: a journal that has ended has ended for every connection. Dropping the set stops the rest.
    while let Some(ended) = connections.join_next().await {
        match ended {
            Ok(result) => result?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    Ok(())
}

/// Makes the broker drop the session that it keeps under this client id, and what waits in it. For a collector that will not
/// come back: a broker may keep messages for it for ever.
///
/// Returns whether the broker said that it has; it is not tried again.
///
/// # Errors
/// When the configuration cannot be used.
pub async fn forget(config: &IngestConfig) -> Result<bool, IngestError> {
    check(config)?;
    let mut options = options(config, 0);
    options.set_clean_session(true);
    if let Some(tls) = config.tls.as_ref().map(TlsConfig::load).transpose()? {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    }
    let (client, mut events) = rumqttc::AsyncClient::new(options, 4);
    let talk = async {
        let mut connected = false;
        loop {
            match events.poll().await {
                Ok(rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(_))) => {
                    connected = true;
                    // There is room: it is the only request.
                    let _ = client.try_disconnect();
                }
                Ok(rumqttc::Event::Outgoing(rumqttc::Outgoing::Disconnect)) | Err(_) => return connected,
                Ok(_) => {}
            }
        }
    };
    Ok(tokio::time::timeout(FORGET_MOST, talk).await.unwrap_or(false))
}

fn check(config: &IngestConfig) -> Result<(), IngestError> {
    let whole_seconds = config.keep_alive.subsec_nanos() == 0 && (1..=65_535).contains(&config.keep_alive.as_secs());
    for (fine, rule) in [
        (!config.host.is_empty(), "the broker's host must not be empty"),
        (!config.client_id.is_empty(), "a persistent session needs a client id"),
        ((1..=16).contains(&config.connections), "there can be 1 to 16 connections to the broker"),
        (config.max_packet >= 1_024, "the packet limit must be at least 1,024 bytes"),
        (config.window >= 1, "the window must be at least one message"),
        (whole_seconds, "the keep-alive must be whole seconds from 1 to 65,535"),
        (!config.root.is_empty() && !config.root.contains(['+', '#', '$']), "the topic root must be a plain topic"),
    ] {
        if !fine {
            return Err(IngestError::Config(rule));
        }
    }
    Ok(())
}

fn options(config: &IngestConfig, index: usize) -> MqttOptions {
    let client_id = if index == 0 { config.client_id.clone() } else { format!("{}-{index}", config.client_id) };
    // rumqttc glues host and port together with a colon.
    let bare_v6 = config.tls.is_none() && config.host.parse::<std::net::Ipv6Addr>().is_ok();
    let host = if bare_v6 { format!("[{}]", config.host) } else { config.host.clone() };
    let mut options = MqttOptions::new(client_id, host, config.port);
    options
        .set_clean_session(false)
        .set_manual_acks(true)
        .set_keep_alive(config.keep_alive)
        .set_max_packet_size(config.max_packet, config.max_packet);
    if let Some(credentials) = &config.credentials {
        options.set_credentials(&credentials.username, &credentials.password);
    }
    options
}

fn filters(config: &IngestConfig, index: usize) -> Vec<String> {
    let reports = format!("{}/v1/+/report", config.root);
    let statuses = format!("{}/v1/+/status", config.root);
    match (config.connections, index) {
        (1, _) => vec![reports, statuses],
        (_, 0) => vec![format!("$share/fleetwatch/{reports}"), statuses],
        _ => vec![format!("$share/fleetwatch/{reports}")],
    }
}

/// A seed for jitter; without randomness all collectors would merely be in step.
fn seed() -> u64 {
    let mut bytes = [0_u8; 8];
    match ring::rand::SystemRandom::new().fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => 0,
    }
}

/// The states of all connections, and the one that is shown.
#[derive(Debug)]
struct SessionStates {
    states: Mutex<Vec<SessionState>>,
    out: watch::Sender<SessionState>,
}

impl SessionStates {
    fn set(&self, index: usize, state: SessionState) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states[index] = state;
        let worst = states.iter().copied().max_by_key(|state| state.badness()).unwrap_or(state);
        self.out.send_if_modified(|shown| std::mem::replace(shown, worst) != worst);
    }
}
