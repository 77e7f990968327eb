//! Room for streams of events: each holds a connection for minutes.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::room::{Share, Shares, key_of};
use crate::record::access::Principal;

/// Streams at a time: each holds a connection, and pages need some too.
const AT_A_TIME: usize = 128;

/// Of them one person or program, and one address: nobody takes those of all others.
const OF_ONE: u32 = 24;
const OF_ADDRESS: u32 = 64;

/// Room for streams. Shared between requests.
#[derive(Clone, Debug)]
pub struct Streams {
    room: Arc<Semaphore>,
    shares: Arc<Shares<String>>,
    pub(in crate::web) ending: watch::Sender<bool>,
}

impl Default for Streams {
    fn default() -> Self {
        let (room, shares) = (Arc::new(Semaphore::new(AT_A_TIME)), Arc::default());
        Self { room, shares, ending: watch::Sender::new(false) }
    }
}

impl Streams {
    /// A place for one more, of this person and address; `None` when one of them has all that it may have.
    pub(in crate::web) fn enter(&self, principal: &Principal, address: Option<IpAddr>) -> Option<Room> {
        let own = key_of(principal).map(|key| self.shares.take(key, OF_ONE));
        let of_address = address.map(|address| self.shares.take(format!("address {address}"), OF_ADDRESS));
        let shares = [own, of_address].into_iter().flatten().collect::<Option<Vec<_>>>()?;
        let place = Arc::clone(&self.room).try_acquire_owned().ok()?;
        Some(Room { _place: place, _shares: shares })
    }

    /// Ends every stream: the listener stops, and would wait for them.
    pub(in crate::web) fn end(&self) {
        self.ending.send_replace(true);
    }
}

/// The room that one stream takes, until it is dropped.
pub(in crate::web) struct Room {
    _place: OwnedSemaphorePermit,
    _shares: Vec<Share<String>>,
}
