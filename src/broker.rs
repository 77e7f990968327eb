//! The embedded MQTT broker: rmqtt as a library, behind our own rules.
//!
//! It exists so that nothing has to be installed: on loopback, devices (or the simulator) connect to it over real
//! MQTT 3.1.1 or 5. Beyond loopback a broker with TLS and client certificates, such as Mosquitto with the sample in
//! `deploy/mosquitto`, is the better choice; this one has no TLS and then insists on passwords.
//!
//! What it promises:
//!
//! - a device publishes only its own report and status, leaves a will only on its own status, and reads only its own
//!   topics and the gates of updates; the client id is the device id;
//! - a message of QoS 1 is acknowledged only once the [`DurableSink`]'s sink has made it durable;
//! - a busy sink stops the reading of the one connection whose message did not fit; the others go on;
//! - packets, retained messages, sessions and queues are bounded.
//!
//! It runs on its own threads, so that a thousand chatty devices cannot starve the decision task, and so that
//! [`Embedded::shutdown`] ends every connection.
//!
//! Known limits of rmqtt 0.24: one message per connection is under way at a time (the next packet is read after the
//! acknowledgement), so a single connection is as fast as the journal's commit, and the broker's rate comes from many
//! connections; and a peer that connects and never sends a byte keeps its socket until it goes away, which costs a file
//! descriptor, not progress.

mod access;
mod hooks;
mod retained;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SecureRandom as _;
use rmqtt::codec::types::{Publish as CodecPublish, QoS};
use rmqtt::context::ServerContext;
use rmqtt::hook::Type;
use rmqtt::net::{Builder, Listener};
use rmqtt::server::MqttServer;
use rmqtt::session::SessionState;
use rmqtt::types::{From as Origin, Id, Publish};
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

pub use access::{Users, UsersError};
pub use hooks::BrokerCounters;
pub use retained::RetainedLimits;

use crate::delivery::DurableSink;

/// How the embedded broker is to run.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Where to listen. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Topic root; topics are `{root}/v1/...`.
    pub root: String,
    /// Longest packet accepted in bytes, topic and header included; a longer one closes its connection.
    pub max_packet: u32,
    /// Bounds of the retained messages.
    pub retained: RetainedLimits,
    /// Most sessions, connected or waiting for their client to come back.
    pub max_sessions: u32,
    /// Most connections; each takes a file descriptor, and pages and files need some too.
    pub max_connections: u32,
    /// Passwords. When any are given, every client needs one, on loopback too.
    pub users: Users,
    /// Lets clients without a password in even when listening beyond loopback.
    pub allow_anonymous_network: bool,
    /// How long the session of a client that went away is kept (MQTT 3.1.1), and the most a client may ask for (MQTT 5).
    pub session_expiry: Duration,
    /// Longest time a message may wait to become durable before its connection is closed without acknowledging it.
    pub hold: Duration,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 1883)),
            root: "utm".to_owned(),
            max_packet: 66 * 1024,
            retained: RetainedLimits::default(),
            max_sessions: 110_000,
            max_connections: 110_000,
            users: Users::default(),
            allow_anonymous_network: false,
            session_expiry: Duration::from_secs(2 * 60 * 60),
            hold: Duration::from_secs(20),
        }
    }
}

/// Why the embedded broker did not start.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// Beyond loopback without passwords.
    #[error(
        "the embedded broker would listen on {0}, beyond this machine, without passwords: give it a password file, \
         listen on loopback, or allow anonymous clients on the network explicitly"
    )]
    Exposed(SocketAddr),
    /// The topic root is not one or more plain topic levels.
    #[error("{0:?} cannot be the topic root: it must be non-empty, without '+', '#', '$' or control characters")]
    Root(String),
    /// The address cannot be listened on.
    #[error("the embedded broker cannot listen on {address}: {reason}")]
    Bind { address: SocketAddr, reason: String },
    /// Threads could not be started.
    #[error("the embedded broker's threads could not be started: {0}")]
    Threads(#[from] io::Error),
    /// The operating system gave no randomness for the monitor's secret.
    #[error("no randomness for the monitor's secret")]
    Randomness,
    /// The broker has been shut down.
    #[error("the embedded broker has been shut down")]
    Stopped,
    /// A retained message could not be kept.
    #[error("the embedded broker could not keep a retained message: {0}")]
    Unkept(String),
    /// A topic with wildcards or control characters.
    #[error("{0:?} is not a topic that can be published to")]
    Topic(String),
}

/// Credentials of the in-process monitor, which may read and write everything. Made anew at each start.
#[derive(Clone)]
pub struct Monitor {
    /// User name.
    pub user: &'static str,
    /// Password.
    pub secret: String,
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A running broker. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Embedded {
    address: SocketAddr,
    monitor: Monitor,
    counters: Arc<BrokerCounters>,
    gates: mpsc::Sender<Gate>,
    runtime: Option<Runtime>,
}

/// A retained message of ours on its way into the broker.
#[derive(Debug)]
struct Gate {
    topic: String,
    payload: Vec<u8>,
    done: oneshot::Sender<Result<(), String>>,
}

/// Publishes retained messages of ours.
#[derive(Clone, Debug)]
pub struct Publisher {
    gates: mpsc::Sender<Gate>,
}

impl Publisher {
    /// Publishes a retained message and waits until the broker holds it.
    ///
    /// # Errors
    /// When the topic has wildcards, the broker could not keep the message, or it has been shut down.
    pub async fn publish_retained(&self, topic: &str, payload: &[u8]) -> Result<(), BrokerError> {
        if !is_plain_topic(topic) {
            return Err(BrokerError::Topic(topic.to_owned()));
        }
        let (done, finished) = oneshot::channel();
        let gate = Gate { topic: topic.to_owned(), payload: payload.to_vec(), done };
        self.gates.send(gate).await.map_err(|_| BrokerError::Stopped)?;
        finished.await.map_err(|_| BrokerError::Stopped)?.map_err(BrokerError::Unkept)
    }
}

impl Embedded {
    /// Starts listening. Messages go to `intake`; without one they are only passed on to subscribers.
    ///
    /// # Errors
    /// When the configuration would expose an open broker, the root is not a topic, or the address is not free.
    pub async fn start(config: BrokerConfig, intake: Option<DurableSink>) -> Result<Self, BrokerError> {
        check(&config)?;
        let secret = secret()?;
        let counters = Arc::new(BrokerCounters::default());
        let hooks = Arc::new(hooks::BrokerHooks {
            topics: access::Topics::new(&config.root),
            users: config.users.clone(),
            anonymous: config.listen.ip().is_loopback() || config.allow_anonymous_network,
            secret: secret.clone(),
            intake,
            hold: config.hold,
            counters: Arc::clone(&counters),
            max_connections: config.max_connections,
            accepted: AtomicU64::new(0),
        });
        let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 4);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("broker")
            .enable_all()
            .build()?;
        let (ready, bound) = oneshot::channel();
        let (gates, gates_in) = mpsc::channel(16);
        let prefix = ours(&config.root);
        runtime.spawn(run(config, hooks, ready, gates_in));
        let outcome = bound.await.unwrap_or(Err(BrokerError::Stopped));
        let address = match outcome {
            Ok(address) => address,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        tracing::info!(%address, prefix, "embedded broker listens");
        Ok(Self { address, monitor: Monitor { user: hooks::MONITOR, secret }, counters, gates, runtime: Some(runtime) })
    }

    /// Where it listens; the real port, also when port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// How a client of this process may connect with all rights.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// What it has seen so far.
    pub fn counters(&self) -> &Arc<BrokerCounters> {
        &self.counters
    }

    /// Publishes a retained message in place of ours, such as `{root}/v1/updates/{version}/gate`; no device can.
    ///
    /// # Errors
    /// As [`Publisher::publish_retained`].
    pub async fn publish_retained(&self, topic: &str, payload: &[u8]) -> Result<(), BrokerError> {
        self.publisher().publish_retained(topic, payload).await
    }

    /// Publishes after us; it does not keep the broker running.
    pub fn publisher(&self) -> Publisher {
        Publisher { gates: self.gates.clone() }
    }

    /// Closes the listener and every connection, and waits (at most 5 s) until no message is being delivered any more.
    pub async fn shutdown(mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // A runtime may not be waited for on a thread of another one.
        let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(5))).await;
        if ended.is_err() {
            tracing::warn!("the embedded broker did not end cleanly");
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What the topics begin with under which only we publish.
fn ours(root: &str) -> String {
    format!("{root}/v1/updates/")
}

fn check(config: &BrokerConfig) -> Result<(), BrokerError> {
    if !is_plain_topic(&config.root) {
        return Err(BrokerError::Root(config.root.clone()));
    }
    if !config.listen.ip().is_loopback() && config.users.is_empty() && !config.allow_anonymous_network {
        return Err(BrokerError::Exposed(config.listen));
    }
    Ok(())
}

fn is_plain_topic(topic: &str) -> bool {
    !topic.is_empty() && topic.len() < 256 && !topic.contains(['+', '#', '$']) && !topic.contains(char::is_control)
}

fn secret() -> Result<String, BrokerError> {
    let mut bytes = [0_u8; 24];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| BrokerError::Randomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The broker's life on its own threads; ends when the runtime does.
async fn run(
    config: BrokerConfig,
    hooks: Arc<hooks::BrokerHooks>,
    ready: oneshot::Sender<Result<SocketAddr, BrokerError>>,
    mut gates: mpsc::Receiver<Gate>,
) {
    let counters = Arc::clone(&hooks.counters);
    let accepted = Arc::clone(&hooks);
    let context = context(&config, hooks).await;
    let bound = bind(&config).and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = match bound {
        Ok(bound) => bound,
        Err(error) => {
            let error = BrokerError::Bind { address: config.listen, reason: format!("{error:#}") };
            // The caller has gone away: there is nobody to tell.
            let _ = ready.send(Err(error));
            return;
        }
    };
    let server = MqttServer::new(context.clone()).listener_by_id(listener, 1).build();
    tokio::spawn(server.run());
    let _ = ready.send(Ok(address));
    let mut look = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            gate = gates.recv() => match gate {
                Some(gate) => publish_gate(&context, gate).await,
                None => return,
            },
            _ = look.tick() => {
                let clients = u64::try_from(context.connections.count()).unwrap_or_default();
                accepted.accepted.store(0, Ordering::Relaxed);
                counters.clients.store(clients, Ordering::Relaxed);
            }
        }
    }
}

async fn publish_gate(context: &ServerContext, gate: Gate) {
    let message = CodecPublish {
        dup: false,
        retain: true,
        qos: QoS::AtLeastOnce,
        topic: gate.topic.into(),
        packet_id: None,
        payload: gate.payload.into(),
        properties: None,
    };
    let origin = Origin::from_system(Id::from(context.node.id(), "fleetwatch".into()));
    let message = Publish::new(Box::new(message), None, None, None);
    let outcome = SessionState::forwards(context, origin, message, false, None).await;
    // Whoever asked may have stopped waiting.
    let _ = gate.done.send(outcome.map_err(|error| error.to_string()));
}

async fn context(config: &BrokerConfig, hooks: Arc<hooks::BrokerHooks>) -> ServerContext {
    let context = ServerContext::new()
        // It would refuse connections while the machine's CPU is busy, which is when a fleet reconnects.
        .busy_check_enable(false)
        .mqtt_max_sessions(isize::try_from(config.max_sessions).unwrap_or(isize::MAX))
        .build()
        .await;
    let refused = Arc::clone(&hooks.counters.retained_refused);
    *context.extends.retain_mut().await =
        Box::new(retained::Retained::new(config.retained, ours(&config.root), refused));
    let register = context.extends.hook_mgr().register();
    for kind in
        [Type::ClientAuthenticate, Type::MessagePublishCheckAcl, Type::ClientSubscribeCheckAcl, Type::MessagePublish]
    {
        register.add(kind, Box::new(hooks::Hook(Arc::clone(&hooks)))).await;
    }
    register.start().await;
    context
}

fn bind(config: &BrokerConfig) -> rmqtt::Result<Listener> {
    const INFLIGHT: NonZeroU16 = NonZeroU16::new(1_000).expect("1,000 is not zero");
    Builder::new()
        .name("embedded")
        .laddr(config.listen)
        .reuseaddr(Some(true))
        .backlog(4_096)
        // Acknowledgements are tiny and latency is ours to spend: no waiting for more to send.
        .nodelay(true)
        // Every client goes through our hook, which decides about anonymous ones itself.
        .allow_anonymous(false)
        .max_connections(config.max_connections as usize)
        .max_handshaking_limit(1_000)
        .handshake_timeout(Duration::from_secs(10))
        .send_timeout(Duration::from_secs(10))
        .max_packet_size(config.max_packet)
        .max_clientid_len(crate::engine::device::MAX_DEVICE_ID_BYTES)
        .max_topic_levels(8)
        .max_subscriptions(16)
        .max_inflight(INFLIGHT)
        .max_mqueue_len(10_000)
        .session_expiry_interval(config.session_expiry)
        .max_session_expiry_interval(config.session_expiry)
        // Zero: messages do not expire. The default would drop what waits for a client after five minutes.
        .message_expiry_interval(Duration::ZERO)
        .bind()?
        .tcp()
}
