//! A simulated night, and a core in virtual time that lives it, is cut off, and lives on.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use fleetwatch::clock::Clock;
use fleetwatch::delivery::{Delivery, Outcome};
use fleetwatch::engine::detector::{Engine, Slice};
use fleetwatch::engine::effect::Change;
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::fleet::budget::Budgets;
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::snapshot::Snapshot;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::engine::wire::Limits;
use fleetwatch::engine::wire::encode::{LatencyForm, report_binary, status_binary};
use fleetwatch::journal::{CheckpointStore, Journal, JournalConfig, read_from};
use fleetwatch::lab::feed;
use fleetwatch::lab::simulation::{Body, Scenario, Simulation, SimulationConfig};
use fleetwatch::metrics::Counters;
use fleetwatch::runtime::checkpoint::{Capture, CaptureRequest};
use fleetwatch::runtime::decision::Decision;
use fleetwatch::runtime::intake::{Intake, IntakeParts, refusal_reasons};
use fleetwatch::runtime::playback::Playback;
use fleetwatch::runtime::recovery::{self, Opened, Recovered, Recovery};
use fleetwatch::store::change_key;

/// 2026-11-17, a Tuesday, 01:30 UTC: half an hour before the nightly update.
const EPOCH: Timestamp = Timestamp::from_ms(1_794_879_000_000);
const HOURS: i64 = 4;
/// Ticks between two checkpoints: three minutes.
const CHECKPOINT_TICKS: u64 = 18;
/// Messages between two slices of a checkpoint, of one device each: one takes several ticks, and some are not done when a
/// tick closes a minute.
const SLICE_EVERY: u64 = 5;
/// How long nothing runs after a cut, in ms.
const DOWN_MS: i64 = 4_000;

/// One message as a device sends it.
struct Sent {
    at: Timestamp,
    topic: String,
    payload: Vec<u8>,
    retain: bool,
}

/// A night of messages, and the state that the days before have left.
pub struct Night {
    settings: Settings,
    image: Vec<u8>,
    messages: Vec<Sent>,
}

/// Where a life is cut off.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub at: Timestamp,
    /// Behind the last durable entry stands part of the next one.
    pub torn: bool,
    /// The newest checkpoint is damaged, so that the one before has to do.
    pub old_checkpoint: bool,
}

/// What a night came to.
pub struct Lived {
    pub changes: Vec<Change>,
    pub lives: usize,
    pub redelivered: usize,
    /// Messages that had been acknowledged and are not in the journal.
    pub lost: Vec<usize>,
    settings: Settings,
    image: Vec<u8>,
    dir: tempfile::TempDir,
    last: PathBuf,
}

/// A small generator, so that a failing seed can be run again.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

impl Night {
    pub fn new(devices: u32, seed: u64) -> Self {
        let config = SimulationConfig {
            devices,
            branches: 5,
            seed,
            report_period_ms: 30_000,
            ..SimulationConfig::new(Scenario::Nightly, EPOCH)
        };
        let simulation = Simulation::new(config);
        let settings = Settings { utc_offset_min: 0, ..Settings::default() };
        let driver = feed::learnt(&simulation, &settings, 1);
        let image = driver.engine().image();
        let mut messages = Vec::new();
        let mut live = simulation.messages(EPOCH, EPOCH.plus_ms(HOURS * 3_600_000));
        while let Some(message) = live.next() {
            let id = simulation.profiles()[message.device as usize].id.as_str();
            let (kind, payload) = match message.body {
                Body::Report(report) => ("report", report_binary(id, report, LatencyForm::Counts)),
                Body::Status(status) => ("status", status_binary(id, status)),
            };
            messages.push(Sent { at: message.at, topic: format!("utm/v1/{id}/{kind}"), payload, retain: false });
        }
        Self { settings, image, messages }
    }

    /// A few cuts at instants that `seed` chooses, in order.
    pub fn cuts(&self, seed: u64) -> Vec<Cut> {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
        let span = HOURS as u64 * 3_600_000 - 600_000;
        let mut cuts: Vec<Cut> = (0..3 + random.below(4))
            .map(|_| Cut {
                at: EPOCH.plus_ms(300_000 + random.below(span) as i64),
                torn: random.below(2) == 0,
                old_checkpoint: random.below(3) == 0,
            })
            .collect();
        cuts.sort_by_key(|cut| cut.at);
        cuts
    }

    /// Lives the night, cut off and resumed at each of `cuts`.
    pub fn live(&self, cuts: &[Cut]) -> Lived {
        let dir = tempfile::tempdir().unwrap();
        let mut here = dir.path().join("0");
        fs::create_dir(&here).unwrap();
        CheckpointStore::open(here.join("checkpoint")).unwrap().save(&self.image, 0).unwrap();
        let mut record = Record::default();
        let mut life = Life::begin(&here, &self.settings, EPOCH, &mut record);
        let mut random = Random(cuts.iter().map(|cut| cut.at.as_ms() as u64).sum());
        let mut cuts = cuts.iter().enumerate();
        let mut next_cut = cuts.next();
        let (mut lives, mut redelivered, mut restarted) = (1, 0, EPOCH);
        // Which message each entry of the journal holds.
        let mut entries: Vec<usize> = Vec::new();
        let mut acknowledged: HashSet<usize> = HashSet::new();
        for (index, message) in self.messages.iter().enumerate() {
            while let Some((number, cut)) = next_cut.filter(|(_, cut)| cut.at <= message.at) {
                let durable = life.cut_point(&mut random);
                let there = dir.path().join(format!("{}", number + 1));
                crash_image(&here, &there, durable, *cut);
                drop(life);
                here = there;
                acknowledged.extend(&entries[..durable as usize]);
                let again: Vec<usize> = entries[durable as usize..].to_vec();
                // Durable, but the acknowledgement did not get through.
                let twice: Vec<usize> = entries[durable.saturating_sub(20) as usize..durable as usize].to_vec();
                entries.truncate(durable as usize);
                record.forget_after(durable);
                restarted = cut.at.plus_ms(DOWN_MS);
                life = Life::begin(&here, &self.settings, restarted, &mut record);
                lives += 1;
                redelivered += again.len();
                for index in twice.into_iter().chain(again) {
                    life.deliver(&self.messages[index], restarted, index, &mut entries, &mut record);
                }
                next_cut = cuts.next();
            }
            life.deliver(message, message.at.max(restarted), index, &mut entries, &mut record);
        }
        life.tick_to(EPOCH.plus_ms(HOURS * 3_600_000 + self.settings.grace_ms), &mut record);
        life.journal.close().unwrap();
        let kept: HashSet<usize> = entries.iter().copied().collect();
        let mut lost: Vec<usize> = acknowledged.difference(&kept).copied().collect();
        lost.sort_unstable();
        let (settings, image) = (self.settings.clone(), self.image.clone());
        Lived { changes: record.changes(), lives, redelivered, lost, settings, image, dir, last: here }
    }
}

impl Lived {
    /// The oracle: the finished journal from its first entry, over the state that the days before had left.
    pub fn replayed(&self) -> Vec<Change> {
        assert!(self.last.starts_with(self.dir.path()));
        let mut engine = Engine::new(self.settings.clone(), Arc::new(Fleet::new(&self.settings)));
        engine.restore(&self.image).unwrap();
        let mut playback = Playback::new(engine, "utm", Limits::default());
        let mut changes = playback.advance(EPOCH);
        let mut reader = read_from(&self.last.join("journal"), 0).unwrap();
        while let Some(record) = reader.next().unwrap() {
            let entry = record.entry;
            changes.append(&mut playback.play(entry.at, entry.topic, entry.payload, entry.retain));
        }
        assert!(reader.report().damaged.is_empty(), "{:?}", reader.report());
        changes.append(&mut playback.advance(EPOCH.plus_ms(HOURS * 3_600_000 + self.settings.grace_ms)));
        changes
    }
}

/// The incident record: each change once, and only when what it was decided from is durable.
#[derive(Default)]
pub struct Record {
    known: HashSet<String>,
    changes: Vec<(u64, Change)>,
}

impl Record {
    fn add(&mut self, mark: u64, changes: Vec<Change>) {
        for change in changes {
            if self.known.insert(change_key(&change)) {
                self.changes.push((mark, change));
            }
        }
    }

    fn forget_after(&mut self, durable: u64) {
        self.changes.retain(|(mark, _)| *mark <= durable);
        self.known = self.changes.iter().map(|(_, change)| change_key(change)).collect();
    }

    fn changes(self) -> Vec<Change> {
        self.changes.into_iter().map(|(_, change)| change).collect()
    }
}

/// One process' life.
pub struct Life {
    pub intake: Arc<Intake>,
    pub decision: Decision,
    pub journal: Arc<Journal>,
    checkpoints: CheckpointStore,
    /// Everything up to here was durable when a checkpoint was saved.
    vouched: u64,
    ticks: u64,
    /// The checkpoint that is being taken: its place in the journal, and what there is of it.
    taking: Option<(u64, Vec<u8>)>,
    /// Whether a checkpoint may be given up: one is when a device is forgotten meanwhile.
    pub may_lose: bool,
}

impl Life {
    pub fn begin(dir: &Path, settings: &Settings, now: Timestamp, record: &mut Record) -> Self {
        let mut config = JournalConfig::new(dir.join("journal"));
        config.segment_bytes = 256 * 1024;
        let mut opened = recovery::open(config, &dir.join("checkpoint")).unwrap();
        let limits = Limits::default();
        let recovery = Recovery {
            settings,
            root: "utm",
            limits: &limits,
            expected: &[],
            highest_number: Some(0),
            used_before: false,
            now,
        };
        let Recovered { mut playback, mut changes, order } = recovery.run(&mut opened).unwrap();
        changes.append(&mut playback.advance(now));
        let vouched = order.lsn;
        record.add(vouched, changes);
        let Opened { journal, checkpoints, .. } = opened;
        let journal = Arc::new(journal);
        let engine = playback.into_engine();
        let next_tick = Engine::next_tick(engine.last_tick());
        let engine = Arc::new(Mutex::new(engine));
        let counters = Arc::new(Counters::new(&refusal_reasons()));
        let intake = Arc::new(Intake::new(IntakeParts {
            root: "utm".to_owned(),
            limits,
            budgets: Budgets::default(),
            clock: Clock::scaled(now, 1.0),
            engine: Arc::clone(&engine),
            journal: Arc::clone(&journal),
            counters: Arc::clone(&counters),
            order,
            next_tick,
            statuses: fleetwatch::runtime::incidents::Statuses::default(),
        }));
        let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
        let decision = Decision { intake: Arc::clone(&intake), engine, snapshot, counters };
        Self { intake, decision, journal, checkpoints, vouched, ticks: 0, taking: None, may_lose: false }
    }

    fn deliver(&mut self, sent: &Sent, at: Timestamp, index: usize, entries: &mut Vec<usize>, record: &mut Record) {
        self.tick_to(at, record);
        // Seldom enough that several ticks pass while a state is being taken.
        if self.intake.last().lsn.is_multiple_of(SLICE_EVERY) {
            self.take_slice();
        }
        let delivery = Delivery { topic: &sent.topic, payload: &sent.payload, retain: sent.retain };
        let mut outcome = self.intake.take(delivery, || at);
        if outcome == Outcome::Busy {
            // The journal's buffer is full: virtual time is faster than the disk.
            self.wait_durable(self.intake.last().lsn);
            outcome = self.intake.take(delivery, || at);
        }
        match outcome {
            Outcome::Journaled(lsn) => {
                assert_eq!(lsn, entries.len() as u64 + 1);
                entries.push(index);
            }
            other => panic!("{other:?} for {}", sent.topic),
        }
    }

    pub fn tick_to(&mut self, at: Timestamp, record: &mut Record) {
        while self.intake.next_tick() <= at {
            self.ticks += 1;
            let is_due = self.ticks.is_multiple_of(CHECKPOINT_TICKS) && self.taking.is_none();
            let ticked = self.decision.tick(if is_due { CaptureRequest::Forced } else { CaptureRequest::None });
            record.add(self.intake.last().lsn, ticked.changes);
            if let Some(Capture { from, .. }) = ticked.capture {
                self.taking = Some((from, Vec::new()));
            }
        }
    }

    /// Takes a few devices into the checkpoint that has begun, and saves it when all are in: reports and ticks go on
    /// meanwhile.
    pub fn take_slice(&mut self) {
        let Some((from, mut image)) = self.taking.take() else { return };
        let Slice::Part { bytes, left } = self.decision.engine.lock().unwrap().cut_slice(1) else {
            assert!(self.may_lose, "no time for a checkpoint, although it was asked for to its end");
            return;
        };
        image.extend_from_slice(&bytes);
        if left > 0 {
            self.taking = Some((from, image));
            return;
        }
        let through = self.intake.last().lsn;
        self.wait_durable(through);
        self.vouched = through;
        let saved = self.checkpoints.save(&image, from).unwrap();
        self.journal.release(saved.oldest_lsn);
    }

    /// Waits until everything up to `lsn` is on the disk, which no cut takes away any more.
    pub fn vouch(&mut self, lsn: u64) {
        self.wait_durable(lsn);
        self.vouched = self.vouched.max(lsn);
    }

    pub fn wait_durable(&self, lsn: u64) {
        let mut durable = self.journal.durable();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { durable.wait_for(|durable| *durable >= lsn).await.map(drop) }).unwrap();
    }

    /// Chooses the last durable entry: anything from what a checkpoint has vouched for to the last that was accepted.
    pub fn cut_point(&self, random: &mut Random) -> u64 {
        let last = self.intake.last().lsn;
        self.wait_durable(last);
        let back = 1 + random.below(40);
        last.saturating_sub(back).max(self.vouched)
    }
}

/// What the disk shows after the cut: a copy of `from` with the journal cut down to `durable`.
pub fn crash_image(from: &Path, to: &Path, durable: u64, cut: Cut) {
    for part in ["journal", "checkpoint"] {
        fs::create_dir_all(to.join(part)).unwrap();
        for file in fs::read_dir(from.join(part)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(part).join(file.file_name())).unwrap();
        }
    }
    for path in sorted(&to.join("journal"), ".journal") {
        let bytes = fs::read(&path).unwrap();
        let mut end = 32;
        let mut kept = 0;
        while let Some(head) = bytes.get(end..end + 16) {
            let lsn = u64::from_le_bytes(head[8..16].try_into().unwrap());
            if lsn > durable {
                break;
            }
            let next = end + 8 + u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
            if next > bytes.len() {
                // Torn by an earlier cut; the segment after it has this number again.
                break;
            }
            kept += 1;
            end = next;
        }
        if kept == 0 {
            fs::remove_file(&path).unwrap();
            continue;
        }
        let torn = if cut.torn { (bytes.len() - end).min(37) } else { 0 };
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len((end + torn) as u64).unwrap();
    }
    let checkpoints = sorted(&to.join("checkpoint"), ".checkpoint");
    if cut.old_checkpoint && checkpoints.len() > 1 {
        let newest = checkpoints.last().unwrap();
        let mut bytes = fs::read(newest).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(newest, bytes).unwrap();
    }
}

fn sorted(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(suffix));
    found.sort();
    found
}
