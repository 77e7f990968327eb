//! Who is forgotten stays forgotten, whatever is killed when, and everybody else is as if they had never been there: the state that
//! was lived is the one that any replay comes to.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use fleetwatch::delivery::{Delivery, Outcome};
use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::device::{DeviceId, Status, TrafficClass};
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::report::{Bucket, ClassReport, Report};
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::engine::wire::encode::{LatencyForm, report_binary, status_binary};
use fleetwatch::engine::wire::{Forgetting, Limits, is_forget_topic};
use fleetwatch::incident::DETECTOR;
use fleetwatch::journal::{CheckpointStore, read_from};
use fleetwatch::runtime::playback::Playback;

use super::life::{Cut, Life, Random, Record, crash_image};

const START: Timestamp = Timestamp::from_ms(1_795_305_600_000);
const MAX_DEVICES: u32 = 12;
const HONEST: [&str; 4] = ["B-1", "B-2", "B-3", "B-4"];
/// Minutes of the first evening and of the second; between them is a day on which only the devices say something.
const EVENING: i64 = 70;
const DAY: i64 = 25 * 60;

fn report(minute: i64) -> Report {
    let class = ClassReport {
        class: TrafficClass::Https,
        buckets: 0..1,
        rules: 0..0,
        flows: 20,
        flagged: 0,
        canary: 0,
        canary_flagged: 0,
        released: 0,
    };
    Report {
        boot: 1,
        seq: minute as u64 + 1,
        uptime_ms: (minute as u64 + 1) * 60_000,
        start: START.as_ms() + minute * 60_000,
        period_ms: 10_000,
        classes: vec![class],
        buckets: vec![Bucket { index: 100, count: 20 }],
        ..Report::default()
    }
}

fn id(text: &str) -> DeviceId {
    DeviceId::parse(text).unwrap()
}

fn fresh(settings: &Settings) -> Engine {
    let mut engine = Engine::new(settings.clone(), Arc::new(Fleet::new(settings)));
    engine.tick(START);
    engine
}

/// Two evenings with lives that end at any instant.
struct Story {
    settings: Settings,
    dir: tempfile::TempDir,
    life: Option<Life>,
    lives: usize,
    record: Record,
    random: Random,
    /// Whom a person has forgotten; none of them says anything afterwards.
    scrapped: Vec<String>,
    now: Timestamp,
}

impl Story {
    fn new(seed: u64) -> Self {
        let settings = Settings { max_devices: MAX_DEVICES, utc_offset_min: 0, ..Settings::default() };
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("0")).unwrap();
        CheckpointStore::open(dir.path().join("0/checkpoint")).unwrap().save(&fresh(&settings).image(), 0).unwrap();
        let random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
        let (record, scrapped) = (Record::default(), Vec::new());
        let mut story = Self { settings, dir, life: None, lives: 0, record, random, scrapped, now: START };
        story.begin();
        story
    }

    fn begin(&mut self) {
        let here = self.dir.path().join(self.lives.to_string());
        let mut life = Life::begin(&here, &self.settings, self.now, &mut self.record);
        life.may_lose = true;
        self.life = Some(life);
        let there = self.known();
        assert!(!self.scrapped.iter().any(|id| there.contains(id)), "{:?} of {there:?}", self.scrapped);
    }

    fn life(&mut self) -> &mut Life {
        self.life.as_mut().unwrap()
    }

    fn known(&mut self) -> BTreeSet<String> {
        let engine = self.life().decision.engine.lock().unwrap();
        (0..engine.fleet().len()).map(|index| engine.fleet().device(index).unwrap().id().to_string()).collect()
    }

    /// Ends the life where it is; nothing that a crash may take away is kept.
    fn kill(&mut self) {
        let life = self.life.take().unwrap();
        let durable = life.cut_point(&mut self.random);
        let path = |number: usize| self.dir.path().join(number.to_string());
        let cut = Cut {
            at: self.now,
            torn: self.random.0.is_multiple_of(2),
            old_checkpoint: self.random.0.is_multiple_of(3),
        };
        crash_image(&path(self.lives), &path(self.lives + 1), durable, cut);
        drop(life);
        self.lives += 1;
        self.now = self.now.plus_ms(4_000);
        self.begin();
    }

    fn go_to(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        let (life, now) = (self.life.as_mut().unwrap(), self.now);
        life.tick_to(now, &mut self.record);
        life.take_slice();
    }

    fn say(&mut self, topic: &str, payload: &[u8]) -> Outcome {
        let (life, now) = (self.life.as_mut().unwrap(), self.now);
        let delivery = Delivery { topic, payload, retain: false };
        let outcome = life.intake.take(delivery, || now);
        if outcome != Outcome::Busy {
            return outcome;
        }
        life.wait_durable(life.intake.last().lsn);
        life.intake.take(delivery, || now)
    }

    fn report(&mut self, id: &str, minute: i64) -> Outcome {
        self.say(&format!("utm/v1/{id}/report"), &report_binary(id, &report(minute), LatencyForm::Counts))
    }

    /// A person forgets a device, and is told once it is on the disk.
    fn scrap(&mut self, device: &str) {
        let now = self.now;
        let life = self.life();
        let intake = Arc::clone(&life.intake);
        let gate = intake.hold();
        let entry = {
            let mut engine = life.decision.engine.lock().unwrap();
            intake.forget(&mut engine, &[id(device)], "Sato", now).unwrap()
        };
        drop(gate);
        life.vouch(entry);
        self.scrapped.push(device.to_owned());
    }

    /// The minutes from `from`, in which strangers knock and devices come and go.
    fn evening(&mut self, from: i64) {
        for minute in from..from + EVENING {
            let at = START.plus_ms(minute * 60_000 + 11_000);
            self.go_to(at);
            for id in HONEST {
                self.report(id, minute);
            }
            let number = (minute - from) / 20;
            let old = format!("OLD-{from}-{number}");
            if (minute - from) % 20 < 12 {
                self.report(&old, minute);
            } else if (minute - from) % 20 == 15 && self.known().contains(&old) {
                self.scrap(&old);
            }
            for _ in 0..self.random.below(6) {
                let at = self.now.plus_ms(self.random.below(9_000) as i64);
                self.go_to(at);
                let fake = format!("FAKE-{}", self.random.below(40));
                if self.random.below(2) == 0 {
                    self.report(&fake, minute);
                } else {
                    let status = Status { online: true, boot: 1, ..Status::default() };
                    self.say(&format!("utm/v1/{fake}/status"), &status_binary(&fake, &status));
                }
            }
            if self.random.below(12) == 0 {
                self.kill();
            }
        }
    }

    /// The state that was lived, and what the journal came to.
    fn end(mut self) -> (Vec<u8>, Vec<u8>, BTreeSet<String>) {
        self.go_to(self.now.plus_ms(60_000));
        let end = self.life().decision.engine.lock().unwrap().last_tick();
        let lived = self.life().decision.engine.lock().unwrap().image();
        self.life().journal.close().unwrap();
        let mut playback = Playback::new(fresh(&self.settings), "utm", Limits::default());
        let (mut by, journal) = (BTreeSet::new(), self.dir.path().join(self.lives.to_string()).join("journal"));
        let mut reader = read_from(&journal, 1).unwrap();
        while let Some(record) = reader.next().unwrap() {
            let entry = record.entry;
            if is_forget_topic("utm", entry.topic) {
                let forgetting: Forgetting = serde_json::from_slice(entry.payload).unwrap();
                by.insert(forgetting.by);
            }
            playback.play(entry.at, entry.topic, entry.payload, entry.retain);
        }
        assert!(reader.report().damaged.is_empty(), "{:?}", reader.report());
        playback.advance(end);
        assert_eq!(playback.refused().get("not_forgotten"), None, "{:?}", playback.refused());
        (lived, playback.into_engine().image(), by)
    }
}

#[test]
fn whoever_leaves_stays_gone_through_kills_and_every_replay_comes_to_what_was_lived() {
    for seed in 0..6 {
        let mut story = Story::new(seed);
        story.evening(0);
        let crowded = story.known();
        assert!(crowded.iter().any(|id| id.starts_with("FAKE")), "{crowded:?}");
        for minute in (EVENING..DAY).step_by(10) {
            story.go_to(START.plus_ms(minute * 60_000 + 11_000));
            for id in HONEST {
                story.report(id, minute);
            }
            if story.random.below(40) == 0 {
                story.kill();
            }
        }
        // Nobody who had not proved to be a device has been heard for a day; whoever had has never had to leave.
        story.go_to(START.plus_ms((DAY + EVENING) * 60_000));
        let known = story.known();
        assert!(HONEST.iter().all(|id| known.contains(*id)), "seed {seed}: {known:?}");
        assert!(!known.iter().any(|id| id.starts_with("FAKE")), "seed {seed}: {known:?}");
        story.evening(DAY + EVENING);
        let (scrapped, lives) = (story.scrapped.len(), story.lives);
        assert!(scrapped > 1 && lives > 1, "seed {seed}: {scrapped} scrapped in {lives} lives");
        let (lived, replayed, by) = story.end();
        let differs = lived.iter().zip(&replayed).position(|(one, other)| one != other);
        assert!(
            lived == replayed,
            "seed {seed}: the state that was lived is not the one that is replayed: {} and {} bytes, from {differs:?} on",
            lived.len(),
            replayed.len()
        );
        assert_eq!(by, BTreeSet::from(["Sato".to_owned(), DETECTOR.to_owned()]), "seed {seed}");
    }
}
