//! A night's recording from the simulator, with what was learnt before it.
#![allow(clippy::unwrap_used, dead_code, reason = "tests")]

use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::engine::wire::encode::{self, LatencyForm};
use fleetwatch::lab::feed;
use fleetwatch::lab::simulation::{Body, Messages, Scenario, Simulation, SimulationConfig};
use fleetwatch::recording::{Entry, Writer};

/// 2026-11-17, a Tuesday, 01:30 in Japan: half an hour before the rollout.
pub const EPOCH_MS: i64 = 1_794_846_600_000;
pub const DEVICES: u32 = 40;
const STORY_MIN: i64 = 330;

/// A message as it arrives.
#[derive(Clone)]
pub struct Message {
    pub at: i64,
    pub topic: String,
    pub payload: Vec<u8>,
    pub retain: bool,
}

/// A night's recording: what was learnt before it, and its messages in order of arrival.
pub struct Night {
    pub state: Vec<u8>,
    pub messages: Vec<Message>,
    pub suspect: String,
}

/// Messages as a broker would hand them over: JSON from even devices, the binary form from the others, in all forms of
/// latency.
fn encode_all(simulation: &Simulation, mut stream: Messages<'_>) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(message) = stream.next() {
        let id = simulation.profiles()[message.device as usize].id.as_str();
        let json = message.device % 2 == 0;
        let form = LatencyForm::ALL[message.device as usize / 2 % LatencyForm::ALL.len()];
        let (kind, payload) = match (message.body, json) {
            (Body::Report(report), true) => ("report", encode::report_json(id, report, form)),
            (Body::Report(report), false) => ("report", encode::report_binary(id, report, form)),
            (Body::Status(status), true) => ("status", encode::status_json(id, status)),
            (Body::Status(status), false) => ("status", encode::status_binary(id, status)),
        };
        messages.push(Message { at: message.at.as_ms(), topic: format!("utm/v1/{id}/{kind}"), payload, retain: false });
    }
    messages
}

impl Night {
    /// Two days before it go through the engine, and stand before the messages as learnt state.
    pub fn of(scenario: Scenario) -> Self {
        let epoch = Timestamp::from_ms(EPOCH_MS);
        let settings = Settings::default();
        let config = SimulationConfig {
            devices: DEVICES,
            branches: 4,
            report_period_ms: 60_000,
            utc_offset_min: settings.utc_offset_min,
            ..SimulationConfig::new(scenario, epoch)
        };
        let simulation = Simulation::new(config);
        let driver = feed::learnt(&simulation, &settings, 2);
        let state = driver.engine().image();
        let messages = encode_all(&simulation, simulation.messages(epoch, epoch.plus_ms(STORY_MIN * MINUTE_MS)));
        let [truth] = simulation.truth() else { panic!("one truth") };
        assert_eq!(truth.kind, "update");
        Self { state, messages, suspect: truth.value.clone() }
    }
}

/// The recording's bytes.
pub fn recording(state: &[u8], messages: &[Message]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    writer.baseline(state).unwrap();
    for Message { at, topic, payload, retain } in messages {
        writer.message(Entry { at: Timestamp::from_ms(*at), topic, payload, retain: *retain }).unwrap();
    }
    writer.into_inner()
}
