//! The whole engine on one core: topic and payload in memory, decoded, recorded, decided upon. What a replay and a restart do.
//!
//! `cargo bench --bench replay`. 1,000 devices report every 10 s, 20 buckets a report, in one class or spread over four;
//! thirty minutes of that are one sample, with all the ticks of the time. The engine has 26 hours of history (one report a
//! minute), so the devices are judged by what was learnt of them. Restoring that state, and making the payloads, is not in the
//! figures.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::engine::wire::Limits;
use fleetwatch::engine::wire::encode::{LatencyForm, report_binary, report_json};
use fleetwatch::runtime::playback::Playback;
use support::{Feed, Life};

#[path = "support/feed.rs"]
mod support;

const DEVICES: usize = 1_000;
const PERIOD: i64 = 10_000;
const MINUTES: i64 = 30;

/// Messages one behind the other.
#[derive(Default)]
struct Tape {
    bytes: Vec<u8>,
    /// Arrival, device, end of the payload.
    messages: Vec<(i64, usize, usize)>,
}

impl Tape {
    /// What the devices send after `life`, each with its own place within the ten seconds.
    fn record(life: &mut Life, json: bool) -> Self {
        let mut tape = Self::default();
        let write = if json { report_json } else { report_binary };
        life.feed.every(PERIOD as u32);
        for round in 0..MINUTES * 60_000 / PERIOD {
            let start = life.now + round * PERIOD;
            let mut device = 0;
            life.feed.round(
                start,
                |_| false,
                |id, report| {
                    tape.bytes.extend(write(id, report, LatencyForm::Counts));
                    tape.messages.push((
                        start + PERIOD + device as i64 * PERIOD / DEVICES as i64,
                        device,
                        tape.bytes.len(),
                    ));
                    device += 1;
                },
            );
        }
        tape
    }

    fn play(&self, topics: &[String], mut playback: Playback) -> Playback {
        let mut from = 0;
        for &(at, device, to) in &self.messages {
            playback.play(Timestamp::from_ms(at), &topics[device], &self.bytes[from..to], false);
            from = to;
        }
        playback
    }
}

fn playback(image: &[u8]) -> Playback {
    let settings = Settings::default();
    let mut engine = Engine::new(settings.clone(), std::sync::Arc::new(Fleet::new(&settings)));
    engine.restore(image).expect("our own image");
    Playback::new(engine, "utm", Limits::default())
}

fn replay(c: &mut Criterion) {
    let mut group = c.benchmark_group("replay/1000_devices");
    group.sample_size(10);
    for (shape, classes) in [("1_class", 1), ("4_classes", 4)] {
        for json in [false, true] {
            let mut life = Life::new(Feed::new(DEVICES, classes, 20 / classes, 60_000));
            life.minutes(26 * 60);
            let image = life.engine.image();
            let tape = Tape::record(&mut life, json);
            let topics: Vec<_> = life.feed.ids.iter().map(|id| format!("utm/v1/{id}/report")).collect();
            let played = tape.play(&topics, playback(&image));
            let messages = tape.messages.len() as u64;
            assert_eq!((played.messages(), played.refused().len()), (messages, 0), "{:?}", played.refused());
            drop(played);
            let encoding = if json { "json" } else { "bincode" };
            let each = tape.bytes.len() as u64 / messages;
            group.throughput(Throughput::Elements(messages));
            group.bench_function(format!("{encoding}/{shape}/{each}_bytes"), |b| {
                b.iter_batched(|| playback(&image), |playback| tape.play(&topics, playback), BatchSize::PerIteration);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
