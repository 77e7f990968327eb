//! Alertmanager's API v2: one alert for one incident, from its declaration until it is resolved; one that is reopened fires again.
//!
//! An alert is known by its labels, so they hold over the incident's life: `alertname`, `incident`, and severity and scope as
//! of the declaration. What can change (suspect, state, words) is in the annotations. Alertmanager forgets an alert that is not told
//! again, so [`Teller`] tells every open one whole, every minute, with an `endsAt` a few minutes ahead; several minutes without us and
//! the alert ends there, which is what a dead-man's switch is for. The end of an incident is an `endsAt` in the past, told
//! several times, in case an Alertmanager was away.
//!
//! Every Alertmanager of a cluster is told (they sort out doubles among themselves). One that takes it is enough for a message of the outbox;
//! the others get it with the next minute. Nothing is ever read back: a silence or a resolve over there changes
//! how people are called, never our incident.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::future::join_all;
use reqwest::{Client, Url};
use serde::Serialize;
use tokio::sync::watch;

use super::channel::{Channel, Receipt, Refusal, SetupError};
use super::voice::{Voice, clipped, flat};
use super::web::{self, Access};
use crate::clock::Clock;
use crate::engine::time::Timestamp;
use crate::record::outbox::{Dispatch, Message, UNTOLD};
use crate::words::Both;

/// `alertname` of a major incident.
pub const ALERT_NAME: &str = "FleetwatchMajorIncident";

/// `alertname` of a message about messages that do not get through.
pub const UNTOLD_NAME: &str = "FleetwatchMessageNotDelivered";

/// `alertname` of a test message.
pub const TEST_NAME: &str = "FleetwatchTest";

/// Engine time between two tellings, in ms.
const EVERY_MS: i64 = 60_000;

/// How far ahead `endsAt` is while an incident is open, in ms: three missed tellings and a moment.
const AHEAD_MS: i64 = 4 * 60_000;

/// How often the end is told.
const END_TOLD: u32 = 5;

/// Longest annotation, in characters.
const MAX_ANNOTATION: usize = 4_000;

/// An incident as an alert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alert {
    /// Its number.
    pub incident: String,
    /// As of the declaration, see the [module](self).
    pub severity: String,
    /// As of the declaration.
    pub scope: String,
    pub subject: Both,
    pub summary: Option<Both>,
    /// `update 2026.11.21`, where there is one.
    pub suspect: Option<String>,
    /// Path of its page.
    pub path: String,
    pub started_at: Timestamp,
    /// When it ended; an alert without is open.
    pub ended_at: Option<Timestamp>,
}

/// Lists the incidents that are to be shown as alerts: all that are open, and if possible those that ended in the last
/// minutes. Called once a minute.
pub type Listed = Arc<dyn Fn() -> Vec<Alert> + Send + Sync>;

/// One or several Alertmanagers.
pub struct Alertmanager {
    ends: Vec<End>,
    voice: Voice,
    /// Severity and scope under which an incident was first told by this process.
    labels: Mutex<BTreeMap<String, (String, String)>>,
}

struct End {
    client: Client,
    url: Url,
}

impl fmt::Debug for Alertmanager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.ends.iter().map(|end| end.url.host_str()).collect();
        f.debug_struct("Alertmanager").field("hosts", &hosts).finish_non_exhaustive()
    }
}

/// What is posted for one alert.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    labels: BTreeMap<&'static str, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

impl Alertmanager {
    /// Alertmanagers at these addresses (without `/api/v2`); never none.
    ///
    /// # Errors
    /// When an address or the file of authorities cannot be used.
    pub fn new(urls: &[String], voice: Voice, access: &Access) -> Result<Self, SetupError> {
        let end = |text: &String| {
            let url = web::address("the address of an Alertmanager", text)?;
            Ok(End { client: web::client(&url, access)?, url: web::below(&url, "/api/v2/alerts") })
        };
        let ends: Vec<End> = urls.iter().map(end).collect::<Result<_, SetupError>>()?;
        if ends.is_empty() {
            let detail = "there is none".to_owned();
            return Err(SetupError::Setting { what: "the list of Alertmanagers", detail });
        }
        Ok(Self { ends, voice, labels: Mutex::default() })
    }

    /// Tells all of them of all these alerts.
    ///
    /// # Errors
    /// When none of them took it; the first reason that may be mended, else the first.
    pub async fn tell(&self, alerts: &[Alert], now: Timestamp) -> Result<(), Refusal> {
        let posted: Vec<Posted> = alerts.iter().map(|alert| self.posted(alert, ALERT_NAME, now)).collect();
        self.post(&posted, now).await
    }

    async fn post(&self, posted: &[Posted], now: Timestamp) -> Result<(), Refusal> {
        if posted.is_empty() {
            return Ok(());
        }
        let tell = |end: &End| web::send(end.client.post(end.url.clone()).json(&posted), now);
        let results = join_all(self.ends.iter().map(tell)).await;
        let took = results.iter().filter(|result| result.is_ok()).count();
        let mut refusals = Vec::new();
        for (end, result) in self.ends.iter().zip(results) {
            if let Err(refusal) = result {
                let host = end.url.host_str().unwrap_or_default();
                tracing::debug!(host, error = refusal.error(), "an Alertmanager did not take the alerts");
                refusals.push(refusal);
            }
        }
        if took > 0 {
            return Ok(());
        }
        let passing = refusals.iter().position(|refusal| !matches!(refusal, Refusal::Never { .. }));
        Err(refusals.swap_remove(passing.unwrap_or(0)))
    }

    fn posted(&self, alert: &Alert, name: &str, now: Timestamp) -> Posted {
        let (severity, scope) = self.held(alert);
        let labels = [
            ("alertname", name.to_owned()),
            ("incident", alert.incident.clone()),
            ("severity", severity),
            ("scope", scope),
            ("service", "fleetwatch".to_owned()),
        ];
        let link = self.voice.link(&alert.path);
        let summary = alert.summary.clone().unwrap_or_default();
        let annotations = [
            ("subject_ja", alert.subject.ja.clone()),
            ("subject_en", alert.subject.en.clone()),
            ("summary_ja", summary.ja),
            ("summary_en", summary.en),
            ("suspect", alert.suspect.clone().unwrap_or_default()),
            ("page", link.clone()),
        ];
        let annotations = annotations.map(|(name, text)| (name, clipped(&flat(&text), MAX_ANNOTATION)));
        let ends_at = alert.ended_at.map_or(now.plus_ms(AHEAD_MS), |ended_at| ended_at.min(now));
        let filled =
            |pairs: Vec<(&'static str, String)>| pairs.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        Posted {
            labels: filled(labels.to_vec()),
            annotations: filled(annotations.to_vec()),
            // Alertmanager refuses an alert that ends before it starts.
            starts_at: rfc3339(alert.started_at.min(ends_at)),
            ends_at: rfc3339(ends_at),
            generator_url: self.voice.pages.is_some().then_some(link),
        }
    }

    /// Fixes the labels of these alerts, whatever messages say of them later.
    pub fn hold(&self, alerts: &[Alert]) {
        for alert in alerts {
            self.held(alert);
        }
    }

    /// The labels under which this incident was first told: others would make a second alert of it.
    fn held(&self, alert: &Alert) -> (String, String) {
        let mut labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        let given = || (alert.severity.clone(), alert.scope.clone());
        labels.entry(alert.incident.clone()).or_insert_with(given).clone()
    }
}

#[async_trait]
impl Channel for Alertmanager {
    async fn deliver(&self, dispatch: &Dispatch, _: Option<&str>, now: Timestamp) -> Result<Receipt, Refusal> {
        let message = &dispatch.message;
        let (incident, name) = match &message.incident {
            // An alert of its own, that ends by itself: that of the incident goes on as it is.
            Some(incident) if message.kind == UNTOLD => (incident.clone(), UNTOLD_NAME),
            Some(incident) => (incident.clone(), ALERT_NAME),
            // A test shows up, and ends by itself.
            None => (dispatch.key.clone(), TEST_NAME),
        };
        self.post(&[self.posted(&alert_of(message, incident, dispatch.created_at), name, now)], now).await?;
        Ok(Receipt::default())
    }
}

fn alert_of(message: &Message, incident: String, created_at: Timestamp) -> Alert {
    Alert {
        incident,
        severity: message.severity.clone(),
        scope: message.scope.clone(),
        subject: message.subject.clone(),
        summary: message.summary.clone(),
        suspect: None,
        path: message.path.clone(),
        started_at: message.started_at.unwrap_or(created_at),
        ended_at: message.ended_at,
    }
}

fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_ms()).unwrap_or_default().to_string()
}

/// Tells the open incidents every minute, and the end of those that were open a minute ago.
pub struct Teller {
    to: Arc<Alertmanager>,
    listed: Listed,
    /// What was told as open the last time.
    open: BTreeMap<String, Alert>,
    /// What has ended, and how often that is still to be told.
    ended: BTreeMap<String, (Alert, u32)>,
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller").field("open", &self.open.keys()).finish_non_exhaustive()
    }
}

impl Teller {
    /// A teller that has told nothing yet.
    pub fn new(to: Arc<Alertmanager>, listed: Listed) -> Self {
        Self { to, listed, open: BTreeMap::new(), ended: BTreeMap::new() }
    }

    /// Tells until `stop` holds or its sender is gone: every minute, and at once when `heard` changes and another set of
    /// incidents is open.
    pub async fn run(mut self, clock: Clock, mut heard: watch::Receiver<()>, mut stop: watch::Receiver<bool>) {
        let mut fails = false;
        while !*stop.borrow_and_update() {
            let now = clock.now();
            let alerts = self.due(now);
            // Alertmanagers hold `endsAt` against their own clocks.
            let told = self.to.tell(&alerts, clock.outside()).await;
            match (&told, fails) {
                (Err(refusal), false) => {
                    let error = refusal.error();
                    tracing::error!(
                        error,
                        "no Alertmanager takes the open incidents; they are told again every minute"
                    );
                }
                (Ok(()), true) => tracing::info!("an Alertmanager takes the open incidents again"),
                _ => {}
            }
            fails = told.is_err();
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { return },
                () = self.changed(&mut heard) => {}
                () = clock.sleep_until(now.plus_ms(EVERY_MS)) => {}
            }
        }
    }

    /// Waits until another set of incidents is open than was told.
    async fn changed(&self, heard: &mut watch::Receiver<()>) {
        loop {
            if heard.changed().await.is_err() {
                return std::future::pending().await;
            }
            let listed = (self.listed)();
            let open = listed.iter().filter(|alert| alert.ended_at.is_none()).map(|alert| &alert.incident);
            if open.collect::<BTreeSet<_>>() != self.open.keys().collect() {
                return;
            }
        }
    }

    /// What is to be told now.
    fn due(&mut self, now: Timestamp) -> Vec<Alert> {
        let listed = (self.listed)();
        let open: BTreeMap<String, Alert> = listed
            .iter()
            .filter(|alert| alert.ended_at.is_none())
            .map(|alert| (alert.incident.clone(), alert.clone()))
            .collect();
        for (incident, alert) in std::mem::take(&mut self.open) {
            if !open.contains_key(&incident) {
                let ended_at = Some(alert.ended_at.unwrap_or(now));
                self.ended.insert(incident, (Alert { ended_at, ..alert }, END_TOLD));
            }
        }
        for alert in listed.into_iter().filter(|alert| alert.ended_at.is_some()) {
            // The list knows better when it ended.
            let left = self.ended.get(&alert.incident).map_or(END_TOLD, |(_, left)| *left);
            self.ended.insert(alert.incident.clone(), (alert, left));
        }
        // Reopened: it is no longer over.
        self.ended.retain(|incident, _| !open.contains_key(incident));
        let mut due: Vec<Alert> = open.values().cloned().collect();
        for (alert, left) in self.ended.values_mut().filter(|(_, left)| *left > 0) {
            *left -= 1;
            due.push(alert.clone());
        }
        self.open = open;
        self.forget(now);
        due
    }

    /// What was told to the end and is no longer listed as just ended is forgotten.
    fn forget(&mut self, now: Timestamp) {
        let kept_ms = 60 * EVERY_MS;
        let old = |alert: &Alert| alert.ended_at.is_some_and(|ended_at| now.since_ms(ended_at) > kept_ms);
        self.ended.retain(|_, (alert, left)| *left > 0 || !old(alert));
    }
}

#[cfg(test)]
mod tests;
