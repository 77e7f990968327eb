//! What is opened when it is first asked for, and anew once it was lost.
//!
//! A record that cannot be had at the start is had later, and one that was moved away, deleted or made anew in the middle is opened
//! anew, by whoever needs it next. Opening takes seconds when a server is silent; what one has found, all who waited with it are told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use crate::clock;
use crate::record::StoreError;

/// How long a refusal holds for those who come after it.
const REFUSED: Duration = Duration::from_millis(500);

/// The same for one that only a person ends, and that may have taken a look at the whole of a large file.
const REFUSED_FOR_LONG: Duration = Duration::from_secs(5);

/// Something that is there, or not yet, or not any more.
#[derive(Debug)]
pub(super) struct Lazy<T>(Mutex<State<T>>);

#[derive(Debug)]
enum State<T> {
    Absent(Option<(Instant, StoreError)>),
    Open(Arc<T>),
    Closed,
}

impl<T> Lazy<T> {
    /// Nothing is open yet.
    pub(super) fn new() -> Self {
        Self(Mutex::new(State::Absent(None)))
    }

    /// What is open; opened anew when nothing is, or when what was is lost.
    ///
    /// # Errors
    /// Why it cannot be opened, just now or half a second ago; that it was closed.
    pub(super) async fn get(
        &self,
        is_lost: impl FnOnce(&T) -> bool,
        open: BoxFuture<'_, Result<T, StoreError>>,
    ) -> Result<Arc<T>, StoreError> {
        let mut state = self.0.lock().await;
        match &*state {
            State::Closed => return Err(StoreError::Io { detail: "it has been closed".to_owned() }),
            State::Open(there) if !is_lost(there) => return Ok(Arc::clone(there)),
            State::Open(_) => *state = State::Absent(None),
            State::Absent(Some((at, error))) if at.elapsed() < holds(error) => return Err(error.clone()),
            State::Absent(_) => {}
        }
        match open.await {
            Ok(opened) => {
                let opened = Arc::new(opened);
                *state = State::Open(Arc::clone(&opened));
                Ok(opened)
            }
            Err(error) => {
                *state = State::Absent(Some((clock::monotonic(), error.clone())));
                Err(error)
            }
        }
    }

    /// Nothing is to be opened any more. Answers what was open.
    pub(super) async fn close(&self) -> Option<Arc<T>> {
        let mut state = self.0.lock().await;
        match std::mem::replace(&mut *state, State::Closed) {
            State::Open(there) => Some(there),
            State::Absent(_) | State::Closed => None,
        }
    }
}

fn holds(error: &StoreError) -> Duration {
    let for_long = error.is_for_good() || matches!(error, StoreError::Damaged { .. });
    if for_long { REFUSED_FOR_LONG } else { REFUSED }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens(outcome: Result<u8, StoreError>) -> BoxFuture<'static, Result<u8, StoreError>> {
        Box::pin(std::future::ready(outcome))
    }

    #[tokio::test]
    async fn what_is_lost_is_opened_anew_and_what_is_closed_never() {
        let lazy = Lazy::new();
        assert_eq!(*lazy.get(|_| false, opens(Ok(1))).await.unwrap(), 1);
        assert_eq!(*lazy.get(|_| false, opens(Ok(2))).await.unwrap(), 1);
        assert_eq!(*lazy.get(|there| *there == 1, opens(Ok(3))).await.unwrap(), 3);
        assert_eq!(lazy.close().await.as_deref(), Some(&3));
        assert_eq!(lazy.get(|_| true, opens(Ok(4))).await.unwrap_err().reason(), "io");
        assert!(lazy.close().await.is_none());
    }

    #[tokio::test]
    async fn a_refusal_is_told_to_those_who_waited_with_it() {
        let lazy = Lazy::<u8>::new();
        assert!(matches!(lazy.get(|_| false, opens(Err(StoreError::Full))).await, Err(StoreError::Full)));
        assert!(matches!(lazy.get(|_| false, opens(Ok(1))).await, Err(StoreError::Full)), "not asked again at once");
    }
}
