//! The one way to each device while a [cut](super::cut) is being taken: who is about to be changed is written down before.

use std::ops::{Deref, Index, IndexMut};

use crate::engine::time::Timestamp;

use super::image::device::write_device;
use super::tracked::Tracked;

/// A cut that is being taken.
#[derive(Debug, Default)]
pub(super) struct Cut {
    pub(super) mark: Mark,
    /// The next device that a slice looks at.
    pub(super) next: usize,
    /// Devices that are not written down yet.
    pub(super) left: u32,
    /// What has been written down and not been handed on.
    pub(super) written: Vec<u8>,
    /// Whether it is finished whatever that costs the tick.
    pub(super) forced: bool,
}

/// Tells which devices belong into a cut and are not in it yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    pub(super) number: u32,
    /// Devices with lower indices belong into it.
    pub(super) devices: u32,
    /// The last tick that has run.
    pub(super) at: Timestamp,
}

impl Mark {
    /// Writes the device down, if it belongs into the cut and is not in it. Whether it was.
    pub(super) fn keep(self, tracked: &mut Tracked, out: &mut Vec<u8>) -> bool {
        let missing = tracked.cut != self.number && (tracked.device.index() as u32) < self.devices;
        if missing {
            tracked.cut = self.number;
            write_device(tracked, self.at, out);
        }
        missing
    }
}

impl Cut {
    /// Takes over what a worker has written down.
    pub(super) fn take(&mut self, written: &mut Vec<u8>, devices: u32) {
        self.written.append(written);
        self.left -= devices;
    }
}

/// The devices, as those see them who change them one by one.
#[derive(Debug)]
pub(super) struct Roster<'a> {
    devices: &'a mut [Tracked],
    cut: Option<&'a mut Cut>,
}

impl<'a> Roster<'a> {
    pub(super) fn new(devices: &'a mut [Tracked], cut: Option<&'a mut Cut>) -> Self {
        Self { devices, cut }
    }
}

impl Deref for Roster<'_> {
    type Target = [Tracked];

    fn deref(&self) -> &[Tracked] {
        self.devices
    }
}

impl Index<usize> for Roster<'_> {
    type Output = Tracked;

    fn index(&self, at: usize) -> &Tracked {
        &self.devices[at]
    }
}

impl IndexMut<usize> for Roster<'_> {
    fn index_mut(&mut self, at: usize) -> &mut Tracked {
        let tracked = &mut self.devices[at];
        if let Some(cut) = &mut self.cut
            && cut.mark.keep(tracked, &mut cut.written)
        {
            cut.left -= 1;
        }
        tracked
    }
}
