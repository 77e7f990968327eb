//! A fleet whose time is moved in steps: whoever moves it may wait until every device has delivered what was due.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use tokio::sync::Notify;

use crate::engine::time::Timestamp;

/// Between whoever moves the clock and the devices. One step at a time: [`Lockstep::begin`], move the clock,
/// [`Lockstep::delivered`].
#[derive(Debug)]
pub struct Lockstep {
    devices: u32,
    /// The instant that the devices are to reach, in ms since the epoch.
    target: AtomicI64,
    /// Devices that have not delivered what is due by then.
    left: AtomicU32,
    all: Notify,
}

impl Lockstep {
    /// For so many devices.
    pub fn new(devices: u32) -> Self {
        let (target, left) = (AtomicI64::new(i64::MIN), AtomicU32::new(0));
        Self { devices, target, left, all: Notify::new() }
    }

    /// A step to `instant` begins; nobody has delivered yet.
    pub fn begin(&self, instant: Timestamp) {
        self.left.store(self.devices, Ordering::Relaxed);
        self.target.store(instant.as_ms(), Ordering::Release);
    }

    /// Waits until every device has had everything acknowledged that was due by the instant of the step. What a device cannot send
    /// because its line is down is not due.
    pub async fn delivered(&self) {
        while self.left.load(Ordering::Acquire) > 0 {
            self.all.notified().await;
        }
    }

    /// The instant that the devices are to reach.
    pub(super) fn target(&self) -> Timestamp {
        Timestamp::from_ms(self.target.load(Ordering::Acquire))
    }

    /// One device has delivered. Once a device and step.
    pub(super) fn done(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all.notify_one();
        }
    }
}
