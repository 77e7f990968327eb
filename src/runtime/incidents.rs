//! The open incidents as they run: opens them for what the detector declares, lets telemetry climb their ladders, takes
//! people's commands, and has everybody told.
//!
//! The record is the truth. What follows from a change, what devices show, the clock or a request is first written, in one transaction
//! with the messages that have to be sent, and only then in force; what cannot be written is tried again with the next look
//! at the fleet, because it still follows then. A start folds the record, and makes up for what was declared while nothing ran.
//!
//! | module | what it owns |
//! |---|---|
//! | `directory` | which channel reaches whom |
//! | `intake` | from the detector's events to incidents |
//! | `keep` | taking up what is on record, and writing it again when the record has lost it |
//! | `samples` | the incidents as metrics show them |
//! | `sight` | the fleet as the incidents see it |
//! | `text` | the words of a notice |
//! | `work` | the task that keeps all of it going |

mod directory;
mod intake;
mod restore;
mod samples;
mod seen_fleet;
mod task;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::broadcast;

pub use directory::Directory;
pub use seen_fleet::Statuses;
pub use task::IncidentTask;
pub(in crate::runtime) use text::summary;

use crate::clock::Clock;
use crate::engine::device::DeviceId;
use crate::engine::snapshot::Snapshot;
use crate::incident::closure::Obstacles;
use crate::incident::{Action, DeclaredEvent, Incident, IncidentEvent, LifeSettings, Refusal, Rota};
use crate::metrics::incidents::{IncidentSample, IncidentSource};
use crate::record::incident::{IncidentAppend, IncidentQuery, IncidentStore, Keep};
use crate::record::incidents::{
    IncidentError, IncidentFile, IncidentUpdate, Incidents, Once, OpenIncidents, Reshape, VersionedCommand, is_called,
};
use crate::record::outbox::NewDispatch;
use crate::record::{EventStore, StoreError};

use super::mutex::lock;
use super::sent_messages::SentMessages;
use seen_fleet::SeenFleet;

/// Updates that a listener may be behind before it misses some.
const UPDATE_ROOM: usize = 256;

/// Most devices that an update names.
const NAMED: usize = 300;

/// Most closed incidents that a new one is compared with, to say which it follows.
const CLOSED_LOOKED_AT: u32 = 20;

/// Closed incidents whose metrics are still shown, so that the close itself can be seen.
const CLOSED_SHOWN: usize = 5;

/// How incidents are to run.
#[derive(Clone, Debug, Default)]
pub struct IncidentsConfig {
    pub settings: LifeSettings,
    /// Minutes of continuous degradation that make a major incident, as the detector is set.
    pub hold_min: u32,
    pub rota: Rota,
    pub directory: Directory,
}

/// The incidents. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LiveIncidents(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Arc<LifeSettings>,
    hold_min: u32,
    rota: Arc<Rota>,
    directory: Directory,
    clock: Clock,
    store: Arc<dyn IncidentStore>,
    events: Arc<dyn EventStore>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    /// What devices have said of themselves since the snapshot was drawn.
    statuses: Statuses,
    /// What was told before the record was lost.
    sent: SentMessages,
    /// Whether the record's open incidents are known here.
    taken_up: AtomicBool,
    /// What was declared and is not with its incident yet.
    unheard: Mutex<VecDeque<DeclaredEvent>>,
    /// The events of each open incident, as they are on record.
    kept: Mutex<BTreeMap<String, Vec<IncidentEvent>>>,
    /// One change at a time: what one does is on record before the next one looks.
    writing: tokio::sync::Mutex<()>,
    /// Open incidents by id.
    incidents: Mutex<BTreeMap<String, Arc<Incident>>>,
    board: ArcSwap<OpenIncidents>,
    /// Closed since the start, the latest last.
    closed: Mutex<VecDeque<Arc<Incident>>>,
    /// Ids of the snapshot's declared events whose incidents are over: what they say is no news.
    over: Mutex<BTreeSet<String>>,
    updates: broadcast::Sender<IncidentUpdate>,
}

/// Events that are to be added to one incident: to an open one, or to a new one that begins with them.
struct Batch {
    /// `None`: the first event opens it.
    before: Option<Arc<Incident>>,
    events: Vec<IncidentEvent>,
}

impl LiveIncidents {
    /// Takes up the open incidents from the record as soon as it can be read; until then it knows none.
    pub fn new(
        config: IncidentsConfig,
        clock: Clock,
        store: Arc<dyn IncidentStore>,
        events: Arc<dyn EventStore>,
        snapshot: Arc<ArcSwap<Snapshot>>,
        statuses: Statuses,
        sent: SentMessages,
    ) -> Self {
        let inner = Inner {
            settings: Arc::new(config.settings),
            hold_min: config.hold_min,
            rota: Arc::new(config.rota),
            directory: config.directory,
            clock,
            store,
            events,
            snapshot,
            statuses,
            sent,
            taken_up: AtomicBool::new(false),
            unheard: Mutex::default(),
            kept: Mutex::default(),
            writing: tokio::sync::Mutex::new(()),
            incidents: Mutex::default(),
            board: ArcSwap::default(),
            closed: Mutex::default(),
            over: Mutex::default(),
            updates: broadcast::Sender::new(UPDATE_ROOM),
        };
        inner.show();
        Self(Arc::new(inner))
    }

    /// The incidents as metrics show them, whenever they are asked for.
    pub fn samples(&self) -> IncidentSource {
        let inner = Arc::clone(&self.0);
        Arc::new(move || inner.samples())
    }
}

impl Inner {
    /// What metrics show: the open incidents, then those closed last.
    fn samples(&self) -> Vec<IncidentSample> {
        let now = self.clock.now();
        let board = self.board.load();
        let closed = lock(&self.closed);
        let shown = board.incidents.iter().chain(closed.iter().rev());
        shown.map(|incident| samples::sample(incident, &self.settings, now)).collect()
    }

    /// The open incident with this id, number or alias.
    fn find(&self, id: &str) -> Option<Arc<Incident>> {
        lock(&self.incidents).values().find(|incident| is_called(incident, id)).cloned()
    }

    /// Draws what pages and metrics see.
    fn show(&self) {
        // Under the lock, so that of two that draw at a time the later state is seen last.
        let open = lock(&self.incidents);
        let mut incidents: Vec<Arc<Incident>> = open.values().cloned().collect();
        incidents.sort_by(|a, b| (a.opening.declared_at, a.number()).cmp(&(b.opening.declared_at, b.number())));
        let (settings, rota) = (Arc::clone(&self.settings), Arc::clone(&self.rota));
        self.board.store(Arc::new(OpenIncidents { incidents, settings, rota }));
    }

    /// Writes events and what has to be said because of them; then they are in force. The caller holds `writing`.
    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Arc<Incident>>, StoreError> {
        self.commit_once(batches, None).await
    }

    /// The same, with the answer that is kept under a key. It is about the last of the incidents; about the given one when nothing
    /// happens.
    async fn commit_once(
        &self,
        batches: Vec<Batch>,
        once: Option<(&Once, Option<&Arc<Incident>>)>,
    ) -> Result<Vec<Arc<Incident>>, StoreError> {
        let mut prepared = Vec::with_capacity(batches.len());
        for batch in &batches {
            let Some((incident, messages)) = self.prepare(batch) else { continue };
            prepared.push((batch, incident.summary(), messages, Arc::new(incident)));
        }
        let answer = once.and_then(|(once, unchanged)| {
            let incident = prepared.last().map(|(_, _, _, incident)| incident).or(unchanged)?;
            let obstacles = incident.is_open().then(|| incident.obstacles(Some(&self.seen(incident).observation())));
            Some((once, (once.answer)(incident, obstacles)))
        });
        let keep = answer.as_ref().map(|(Once { who, key, .. }, answer)| Keep { who, key, answer });
        if prepared.is_empty() && keep.is_none() {
            return Ok(Vec::new());
        }
        let appends: Vec<IncidentAppend<'_>> = prepared
            .iter()
            .map(|(batch, summary, messages, incident)| IncidentAppend {
                id: incident.id(),
                expected: batch.before.as_ref().map_or(0, |before| before.version),
                events: &batch.events,
                after: summary,
                messages,
            })
            .collect();
        let written = self.store.append_incidents_once(&appends, keep, self.clock.now()).await;
        if let Err(error) = written {
            if matches!(error, StoreError::Conflict) {
                for (_, _, _, incident) in &prepared {
                    // Should this fail too, the next one who meets the conflict tries it again.
                    let _ = self.settle(incident.id()).await;
                }
            }
            return Err(error);
        }
        let mut incidents = Vec::with_capacity(prepared.len());
        let mut updates = Vec::with_capacity(prepared.len());
        for (batch, _, _, incident) in prepared {
            updates.push(self.enforce(&incident, &batch.events));
            incidents.push(incident);
        }
        self.publish(updates);
        Ok(incidents)
    }

    /// The incident after the events, and the messages that follow from each.
    fn prepare(&self, batch: &Batch) -> Option<(Incident, Vec<NewDispatch>)> {
        let mut events = batch.events.iter();
        let mut messages = Vec::new();
        let mut incident = match &batch.before {
            Some(before) => (**before).clone(),
            None => {
                let first = events.next()?;
                let incident = Incident::open(first)?;
                messages.extend(self.messages(&incident, first));
                incident
            }
        };
        for event in events {
            incident.apply(event);
            messages.extend(self.messages(&incident, event));
        }
        (!batch.events.is_empty()).then_some((incident, messages))
    }

    /// Shows the incidents as they are now, then tells what has changed: who hears of it finds it on the board.
    fn publish(&self, updates: Vec<IncidentUpdate>) {
        self.show();
        for update in updates {
            // Nobody has to listen.
            let _ = self.updates.send(update);
        }
    }

    /// The incident keeps this state; returns what is to be told of it.
    fn enforce(&self, incident: &Arc<Incident>, events: &[IncidentEvent]) -> IncidentUpdate {
        let mut incidents = lock(&self.incidents);
        let mut kept = lock(&self.kept);
        if incident.is_open() {
            incidents.insert(incident.id().to_owned(), Arc::clone(incident));
            kept.entry(incident.id().to_owned()).or_default().extend_from_slice(events);
        } else {
            incidents.remove(incident.id());
            kept.remove(incident.id());
            let mut closed = lock(&self.closed);
            closed.retain(|known| known.id() != incident.id());
            closed.push_back(Arc::clone(incident));
            if closed.len() > CLOSED_SHOWN {
                closed.pop_front();
            }
        }
        drop((incidents, kept));
        // An event may belong to what is open from here on.
        lock(&self.over).clear();
        for event in events {
            log(incident, event);
        }
        let mut devices: Vec<DeviceId> = events.iter().flat_map(|event| event.action.devices()).cloned().collect();
        devices.truncate(NAMED);
        let actions = events.iter().map(|event| event.action.as_str()).collect();
        let (number, version, at) = (incident.number().to_owned(), incident.version, incident.updated_at);
        IncidentUpdate { number, version, at, actions, devices }
    }

    fn seen(&self, incident: &Incident) -> SeenFleet {
        SeenFleet::of(incident, &self.snapshot.load_full(), &self.statuses)
    }
}

/// One line for each event.
fn log(incident: &Incident, event: &IncidentEvent) {
    let (action, by) = (event.action.as_str(), event.by.escape_debug());
    let (incident, state) = (incident.number(), incident.state.as_str());
    let moves = matches!(
        event.action,
        Action::Opened(_) | Action::Moved { .. } | Action::Reopened { .. } | Action::Closed { .. }
    );
    if moves {
        tracing::warn!(incident, action, state, %by, "the incident has moved");
    } else {
        tracing::info!(incident, action, state, %by, devices = event.action.devices().len(), "the incident has changed");
    }
}

#[async_trait]
impl Incidents for LiveIncidents {
    fn board(&self) -> Arc<OpenIncidents> {
        self.0.board.load_full()
    }

    fn updates(&self) -> broadcast::Receiver<IncidentUpdate> {
        self.0.updates.subscribe()
    }

    fn obstacles(&self, id: &str) -> Option<Obstacles> {
        let incident = self.0.find(id)?;
        let seen = self.0.seen(&incident);
        Some(incident.obstacles(Some(&seen.observation())))
    }

    async fn file(&self, id: &str) -> Result<Option<IncidentFile>, StoreError> {
        let Some(record) = self.0.store.incident(id).await? else { return Ok(None) };
        Ok(record.folded().map(|incident| IncidentFile { incident: Arc::new(incident), record }))
    }

    async fn execute_once(
        &self,
        id: &str,
        request: VersionedCommand,
        by: &str,
        once: Option<Once>,
    ) -> Result<Arc<Incident>, IncidentError> {
        let (inner, id, by) = (Arc::clone(&self.0), id.to_owned(), by.to_owned());
        // A task of its own: whoever asked may go away between the record and what follows from it.
        let executing = tokio::spawn(async move { inner.execute(&id, &request, &by, once.as_ref()).await });
        executing.await.unwrap_or_else(|error| Err(StoreError::Io { detail: error.to_string() }.into()))
    }

    async fn reshape_once(
        &self,
        reshape: Reshape,
        reason: &str,
        by: &str,
        once: Option<Once>,
    ) -> Result<Arc<Incident>, IncidentError> {
        let (inner, reason, by) = (Arc::clone(&self.0), reason.to_owned(), by.to_owned());
        let reshaping = tokio::spawn(async move { inner.reshape(&reshape, &reason, &by, once.as_ref()).await });
        reshaping.await.unwrap_or_else(|error| Err(StoreError::Io { detail: error.to_string() }.into()))
    }
}

impl Inner {
    /// Whether what is asked for was carried out before. The caller holds `writing`; the record itself refuses another process.
    async fn refuse_repeated(&self, once: Option<&Once>) -> Result<(), IncidentError> {
        let Some(Once { who, key, .. }) = once else { return Ok(()) };
        if self.store.kept_answer(who, key).await?.is_some() { Err(IncidentError::Repeated) } else { Ok(()) }
    }

    async fn execute(
        &self,
        id: &str,
        request: &VersionedCommand,
        by: &str,
        once: Option<&Once>,
    ) -> Result<Arc<Incident>, IncidentError> {
        let _one_at_a_time = self.writing.lock().await;
        self.take_up().await?;
        self.refuse_repeated(once).await?;
        let incident = self.known(id).await?;
        if let Some(seen) = request.seen.filter(|seen| *seen != incident.version) {
            return Err(IncidentError::Stale { seen, now: incident.version });
        }
        let fleet = self.seen(&incident);
        let at = (&*self.settings, self.clock.now());
        let events = incident.decide(&request.command, by, Some(&fleet.observation()), at)?;
        let batches = vec![Batch { before: Some(Arc::clone(&incident)), events }];
        let mut incidents = self.commit_once(batches, once.map(|once| (once, Some(&incident)))).await?;
        Ok(incidents.pop().unwrap_or(incident))
    }

    /// The open incident of this name; for one that is over, why nothing can be done about it.
    async fn known(&self, id: &str) -> Result<Arc<Incident>, IncidentError> {
        if let Some(incident) = self.find(id) {
            return Ok(incident);
        }
        match self.store.incident(id).await? {
            Some(_) => Err(Refusal::Closed.into()),
            None => Err(IncidentError::Unknown(id.to_owned())),
        }
    }

    async fn reshape(
        &self,
        reshape: &Reshape,
        reason: &str,
        by: &str,
        once: Option<&Once>,
    ) -> Result<Arc<Incident>, IncidentError> {
        let _one_at_a_time = self.writing.lock().await;
        self.take_up().await?;
        self.refuse_repeated(once).await?;
        let now = self.clock.now();
        let batches = match reshape {
            Reshape::Merge { from, into } => {
                let (from, into) = (self.known(from).await?, self.known(into).await?);
                if from.id() == into.id() {
                    return Err(IncidentError::Unknown(format!("other than {} to merge into", into.number())));
                }
                let gone = from.merge_into(into.number(), reason, by, now)?;
                let taken = into.absorb_from(&from, reason, by, now)?;
                vec![Batch { before: Some(from), events: gone }, Batch { before: Some(into), events: taken }]
            }
            Reshape::Split { from, devices } => {
                let from = self.known(from).await?;
                let (number, id) = self.split_name(&from).await?;
                let (left, opened) = from.split(devices, (&number, &id), (reason, by), now)?;
                vec![Batch { before: Some(from), events: left }, Batch { before: None, events: opened }]
            }
            Reshape::Declare { event_id } => self.declare_by_hand(event_id, reason, by, now).await?,
        };
        let mut done = self.commit_once(batches, once.map(|once| (once, None))).await?;
        done.pop().ok_or_else(|| IncidentError::Unknown("to be changed".to_owned()))
    }

    /// The first free name for a part of `incident`: `INC-2026-0007-B` with the id `E-0012/B`. The detector's own numbers go on
    /// undisturbed, and whoever hears the name knows where it came from.
    async fn split_name(&self, incident: &Incident) -> Result<(String, String), StoreError> {
        for letter in 'B'..='Z' {
            let (number, id) = (format!("{}-{letter}", incident.number()), format!("{}/{letter}", incident.id()));
            if self.store.incident(&id).await?.is_none() {
                return Ok((number, id));
            }
        }
        Err(StoreError::Refused { detail: format!("{} has been split too often", incident.number()) })
    }

    /// The latest closed incident that the event follows.
    async fn followed(&self, declared: &DeclaredEvent) -> Option<Arc<Incident>> {
        let query = IncidentQuery { limit: CLOSED_LOOKED_AT, ..IncidentQuery::default() };
        for summary in
            self.store.incidents(&query).await.ok()?.into_iter().filter(|summary| summary.closed_at.is_some())
        {
            let record = self.store.incident(&summary.event_id).await.ok()??;
            let incident = record.folded()?;
            if declared.follows(&incident) {
                return Some(Arc::new(incident));
            }
        }
        None
    }
}
