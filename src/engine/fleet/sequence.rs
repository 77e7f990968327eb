//! Which sequence numbers of a boot have arrived: exact over the newest [`WINDOW`] numbers.

use std::collections::VecDeque;

use bincode::{Decode, Encode};

/// Sequence numbers kept apart: 48 h at one report every 10 s.
pub const WINDOW: u64 = 17_280;

/// Words that can hold a window which starts anywhere in a word.
pub const MAX_WORDS: usize = (WINDOW / 64 + 1) as usize;

/// What a sequence number is to its boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sighting {
    New,
    Duplicate,
    /// Too far below the highest number to tell.
    Stale,
}

/// The numbers of one boot that have arrived, as a bitmap that grows with the span of numbers seen: 8 bytes for a boot
/// of 64 reports, at most 2.2 KiB.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct SequenceWindow {
    /// Number of the first word of `words`: it holds the numbers `64 * base ..`.
    base: u64,
    words: VecDeque<u64>,
    /// Everything up to here is answered as stale, because its bits were given up.
    forgotten_to: Option<u64>,
    lowest: u64,
    highest: u64,
    /// Numbers that have arrived, however long ago.
    arrived: u64,
}

impl SequenceWindow {
    /// What `seq` is.
    pub fn sighting(&self, seq: u64) -> Sighting {
        if self.arrived == 0 || seq > self.highest {
            return Sighting::New;
        }
        if self.highest - seq >= WINDOW || self.forgotten_to.is_some_and(|to| seq <= to) {
            return Sighting::Stale;
        }
        let word = (seq / 64).checked_sub(self.base).and_then(|at| self.words.get(usize::try_from(at).ok()?));
        if word.is_some_and(|word| word & (1 << (seq % 64)) != 0) { Sighting::Duplicate } else { Sighting::New }
    }

    /// Notes that `seq` has arrived. Only for a number that [`Self::sighting`] calls new.
    pub fn mark(&mut self, seq: u64) {
        let word = seq / 64;
        if self.arrived == 0 {
            (self.lowest, self.highest) = (seq, seq);
        }
        (self.lowest, self.highest) = (self.lowest.min(seq), self.highest.max(seq));
        self.arrived += 1;
        self.make_room(word);
        let at = (word - self.base) as usize;
        self.words[at] |= 1 << (seq % 64);
    }

    /// The lowest and the highest number that has arrived.
    pub fn span(&self) -> Option<(u64, u64)> {
        (self.arrived > 0).then_some((self.lowest, self.highest))
    }

    /// Numbers between the lowest and the highest seen that have not arrived; falls again when they come late.
    pub fn missing(&self) -> u64 {
        if self.arrived == 0 { 0 } else { (self.highest - self.lowest).saturating_add(1).saturating_sub(self.arrived) }
    }

    /// Gives the bitmap up: everything up to the highest number is stale from now on.
    pub fn forget(&mut self) {
        if self.arrived > 0 && !self.words.is_empty() {
            self.words = VecDeque::new();
            self.forgotten_to = Some(self.highest);
        }
    }

    /// Words of the bitmap.
    pub fn words(&self) -> usize {
        self.words.len()
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    /// Lets the words reach to `word` and drops those that the window has left behind.
    fn make_room(&mut self, word: u64) {
        let oldest = self.highest.saturating_sub(WINDOW - 1) / 64;
        let kept = oldest.saturating_sub(self.base).min(self.words.len() as u64) as usize;
        self.words.drain(..kept);
        self.base += kept as u64;
        if self.words.is_empty() {
            self.base = word;
        }
        let end = self.base + self.words.len() as u64;
        let wanted = (end.max(word + 1) - self.base.min(word)) as usize;
        if wanted > self.words.capacity() {
            // Doubles, but never beyond the window: `VecDeque` alone would round 271 words up to 512.
            let room = wanted.next_power_of_two().min(MAX_WORDS).max(wanted);
            self.words.reserve_exact(room - self.words.len());
        }
        while word < self.base {
            self.words.push_front(0);
            self.base -= 1;
        }
        while word >= self.base + self.words.len() as u64 {
            self.words.push_back(0);
        }
    }
}

#[cfg(test)]
mod tests;
