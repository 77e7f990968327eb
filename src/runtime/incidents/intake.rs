//! From the detector's events to incidents: heard, made up for, and written down. Which one an event belongs to is the incidents' own
//! rule, [`crate::incident::assignment`].

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;
use crate::incident::event::{Joining, Opening};
use crate::incident::{Action, DETECTOR, DeclaredEvent, Incident, IncidentEvent};
use crate::record::incidents::IncidentError;
use crate::record::{EventQuery, EventSummary, StoreError};

use super::{Batch, Inner, lock};

/// How long ago an event may have ended that is made up for, in ms.
const MADE_UP_MS: i64 = 48 * 3_600_000;

/// An event of the record, with its members of that time; `None` for one that was never declared.
fn declared_on_record(event: &EventSummary, devices: Vec<DeviceId>) -> Option<DeclaredEvent> {
    Some(DeclaredEvent {
        event_id: event.event_id.clone(),
        number: event.number.clone()?,
        aliases: event.aliases.clone(),
        scope: event.scope,
        impact_started_at: event.impact_started_at,
        declared_at: event.declared_at?,
        streak_s: event.streak_s,
        cause: event.cause.clone(),
        devices,
    })
}

impl Inner {
    /// Brings the incidents to what a declared event says. Saying it twice changes nothing. The caller holds `writing`.
    pub(super) async fn take_in(&self, declared: &DeclaredEvent) -> Result<(), StoreError> {
        let now = self.clock.now();
        let open = self.board.load_full();
        let Some(incident) = open.incidents.iter().find(|incident| declared.belongs_to(incident)) else {
            return self.open_incident(declared, now).await;
        };
        let joining = self.joining(declared.devices.iter().filter(|device| self.is_free(device, incident)));
        let events = incident.on_event(declared, &joining, now);
        self.commit(vec![Batch { before: Some(Arc::clone(incident)), events }]).await.map(drop)
    }

    /// Whether no other open incident has the device: what was split off stays where it is.
    fn is_free(&self, device: &DeviceId, incident: &Incident) -> bool {
        incident.ladder.contains(device) || self.board.load().of_device(device).next().is_none()
    }

    async fn open_incident(&self, declared: &DeclaredEvent, now: Timestamp) -> Result<(), StoreError> {
        // It has a record already: it was closed, and what it was opened for is told once more by a replayed journal.
        if self.store.incident(&declared.event_id).await?.is_some() {
            lock(&self.over).insert(declared.event_id.clone());
            return Ok(());
        }
        let detected_at = match self.events.event(&declared.event_id).await? {
            Some(record) => record.changes.first().map(|entry| entry.change.at),
            None => None,
        };
        let follows = self.followed(declared).await;
        let criterion_s = u64::from(self.hold_min) * 60;
        let devices = self.joining(&declared.devices);
        let opening = declared.opening(detected_at, criterion_s, follows.as_deref(), devices);
        let opened = IncidentEvent { at: now, by: DETECTOR.to_owned(), action: Action::Opened(Box::new(opening)) };
        let mut batches = vec![Batch { before: None, events: vec![opened] }];
        if let Some(closed) = follows {
            let action = Action::Followed { number: declared.number.clone() };
            let event = IncidentEvent { at: now, by: DETECTOR.to_owned(), action };
            batches.push(Batch { before: Some(closed), events: vec![event] });
        }
        self.commit(batches).await.map(drop)
    }

    /// What a warned event becomes a major incident by, by a person's word.
    pub(super) async fn declare_by_hand(
        &self,
        event_id: &str,
        reason: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<Batch>, IncidentError> {
        let unknown = || IncidentError::Unknown(event_id.to_owned());
        let snapshot = self.snapshot.load_full();
        let view = snapshot.events.iter().find(|view| view.event_id == event_id).ok_or_else(unknown)?;
        if self.find(event_id).is_some() || self.store.incident(event_id).await?.is_some() {
            return Err(IncidentError::Unknown(format!("{event_id} that is not declared already")));
        }
        let opening = Opening {
            // The detector's counter is not touched: the number says that a person declared it, and which event.
            number: format!("INC-{}", view.event_id),
            event_id: view.event_id.clone(),
            scope: view.scope,
            impact_started_at: view.impact_started_at,
            detected_at: now.min(view.declared_at.unwrap_or(now)),
            declared_at: now,
            criterion_s: u64::from(self.hold_min) * 60,
            measured_s: view.streak_s,
            cause: view.cause.clone(),
            follows: None,
            devices: self.joining(&view.members),
        };
        let event = |action| IncidentEvent { at: now, by: by.to_owned(), action };
        let opened = event(Action::Opened(Box::new(opening)));
        let noted = event(Action::Noted { text: reason.to_owned(), told: true });
        Ok(vec![Batch { before: None, events: vec![opened, noted] }])
    }

    /// What is known of the devices, as they join.
    fn joining<'a>(&self, devices: impl IntoIterator<Item = &'a DeviceId>) -> Vec<Joining> {
        let snapshot = self.snapshot.load_full();
        let joining = |device: &DeviceId| {
            let place = snapshot.devices.binary_search_by(|view| view.id.cmp(device)).ok();
            let view = place.map(|place| &snapshot.devices[place]);
            let text = |label: Option<&crate::engine::device::Label>| label.map(|label| label.to_string());
            Joining {
                device: device.clone(),
                branch: text(view.and_then(|view| view.branch.as_ref())),
                customer: text(view.and_then(|view| view.customer.as_ref())),
            }
        };
        devices.into_iter().map(joining).collect()
    }

    /// What was declared according to the record and has no incident: while nothing ran, or while a listener was too slow. Also what
    /// is over by now: people were to be told of it.
    pub(super) async fn make_up(&self) -> Result<(), StoreError> {
        let since = self.clock.now().plus_ms(-MADE_UP_MS);
        let query = EventQuery { since: Some(since), limit: 500, ..EventQuery::default() };
        let known: BTreeSet<String> =
            self.board.load().incidents.iter().flat_map(|incident| incident.event_ids.iter().cloned()).collect();
        for event in self.events.events(query).await? {
            if known.contains(&event.event_id) || event.declared_at.is_none() {
                continue;
            }
            let Some(record) = self.events.event(&event.event_id).await? else { continue };
            let devices = record.devices.into_iter().map(|member| member.device).collect();
            if let Some(declared) = declared_on_record(&event, devices) {
                self.take_in(&declared).await?;
            }
        }
        Ok(())
    }
}
