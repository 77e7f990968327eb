//! Who may be answered at a time, so that nobody takes the room of all others.
//!
//! Health and metrics have a room of their own and answer whatever else goes on. Whoever nobody knows shares a small room with all
//! others of the kind, and when it is full, the one that has been there longest goes: an honest login is done long before. Each person
//! and each program that is known has a share of the rest.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, oneshot};

use super::problem::Problem;
use crate::record::access::{Principal, Via};
use crate::web::access::caller::Caller;

/// What machines ask about this one.
pub(in crate::web) const HEALTH: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Requests of machines that watch this one, of nobody known, and of one person or program, at a time.
const OF_HEALTH: usize = 16;
const OF_STRANGERS: usize = 32;
const OF_ONE: u32 = 64;

/// The room that there is. Shared between requests.
#[derive(Debug)]
pub(in crate::web) struct Rooms {
    health: Semaphore,
    strangers: Arc<Strangers>,
    known: Arc<Shares<String>>,
}

impl Default for Rooms {
    fn default() -> Self {
        let known = Arc::new(Shares::default());
        Self { health: Semaphore::new(OF_HEALTH), strangers: Arc::default(), known }
    }
}

/// The places of those whom nobody knows, the oldest first, each with what ends it when it is dropped.
#[derive(Debug, Default)]
struct Strangers(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    /// Number of the place that was taken last.
    last: u64,
    places: VecDeque<(u64, oneshot::Sender<()>)>,
}

/// The place of a stranger, until it is dropped.
#[derive(Debug)]
struct Place {
    strangers: Arc<Strangers>,
    id: u64,
    /// Ends when the place is lost.
    lost: oneshot::Receiver<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut strangers = self.strangers.0.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.places.retain(|(other, _)| *other != self.id);
    }
}

impl Strangers {
    /// Takes a place; whoever has been here longest may lose his.
    fn enter(self: &Arc<Self>) -> Place {
        let (here, lost) = oneshot::channel();
        let mut strangers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.last += 1;
        let id = strangers.last;
        strangers.places.push_back((id, here));
        while strangers.places.len() > OF_STRANGERS {
            strangers.places.pop_front();
        }
        Place { strangers: Arc::clone(self), id, lost }
    }
}

/// How much of something each has.
#[derive(Debug)]
pub(in crate::web) struct Shares<K>(Mutex<HashMap<K, u32>>);

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

/// One share, until it is dropped.
#[derive(Debug)]
pub(in crate::web) struct Share<K: std::hash::Hash + Eq> {
    of: K,
    shares: Arc<Shares<K>>,
}

impl<K: std::hash::Hash + Eq + Clone> Shares<K> {
    /// One more for `of`, unless it has `most`.
    pub(in crate::web) fn take(self: &Arc<Self>, of: K, most: u32) -> Option<Share<K>> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has = map.entry(of.clone()).or_default();
        if *has >= most {
            return None;
        }
        *has += 1;
        Some(Share { of, shares: Arc::clone(self) })
    }
}

impl<K: std::hash::Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let mut map = self.shares.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(has) = map.get_mut(&self.of) {
            *has -= 1;
            if *has == 0 {
                map.remove(&self.of);
            }
        }
    }
}

/// Under what a person's or a program's shares are counted; `None` where nobody is asked who it is.
pub(in crate::web) fn key_of(principal: &Principal) -> Option<String> {
    match &principal.via {
        Via::Open => None,
        Via::Token { id, .. } => Some(format!("token {id}")),
        Via::Session(_) | Via::Proxy => Some(format!("person {}", principal.name)),
    }
}

/// Answers while there is room.
pub(in crate::web) async fn admit(State(rooms): State<Arc<Rooms>>, request: Request, next: Next) -> Response {
    if HEALTH.contains(&request.uri().path()) {
        let Ok(_room) = rooms.health.try_acquire() else { return busy() };
        return next.run(request).await;
    }
    let principal = request.extensions().get::<Caller>().and_then(|caller| caller.identity.as_ref().ok()?.as_ref());
    let Some(principal) = principal else {
        let mut place = rooms.strangers.enter();
        return tokio::select! {
            response = next.run(request) => response,
            _ = &mut place.lost => busy(),
        };
    };
    let Some(key) = key_of(principal) else { return next.run(request).await };
    match rooms.known.take(key, OF_ONE) {
        Some(_share) => next.run(request).await,
        None => busy(),
    }
}

/// Too much is asked at once.
pub(in crate::web) fn busy() -> Response {
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too much is asked at once: try again in a moment");
    ([(header::RETRY_AFTER, "1"), (header::CONNECTION, "close")], problem).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stranger_who_has_been_here_longest_goes() {
        let strangers = Arc::new(Strangers::default());
        // Whoever has left holds nobody's place.
        drop((0..OF_STRANGERS).map(|_| strangers.enter()).collect::<Vec<_>>());
        let mut places: Vec<Place> = (0..OF_STRANGERS + 2).map(|_| strangers.enter()).collect();
        let ended = oneshot::error::TryRecvError::Closed;
        let lost: Vec<bool> = places.iter_mut().map(|place| place.lost.try_recv() == Err(ended.clone())).collect();
        assert!(lost[0] && lost[1] && !lost[2..].contains(&true), "{lost:?}");
    }

    #[test]
    fn a_share_comes_back_when_it_is_dropped() {
        let shares = Arc::new(Shares::default());
        let taken: Vec<_> = (0..3).map(|_| shares.take("a", 2)).collect();
        assert_eq!(taken.iter().filter(|share| share.is_some()).count(), 2);
        assert!(shares.take("b", 2).is_some(), "another one's is another one");
        drop(taken);
        assert!(shares.take("a", 2).is_some());
        assert!(shares.0.lock().unwrap().is_empty(), "nothing is kept of whoever has gone");
    }
}
