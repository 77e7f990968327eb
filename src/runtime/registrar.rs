//! Sees to the record while everything runs: that it can be written at this moment, that it is the one it was, and that what is known
//! here is on it.
//!
//! A start does not wait for the record, and a run goes on without it: messages are collected, and the hour is counted. As soon as the
//! record can be had, what it holds is taken up; should it be another one than before (made anew, emptied, restored from an old
//! backup), what is known here of open events and incidents is written to it again, and said at ERROR. Which record it is says an
//! identity that it was given at its first probe, and a [`Marker`] beside the checkpoints, for the next start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, watch};

use super::marker::Marker;
use super::mutex::lock;
use super::sent_messages::{RememberingOutbox, SentMessages};
use crate::clock::Clock;
use crate::engine::detector::Engine;
use crate::engine::effect::{Change, ChangeKind};
use crate::engine::snapshot::{EventView, Snapshot};
use crate::engine::time::Timestamp;
use crate::record::incident::ContactEntry;
use crate::record::incidents::Incidents as _;
use crate::record::{EventQuery, StoreError};
use crate::runtime::incidents::LiveIncidents;
use crate::runtime::update_gates::UpdateGates;
use crate::store::{Probed, Store};

/// Real time between two probes, while all is well and while it is not.
const EVERY: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_secs(1);

/// Longest wait for a probe; a person waits no longer.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Probes in a row that take too long before it is said: one may have met a long write.
const SLOW_MOST: u32 = 2;

/// Least room on the record's disk, in bytes. With less, a small probe may pass where an incident does not.
const ROOM: u64 = 4 << 20;

/// What is said before the first look that finds the record.
const LATE: &str = "the incident database is not there yet";

/// Events that are looked at when the record is taken up: more are not open at a time.
const EVENTS: u32 = 500;

/// Attempts that are looked at for an incident.
const ATTEMPTS: u32 = 10_000;

/// What the registrar works with.
#[derive(Debug)]
pub struct Registrar {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub incidents: LiveIncidents,
    pub gates: Option<UpdateGates>,
    pub engine: Arc<Mutex<Engine>>,
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Whom to call, as the configuration lists it.
    pub contacts: Vec<ContactEntry>,
    pub sent: SentMessages,
    pub outbox: Arc<RememberingOutbox>,
    pub marker: Marker,
    /// Where the record's file is; `None` on a server.
    pub directory: Option<PathBuf>,
    /// What the detector decides.
    pub changes: broadcast::Receiver<Change>,
    /// Why no person's write could succeed now, in words that anybody may read.
    pub trouble: watch::Sender<Option<String>>,
}

/// What is remembered between two probes.
#[derive(Debug, Default)]
pub struct Mind {
    /// The record that was taken up.
    record: Option<String>,
    /// When it was probed last.
    probed_at: Option<Timestamp>,
    /// Changes of the events that are not over, by event.
    open: BTreeMap<String, Vec<Change>>,
    slow: u32,
    failing: bool,
}

/// A first look at the record, before the state is restored. `None` when it cannot be had yet: that is said, and no reason not to start.
///
/// # Errors
/// What no waiting mends: tables of a newer version, a database that cannot be used.
pub async fn first_look(store: &dyn Store, now: Timestamp) -> anyhow::Result<Option<Probed>> {
    match store.probe(now).await {
        Ok(probed) => Ok(Some(probed)),
        Err(error) if error.is_for_good() => Err(anyhow::Error::new(error).context("cannot open the incident record")),
        Err(error) => {
            tracing::error!(
                reason = error.reason(), %error,
                "the incident record cannot be had: starting without it. Messages are collected and the hour is counted; nobody can \
                 be told and nobody can work on incidents until it is there"
            );
            Ok(None)
        }
    }
}

impl Registrar {
    /// Works until it is dropped.
    pub async fn run(mut self, mut mind: Mind) {
        loop {
            tokio::time::sleep(if mind.failing { AGAIN } else { EVERY }).await;
            self.listen(&mut mind);
            self.poll(&mut mind).await;
        }
    }

    /// What is on record is known here, before anything else begins. `first` is what [`first_look`] has found.
    pub async fn begin(&self, first: Option<Probed>) -> Mind {
        let mut mind = Mind::default();
        let outcome = match first {
            Some(probed) => self.welcome(&mut mind, probed).await.map_err(|error| error.in_brief()),
            None => Err(LATE),
        };
        mind.failing = outcome.is_err();
        self.trouble.send_replace(outcome.err().map(str::to_owned));
        mind
    }

    /// Keeps what is decided about events that are not over.
    fn listen(&mut self, mind: &mut Mind) {
        loop {
            match self.changes.try_recv() {
                Ok(change) => note(&mut mind.open, change),
                // What was missed is on its way to the record, and read from there.
                Err(broadcast::error::TryRecvError::Lagged(_)) => mind.record = None,
                Err(_) => return,
            }
        }
    }

    async fn poll(&self, mind: &mut Mind) {
        let now = self.clock.now();
        let outcome = match tokio::time::timeout(PROBE_TIMEOUT, self.store.probe(now)).await {
            Ok(Ok(probed)) => {
                mind.slow = 0;
                self.welcome(mind, probed).await
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                mind.slow += 1;
                if mind.slow < SLOW_MOST && !mind.failing { Ok(()) } else { Err(self.too_slow()) }
            }
        };
        if outcome.is_ok() && mind.slow == 0 {
            mind.probed_at = Some(now);
        }
        self.judge(mind, outcome);
    }

    /// Says how it stands: readiness at once, the log at each turn.
    fn judge(&self, mind: &mut Mind, outcome: Result<(), StoreError>) {
        let trouble = match &outcome {
            Err(error) => Some(error.in_brief().to_owned()),
            Ok(()) => self.short_of_room(),
        };
        match (&outcome, &trouble) {
            (Err(error), _) if !mind.failing => {
                let reason = error.reason();
                tracing::error!(reason, %error, "the incident record cannot be written: nobody can work on incidents");
            }
            (Ok(()), Some(why)) if !mind.failing => tracing::error!(why, "the incident record is about to be full"),
            (Ok(()), None) if mind.failing => tracing::info!("the incident record can be written"),
            _ => {}
        }
        mind.failing = trouble.is_some();
        self.trouble.send_replace(trouble);
    }

    /// A file waits for a lock, a server for an answer.
    fn too_slow(&self) -> StoreError {
        match &self.directory {
            Some(_) => StoreError::Busy,
            None => {
                let detail = format!("no answer within {} s", PROBE_TIMEOUT.as_secs());
                StoreError::Away { place: "in store.url".to_owned(), detail }
            }
        }
    }

    fn short_of_room(&self) -> Option<String> {
        let free = fs4::available_space(self.directory.as_deref()?).ok()?;
        (free < ROOM).then(|| format!("the disk of the incident database has {} KiB left", free / 1_024))
    }

    /// Takes up a record that was not known before, and writes to it what it lacks.
    async fn welcome(&self, mind: &mut Mind, probed: Probed) -> Result<(), StoreError> {
        let Probed { id, before } = probed;
        let is_known = mind.record.as_ref() == Some(&id);
        let is_older = is_known && before < mind.probed_at;
        if is_known && !is_older {
            return Ok(());
        }
        let expected = mind.record.clone().or_else(|| self.marker.read());
        let is_other = expected.is_some_and(|expected| expected != id);
        if is_other || is_older {
            self.restore(mind, before.is_none()).await?;
        }
        self.store.import_contacts(&self.contacts, self.clock.now()).await?;
        let highest = self.store.highest_number().await?;
        lock(&self.engine).number_above(0, u32::try_from(highest).unwrap_or(u32::MAX));
        if let Some(gates) = &self.gates {
            gates.take_up().await?;
        }
        self.incidents.take_up().await?;
        self.remember(mind).await?;
        if let Err(error) = self.marker.write(&id) {
            tracing::error!(%error, "which record belongs to the state cannot be noted beside the checkpoints; will try again");
        }
        mind.record = Some(id);
        Ok(())
    }

    /// Writes what is known here to a record that may lack it.
    async fn restore(&self, mind: &mut Mind, is_new: bool) -> Result<(), StoreError> {
        if mind.record.is_some() {
            self.outbox.begin_anew();
        }
        let snapshot = self.snapshot.load_full();
        let lacking = snapshot.events.iter().filter(|view| !mind.open.contains_key(&view.event_id));
        let stated = lacking.map(|view| stated(view, snapshot.at));
        let changes: Vec<Change> = mind.open.values().flatten().cloned().chain(stated).collect();
        let appended = self.store.append(&changes, self.clock.now()).await?;
        if let Some(gates) = &self.gates {
            gates.restore().await?;
        }
        let incidents = self.incidents.restore().await?;
        tracing::error!(
            is_new,
            events = snapshot.events.len(),
            changes = appended.written,
            incidents,
            "the incident record is not the one that it was: it was deleted, moved, made anew, restored from a backup, or another one \
             is configured. What is known of open events, incidents and gates is written to it again. What was on record of ended \
             incidents is not in it, nor people, tokens and sessions: fleetwatch user add, or a backup"
        );
        Ok(())
    }

    /// What the record holds of what is not over: it could be lost.
    async fn remember(&self, mind: &mut Mind) -> Result<(), StoreError> {
        let query = EventQuery { with_warnings: true, open_only: true, limit: EVENTS, ..EventQuery::default() };
        for event in self.store.events(query).await? {
            let Some(record) = self.store.event(&event.event_id).await? else { continue };
            let mut changes: Vec<Change> = record.changes.into_iter().map(|entry| entry.change).collect();
            let known = mind.open.entry(event.event_id).or_default();
            let later = known.drain(..).filter(|change| !changes.contains(change)).collect::<Vec<_>>();
            changes.extend(later);
            *known = changes;
        }
        for incident in &self.incidents.board().incidents {
            self.sent.note(&self.store.attempts(Some(incident.number()), ATTEMPTS).await?);
        }
        Ok(())
    }
}

/// Keeps a change for as long as its event is not over.
fn note(open: &mut BTreeMap<String, Vec<Change>>, change: Change) {
    if change.kind == ChangeKind::Resolved || change.near_miss.is_some() {
        open.remove(&change.event_id);
    } else {
        open.entry(change.event_id.clone()).or_default().push(change);
    }
}

/// An event as the engine knows it, as the change that a record begins with which knows nothing of it.
fn stated(view: &EventView, now: Timestamp) -> Change {
    let is_major = view.incident.is_some();
    Change {
        at: view.declared_at.unwrap_or(now),
        kind: if is_major { ChangeKind::Declared } else { ChangeKind::EarlyWarning },
        event_id: view.event_id.clone(),
        incident: view.incident.clone(),
        severity: view.severity,
        scope: view.scope,
        impact_started_at: view.impact_started_at,
        streak_s: view.streak_s,
        devices: view.members.clone(),
        cause: view.cause.clone(),
        forecast: None,
        near_miss: None,
        aliases: Vec::new(),
        damage: Vec::new(),
        proof: Vec::new(),
    }
}
