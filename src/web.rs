//! The operators' HTTP listener: pages for people, an API for programs, metrics and health.
//!
//! | path | what |
//! |---|---|
//! | `/` | is anything wrong now? state of the fleet, the one-hour clock, open events |
//! | `/wall` | what is open, to be read from three metres: no menu, its own age |
//! | `/incidents` | incidents on record |
//! | `/incidents/{id}` | one event by number or event id: suspect, devices, timeline, continuity proof |
//! | `/incidents/{id}/record`, `/incidents/{id}/review` | the whole record of an incident; its review, also as `review.md` |
//! | `/incidents/{id}/do/{act}` | the form of one act on an incident (`POST`: it is done) |
//! | `/support?q` | is this customer affected, what to do and say; calls are recorded by `POST` to `/support/call`, `/support/claim` |
//! | `/branches`, `/branches/{branch}` | what each branch has to do |
//! | `/devices/{device}` | one device |
//! | `/settings` | what is in force, to read |
//! | `/gates` | what the updater is told, and a form to decide (`POST`) |
//! | `/devices?branch&update&verdict&after` | every device, a page at a time |
//! | `/report?since&until` | what the night amounted to: incidents, near misses and why, suspects, silent devices |
//! | `/api/v1/events?open&warnings&limit&offset` | incidents on record, as JSON |
//! | `/api/v1/open` | what is open now, the worst first |
//! | `/api/v1/events/{id}` | one event with its whole history, as JSON |
//! | `/api/v1/devices?limit&after&branch&update&verdict` | devices as of the last tick, as JSON |
//! | `/api/v1/devices/forget` | `POST {"devices":[...],"by":...,"reason":...}`: a person takes devices out of the fleet |
//! | `/api/v1/gates` | what the updater is told, as JSON |
//! | `/api/v1/gates/{version}` | `POST {"gate":"hold"\|"release","by":...,"reason":...}`: a person decides |
//! | `/api/v1/control-ring` | the devices that are kept out of the first night of an update |
//! | `/api/v1/report?since&until` | the report as JSON |
//! | `/api/v1/incidents...`, `/api/v1/contacts` | the work on incidents, see [`incidents`] |
//! | `/api/v1/openapi.json` | the API's description |
//! | `/login`, `/logout`, `/account` | who is there; see [`access`] |
//! | `/here` | 204 for whoever is known: what a page asks that cannot be asked for again |
//! | `/metrics` | Prometheus text format |
//! | `/livez` | 200 while the process answers |
//! | `/readyz` | each latch with its reason; 503 while one is closed |
//!
//! Routes stand in groups, each with the action that it takes (`access`); pages are rendered here, need no JavaScript, and read the
//! engine's last snapshot, so they cost the detector nothing. Errors are problem details (RFC 9457), or a page for a browser. What guards the listener is in
//! `guard`: a checked `Host` header, a time limit, a body limit, and headers that let a page load nothing but its own style sheet;
//! in `listener`: bounds of connections, and how slow the other end may be; in `room`: who may be answered at a time.

pub mod access;
mod api;
mod branch;
mod device;
mod event;
mod gate;
mod incident;
mod lang;
mod now;
mod page;
mod report;
mod server;
mod settings;
mod support;
mod ui;
mod work;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post, put};
use tokio::net::TcpListener;
use tower_http::CompressionLevel;
use tower_http::compression::{CompressionLayer, DefaultPredicate};
use tower_http::limit::RequestBodyLimitLayer;

pub use self::access::{Access, AccessSettings};
use self::access::{Door, Needed, login};
use self::device::forget;
use self::gate::api as gates;
use self::incident::api::idempotency::InFlight;
use self::incident::api::stream;
use self::incident::api::{Streams, read as look, write as act};
use self::incident::submit;
pub use self::server::guard::HostPolicy;
pub use self::server::health::{self, Health};
pub use self::server::openapi;
use self::server::room::{self, Rooms};
use self::server::{guard, listener, probe, problem};
use self::support::api as contacts;
use self::support::routes as desk;
use self::ui::assets;
pub use self::ui::zone::{MomentError, Zone, ZoneError};
use crate::clock::Clock;
use crate::engine::snapshot::Snapshot;
use crate::record::access::Action;
use crate::record::fleet::FleetDesk;
use crate::record::incident::IncidentStore;
use crate::record::incidents::Incidents;
use crate::record::outbox::Outbox;
use crate::record::standing::Board;
use crate::record::{EventStore, GateDesk};

/// Largest body of a request. The longest is a form with a reason.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// The same where a script in two languages, or a review, is sent: 4,000 characters each, three bytes a character, and as much
/// again for JSON's or a form's escapes.
const MAX_TEXTS_BYTES: usize = 256 * 1024;

/// The same for a list of contacts.
const MAX_LIST_BYTES: usize = 4 * 1024 * 1024;

/// Makes the text of `/metrics`, with its content type.
pub type Exposition = Arc<dyn Fn() -> (&'static str, String) + Send + Sync>;

/// What the pages show and where they get it from. Cheap to clone.
#[derive(Clone)]
pub struct HttpState {
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    pub health: Arc<Health>,
    pub metrics: Exposition,
    pub store: Arc<dyn EventStore>,
    /// Who may what.
    pub access: Arc<Access>,
    /// What is decided about updates; `None` when nothing is.
    pub gates: Option<Arc<dyn GateDesk>>,
    /// Where devices are taken out of the fleet; `None` where nobody can.
    pub fleet: Option<Arc<dyn FleetDesk>>,
    /// Where incidents are worked on; `None` where nobody can.
    pub desk: Option<Arc<dyn Incidents>>,
    /// Incidents in short, open or not, and the contacts of customers.
    pub incidents: Option<Arc<dyn IncidentStore>>,
    /// What was sent; `None` where nothing is.
    pub outbox: Option<Arc<dyn Outbox>>,
    /// How the channels fare over which people are told; without any, nobody is.
    pub channels: Arc<Board>,
    /// The configuration in force, as it is shown to people.
    pub settings: Arc<serde_json::Value>,
    /// Shared by all requests; a default will do.
    pub shared: Shared,
    pub clock: Clock,
    /// Zone in which people read times.
    pub zone: Zone,
}

/// What requests share that nobody else needs.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    in_flight: InFlight,
    streams: Streams,
}

impl FromRef<HttpState> for Streams {
    fn from_ref(state: &HttpState) -> Self {
        state.shared.streams.clone()
    }
}

impl fmt::Debug for HttpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpState").field("zone", &self.zone).finish_non_exhaustive()
    }
}

/// Bounds of the listener.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Names, beside the loopback ones and that of the public address, under which the listener may be asked. On a loopback address no
    /// other name is answered; on any other address every name, when there is none at all.
    pub allowed_hosts: Vec<String>,
    /// Longest time that one answer may take.
    pub request_timeout: Duration,
    /// Most connections at a time, and never more than a quarter of the descriptors that the process may have. A further one takes the
    /// place of one that is not being answered.
    pub max_connections: usize,
    /// Most of them from one address; this machine and trusted proxies are not bound.
    pub max_connections_of_one: usize,
    /// Longest time from the end of one request (or the connection's begin) to the end of the next one's head.
    pub header_timeout: Duration,
    /// A connection on which nothing arrives for this long is closed.
    pub idle_timeout: Duration,
    /// A connection is closed when what was sent is not read for this long.
    pub stall_timeout: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            request_timeout: Duration::from_secs(10),
            max_connections: 512,
            max_connections_of_one: 128,
            header_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(20),
        }
    }
}

/// All routes, guarded for a listener on `address`.
fn router(state: HttpState, config: &HttpConfig, address: SocketAddr) -> Router {
    let mut hosts = config.allowed_hosts.clone();
    hosts.extend(state.access.public_host().map(str::to_owned));
    let policy = Arc::new(HostPolicy::new(address, &hosts));
    let access = Arc::clone(&state.access);
    let door = Door { access: Arc::clone(&access), list: state.incidents.clone() };
    let group = |action, routes: Router<HttpState>| {
        routes.route_layer(from_fn_with_state(Needed { access: Arc::clone(&access), action }, access::require))
    };
    // The outermost of the limits on a request is the one that counts, so each stands beside the others.
    let small = open_routes()
        .merge(group(Some(Action::See), fleet_routes()))
        .merge(group(Some(Action::SeeOwn), own_routes()))
        .merge(group(Some(Action::SeeContacts), contact_routes()))
        .merge(group(Some(Action::Work), support_routes()))
        .merge(group(Some(Action::DecideGate), gate_routes()))
        .merge(group(Some(Action::ManageAccess), forget_routes()))
        .merge(group(None, account_routes()))
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES));
    let texts = group(None, incident_routes()).layer(RequestBodyLimitLayer::new(MAX_TEXTS_BYTES));
    let lists = group(Some(Action::ImportContacts), import_routes())
        .layer(DefaultBodyLimit::max(MAX_LIST_BYTES))
        .layer(RequestBodyLimitLayer::new(MAX_LIST_BYTES));
    Router::new()
        .merge(small)
        .merge(texts)
        .merge(lists)
        // A page is a tenth of its size then. Events are left as they come, and so is what a scrape fetches over the local network. That
        // a form's token stands in what is compressed tells nobody its length: a foreign page's request brings no session
        // (`SameSite`).
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(DefaultPredicate::new()))
        .merge(metrics_routes(&access).layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES)))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .with_state(state)
        .layer(from_fn_with_state(Arc::new(Rooms::default()), room::admit))
        .layer(from_fn_with_state(door, access::identify))
        .layer(from_fn(problem::translate))
        .layer(from_fn_with_state(config.request_timeout, guard::limit_time))
        .layer(from_fn_with_state(policy, guard::check_host))
        .layer(from_fn_with_state(access.is_encrypted(), guard::set_headers))
}

/// What needs nobody: to log in, and whether we are alive. No more may stand here than a stranger may see.
fn open_routes() -> Router<HttpState> {
    Router::new()
        .route("/login", get(login::page).post(login::submit))
        .route("/login/start", get(login::start))
        .route("/login/callback", get(login::callback))
        .route("/assets/style.css", get(assets::style))
        .route("/assets/live.js", get(assets::script))
        .route("/assets/icon.svg", get(assets::icon))
        .route("/livez", get(probe::livez))
        .route("/readyz", get(probe::readyz))
}

fn metrics_routes(access: &Arc<Access>) -> Router<HttpState> {
    let guard = from_fn_with_state(Arc::clone(access), access::guard_metrics);
    Router::new().route("/metrics", get(probe::metrics)).route_layer(guard)
}

/// What shows the whole fleet.
fn fleet_routes() -> Router<HttpState> {
    Router::new()
        .route("/wall", get(page::wall))
        .route("/incidents", get(page::incidents))
        .route("/incidents/{id}", get(page::work::incident))
        .route("/incidents/{id}/record", get(page::work::record))
        .route("/incidents/{id}/review", get(page::work::review))
        .route("/incidents/{id}/review.md", get(page::work::review_markdown))
        .route("/gates", get(page::gates))
        .route("/report", get(page::report))
        .route("/settings", get(page::work::settings))
        .route("/api/v1/events", get(api::events))
        .route("/api/v1/events/{id}", get(api::event))
        .route("/api/v1/open", get(api::open))
        .route("/api/v1/incidents/{id}/record", get(look::record))
        .route("/api/v1/incidents/{id}/export", get(look::export))
        .route("/api/v1/gates", get(gates::gates))
        .route("/api/v1/control-ring", get(gates::control_ring))
        .route("/api/v1/report", get(api::report))
}

/// What shows everybody their own, and a branch no more than that.
fn own_routes() -> Router<HttpState> {
    Router::new()
        .route("/", get(page::now))
        .route("/devices", get(page::devices))
        .route("/devices/{device}", get(page::work::device))
        .route("/branches", get(page::work::branches))
        .route("/branches/{branch}", get(page::work::branch))
        .route("/api/v1/devices", get(api::devices))
        .route("/api/v1/incidents", get(look::list))
        .route("/api/v1/incidents/stream", get(stream::stream))
        .route("/api/v1/incidents/{id}", get(look::one))
        .route("/api/v1/incidents/{id}/ladder", get(look::ladder))
        .route("/api/v1/openapi.json", get(openapi::serve))
}

/// What is for everybody who is known.
fn account_routes() -> Router<HttpState> {
    Router::new()
        .route("/account", get(login::account))
        .route("/here", get(probe::here))
        .route("/logout", post(login::logout))
        .route("/logout/everywhere", post(login::logout))
}

/// What changes an incident. Each wish takes something else, so each handler asks (`incidents::wish`).
fn incident_routes() -> Router<HttpState> {
    Router::new()
        .route("/incidents/{id}/do/{act}", get(submit::form).post(submit::submit))
        .route("/api/v1/incidents", post(act::declare))
        .route("/api/v1/incidents/{id}/commands", post(act::command))
        .route("/api/v1/incidents/{id}/merge", post(act::merge))
        .route("/api/v1/incidents/{id}/split", post(act::split))
}

fn contact_routes() -> Router<HttpState> {
    Router::new().route("/api/v1/contacts", get(contacts::find)).route("/api/v1/contacts/{device}", get(contacts::one))
}

fn import_routes() -> Router<HttpState> {
    Router::new().route("/api/v1/contacts", put(contacts::import))
}

/// Where customers are talked with.
fn support_routes() -> Router<HttpState> {
    Router::new()
        .route("/support", get(desk::page))
        .route("/support/call", post(desk::call))
        .route("/support/claim", post(desk::claim))
}

fn gate_routes() -> Router<HttpState> {
    Router::new().route("/gates", post(gates::submit)).route("/api/v1/gates/{version}", post(gates::decide))
}

fn forget_routes() -> Router<HttpState> {
    Router::new().route("/api/v1/devices/forget", post(forget::forget))
}

/// Answers on `listener` until `shutdown` is done; then finishes what it has begun.
///
/// # Errors
/// When the listener has no address.
pub async fn serve(
    listener: TcpListener,
    state: HttpState,
    config: HttpConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let (streams, free) = (state.shared.streams.clone(), state.access.proxies().to_vec());
    let router = router(state, &config, address);
    let shutdown = async move {
        shutdown.await;
        streams.end();
    };
    listener::serve(listener, router, (&config, free), shutdown).await;
    Ok(())
}
