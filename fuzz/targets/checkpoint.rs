//! A checkpoint's image whose checksums are right and whose content is not: that of a small fleet with changes, or anything.

use std::sync::{Arc, OnceLock};

use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::engine::wire::{Decoder, Limits};

use crate::edit;

const START: Timestamp = Timestamp::from_ms(1_795_305_600_000);

fn engine() -> Engine {
    let settings = Settings::default();
    let fleet = Arc::new(Fleet::new(&settings));
    Engine::new(settings, fleet)
}

/// The image of four devices after six minutes.
fn image() -> &'static [u8] {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let (mut engine, mut decoder) = (engine(), Decoder::new(Limits::default()));
        for minute in 0..6_i64 {
            for device in 0..4 {
                let id = format!("B-{device}");
                let at = START.plus_ms(minute * MINUTE_MS);
                let report = format!(
                    r#"{{"v":1,"device":"{id}","boot":1,"seq":{},"uptime_ms":{},"start":{},"period_ms":60000,"traffic":{{"https":{{"latency":{{"counts":[[1200,30],[90000,9]]}},"flows":39,"flagged":2}}}}}}"#,
                    minute + 1,
                    600_000 + minute * MINUTE_MS,
                    at.as_ms()
                );
                let report = decoder.report(&id, report.as_bytes()).expect("it is sound");
                engine.fleet().report(&id, report, at.plus_ms(61_000)).expect("it is sound");
            }
            engine.tick(START.plus_ms((minute + 1) * MINUTE_MS + 30_000));
        }
        engine.image()
    })
}

/// Once, with these bytes.
pub fn run(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let bytes = if kind % 4 == 0 { data.to_vec() } else { edit::edited(image(), data) };
    let mut engine = engine();
    if engine.restore(&bytes).is_ok() {
        let _ = engine.snapshot();
        let _ = engine.image();
    }
}
