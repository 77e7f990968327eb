//! Where an explanation comes from: the record, a running instance, or a replay.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::commands::fetch;
use crate::commands::source::{Listener, Run, Surroundings};
use crate::config::Config;
use crate::engine::effect::Change;
use crate::incident::Incident;
use crate::record::EventRecord;
use crate::record::derive::Records;
use crate::record::open_items::Lifecycle;
use crate::runtime::failure::Failure;
use crate::runtime::location;

/// Most numbers that are listed when the one asked for is not there.
const MOST_LISTED: usize = 20;

/// Everything about the incident or event `id`.
///
/// # Errors
/// When it is not there, or its source cannot be read.
pub fn event(config: &Config, id: &str, from: Option<&str>) -> anyhow::Result<(EventRecord, Lifecycle)> {
    match from {
        Some(url) if is_url(url) => {
            let told: Told = fetch::get(url, &format!("/api/v1/events/{id}"))?
                .with_context(|| format!("{url} has no incident or event {id}"))?;
            let own = Lifecycle::of_record(&told.record.event, None);
            Ok((told.record, told.lifecycle.unwrap_or(own)))
        }
        Some(source) => replayed(config, id, Path::new(source)),
        None => recorded(config, id),
    }
}

/// Whether a source is a running instance.
pub fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// What a running instance tells.
#[derive(Deserialize)]
struct Told {
    lifecycle: Option<Lifecycle>,
    #[serde(flatten)]
    record: EventRecord,
}

fn recorded(config: &Config, id: &str) -> anyhow::Result<(EventRecord, Lifecycle)> {
    let location = location::of(&config.store)?;
    let found = block_on(async {
        let store = location.open_to_read().await?;
        let found = match store.event(id).await? {
            Some(record) => {
                let file = store.incident(&record.event.event_id).await?;
                let incident = file.and_then(|file| Incident::of(file.happened()));
                let lifecycle = Lifecycle::of_record(&record.event, incident.map(|incident| incident.state));
                Some((record, lifecycle))
            }
            None => None,
        };
        store.close().await;
        Ok(found)
    })
    .with_context(|| format!("cannot read the record in {location}; --from takes a running instance or a recording"))?;
    found.with_context(|| format!("the record in {location} has no incident or event {id}"))
}

/// Runs one asynchronous task on this thread.
///
/// # Errors
/// Those of the task.
pub fn block_on<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    runtime.block_on(task)
}

/// Keeps the record of a replay.
#[derive(Default)]
struct Recorder(Records);

impl Listener for Recorder {
    fn decided(&mut self, changes: &[Change]) -> anyhow::Result<()> {
        for change in changes {
            self.0.note(change);
        }
        Ok(())
    }
}

fn replayed(config: &Config, id: &str, source: &Path) -> anyhow::Result<(EventRecord, Lifecycle)> {
    let mut run = Run::new(config.detector.clone(), Surroundings::new(config)?, None);
    let mut recorder = Recorder::default();
    run.source(source, &mut recorder)?;
    if let Some(record) = recorder.0.find(id) {
        return Ok((record.clone(), Lifecycle::of_record(&record.event, None)));
    }
    let names: Vec<&str> =
        recorder.0.iter().map(|record| record.event.number.as_deref().unwrap_or(&record.event.event_id)).collect();
    if names.is_empty() {
        bail!(Failure::NotSeen(format!("a replay of {} brings up no event at all", source.display())));
    }
    let (listed, more) = (names[..names.len().min(MOST_LISTED)].join(", "), names.len().saturating_sub(MOST_LISTED));
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    bail!("a replay of {} brings up no {id}, but {listed}{more}", source.display())
}
