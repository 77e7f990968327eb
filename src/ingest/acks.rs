//! Which messages wait for the disk before they are acknowledged.

use std::collections::VecDeque;

/// Packet ids in the order of arrival, each with the log sequence number that has to be durable first.
///
/// MQTT wants acknowledgements in the order of the messages, and log sequence numbers grow in that order too, so a queue
/// is enough and its head says everything.
#[derive(Debug, Default)]
pub(super) struct Acks {
    waiting: VecDeque<(u16, u64)>,
    newest: u64,
}

impl Acks {
    /// A message was journaled under `lsn`.
    pub(super) fn journaled(&mut self, packet: u16, lsn: u64) {
        self.newest = self.newest.max(lsn);
        self.waiting.push_back((packet, self.newest));
    }

    /// A message was refused: nothing to wait for but the messages before it.
    pub(super) fn refused(&mut self, packet: u16) {
        self.waiting.push_back((packet, self.newest));
    }

    /// The next packet to acknowledge when everything up to `durable` is on disk.
    pub(super) fn next(&mut self, durable: u64) -> Option<u16> {
        self.waiting.pop_front_if(|(_, lsn)| *lsn <= durable).map(|(packet, _)| packet)
    }

    /// How many messages are not acknowledged yet.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_leave_in_order_and_never_before_the_disk() {
        let mut acks = Acks::default();
        acks.journaled(1, 10);
        acks.refused(2);
        acks.journaled(3, 11);
        assert_eq!(acks.next(9), None);
        assert_eq!(acks.next(10), Some(1));
        assert_eq!(acks.next(10), Some(2));
        assert_eq!(acks.next(10), None);
        assert_eq!(acks.len(), 1);
        assert_eq!(acks.next(u64::MAX), Some(3));
        assert!(acks.is_empty());
    }

    #[test]
    fn a_refusal_behind_nothing_is_acknowledged_at_once() {
        let mut acks = Acks::default();
        acks.refused(7);
        assert_eq!(acks.next(0), Some(7));
    }
}
