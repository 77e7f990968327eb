//! Everything that is kept about one incident, to be handed on: as JSON the whole of it, as CSV its story line by line.

use std::io::Write;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::incident::{IncidentStore, RecordedIncidentEvent};
use super::outbox::{Attempt, Outbox, Outcome};
use super::sheet::escape_formula;
use super::{EventRecord, EventStore, StoreError};
use crate::engine::gate::Gate;
use crate::engine::time::Timestamp;
use crate::incident::IncidentSummary;

/// Most attempts of delivery in an export, the latest ones.
const MOST_ATTEMPTS: u32 = 100_000;

/// Most entries of a list (of devices, say) that a line of the CSV names; the JSON has them all.
const MOST_LISTED: usize = 50;

/// The columns of the CSV. `at`: when it happened, `recorded_at`: when it was written down, both RFC 3339 in UTC; `who`: a
/// person, or the part of the program; `what`: a closed name; `detail`: the rest, in words.
pub const COLUMNS: [&str; 5] = ["at", "recorded_at", "who", "what", "detail"];

/// One incident.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Export {
    pub exported_at: Timestamp,
    /// What the detector and the gates decided; `None` for an incident that a person split off.
    pub detected: Option<EventRecord>,
    /// What people did and devices proved; `None` for an event that has not become an incident.
    pub incident: Option<ExportedIncident>,
    /// What was told to whom, the earliest first.
    pub deliveries: Vec<Attempt>,
}

/// The life of an incident.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ExportedIncident {
    /// As it stands now; `None` when its record does not begin with an opening.
    pub summary: Option<IncidentSummary>,
    /// In the order of writing.
    pub events: Vec<RecordedIncidentEvent>,
}

/// Why no CSV could be written.
#[derive(Debug, Error)]
#[error("cannot write the story of the incident")]
pub struct ExportError(#[from] csv::Error);

impl Export {
    /// The incident of this number, event id or alias, as of now.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn read(
        (events, incidents, outbox): (&dyn EventStore, &dyn IncidentStore, &dyn Outbox),
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        let incident = incidents.incident(id).await?;
        let detected = events.event(incident.as_ref().map_or(id, |incident| &incident.id)).await?;
        if incident.is_none() && detected.is_none() {
            return Ok(None);
        }
        let incident = incident.map(|incident| ExportedIncident {
            summary: incident.folded().map(|incident| incident.summary()),
            events: incident.events,
        });
        let number = incident.as_ref().and_then(|incident| Some(incident.summary.as_ref()?.number.clone()));
        let number = number.or_else(|| detected.as_ref()?.event.number.clone());
        let mut deliveries = match &number {
            Some(number) => outbox.attempts(Some(number), MOST_ATTEMPTS).await?,
            None => Vec::new(),
        };
        deliveries.reverse();
        Ok(Some(Self { exported_at: now, detected, incident, deliveries }))
    }

    /// Writes the story as CSV, one line for each thing that happened, by the instant at which it did: UTF-8 with a byte order
    /// mark, without which spreadsheets in Japan take it for Shift_JIS, CRLF line ends as RFC 4180 has them, formulas escape_formula.
    ///
    /// # Errors
    /// When the sink refuses.
    pub fn write_csv(&self, mut sink: impl Write) -> Result<(), ExportError> {
        sink.write_all("\u{feff}".as_bytes()).map_err(csv::Error::from)?;
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(sink);
        writer.write_record(COLUMNS)?;
        for line in self.lines() {
            let Line { at, recorded_at, who, what, detail, .. } = line;
            writer.write_record([
                stamp(at),
                stamp(recorded_at),
                escape_formula(&who),
                escape_formula(what),
                escape_formula(&detail),
            ])?;
        }
        writer.flush().map_err(csv::Error::from)?;
        Ok(())
    }

    fn lines(&self) -> Vec<Line> {
        let detected = self.detected.iter();
        let changes = detected.clone().flat_map(|record| &record.changes).map(|recorded| Line {
            at: recorded.change.at,
            recorded_at: recorded.recorded_at,
            order: recorded.seq,
            who: recorded.actor.clone(),
            what: recorded.change.kind.as_str(),
            // Tables in themselves.
            detail: described(&recorded.change, &["at", "event", "proof", "damage"]),
        });
        let gates = detected.flat_map(|record| &record.gates).map(|recorded| Line {
            at: recorded.decision.at,
            recorded_at: recorded.recorded_at,
            order: recorded.seq,
            who: recorded.decision.by.clone(),
            what: match recorded.decision.gate {
                Gate::Hold => "gate_hold",
                Gate::Release => "gate_release",
            },
            detail: described(&recorded.decision, &["at", "by", "gate"]),
        });
        let events = self.incident.iter().flat_map(|incident| &incident.events).map(|recorded| Line {
            at: recorded.event.at,
            recorded_at: recorded.recorded_at,
            order: recorded.seq,
            who: recorded.event.by.clone(),
            what: recorded.event.action.as_str(),
            detail: described(&recorded.event.action, &["action"]),
        });
        let told = self.deliveries.iter().map(|attempt| Line {
            at: attempt.at,
            recorded_at: attempt.at,
            // After what it is about.
            order: i64::MAX,
            who: "delivery".to_owned(),
            what: match attempt.outcome {
                Outcome::Sent { .. } => "message_sent",
                Outcome::Retry { .. } => "message_delayed",
                Outcome::Failed { .. } => "message_failed",
            },
            detail: [
                described(attempt, &["at", "outcome", "dispatch", "key"]),
                described(&attempt.outcome, &["outcome"]),
            ]
            .join("; "),
        });
        let mut lines: Vec<Line> = changes.chain(gates).chain(events).chain(told).collect();
        lines.sort_by_key(|line| (line.at, line.order));
        lines
    }
}

/// A line of the CSV.
struct Line {
    at: Timestamp,
    recorded_at: Timestamp,
    /// Among what happened at one instant.
    order: i64,
    who: String,
    what: &'static str,
    detail: String,
}

fn stamp(at: Timestamp) -> String {
    // Every timestamp lies within the years that the library knows.
    jiff::Timestamp::from_millisecond(at.as_ms()).map(|at| at.to_string()).unwrap_or_default()
}

/// The fields of a value in words, those left out that stand elsewhere or say nothing.
fn described(value: &impl Serialize, left_out: &[&str]) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(value) else { return String::new() };
    fields.retain(|name, value| !left_out.contains(&name.as_str()) && !is_nothing(value));
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {}", in_words(name, value))).collect();
    fields.join("; ")
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn in_words(name: &str, value: &Value) -> String {
    match value {
        Value::Number(number) if name == "instant" || name.ends_with("_at") => {
            number.as_i64().map_or_else(|| number.to_string(), |ms| stamp(Timestamp::from_ms(ms)))
        }
        Value::String(text) => text.clone(),
        Value::Array(items) => listed(items),
        Value::Object(fields) => {
            let known = fields.iter().filter(|(_, value)| !is_nothing(value));
            let known: Vec<String> = known.map(|(name, value)| format!("{name} {}", in_words(name, value))).collect();
            format!("({})", known.join(", "))
        }
        other => other.to_string(),
    }
}

/// How many, and which: of devices with what belongs to them, the devices.
fn listed(items: &[Value]) -> String {
    let name = |item: &Value| match item {
        Value::Object(fields) if fields.contains_key("device") => in_words("device", &fields["device"]),
        Value::Array(pair) if pair.first().is_some_and(Value::is_string) => in_words("", &pair[0]),
        other => in_words("", other),
    };
    let names: Vec<String> = items.iter().take(MOST_LISTED).map(name).collect();
    let more = items.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} ({}{more})", items.len(), names.join(" "))
}
