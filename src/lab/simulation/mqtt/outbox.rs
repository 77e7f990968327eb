//! What a device has to send and what it is waiting to have acknowledged.

use std::collections::VecDeque;

use super::link::Flags;

/// Messages that may be under way at once. Enough for a round trip of a second at 60 reports a second.
const WINDOW: usize = 64;

/// The messages of one device, oldest first: those under way, then those that wait.
#[derive(Debug)]
pub(super) struct Outbox {
    messages: VecDeque<Kept>,
    /// How many of them, from the front, are under way on the present connection.
    under_way: usize,
    next_packet: u16,
    max_kept: usize,
}

#[derive(Debug)]
struct Kept {
    payload: Vec<u8>,
    status: bool,
    packet: u16,
    /// It was under way on a connection before.
    again: bool,
}

/// A message to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct ToSend<'a> {
    pub(super) payload: &'a [u8],
    pub(super) status: bool,
    pub(super) packet: u16,
    pub(super) again: bool,
}

impl ToSend<'_> {
    pub(super) fn flags(&self) -> Flags {
        Flags { retain: self.status, again: self.again }
    }
}

impl Outbox {
    pub(super) fn new(max_kept: usize) -> Self {
        Self { messages: VecDeque::new(), under_way: 0, next_packet: 1, max_kept: max_kept.max(WINDOW + 1) }
    }

    /// Takes a message in. Returns how many were given up for it: the oldest that is not under way.
    pub(super) fn push(&mut self, payload: Vec<u8>, status: bool) -> u64 {
        let full = self.messages.len() >= self.max_kept;
        if full {
            self.messages.remove(self.under_way);
        }
        self.messages.push_back(Kept { payload, status, packet: 0, again: false });
        u64::from(full)
    }

    /// A new connection: everything that was under way has to be sent again, after the birth message.
    pub(super) fn reconnected(&mut self, birth: Vec<u8>) {
        for message in self.messages.iter_mut().take(self.under_way) {
            message.again = true;
        }
        self.under_way = 0;
        // Older statuses are overtaken by this one.
        self.messages.retain(|message| !message.status);
        self.messages.push_front(Kept { payload: birth, status: true, packet: 0, again: false });
    }

    /// The next message to write, if the window has room.
    pub(super) fn next_to_send(&mut self) -> Option<ToSend<'_>> {
        if self.under_way >= WINDOW {
            return None;
        }
        let message = self.messages.get_mut(self.under_way)?;
        self.under_way += 1;
        message.packet = self.next_packet;
        // Zero is not a packet number; the window is far smaller than the numbers.
        self.next_packet = self.next_packet.checked_add(1).unwrap_or(1);
        let Kept { payload, status, packet, again } = message;
        Some(ToSend { payload, status: *status, packet: *packet, again: *again })
    }

    /// Forgets a message that was acknowledged; `false` when none of this number is under way.
    pub(super) fn acknowledge(&mut self, packet: u16) -> bool {
        // Brokers answer in order, so the first one is nearly always it.
        let Some(at) = self.messages.iter().take(self.under_way).position(|message| message.packet == packet) else {
            return false;
        };
        self.messages.remove(at);
        self.under_way -= 1;
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn is_waiting_for_acks(&self) -> bool {
        self.under_way > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(outbox: &mut Outbox) -> Vec<(Vec<u8>, u16, bool)> {
        let mut all = Vec::new();
        while let Some(message) = outbox.next_to_send() {
            all.push((message.payload.to_vec(), message.packet, message.again));
        }
        all
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again_behind_the_birth() {
        let mut outbox = Outbox::new(1_000);
        outbox.reconnected(b"birth".to_vec());
        for n in 0..3u8 {
            outbox.push(vec![n], false);
        }
        assert_eq!(sent(&mut outbox).len(), 4);
        assert!(outbox.acknowledge(3) && !outbox.acknowledge(3), "each once, in any order");
        outbox.push(vec![9], false);
        outbox.reconnected(b"again".to_vec());
        let sent: Vec<_> = sent(&mut outbox).into_iter().map(|(payload, _, again)| (payload, again)).collect();
        assert_eq!(sent, [(b"again".to_vec(), false), (vec![0], true), (vec![2], true), (vec![9], false)]);
    }

    #[test]
    fn the_window_and_the_store_are_bounded() {
        let mut outbox = Outbox::new(100);
        let dropped: u64 = (0..250u8).map(|n| outbox.push(vec![n], false)).sum();
        assert_eq!(dropped, 150);
        let first = sent(&mut outbox);
        assert_eq!((first.len(), &first[0].0), (WINDOW, &vec![150]), "the oldest were given up");
        assert_eq!(outbox.push(vec![250], false), 1);
        assert!(outbox.acknowledge(first[0].1), "what is under way stays");
    }
}
