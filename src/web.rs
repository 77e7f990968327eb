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
//! | `/api/v1/incidents...`, `/api/v1/contacts` | the work on incidents, see `incident::api` |
//! | `/api/v1/openapi.json` | the API's description |
//! | `/login`, `/logout`, `/account` | who is there; see [`access`] |
//! | `/here` | 204 for whoever is known: what a page asks that cannot be asked for again |
//! | `/metrics` | Prometheus text format |
//! | `/livez` | 200 while the process answers |
//! | `/readyz` | each latch with its reason; 503 while one is closed |
//!
//! One folder a subject, and in it `routes` for what is asked, `view` for what is drawn, `api` for programs. Imports run one way:
//! `routes` and `api` use `server` and `view`; `view` draws and uses `ui`; `ui` uses the words of [`crate::words`].
//!
//! | module | what it owns |
//! |---|---|
//! | [`access`] | who a request comes from, and what that person or program may do |
//! | `branch` | a branch, and the list of them |
//! | `device` | one device, and the list of them |
//! | `event` | what the detector sees, and the list of incidents |
//! | `gate` | what the updater is told |
//! | `incident` | an incident as people work on it: page, forms, API |
//! | `now` | the first page, and the wall |
//! | `report` | the night |
//! | `server` | the listener and its guards, health, what all handlers share |
//! | `settings` | what is in force |
//! | `support` | the support desk, and whom to call |
//! | `ui` | what every page is made of |
//!
//! Routes stand in groups, each with the action that it takes (`access::require`); pages are rendered here, need no JavaScript, and
//! read the engine's last snapshot, so they cost the detector nothing. A state is always told by a word and a shape, never by colour
//! alone. Errors are problem details (RFC 9457), or a page for a browser. What guards the listener is in `server::guard`: a checked
//! `Host` header, a time limit, a body limit, and headers that let a page load nothing but its own style sheet; in
//! `server::listener`: bounds of connections, and how slow the other end may be; in `server::room`: who may be answered at a time.

pub mod access;
mod branch;
mod device;
mod event;
mod gate;
mod incident;
mod now;
mod report;
mod server;
mod settings;
mod support;
mod ui;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post, put};
use tokio::net::TcpListener;
use tower_http::CompressionLevel;
use tower_http::compression::{CompressionLayer, DefaultPredicate};
use tower_http::limit::RequestBodyLimitLayer;

use self::access::caller::{self, Door};
use self::access::login;
use self::access::require::{self, Needed};
pub use self::access::{Access, AccessSettings};
use self::incident::api as incidents;
use self::incident::submit as forms;
pub use self::server::guard::HostPolicy;
pub use self::server::health::{self, Health};
pub use self::server::listener::HttpConfig;
pub use self::server::openapi;
use self::server::room::{self, Rooms};
pub use self::server::state::{Exposition, HttpState, Shared};
use self::server::{guard, html, listener, probe, problem};
use self::support::api as contacts;
use self::ui::assets;
use crate::record::access::Action;

/// Largest body of a request. The longest is a form with a reason.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// The same where a script in two languages, or a review, is sent: 4,000 characters each, three bytes a character, and as much
/// again for JSON's or a form's escapes.
const MAX_TEXTS_BYTES: usize = 256 * 1024;

/// The same for a list of contacts.
const MAX_LIST_BYTES: usize = 4 * 1024 * 1024;

/// All routes, guarded for a listener on `address`.
fn router(state: HttpState, config: &HttpConfig, address: SocketAddr) -> Router {
    let mut hosts = config.allowed_hosts.clone();
    hosts.extend(state.access.public_host().map(str::to_owned));
    let policy = Arc::new(HostPolicy::new(address, &hosts));
    let access = Arc::clone(&state.access);
    let door = Door { access: Arc::clone(&access), list: state.incident_store.clone() };
    let group = |action, routes: Router<HttpState>| {
        routes.route_layer(from_fn_with_state(Needed { access: Arc::clone(&access), action }, require::require))
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
        .fallback(html::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .with_state(state)
        .layer(from_fn_with_state(Arc::new(Rooms::default()), room::admit))
        .layer(from_fn_with_state(door, caller::identify))
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
    let guard = from_fn_with_state(Arc::clone(access), require::guard_metrics);
    Router::new().route("/metrics", get(probe::metrics)).route_layer(guard)
}

/// What shows the whole fleet.
fn fleet_routes() -> Router<HttpState> {
    Router::new()
        .route("/wall", get(now::routes::wall))
        .route("/incidents", get(event::routes::list))
        .route("/incidents/{id}", get(incident::routes::one))
        .route("/incidents/{id}/record", get(incident::routes::record))
        .route("/incidents/{id}/review", get(incident::routes::review))
        .route("/incidents/{id}/review.md", get(incident::routes::review_markdown))
        .route("/gates", get(gate::routes::show))
        .route("/report", get(report::routes::show))
        .route("/settings", get(settings::routes::show))
        .route("/api/v1/events", get(event::api::events))
        .route("/api/v1/events/{id}", get(event::api::event))
        .route("/api/v1/open", get(event::api::open))
        .route("/api/v1/incidents/{id}/record", get(incidents::read::record))
        .route("/api/v1/incidents/{id}/export", get(incidents::read::export))
        .route("/api/v1/gates", get(gate::api::gates))
        .route("/api/v1/control-ring", get(gate::api::control_ring))
        .route("/api/v1/report", get(report::api::report))
}

/// What shows everybody their own, and a branch no more than that.
fn own_routes() -> Router<HttpState> {
    Router::new()
        .route("/", get(now::routes::now))
        .route("/devices", get(device::routes::list))
        .route("/devices/{device}", get(device::routes::one))
        .route("/branches", get(branch::routes::list))
        .route("/branches/{branch}", get(branch::routes::one))
        .route("/api/v1/devices", get(device::api::devices))
        .route("/api/v1/incidents", get(incidents::read::list))
        .route("/api/v1/incidents/stream", get(incidents::stream::stream))
        .route("/api/v1/incidents/{id}", get(incidents::read::one))
        .route("/api/v1/incidents/{id}/ladder", get(incidents::read::ladder))
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

/// What changes an incident. Each request takes something else, so each handler asks (`record::access::policy`).
fn incident_routes() -> Router<HttpState> {
    Router::new()
        .route("/incidents/{id}/do/{act}", get(forms::form).post(forms::submit))
        .route("/api/v1/incidents", post(incidents::write::declare))
        .route("/api/v1/incidents/{id}/commands", post(incidents::write::command))
        .route("/api/v1/incidents/{id}/merge", post(incidents::write::merge))
        .route("/api/v1/incidents/{id}/split", post(incidents::write::split))
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
        .route("/support", get(support::routes::page))
        .route("/support/call", post(support::routes::call))
        .route("/support/claim", post(support::routes::claim))
}

fn gate_routes() -> Router<HttpState> {
    Router::new().route("/gates", post(gate::routes::submit)).route("/api/v1/gates/{version}", post(gate::api::decide))
}

fn forget_routes() -> Router<HttpState> {
    Router::new().route("/api/v1/devices/forget", post(device::forget::forget))
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
