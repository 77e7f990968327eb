//! What changes, as server-sent events.
//!
//! An event named `incident` says which incident changed, its version, what happened and to which devices; whoever shows it
//! fetches it anew. `fleet` says that there is a new picture of the fleet, of which instant, and
//! what is the worst that is open. `missed` says that some changes
//! were lost on the way: fetch everything. A stream ends after some minutes, and a
//! browser begins it again by itself: with that the session or token is looked at anew, so one that has ended hears nothing
//! for long.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::{IncidentsApi, sees};
use crate::engine::snapshot::Snapshot;
use crate::engine::time::Timestamp;
use crate::record::access::{Principal, Role};
use crate::record::incidents::{IncidentUpdate, Incidents};
use crate::record::open_items;
use crate::web::access::caller::Caller;
use crate::web::server::problem::Problem;
use crate::web::server::schema::ProblemBody;
use crate::web::server::state::HttpState;
use crate::web::server::streams::{Room, Streams};

/// How long one lasts.
const LIFETIME: Duration = Duration::from_secs(300);

/// A proxy cuts what is silent for long.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How often a new picture of the fleet is looked for.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// When the browser is to come back.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// What a stream waits for.
enum Wakeup {
    End,
    Update(Result<IncidentUpdate, RecvError>),
    Poll,
}

struct Listener {
    updates: broadcast::Receiver<IncidentUpdate>,
    incidents: Arc<dyn Incidents>,
    principal: Principal,
    snapshot: Arc<ArcSwap<Snapshot>>,
    /// The picture of the fleet that was told last.
    seen_at: Timestamp,
    polls: Interval,
    ends_at: Instant,
    ending: watch::Receiver<bool>,
    greeted: bool,
    _room: Room,
}

/// Changes of incidents, as server-sent events.
#[utoipa::path(get, path = "/api/v1/incidents/stream", tag = "incidents", responses(
    (status = 200, description = "Events named `incident` (number, version, at, actions, devices), `fleet` (at, worst) and `missed`",
     content_type = "text/event-stream", body = String),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn stream(
    State(state): State<HttpState>,
    State(incidents): State<IncidentsApi>,
    State(streams): State<Streams>,
    principal: Principal,
    caller: Extension<Caller>,
) -> Response {
    let Some(access) = incidents.access else { return crate::web::incident::api::none().into_response() };
    let Some(room) = streams.enter(&principal, caller.subscriber()) else {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many listen already; ask now and then")
            .into_response();
    };
    let mut polls = interval(POLL_INTERVAL);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listener = Listener {
        updates: access.incidents.updates(),
        incidents: access.incidents,
        principal,
        seen_at: state.snapshot.load().at,
        snapshot: Arc::clone(&state.snapshot),
        polls,
        ends_at: Instant::now() + LIFETIME,
        ending: streams.ending.subscribe(),
        greeted: false,
        _room: room,
    };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

impl Listener {
    /// The next event; `None` when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        if !std::mem::replace(&mut self.greeted, true) {
            // At once, so that the browser knows that it hears, and from when on.
            return Some(Event::default().event("hello").retry(RECONNECT_DELAY).data("{}"));
        }
        loop {
            let event = match self.hear().await {
                Wakeup::End | Wakeup::Update(Err(RecvError::Closed)) => return None,
                Wakeup::Update(Err(RecvError::Lagged(_))) => Some(Event::default().event("missed").data("{}")),
                Wakeup::Update(Ok(update)) => self.own(update).map(|update| {
                    let json = serde_json::to_string(&update).unwrap_or_default();
                    Event::default().event("incident").data(json)
                }),
                Wakeup::Poll => self.look(),
            };
            if event.is_some() {
                return event;
            }
        }
    }

    async fn hear(&mut self) -> Wakeup {
        tokio::select! {
            biased;
            _ = self.ending.wait_for(|ending| *ending) => Wakeup::End,
            () = tokio::time::sleep_until(self.ends_at) => Wakeup::End,
            update = self.updates.recv() => Wakeup::Update(update),
            _ = self.polls.tick() => Wakeup::Poll,
        }
    }

    /// A picture of the fleet that was not told yet.
    fn look(&mut self) -> Option<Event> {
        let at = self.snapshot.load().at;
        (at != std::mem::replace(&mut self.seen_at, at)).then(|| {
            // Whoever sees only the own branch is not told of others' devices.
            let worst = (self.principal.role != Role::Branch)
                .then(|| open_items::worst_first(&self.snapshot.load(), &self.incidents.board()).into_iter().next())
                .flatten();
            let data = serde_json::json!({ "at": at, "worst": worst });
            Event::default().event("fleet").data(data.to_string())
        })
    }

    /// What of an update is the principal's business.
    fn own(&self, mut update: IncidentUpdate) -> Option<IncidentUpdate> {
        if self.principal.role != Role::Branch {
            return Some(update);
        }
        let board = self.incidents.board();
        let incident = board.find(&update.number).filter(|incident| sees(&self.principal, incident))?;
        update.devices.retain(|device| incident.ladder.contains(device) && self.principal.sees(device));
        Some(update)
    }
}
