//! `/events`: what changes, as server-sent events, for pages that keep themselves fresh.
//!
//! | event | data |
//! |---|---|
//! | `case` | an incident has changed: a [`CaseUpdate`] as JSON, with no more devices than the reader may see |
//! | `fleet` | there is a new picture of the fleet: its instant in ms since the epoch |
//! | `missed` | the reader was too slow and has missed changes: everything has to be read anew |
//!
//! A comment goes out when nothing else did for a while, so that both ends see a dead connection.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::extract::{Extension, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::HttpState;
use super::access::Visit;
use super::problem::Problem;
use crate::engine::device::DeviceId;
use crate::engine::snapshot::Snapshot;
use crate::engine::time::Timestamp;
use crate::record::access::Principal;
use crate::record::desk::CaseUpdate;

/// How often a new picture of the fleet is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Looks without anything to say after which a comment is sent: well below the listener's idle time.
const QUIET_LOOKS: u32 = 15;

/// What all streams of a listener share.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    room: Arc<Semaphore>,
    /// Becomes true when the listener stops: a stream would keep it from ending.
    closing: watch::Receiver<bool>,
}

impl Streams {
    /// Room for `most` streams at a time.
    pub(super) fn new(most: usize, closing: watch::Receiver<bool>) -> Self {
        Self { room: Arc::new(Semaphore::new(most.max(1))), closing }
    }
}

/// What a stream waits for.
enum Heard {
    Closing,
    Update(Result<CaseUpdate, RecvError>),
    Look,
}

/// One reader's stream.
struct Reader {
    /// `None` where there is no desk, or once it is gone.
    updates: Option<broadcast::Receiver<CaseUpdate>>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    principal: Option<Principal>,
    seen_at: Timestamp,
    looks: Interval,
    quiet: u32,
    closing: watch::Receiver<bool>,
    _room: OwnedSemaphorePermit,
}

pub(super) async fn stream(
    State(state): State<HttpState>,
    Extension(streams): Extension<Streams>,
    visit: Visit,
) -> Response {
    let Ok(room) = streams.room.try_acquire_owned() else {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many pages are kept live; reload by hand");
        return ([(header::RETRY_AFTER, HeaderValue::from_static("30"))], problem).into_response();
    };
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reader = Reader {
        updates: state.desk.as_ref().map(|desk| desk.updates()),
        seen_at: state.snapshot.load().at,
        snapshot: Arc::clone(&state.snapshot),
        principal: visit.principal,
        looks,
        // The first look is at once: the comment tells the browser that the stream stands.
        quiet: QUIET_LOOKS,
        closing: streams.closing,
        _room: room,
    };
    Sse::new(events(reader)).into_response()
}

fn events(reader: Reader) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(reader, |mut reader| async move { reader.next().await.map(|event| (Ok(event), reader)) })
}

impl Reader {
    /// The next thing to say; `None` when the listener stops.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let event = match self.hear().await {
                Heard::Closing => return None,
                Heard::Update(Ok(update)) => self.told(update),
                Heard::Update(Err(RecvError::Lagged(_))) => Some(Event::default().event("missed").data("{}")),
                Heard::Update(Err(RecvError::Closed)) => {
                    self.updates = None;
                    None
                }
                Heard::Look => self.look(),
            };
            if event.is_some() {
                self.quiet = 0;
                return event;
            }
        }
    }

    async fn hear(&mut self) -> Heard {
        let update = async {
            match &mut self.updates {
                Some(updates) => updates.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            // An error means that the listener's end was dropped: it stops as well.
            _ = self.closing.wait_for(|closing| *closing) => Heard::Closing,
            update = update => Heard::Update(update),
            _ = self.looks.tick() => Heard::Look,
        }
    }

    /// The update, as far as the reader may know of it.
    fn told(&self, mut update: CaseUpdate) -> Option<Event> {
        let principal = self.principal.as_ref()?;
        let snapshot = self.snapshot.load();
        update.devices.retain(|device| principal.sees_branch(branch_of(&snapshot, device)));
        Event::default().event("case").json_data(&update).ok()
    }

    /// Whether there is a new picture of the fleet, or nothing has been said for too long.
    fn look(&mut self) -> Option<Event> {
        let at = self.snapshot.load().at;
        if at != self.seen_at {
            self.seen_at = at;
            return Some(Event::default().event("fleet").data(at.as_ms().to_string()));
        }
        self.quiet += 1;
        (self.quiet > QUIET_LOOKS).then(|| Event::default().comment("still here"))
    }
}

/// The branch of a device in a picture of the fleet.
pub(super) fn branch_of<'a>(snapshot: &'a Snapshot, device: &DeviceId) -> Option<&'a str> {
    let index = snapshot.devices.binary_search_by(|view| view.id.cmp(device)).ok()?;
    snapshot.devices[index].branch.as_deref()
}
