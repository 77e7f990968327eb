//! The deliverer against an outbox in memory and a receiver that misbehaves, on engine time that runs fast.

pub(crate) mod memory;
mod receiver;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::memory::Memory;
use self::receiver::{Answer, Receiver};
use super::pace::Backoff;
use super::*;
use crate::clock::{self, Clock};
use crate::engine::time::Timestamp;
use crate::record::channel_health::ChannelsHealth;
use crate::record::directory::Address;
use crate::record::outbox::{Dispatch, DispatchState, Message, NewDispatch, Outbox, Outcome, first_of_threads};
use crate::words::Both;

const START: Timestamp = Timestamp::from_ms(1_795_305_600_000);

/// Engine seconds per real second: ten minutes are 0.6 s.
const SPEED: f64 = 1_000.0;

const MINUTE_MS: i64 = 60_000;

const SOON: Duration = Duration::from_secs(30);

pub(crate) fn message(incident: Option<&str>) -> Message {
    let text = |text: &str| Both { ja: format!("{text}（日本語）"), en: text.into() };
    Message {
        kind: "declared".into(),
        incident: incident.map(Into::into),
        severity: "major".into(),
        scope: "fleet".into(),
        subject: text("a major incident"),
        body: text("330 devices\nsince 09:00"),
        path: format!("/incidents/{}", incident.unwrap_or_default()),
        summary: Some(text("330 devices, declared")),
        started_at: Some(START.plus_ms(-60 * MINUTE_MS)),
        ended_at: None,
    }
}

/// The `id`th message of incident INC-1 to the channel itself.
pub(super) fn dispatch(id: i64, channel: &str) -> Dispatch {
    Dispatch {
        id,
        key: format!("k-{id}"),
        channel: channel.into(),
        target: "-".into(),
        message: message(Some("INC-1")),
        created_at: START,
        due_at: START,
        state: DispatchState::Pending,
        attempts: 0,
    }
}

fn new(key: &str, channel: &str, incident: Option<&str>) -> NewDispatch {
    NewDispatch {
        key: key.into(),
        channel: channel.into(),
        target: "-".into(),
        message: message(incident),
        due_at: START,
    }
}

fn policy() -> Policy {
    Policy {
        retry: Backoff { first_ms: 5_000, longest_ms: MINUTE_MS },
        timeout: Duration::from_millis(10),
        per_minute: 100_000,
        burst: 100_000,
        ..Policy::default()
    }
}

#[derive(Debug)]
struct Unheard;

impl Observer for Unheard {
    fn attempted(&self, _: &str, _: &Outcome, _: Duration) {}
    fn backlog(&self, _: Backlog, _: Timestamp) {}
}

/// A deliverer at work.
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    waker: Waker,
    health: Arc<ChannelsHealth>,
}

impl Running {
    /// One that tells nothing elsewhere for a day.
    fn start(outbox: &Arc<Memory>, clock: Clock, channels: &[(&str, &Arc<Receiver>, Policy)]) -> Self {
        Self::start_telling(outbox, clock, channels, 24 * 60)
    }

    /// One that tells elsewhere what nobody has got for so many minutes.
    fn start_telling(
        outbox: &Arc<Memory>,
        clock: Clock,
        channels: &[(&str, &Arc<Receiver>, Policy)],
        after_min: i64,
    ) -> Self {
        let routes = channels.iter().map(|(name, channel, policy)| Route {
            name: (*name).into(),
            channel: Arc::clone(*channel) as Arc<dyn Channel>,
            policy: *policy,
        });
        let outbox = Arc::clone(outbox) as Arc<dyn Outbox>;
        let places = channels.iter().map(|(name, ..)| Address { channel: (*name).into(), target: "-".into() });
        let patience = Patience {
            tell_elsewhere_after_ms: after_min * MINUTE_MS,
            give_up_after_ms: 60 * MINUTE_MS,
            places: places.collect(),
        };
        let deliverer = Deliverer::new(routes.collect(), outbox, clock, Arc::new(Unheard), patience, 7);
        let (stop, stopped) = watch::channel(false);
        let (waker, health) = (deliverer.waker(), deliverer.health());
        Self { stop, task: tokio::spawn(deliverer.run(stopped)), waker, health }
    }

    /// Ends it in order.
    async fn end(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }

    /// Ends it as a crash would.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = clock::monotonic();
    while !condition() {
        assert!(start.elapsed() < SOON, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn fast() -> Clock {
    Clock::scaled(START, SPEED)
}

#[tokio::test]
async fn a_receiver_that_misbehaves_for_ten_minutes_gets_every_message_once_by_its_key() {
    let clock = fast();
    let outbox = Arc::new(Memory::default());
    // Errors, silence, and the worst: it takes a message and says that it did not, or nothing at all.
    let receiver = Receiver::new(move |_, nth| {
        if clock.now() >= START.plus_ms(10 * MINUTE_MS) {
            return Answer::Take;
        }
        [Answer::Error, Answer::Hang, Answer::TakeAndFail, Answer::TakeAndHang][nth % 4]
    });
    let keys: Vec<String> = (0..24).map(|n| format!("k-{n:02}")).collect();
    let all: Vec<_> = keys.iter().enumerate().map(|(n, key)| new(key, "hook", Some(["A", "B", "C"][n % 3]))).collect();
    outbox.enqueue(&all, START).await.unwrap();
    // Killed and started again every few minutes.
    for n in 1..=3 {
        let running = Running::start(&outbox, clock, &[("hook", &receiver, policy())]);
        clock.sleep_until(START.plus_ms(n * 3 * MINUTE_MS)).await;
        running.kill().await;
    }
    let running = Running::start(&outbox, clock, &[("hook", &receiver, policy())]);
    until("everything is sent", || outbox.pending() == 0).await;
    running.end().await;
    assert_eq!(receiver.distinct(), keys.into_iter().collect());
    assert!(receiver.copies() > 24, "nothing was sent twice: the test proves nothing");
    assert!(receiver.in_order(), "{:?}", receiver.taken());
}

#[tokio::test]
async fn a_kill_between_delivery_and_its_record_makes_a_second_copy_with_the_same_key() {
    let outbox = Arc::new(Memory::default());
    let receiver = Receiver::new(|_, _| Answer::Take);
    outbox.enqueue(&[new("k", "hook", Some("A"))], START).await.unwrap();
    outbox.hold_attempts(true);
    let running = Running::start(&outbox, fast(), &[("hook", &receiver, policy())]);
    until("the message has arrived", || receiver.copies() == 1).await;
    running.kill().await;
    assert_eq!(outbox.pending(), 1);
    outbox.hold_attempts(false);
    let running = Running::start(&outbox, fast(), &[("hook", &receiver, policy())]);
    until("it is on record", || outbox.pending() == 0).await;
    running.end().await;
    assert_eq!(receiver.taken(), ["k", "k"]);
}

#[tokio::test]
async fn an_outbox_that_is_away_for_a_while_makes_no_second_copy() {
    let outbox = Arc::new(Memory::default());
    let receiver = Receiver::new(|_, _| Answer::Take);
    let all: Vec<_> = (0..8).map(|n| new(&format!("k-{n}"), "hook", Some("A"))).collect();
    outbox.enqueue(&all, START).await.unwrap();
    let running = Running::start(&outbox, fast(), &[("hook", &receiver, policy())]);
    until("some have arrived", || receiver.copies() >= 2).await;
    outbox.set_away(true);
    until("it was asked several times", || outbox.refused() >= 5).await;
    outbox.set_away(false);
    until("all are on record", || outbox.pending() == 0).await;
    running.end().await;
    assert_eq!(receiver.taken(), (0..8).map(|n| format!("k-{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_slow_channel_holds_no_other() {
    let outbox = Arc::new(Memory::default());
    let (slow, quick) = (Receiver::new(|_, _| Answer::Hang), Receiver::new(|_, _| Answer::Take));
    let slow_policy = Policy { timeout: SOON * 10, ..policy() };
    let all: Vec<_> = (0..200)
        .map(|n| new(&format!("k-{n}"), if n % 2 == 0 { "slow" } else { "quick" }, Some(&format!("I-{n}"))))
        .collect();
    outbox.enqueue(&all, START).await.unwrap();
    let running = Running::start(&outbox, fast(), &[("slow", &slow, slow_policy), ("quick", &quick, policy())]);
    until("the quick one has all", || quick.distinct().len() == 100).await;
    until("and they are on record", || outbox.pending() == 100).await;
    assert_eq!(slow.asked(), slow_policy.concurrency, "no more on their way than allowed");
    assert_eq!(slow.copies(), 0);
    running.kill().await;
}

#[tokio::test]
async fn a_full_queue_of_a_dead_channel_does_not_bury_what_is_behind_it() {
    let clock = fast();
    let outbox = Arc::new(Memory::default());
    let (dead, good) = (Receiver::new(|_, _| Answer::Error), Receiver::new(|_, _| Answer::Take));
    let mut all: Vec<_> = (0..3_000).map(|n| new(&format!("k-{n}"), "dead", Some(&format!("I-{n}")))).collect();
    all.push(new("last", "good", Some("A")));
    outbox.enqueue(&all, START).await.unwrap();
    let running = Running::start(&outbox, clock, &[("dead", &dead, policy()), ("good", &good, policy())]);
    until("the last one is sent", || good.distinct().contains("last")).await;
    clock.sleep_until(START.plus_ms(15 * MINUTE_MS)).await;
    assert!(running.health.by_channel()["dead"].failing_since.is_some());
    running.kill().await;
    // It is asked whether it is back, not thrown the whole queue at: a probe every half minute or so.
    assert!((5..=80).contains(&dead.asked()), "{} attempts", dead.asked());
}

#[tokio::test]
async fn messages_of_an_incident_keep_their_order_and_hold_no_other_incident() {
    let clock = fast();
    let outbox = Arc::new(Memory::default());
    let receiver = Receiver::new(move |dispatch, _| {
        let early = clock.now() < START.plus_ms(3 * MINUTE_MS);
        if early && dispatch.key == "a-1" { Answer::Error } else { Answer::Take }
    });
    let all = [
        new("a-1", "hook", Some("A")),
        new("a-2", "hook", Some("A")),
        new("b-1", "hook", Some("B")),
        new("none", "hook", None),
    ];
    outbox.enqueue(&all, START).await.unwrap();
    let running = Running::start(&outbox, clock, &[("hook", &receiver, policy())]);
    until("all are sent", || outbox.pending() == 0).await;
    running.end().await;
    let taken = receiver.taken();
    let place = |key: &str| taken.iter().position(|taken| taken == key).unwrap();
    assert!(place("a-1") < place("a-2") && place("b-1") < place("a-1") && place("none") < place("a-1"), "{taken:?}");
}

#[tokio::test]
async fn what_is_refused_for_good_fails_at_once_and_lets_the_next_one_pass() {
    let outbox = Arc::new(Memory::default());
    let receiver = Receiver::new(|dispatch, _| if dispatch.key == "bad" { Answer::Never } else { Answer::Take });
    outbox.enqueue(&[new("bad", "hook", Some("A")), new("good", "hook", Some("A"))], START).await.unwrap();
    let running = Running::start(&outbox, fast(), &[("hook", &receiver, policy())]);
    until("both are decided", || outbox.pending() == 0).await;
    assert_eq!(running.health.by_channel()["hook"].given_up, 1);
    running.end().await;
    assert_eq!(outbox.states(), [("bad".into(), DispatchState::Failed), ("good".into(), DispatchState::Sent)].into());
    let attempts = outbox.attempts(Some("A"), 10).await.unwrap();
    assert_eq!(attempts.len(), 2);
    assert!(attempts.iter().any(|attempt| attempt.outcome == Outcome::Failed { error: "no such receiver".into() }));
}

/// A message to somebody at a channel.
fn to(target: &str, key: &str, incident: &str) -> NewDispatch {
    NewDispatch { target: target.into(), ..new(key, "mail", Some(incident)) }
}

#[tokio::test]
async fn one_receiver_that_is_dead_neither_slows_the_channel_nor_is_forgotten() {
    let clock = fast();
    let outbox = Arc::new(Memory::default());
    let mended_at = START.plus_ms(40 * MINUTE_MS);
    let receiver = Receiver::new(move |dispatch, _| {
        if dispatch.target == "old@" && clock.now() < mended_at { Answer::NotThem } else { Answer::Take }
    });
    outbox.enqueue(&[to("old@", "old", "A")], START).await.unwrap();
    let running = Running::start(&outbox, clock, &[("mail", &receiver, policy())]);
    until("it was refused several times", || receiver.asked() >= 5).await;
    let standing = running.health.by_channel().remove("mail").unwrap();
    assert_eq!((standing.failing_since, standing.receivers.contains_key("old@")), (None, true));
    let since = clock.now();
    let all: Vec<_> = (0..40).map(|n| to("noc@", &format!("k-{n:02}"), &format!("I-{n:02}"))).collect();
    outbox.enqueue(&all, since).await.unwrap();
    running.waker.wake();
    until("the others have it", || outbox.pending() == 1).await;
    // A channel that is taken to be down would make one attempt a minute.
    assert!(clock.now().since_ms(since) < 15 * MINUTE_MS);
    until("it is mended", || outbox.pending() == 0).await;
    assert!(running.health.by_channel()["mail"].receivers.is_empty());
    running.end().await;
    assert_eq!((receiver.distinct().len(), receiver.copies()), (41, 41));
}

#[tokio::test]
async fn what_cannot_be_told_for_an_hour_is_told_over_every_other_channel_once_and_shown() {
    let clock = fast();
    let outbox = Arc::new(Memory::default());
    let (mail, chat) = (Receiver::new(|_, _| Answer::NotThem), Receiver::new(|_, _| Answer::Take));
    let ticket = Receiver::new(|_, _| Answer::Take);
    outbox.enqueue(&[to("noc@", "A/1/0", "A"), to("duty@", "A/1/1", "A")], START).await.unwrap();
    let policy = Policy { give_up_after_ms: 24 * 60 * MINUTE_MS, ..policy() };
    let channels = [("mail", &mail, policy), ("chat", &chat, policy), ("ticket", &ticket, policy)];
    let running = Running::start_telling(&outbox, clock, &channels, 60);
    clock.sleep_until(START.plus_ms(55 * MINUTE_MS)).await;
    assert_eq!((chat.copies(), running.health.untold().len()), (0, 0));
    until("both other channels have it", || chat.copies() + ticket.copies() == 2).await;
    assert!(clock.now() >= START.plus_ms(60 * MINUTE_MS));
    until("it is shown", || running.health.untold().len() == 2).await;
    // Another process looks at the same outbox: nothing is said twice.
    running.kill().await;
    let running = Running::start_telling(&outbox, clock, &channels, 60);
    clock.sleep_until(clock.now().plus_ms(5 * MINUTE_MS)).await;
    until("it is shown again", || running.health.untold().len() == 2).await;
    assert_eq!((chat.copies(), ticket.copies()), (1, 1));
    running.kill().await;
}

#[tokio::test]
async fn what_is_given_up_is_told_over_the_other_channels_at_once() {
    let clock = fast();
    let outbox = Arc::new(Memory::default());
    let (hook, chat) = (Receiver::new(|_, _| Answer::Never), Receiver::new(|_, _| Answer::Take));
    outbox.enqueue(&[new("A/1/0", "hook", Some("A"))], START).await.unwrap();
    let running = Running::start(&outbox, clock, &[("hook", &hook, policy()), ("chat", &chat, policy())]);
    until("the chat has it", || chat.copies() == 1).await;
    assert!(clock.now() < START.plus_ms(30 * MINUTE_MS));
    running.end().await;
}

#[tokio::test]
async fn what_is_too_old_is_given_up_but_not_before_it_was_tried_enough() {
    let clock = fast();
    let outbox = Arc::new(Memory::default());
    let receiver = Receiver::new(|_, _| Answer::Error);
    let policy = Policy { give_up_after_ms: 30 * MINUTE_MS, ..policy() };
    // The second has waited for us for a day.
    outbox.enqueue(&[new("new", "hook", Some("A"))], START).await.unwrap();
    outbox.enqueue(&[new("old", "hook", Some("B"))], START.plus_ms(-24 * 60 * MINUTE_MS)).await.unwrap();
    let running = Running::start(&outbox, clock, &[("hook", &receiver, policy)]);
    until("both are given up", || outbox.pending() == 0).await;
    running.end().await;
    let attempts = outbox.attempts(None, 1_000).await.unwrap();
    let of = |key: &str| attempts.iter().filter(|attempt| attempt.key == key).cloned().collect::<Vec<_>>();
    assert_eq!(of("old").len(), policy.least_attempts as usize);
    let last = of("new").remove(0);
    assert!(last.at >= START.plus_ms(30 * MINUTE_MS), "{last:?}");
    assert!(matches!(&last.outcome, Outcome::Failed { error } if error.starts_with("given up after")), "{last:?}");
}

#[tokio::test]
async fn a_receiver_that_asks_for_patience_gets_it_for_the_whole_channel() {
    let outbox = Arc::new(Memory::default());
    let receiver =
        Receiver::new(|_, nth| if nth == 0 { Answer::Patience(Duration::from_millis(300)) } else { Answer::Take });
    let all: Vec<_> = (0..5).map(|n| new(&format!("k-{n}"), "hook", Some(&format!("I-{n}")))).collect();
    outbox.enqueue(&all, START).await.unwrap();
    let policy = Policy { concurrency: 1, ..policy() };
    let running = Running::start(&outbox, fast(), &[("hook", &receiver, policy)]);
    until("all are sent", || outbox.pending() == 0).await;
    running.end().await;
    let asked = receiver.asked_at();
    // 300 ms of its time are 300 s of ours.
    assert!(asked[1].since_ms(asked[0]) >= 300_000, "{asked:?}");
    assert_eq!(asked.len(), 6);
}

#[tokio::test]
async fn a_channel_is_given_no_more_than_its_rate() {
    let outbox = Arc::new(Memory::default());
    let receiver = Receiver::new(|_, _| Answer::Take);
    let all: Vec<_> = (0..60).map(|n| new(&format!("k-{n:02}"), "hook", Some(&format!("I-{n:02}")))).collect();
    outbox.enqueue(&all, START).await.unwrap();
    let policy = Policy { per_minute: 6, burst: 5, ..policy() };
    let running = Running::start(&outbox, fast(), &[("hook", &receiver, policy)]);
    until("all are sent", || outbox.pending() == 0).await;
    running.end().await;
    let asked = receiver.asked_at();
    for (first, window) in (0..asked.len()).map(|at| (asked[at], &asked[at..])) {
        for (nth, at) in window.iter().enumerate() {
            // The token was taken a moment before the attempt began: a few engine seconds, at this speed.
            let most = 5.0 + at.since_ms(first) as f64 / 10_000.0 + 0.5;
            assert!((nth + 1) as f64 <= most, "{} within {} ms", nth + 1, at.since_ms(first));
        }
    }
}

#[tokio::test]
async fn a_channel_that_panics_has_not_delivered_and_goes_on() {
    let outbox = Arc::new(Memory::default());
    let receiver = Receiver::new(|_, nth| if nth == 0 { Answer::Panic } else { Answer::Take });
    outbox.enqueue(&[new("k", "hook", Some("A"))], START).await.unwrap();
    let running = Running::start(&outbox, fast(), &[("hook", &receiver, policy())]);
    until("it is sent", || outbox.pending() == 0).await;
    running.end().await;
    assert_eq!(receiver.taken(), ["k"]);
    assert_eq!(outbox.attempts(None, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn messages_for_a_channel_that_is_not_configured_are_given_up_when_they_are_old() {
    let clock = fast();
    let outbox = Arc::new(Memory::default());
    outbox.enqueue(&[new("k", "gone", Some("A"))], START).await.unwrap();
    let running = Running::start(&outbox, clock, &[]);
    until("it is given up", || outbox.pending() == 0).await;
    assert!(clock.now() >= START.plus_ms(60 * MINUTE_MS));
    running.end().await;
    assert_eq!(outbox.states()["k"], DispatchState::Failed);
}

#[tokio::test]
async fn whoever_writes_wakes_the_lane_and_the_end_waits_for_what_is_on_its_way() {
    let clock = Clock::scaled(START, 1.0);
    let outbox = Arc::new(Memory::default());
    let receiver = Receiver::new(|_, _| Answer::TakeLate(Duration::from_millis(100)));
    let policy = Policy { look_every_ms: 3_600_000, timeout: SOON, ..policy() };
    let running = Running::start(&outbox, clock, &[("hook", &receiver, policy)]);
    until("the lane has looked", || outbox.looks() > 0).await;
    outbox.enqueue(&[new("k", "hook", Some("A"))], START).await.unwrap();
    running.waker.wake();
    until("it is on its way", || receiver.asked() == 1).await;
    running.end().await;
    assert_eq!((receiver.copies(), outbox.pending()), (1, 0));
}

#[tokio::test]
async fn the_thread_of_an_incident_is_handed_back_to_the_channel() {
    let outbox = Arc::new(Memory::default());
    let receiver = Receiver::new(|_, _| Answer::Take);
    let all = [new("a-1", "hook", Some("A")), new("a-2", "hook", Some("A")), new("b-1", "hook", Some("B"))];
    outbox.enqueue(&all, START).await.unwrap();
    let running = Running::start(&outbox, fast(), &[("hook", &receiver, policy())]);
    until("all are sent", || outbox.pending() == 0).await;
    running.end().await;
    let expected = [("a-1", None), ("a-2", Some("ref-a-1")), ("b-1", None)];
    let expected: BTreeMap<String, Option<String>> =
        expected.into_iter().map(|(key, thread)| (key.to_owned(), thread.map(str::to_owned))).collect();
    assert_eq!(receiver.threads(), expected);
}

#[test]
fn of_each_thread_the_first_that_is_due_may_go() {
    let with = |id: i64, target: &str, incident: Option<&str>, due_in_ms: i64, attempts: u32| {
        let mut one = dispatch(id, "hook");
        (one.target, one.message.incident) = (target.into(), incident.map(Into::into));
        (one.due_at, one.attempts) = (START.plus_ms(due_in_ms), attempts);
        one
    };
    let mut pending = vec![
        with(9, "-", Some("A"), 0, 0),
        with(1, "-", Some("A"), 60_000, 2), // tried, waits for its retry
        with(2, "-", Some("B"), 60_000, 0), // planned for later: holds nobody
        with(3, "-", Some("B"), 0, 0),
        with(4, "x", Some("A"), 0, 0), // another target
        with(5, "-", None, 0, 0),
        with(6, "-", None, 0, 0),
        with(7, "-", Some("B"), 0, 0), // behind 3
    ];
    pending.push(Dispatch { channel: "other".into(), ..with(8, "-", Some("C"), 0, 0) });
    let ids = |now, limit| -> Vec<i64> {
        first_of_threads(pending.clone(), "hook", now, limit).iter().map(|dispatch| dispatch.id).collect()
    };
    assert_eq!(ids(START, 9), [3, 4, 5, 6]);
    assert_eq!(ids(START, 2), [3, 4]);
    assert_eq!(ids(START.plus_ms(60_000), 9), [1, 2, 4, 5, 6]);
}
