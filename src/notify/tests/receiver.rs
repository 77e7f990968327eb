//! A receiver that does what the test says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use crate::engine::time::Timestamp;
use crate::notify::{Channel, Receipt, Refusal};
use crate::record::outbox::Dispatch;

#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Take,
    TakeLate(Duration),
    Error,
    Hang,
    /// It has it, and says that it has not.
    TakeAndFail,
    /// It has it, and says nothing.
    TakeAndHang,
    Never,
    /// Not for this receiver.
    NotThem,
    Patience(Duration),
    Panic,
}

/// What to answer to this message, as the nth that is asked.
type Script = Box<dyn Fn(&Dispatch, usize) -> Answer + Send + Sync>;

pub(super) struct Receiver {
    script: Script,
    asked: Mutex<Vec<Timestamp>>,
    /// Key and incident of every copy, in the order of arrival.
    taken: Mutex<Vec<(String, Option<String>)>>,
    threads: Mutex<BTreeMap<String, Option<String>>>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

impl Receiver {
    pub(super) fn new(script: impl Fn(&Dispatch, usize) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            asked: Mutex::default(),
            taken: Mutex::default(),
            threads: Mutex::default(),
        })
    }

    /// Keys of every copy, in the order of arrival.
    pub(super) fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().iter().map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn copies(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    /// What is left when second copies are dropped by their key.
    pub(super) fn distinct(&self) -> BTreeSet<String> {
        self.taken().into_iter().collect()
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(super) fn asked_at(&self) -> Vec<Timestamp> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn threads(&self) -> BTreeMap<String, Option<String>> {
        self.threads.lock().unwrap().clone()
    }

    /// Whether the first copies of each incident's messages came in the order of their keys.
    pub(super) fn in_order(&self) -> bool {
        let mut seen = BTreeSet::new();
        let mut last: BTreeMap<Option<String>, String> = BTreeMap::new();
        self.taken.lock().unwrap().iter().filter(|(key, _)| seen.insert(key.clone())).all(|(key, incident)| {
            let before = last.insert(incident.clone(), key.clone());
            before.is_none_or(|before| before < *key)
        })
    }

    fn take(&self, dispatch: &Dispatch) -> Receipt {
        self.taken.lock().unwrap().push((dispatch.key.clone(), dispatch.message.incident.clone()));
        Receipt { reference: Some(format!("ref-{}", dispatch.key)) }
    }
}

#[async_trait]
impl Channel for Receiver {
    async fn deliver(&self, dispatch: &Dispatch, thread: Option<&str>, now: Timestamp) -> Result<Receipt, Refusal> {
        let nth = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(now);
            asked.len() - 1
        };
        self.threads.lock().unwrap().insert(dispatch.key.clone(), thread.map(str::to_owned));
        match (self.script)(dispatch, nth) {
            Answer::Take => Ok(self.take(dispatch)),
            Answer::TakeLate(after) => {
                tokio::time::sleep(after).await;
                Ok(self.take(dispatch))
            }
            Answer::Error => Err(Refusal::later("answered 500")),
            Answer::Hang => std::future::pending().await,
            Answer::TakeAndFail => {
                self.take(dispatch);
                Err(Refusal::later("answered 502"))
            }
            Answer::TakeAndHang => {
                self.take(dispatch);
                std::future::pending().await
            }
            Answer::NotThem => Err(Refusal::receiver("550 no such user")),
            Answer::Never => Err(Refusal::never("no such receiver")),
            Answer::Patience(after) => Err(Refusal::Later { error: "answered 429".into(), after: Some(after) }),
            Answer::Panic => panic!("the test wants it"),
        }
    }
}
