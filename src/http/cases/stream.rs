//! What changes, as server-sent events.
//!
//! Each event is named `case` and says which incident changed, its version, what happened and to which devices; whoever shows it
//! fetches it anew. `missed` says that some were lost on the way: fetch everything. A stream ends after some minutes, and a
//! browser begins it again by itself: with that the session or token is looked at anew, so one that has ended hears nothing
//! for long.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::Instant;

use super::{Cases, sees};
use crate::http::openapi::ProblemBody;
use crate::http::problem::Problem;
use crate::record::access::{Principal, Role};
use crate::record::desk::{CaseDesk, CaseUpdate};

/// Streams at a time: each holds a connection, and pages need some too.
const AT_A_TIME: usize = 128;

/// How long one lasts.
const LASTS: Duration = Duration::from_secs(300);

/// A proxy cuts what is silent for long.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// When the browser is to come back.
const COME_BACK: Duration = Duration::from_secs(1);

/// Room for streams. Shared between requests.
#[derive(Clone, Debug)]
pub struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

struct Listener {
    updates: broadcast::Receiver<CaseUpdate>,
    desk: Arc<dyn CaseDesk>,
    principal: Principal,
    ends_at: Instant,
    greeted: bool,
    _room: OwnedSemaphorePermit,
}

/// Changes of incidents, as server-sent events.
#[utoipa::path(get, path = "/api/v1/cases/stream", tag = "incidents", responses(
    (status = 200, description = "Events named `case` (number, version, at, actions, devices) and `missed`",
     content_type = "text/event-stream", body = String),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::http) async fn stream(
    State(cases): State<Cases>,
    State(streams): State<Streams>,
    principal: Principal,
) -> Response {
    let Some(access) = cases.access else { return super::none().into_response() };
    let Ok(room) = streams.0.try_acquire_owned() else {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many listen already; ask now and then")
            .into_response();
    };
    let listener = Listener {
        updates: access.desk.updates(),
        desk: access.desk,
        principal,
        ends_at: Instant::now() + LASTS,
        greeted: false,
        _room: room,
    };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)).into_response()
}

impl Listener {
    /// The next event; `None` when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        if !std::mem::replace(&mut self.greeted, true) {
            // At once, so that the browser knows that it hears, and from when on.
            return Some(Event::default().event("hello").retry(COME_BACK).data("{}"));
        }
        loop {
            match tokio::time::timeout_at(self.ends_at, self.updates.recv()).await {
                Err(_) | Ok(Err(RecvError::Closed)) => return None,
                Ok(Err(RecvError::Lagged(_))) => return Some(Event::default().event("missed").data("{}")),
                Ok(Ok(update)) => {
                    let Some(update) = self.own(update) else { continue };
                    let json = serde_json::to_string(&update).unwrap_or_default();
                    return Some(Event::default().event("case").data(json));
                }
            }
        }
    }

    /// What of an update is the principal's business.
    fn own(&self, mut update: CaseUpdate) -> Option<CaseUpdate> {
        if self.principal.role != Role::Branch {
            return Some(update);
        }
        let board = self.desk.board();
        let case = board.find(&update.number).filter(|case| sees(&self.principal, case))?;
        let own = |branch: Option<&str>| self.principal.sees_branch(branch);
        update.devices.retain(|device| case.ladder.get(device).is_some_and(|rung| own(rung.branch.as_deref())));
        Some(update)
    }
}
