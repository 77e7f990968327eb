//! What closed minutes say, for pages: read from the engine when somebody asks, a part of the fleet at a time.

use std::sync::{Arc, Mutex};

use super::mutex::lock;
use crate::engine::detector::{DeviceHistory, Engine, Tally};
use crate::engine::device::DeviceId;
use crate::engine::time::Minute;
use crate::record::fleet::{FleetHistory, Trend};

/// Devices that are counted under one hold of the engine: well below a millisecond.
const PART: usize = 1_000;

/// Minutes between two points of the trend, and how many points there are: six hours.
const EVERY_MIN: u32 = 5;
const POINTS: i64 = 73;

/// Looks back for pages.
#[derive(Debug)]
pub struct Lookback {
    engine: Arc<Mutex<Engine>>,
    /// The trend as of the newest closed minute that somebody has asked in.
    trend: Mutex<Option<(Minute, Arc<Trend>)>>,
}

impl Lookback {
    /// What pages read of this engine.
    pub fn shared(engine: &Arc<Mutex<Engine>>) -> Arc<dyn FleetHistory> {
        Arc::new(Self { engine: Arc::clone(engine), trend: Mutex::default() })
    }

    fn count(&self, last: Minute) -> Trend {
        let minutes: Vec<Minute> =
            (0..POINTS).map(|point| last.plus((point + 1 - POINTS) * i64::from(EVERY_MIN))).collect();
        let mut tallies = vec![Tally::default(); minutes.len()];
        let mut from = 0;
        loop {
            let engine = lock(&self.engine);
            if from >= engine.device_count() {
                break;
            }
            engine.tally(from..from + PART, &minutes, &mut tallies);
            from += PART;
        }
        let points = minutes.into_iter().map(Minute::start).zip(tallies).collect();
        Trend { every_min: EVERY_MIN, points }
    }
}

impl FleetHistory for Lookback {
    fn device(&self, device: &DeviceId) -> Option<DeviceHistory> {
        lock(&self.engine).history(device)
    }

    fn trend(&self) -> Arc<Trend> {
        // Whoever asks at the same time waits for the one that counts.
        let mut kept = lock(&self.trend);
        let Some(last) = lock(&self.engine).newest_closed() else { return Arc::default() };
        match &*kept {
            Some((of, trend)) if *of == last => Arc::clone(trend),
            _ => {
                let trend = Arc::new(self.count(last));
                *kept = Some((last, Arc::clone(&trend)));
                trend
            }
        }
    }
}
