//! A state that is taken in slices while ticks go on: every device as of one tick, and nobody waits for all of them.
//!
//! The cut is at a tick. A device that a later tick is about to change, by its own step or by an event, is written down
//! before: [`Mark::keep`] stands in the one way to each of them ([`Roster`](super::roster::Roster), and the workers of the steps).
//! What is left is taken in slices between the ticks. So the image is the one that would have been taken at the tick in one piece, but for
//! what ingest has recorded in the meantime. That much is in the journal behind the cut, and is dropped as a duplicate when
//! it is replayed.
//!
//! Ingest that came after a later tick must not be seen by that tick when it is replayed. Each device is therefore
//! written with the last tick before it was ([`Tracked::seen_through`](super::Tracked::seen_through)): no tick up to that one
//! takes its mail again. It had none in life, or it would have been written down before that tick.
//!
//! A tick that closes a minute changes every device. A cut that is not nearly done by then is lost, and the next one is
//! begun where there is most time: right after such a tick.

use super::Engine;
use super::roster::{Cut, Mark};

/// Devices that a tick writes down at most before it closes a minute: some 40 us each.
const MOST_IN_TICK: u32 = 1_000;

/// A part of a cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Slice {
    /// The next bytes of the image, and how many devices are left.
    Part { bytes: Vec<u8>, left: u32 },
    /// There was no time for it: ticks have gone on, and the image cannot be completed. Or none was begun.
    Lost,
}

impl Engine {
    /// Begins a cut as of the last tick; one that is being taken is given up. With `forced` it is finished in the tick that
    /// closes the next minute, if it is not before: better a late tick than no checkpoint at all.
    pub fn begin_cut(&mut self, forced: bool) {
        self.adopt_new_devices();
        self.cuts = self.cuts.wrapping_add(1).max(1);
        let left = self.devices.len() as u32;
        let mark = Mark { number: self.cuts, devices: left, at: self.last_tick };
        self.cut = Some(Cut { mark, next: 0, left, written: self.image_head(), forced });
    }

    /// Takes up to `most` devices into the cut. The image is complete when none is left.
    pub fn cut_slice(&mut self, most: usize) -> Slice {
        let Some(mut cut) = self.cut.take() else { return Slice::Lost };
        let mut bytes = std::mem::take(&mut cut.written);
        let mut taken = 0;
        while taken < most && cut.next < cut.mark.devices as usize {
            taken += usize::from(cut.mark.keep(&mut self.devices[cut.next], &mut bytes));
            cut.next += 1;
        }
        cut.left -= taken as u32;
        let left = cut.left;
        if left > 0 {
            self.cut = Some(cut);
        }
        Slice::Part { bytes, left }
    }

    /// Gives up the cut that is being taken, if there is one.
    pub fn end_cut(&mut self) {
        self.cut = None;
    }

    /// Whether the last tick has closed a minute, so that a cut has most time from here.
    pub fn has_just_closed(&self) -> bool {
        self.just_closed
    }

    /// Before a tick changes every device: gives a cut up that it would have to finish.
    pub(super) fn leave_cut(&mut self) {
        if self.cut.as_ref().is_some_and(|cut| cut.left > MOST_IN_TICK && !cut.forced) {
            self.cut = None;
        }
    }

    pub(super) fn cut_mark(&self) -> Option<Mark> {
        self.cut.as_ref().map(|cut| cut.mark)
    }

    /// The tick has run.
    pub(super) fn move_cut(&mut self) {
        if let Some(cut) = &mut self.cut {
            cut.mark.at = self.last_tick;
        }
    }
}
