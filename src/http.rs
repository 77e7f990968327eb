//! The operators' HTTP listener: pages for people, an API for programs, metrics and health.
//!
//! | path | what |
//! |---|---|
//! | `/` | is anything wrong now? state of the fleet, the one-hour clock, open events |
//! | `/incidents` | incidents on record |
//! | `/incidents/{id}` | one event by number or event id: suspect, devices, timeline, continuity proof |
//! | `/gates` | what the updater is told, and a form to decide (`POST`) |
//! | `/devices?branch&update&verdict&after` | every device, a page at a time |
//! | `/report?since&until` | what the night amounted to: incidents, near misses and why, suspects, silent devices |
//! | `/api/v1/incidents?open&warnings&limit&offset` | incidents on record, as JSON |
//! | `/api/v1/incidents/{id}` | one event with its whole history, as JSON |
//! | `/api/v1/devices?limit&after&branch&update&verdict` | devices as of the last tick, as JSON |
//! | `/api/v1/gates` | what the updater is told, as JSON |
//! | `/api/v1/gates/{version}` | `POST {"gate":"hold"\|"release","by":...,"reason":...}`: a person decides |
//! | `/api/v1/control-ring` | the devices that are kept out of the first night of an update |
//! | `/api/v1/report?since&until` | the report as JSON |
//! | `/metrics` | Prometheus text format |
//! | `/livez` | 200 while the process answers |
//! | `/readyz` | each latch with its reason; 503 while one is closed |
//!
//! But for a person's word about an update (`gate`, with its guard against foreign pages), everything is read-only. Pages are rendered here, need no JavaScript, and read the engine's last snapshot, so
//! they cost the detector nothing. Errors are problem details (RFC 9457), or a page for a browser. What guards the listener is in
//! `guard`: a checked `Host` header, a time limit, a body limit, a bounded number of connections, and headers that
//! let a page load nothing but its own style sheet.

mod api;
mod assets;
mod filter;
mod gate;
mod guard;
pub mod health;
mod lang;
mod listener;
mod page;
mod probe;
mod problem;
mod report;
mod zone;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tower_http::limit::RequestBodyLimitLayer;

pub use self::guard::HostPolicy;
pub use self::health::Health;
pub use self::zone::{MomentError, Zone, ZoneError};
use crate::clock::Clock;
use crate::engine::snapshot::Snapshot;
use crate::record::{GateDesk, IncidentStore};

/// Largest body of a request. The longest is a form with a reason.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// Makes the text of `/metrics`, with its content type.
pub type Exposition = Arc<dyn Fn() -> (&'static str, String) + Send + Sync>;

/// What the pages show and where they get it from. Cheap to clone.
#[derive(Clone)]
pub struct HttpState {
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    pub health: Arc<Health>,
    pub metrics: Exposition,
    pub store: Arc<dyn IncidentStore>,
    /// What is decided about updates; `None` when nothing is.
    pub gates: Option<Arc<dyn GateDesk>>,
    pub clock: Clock,
    /// Zone in which people read times.
    pub zone: Zone,
}

impl fmt::Debug for HttpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpState").field("zone", &self.zone).finish_non_exhaustive()
    }
}

/// Bounds of the listener.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Names, beside the loopback ones, under which the listener may be asked. On a loopback address no other name is
    /// answered; on any other address an empty list means every name.
    pub allowed_hosts: Vec<String>,
    /// Longest time that one answer may take.
    pub request_timeout: Duration,
    /// Most connections at a time; further ones wait to be accepted.
    pub max_connections: usize,
    /// A connection on which nothing arrives for this long is closed.
    pub idle_timeout: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            request_timeout: Duration::from_secs(10),
            max_connections: 256,
            idle_timeout: Duration::from_secs(75),
        }
    }
}

/// All routes, guarded for a listener on `address`.
pub fn router(state: HttpState, config: &HttpConfig, address: SocketAddr) -> Router {
    let policy = Arc::new(HostPolicy::new(address, &config.allowed_hosts));
    Router::new()
        .route("/", get(page::now))
        .route("/incidents", get(page::incidents))
        .route("/incidents/{id}", get(page::incident))
        .route("/devices", get(page::devices))
        .route("/gates", get(page::gates).post(gate::submit))
        .route("/report", get(page::report))
        .route("/assets/style.css", get(assets::style))
        .route("/assets/icon.svg", get(assets::icon))
        .route("/api/v1/incidents", get(api::incidents))
        .route("/api/v1/incidents/{id}", get(api::incident))
        .route("/api/v1/devices", get(api::devices))
        .route("/api/v1/gates", get(gate::gates))
        .route("/api/v1/gates/{version}", post(gate::decide))
        .route("/api/v1/control-ring", get(gate::control_ring))
        .route("/api/v1/report", get(api::report))
        .route("/metrics", get(probe::metrics))
        .route("/livez", get(probe::livez))
        .route("/readyz", get(probe::readyz))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .with_state(state)
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES))
        .layer(from_fn(problem::translate))
        .layer(from_fn_with_state(config.request_timeout, guard::limit_time))
        .layer(from_fn_with_state(policy, guard::check_host))
        .layer(from_fn(guard::set_headers))
}

/// Answers on `listener` until `shutdown` is done; then finishes what it has begun.
///
/// # Errors
/// When the listener has no address or fails for good.
pub async fn serve(
    listener: TcpListener,
    state: HttpState,
    config: HttpConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let router = router(state, &config, address);
    let bounded = listener::Bounded::new(listener, config.max_connections, config.idle_timeout);
    axum::serve(bounded, router).with_graceful_shutdown(shutdown).await
}
