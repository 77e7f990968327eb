//! What is known here and the record should know: taken up from it once it can be read, written to it again when it was lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Incident, IncidentEvent, Inner, LiveIncidents, lock};
use crate::incident::DeclaredEvent;
use crate::record::StoreError;
use crate::record::incident::{IncidentAppend, IncidentRecord};

impl LiveIncidents {
    /// Takes up the open incidents from the record, unless that was done before.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn take_up(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.0.writing.lock().await;
        self.0.take_up().await
    }

    /// The record is another one, or an older one: what it lacks of the open incidents is written to it. Answers how many
    /// incidents lacked something.
    ///
    /// # Errors
    /// When the record cannot be read or written.
    pub async fn restore(&self) -> Result<usize, StoreError> {
        let _one_at_a_time = self.0.writing.lock().await;
        if !self.0.taken_up.load(Ordering::Relaxed) {
            return Ok(0);
        }
        let known: Vec<String> = lock(&self.0.kept).keys().cloned().collect();
        let mut lacking = 0;
        for id in known {
            lacking += usize::from(self.0.settle(&id).await?);
        }
        Ok(lacking)
    }
}

impl Inner {
    /// The caller holds `writing`. Nothing may be decided before: it would be decided without what is on record.
    pub(super) async fn take_up(&self) -> Result<(), StoreError> {
        if self.taken_up.load(Ordering::Relaxed) {
            return Ok(());
        }
        for record in self.store.open_incidents().await? {
            match record.folded() {
                Some(incident) => self.adopt(record, incident),
                None => {
                    tracing::error!(id = %record.id, "an incident's record does not begin with its opening; left alone")
                }
            }
        }
        self.taken_up.store(true, Ordering::Relaxed);
        self.show();
        Ok(())
    }

    fn adopt(&self, record: IncidentRecord, incident: Incident) {
        let IncidentRecord { id, events } = record;
        let events = events.into_iter().map(|recorded| recorded.event).collect();
        lock(&self.kept).insert(id.clone(), events);
        lock(&self.incidents).insert(id, Arc::new(incident));
    }

    /// What was declared and is not with its incident yet, in its order. One that the record refuses for itself does not keep the others
    /// from people. The caller holds `writing`.
    pub(super) async fn catch_up(&self) -> Result<(), StoreError> {
        let waiting = lock(&self.unheard).len();
        let mut refused = None;
        for _ in 0..waiting {
            let Some(next) = lock(&self.unheard).front().cloned() else { break };
            match self.take_in(&next).await {
                Ok(()) => drop(lock(&self.unheard).pop_front()),
                Err(error) if error.is_of_one_entry() => {
                    lock(&self.unheard).rotate_left(1);
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Keeps in mind what was declared until it is with its incident: while the record is away, events come and go.
    pub(super) fn note(&self, declared: DeclaredEvent) {
        let mut unheard = lock(&self.unheard);
        // The first one is being written, perhaps.
        match unheard.iter_mut().skip(1).find(|known| known.event_id == declared.event_id) {
            Some(known) => known.extend(declared),
            None => unheard.push_back(declared),
        }
    }

    /// Brings record and memory of one incident together: what the record lacks is written to it, with what was not told yet; otherwise
    /// somebody else wrote, and the record says what holds. Answers whether something was lacking.
    pub(super) async fn settle(&self, id: &str) -> Result<bool, StoreError> {
        let record = self.store.incident(id).await?.filter(|record| record.id == id);
        let on_record: Vec<IncidentEvent> = record.iter().flat_map(IncidentRecord::happened).cloned().collect();
        let kept = lock(&self.kept).get(id).cloned().unwrap_or_default();
        if on_record.len() < kept.len() && kept.starts_with(&on_record) {
            let lost = kept.len() - on_record.len();
            tracing::error!(
                id,
                lost,
                kept = on_record.len(),
                "the record has lost entries of an open incident; they are written again"
            );
            self.write_again(id, &kept, on_record.len()).await?;
            return Ok(true);
        }
        if let Some((record, incident)) = record.and_then(|record| record.folded().map(|incident| (record, incident))) {
            lock(&self.kept).insert(id.to_owned(), record.events.into_iter().map(|recorded| recorded.event).collect());
            let update = self.enforce(&Arc::new(incident), &[]);
            self.publish(vec![update]);
        }
        Ok(false)
    }

    /// Writes the events from the `from`th on.
    async fn write_again(&self, id: &str, events: &[IncidentEvent], from: usize) -> Result<(), StoreError> {
        let mut incident = None::<Incident>;
        let mut messages = Vec::new();
        for (place, event) in events.iter().enumerate() {
            match &mut incident {
                Some(incident) => incident.apply(event),
                None => incident = Incident::open(event),
            }
            if let Some(incident) = incident.as_ref().filter(|_| place >= from) {
                messages.extend(self.messages(incident, event));
            }
        }
        let Some(incident) = incident else { return Ok(()) };
        self.sent.retain_unsent(&mut messages);
        let (after, expected) = (incident.summary(), from as u64);
        let append = IncidentAppend { id, expected, events: &events[from..], after: &after, messages: &messages };
        self.store.append_incidents(&[append], self.clock.now()).await?;
        let update = self.enforce(&Arc::new(incident), &[]);
        self.publish(vec![update]);
        Ok(())
    }
}
