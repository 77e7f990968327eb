//! Our own retained messages on their way to the broker: at most a few unacknowledged, all of them anew in each session.
//!
//! They go over the first ingest connection. A connection of their own would need a client id of its own, which a broker
//! that makes the certificate's name the client id does not allow; and written here, packet by packet, an unacknowledged
//! message is forgotten with its session and sent again in the next, instead of waiting in the client's state, where
//! rumqttc has a livelock for those who publish (bytebeamio/rumqtt#1056).
//!
//! Retained messages of others are cleared over the same connection, with an empty message, once and after our own. What was on its
//! way when the session ended is not cleared again: the device may have said something new since.
//!
//! A broker that does not let us write may answer by closing the connection (Mosquitto does). Then publishing is paused
//! for longer and longer, so that a forgotten line in an access list costs the gates and not the reports.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};

use crate::clock;
use crate::delivery::{Retained, Topics};

/// Most messages that are not acknowledged yet; well below rumqttc's own limit of 100.
const UNDER_WAY: usize = 20;

/// A connection that is closed within this time of a publish was closed for it, if that happens again and again.
const SUSPICIOUS: Duration = Duration::from_secs(2);

/// So often before publishing is paused.
const STRIKES: u32 = 3;

/// First and longest pause.
const PAUSE_FIRST: Duration = Duration::from_secs(30);
const PAUSE_LONGEST: Duration = Duration::from_secs(600);

/// What is to be published, and how far that is.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    wanted: Option<watch::Receiver<Retained>>,
    cleared: Option<broadcast::Receiver<Topics>>,
    /// To be cleared, and not sent yet.
    to_clear: VecDeque<String>,
    /// Acknowledged in this session.
    done: BTreeMap<String, Vec<u8>>,
    /// Acknowledged in whatever session last.
    held: BTreeMap<String, Vec<u8>>,
    /// By packet id. An empty payload clears.
    under_way: BTreeMap<u16, (String, Vec<u8>)>,
    sent_at: Option<Instant>,
    strikes: u32,
    paused_until: Option<Instant>,
    /// There was nothing to send and nothing has happened since: this is asked for each batch of reports.
    idle: bool,
}

impl Outbox {
    /// Publishes what `wanted` holds, and clears the topics that come over `cleared`; `None`: nothing.
    pub(super) fn new(wanted: Option<watch::Receiver<Retained>>, cleared: Option<broadcast::Receiver<Topics>>) -> Self {
        Self { wanted, cleared, ..Self::default() }
    }

    /// A new session: whatever was sent before may not have been kept.
    pub(super) fn begin(&mut self) {
        self.done.clear();
        self.under_way.clear();
        self.sent_at = None;
        self.idle = false;
    }

    /// The next message to send, if there is one and room for it.
    pub(super) fn next(&mut self, now: Instant) -> Option<(String, Vec<u8>)> {
        if self.under_way.len() >= UNDER_WAY || self.paused_until.is_some_and(|until| now < until) {
            return None;
        }
        self.next_wanted().or_else(|| Some((self.next_cleared()?, Vec::new())))
    }

    fn next_wanted(&mut self) -> Option<(String, Vec<u8>)> {
        let wanted = self.wanted.as_mut()?;
        self.idle &= !wanted.has_changed().unwrap_or(false);
        if self.idle {
            return None;
        }
        let wanted = wanted.borrow_and_update();
        let is_open = |(topic, payload): &(&String, &Vec<u8>)| {
            self.done.get(*topic) != Some(*payload) && !self.under_way.values().any(|(sent, _)| sent == *topic)
        };
        let found = wanted.iter().find(is_open).map(|(topic, payload)| (topic.clone(), payload.clone()));
        self.idle = found.is_none();
        found
    }

    fn next_cleared(&mut self) -> Option<String> {
        if self.to_clear.is_empty()
            && let Some(Ok(topics)) = self.cleared.as_mut().map(broadcast::Receiver::try_recv)
        {
            self.to_clear.extend(topics.iter().cloned());
        }
        self.to_clear.pop_front()
    }

    /// Sets how many messages the broker is to hold and has never acknowledged. Cheap when nothing has happened since there was
    /// nothing to send: this is asked for each batch of reports.
    pub(super) fn count_untold(&self, untold: &AtomicU64) {
        let Some(wanted) = &self.wanted else { return };
        if self.idle && !wanted.has_changed().unwrap_or(false) {
            return;
        }
        let wanted = wanted.borrow();
        let is_untold = |(topic, payload): &(&String, &Vec<u8>)| self.held.get(*topic) != Some(*payload);
        untold.store(wanted.iter().filter(is_untold).count() as u64, Ordering::Relaxed);
    }

    /// A message was written under this packet id.
    pub(super) fn sent(&mut self, packet: u16, message: (String, Vec<u8>), now: Instant) {
        self.under_way.insert(packet, message);
        self.sent_at = Some(now);
    }

    /// The broker has it. Returns whether the packet was one of what it is to hold.
    pub(super) fn acknowledged(&mut self, packet: u16) -> bool {
        self.idle = false;
        let message = self.under_way.remove(&packet);
        let ours = message.filter(|(_, payload)| !payload.is_empty());
        self.held.extend(ours.clone());
        self.done.extend(ours.clone());
        ours.is_some()
    }

    /// The session was lost; returns the pause, if publishing seems to be why.
    pub(super) fn lost(&mut self, now: Instant, by_peer: bool) -> Option<Duration> {
        let sent_at = self.sent_at.take()?;
        let clearing = self.under_way.values().filter(|(_, payload)| payload.is_empty()).count();
        if by_peer && clearing > 0 {
            // A broker that does not let us would hang up on each of them.
            let given_up = clearing + self.to_clear.len();
            self.to_clear.clear();
            tracing::warn!(
                given_up,
                "the broker closed the connection while statuses of forgotten devices were cleared; may we?"
            );
        }
        if !by_peer || now.duration_since(sent_at) > SUSPICIOUS {
            self.strikes = 0;
            return None;
        }
        self.strikes = self.strikes.saturating_add(1);
        let times = self.strikes.checked_sub(STRIKES)?;
        let pause = PAUSE_FIRST.saturating_mul(1 << times.min(10)).min(PAUSE_LONGEST);
        self.paused_until = Some(now + pause);
        Some(pause)
    }

    /// Returns when there may be something to send.
    pub(super) async fn changed(&mut self) {
        let Self { wanted, cleared, to_clear, .. } = self;
        let now = clock::monotonic();
        let pause = self.paused_until.filter(|until| *until > now).map(|until| until - now);
        let resume = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        let changed = async {
            match wanted {
                Some(wanted) => wanted.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        let said = async {
            match cleared {
                Some(cleared) => cleared.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            true = changed => self.idle = false,
            Ok(topics) = said => to_clear.extend(topics.iter().cloned()),
            () = resume => {}
            // Nobody is left who could want something else.
            else => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;

    use super::*;

    fn wanted(pairs: &[(&str, &str)]) -> Retained {
        Arc::new(pairs.iter().map(|(topic, text)| ((*topic).to_owned(), text.as_bytes().to_vec())).collect())
    }

    fn next(outbox: &mut Outbox) -> Option<String> {
        outbox
            .next(clock::monotonic())
            .map(|(topic, payload)| format!("{topic}={}", String::from_utf8(payload).unwrap()))
    }

    fn send(outbox: &mut Outbox, packet: u16) {
        let message = outbox.next(clock::monotonic()).unwrap();
        outbox.sent(packet, message, clock::monotonic());
    }

    #[test]
    fn the_latest_of_each_topic_is_sent_once_a_session() {
        let (sender, receiver) = watch::channel(wanted(&[("a", "1"), ("b", "1")]));
        let mut outbox = Outbox::new(Some(receiver), None);
        send(&mut outbox, 1);
        assert_eq!(next(&mut outbox).as_deref(), Some("b=1"), "one topic at a time");
        sender.send_replace(wanted(&[("a", "2"), ("b", "1")]));
        assert_eq!(next(&mut outbox).as_deref(), Some("b=1"), "the older one is on its way still");
        assert!(outbox.acknowledged(1) && !outbox.acknowledged(1) && !outbox.acknowledged(9));
        assert_eq!(next(&mut outbox).as_deref(), Some("a=2"));
        send(&mut outbox, 2);
        send(&mut outbox, 3);
        outbox.acknowledged(2);
        outbox.acknowledged(3);
        assert_eq!(next(&mut outbox), None);
        outbox.begin();
        assert_eq!(next(&mut outbox).as_deref(), Some("a=2"), "the next session says it again");
    }

    #[test]
    fn the_number_of_unacknowledged_messages_is_bounded() {
        let pairs: Vec<(String, String)> = (0..50).map(|n| (format!("t{n}"), "x".to_owned())).collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(topic, text)| (&**topic, &**text)).collect();
        let (_sender, receiver) = watch::channel(wanted(&pairs));
        let mut outbox = Outbox::new(Some(receiver), None);
        for packet in 0..UNDER_WAY as u16 {
            send(&mut outbox, packet);
        }
        assert_eq!(next(&mut outbox), None);
        outbox.acknowledged(0);
        assert!(next(&mut outbox).is_some());
    }

    #[test]
    fn a_broker_that_hangs_up_on_each_publish_is_left_alone_for_longer_and_longer() {
        let (_sender, receiver) = watch::channel(wanted(&[("a", "1")]));
        let mut outbox = Outbox::new(Some(receiver), None);
        let mut now = clock::monotonic();
        let mut lose = |outbox: &mut Outbox, after: Duration, by_peer| {
            outbox.begin();
            now += PAUSE_LONGEST * 2;
            let message = outbox.next(now).unwrap();
            outbox.sent(1, message, now);
            (outbox.lost(now + after, by_peer), outbox.next(now + after).is_none())
        };
        let soon = Duration::from_millis(100);
        assert_eq!(lose(&mut outbox, soon, true), (None, true), "under way");
        assert_eq!(lose(&mut outbox, soon, true).0, None);
        assert_eq!(lose(&mut outbox, soon, true).0, Some(PAUSE_FIRST));
        assert_eq!(lose(&mut outbox, soon, true), (Some(PAUSE_FIRST * 2), true));
        assert_eq!((0..9).filter_map(|_| lose(&mut outbox, soon, true).0).max(), Some(PAUSE_LONGEST));
        assert_eq!(lose(&mut outbox, SUSPICIOUS * 2, true).0, None, "it let us publish");
        assert_eq!(lose(&mut outbox, soon, false).0, None, "a cut cable says nothing");
        assert_eq!(lose(&mut outbox, soon, true).0, None, "and the count begins anew");
    }

    #[tokio::test]
    async fn what_is_to_be_cleared_is_sent_once_after_our_own_and_never_counts_as_told() {
        let (_wanted, receiver) = watch::channel(wanted(&[("a", "1")]));
        let clear = broadcast::Sender::<Topics>::new(4);
        let mut outbox = Outbox::new(Some(receiver), Some(clear.subscribe()));
        let untold = AtomicU64::new(0);
        outbox.changed().now_or_never();
        clear.send(Arc::new(["x".to_owned(), "y".to_owned()])).unwrap();
        outbox.changed().await;
        send(&mut outbox, 1);
        outbox.count_untold(&untold);
        assert_eq!(untold.load(Ordering::Relaxed), 1);
        send(&mut outbox, 2);
        assert_eq!(outbox.under_way[&2], ("x".to_owned(), Vec::new()));
        assert!(outbox.acknowledged(1) && !outbox.acknowledged(2), "what is cleared is not told");
        outbox.count_untold(&untold);
        assert_eq!(untold.load(Ordering::Relaxed), 0);
        send(&mut outbox, 3);
        assert_eq!(next(&mut outbox), None);
        outbox.begin();
        assert_eq!(next(&mut outbox).as_deref(), Some("a=1"));
        send(&mut outbox, 4);
        assert_eq!(next(&mut outbox), None, "what was sent is not sent again");
        outbox.acknowledged(4);
        clear.send(Arc::new(["x".to_owned(), "y".to_owned()])).unwrap();
        send(&mut outbox, 5);
        assert_eq!(outbox.lost(clock::monotonic(), true), None);
        outbox.begin();
        send(&mut outbox, 6);
        assert_eq!(next(&mut outbox), None, "a broker that hangs up is not asked for the others");
    }

    #[tokio::test]
    async fn whoever_wants_nothing_more_does_not_keep_us_busy() {
        let (sender, receiver) = watch::channel(wanted(&[]));
        let mut outbox = Outbox::new(Some(receiver), None);
        sender.send_replace(wanted(&[("a", "1")]));
        outbox.changed().await;
        drop(sender);
        let waited = tokio::time::timeout(Duration::from_millis(20), outbox.changed()).await;
        assert!(waited.is_err(), "it waits");
    }
}
