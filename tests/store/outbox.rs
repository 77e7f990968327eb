//! The outbox: each message once, every attempt on record, in the transaction of what it follows from.

use fleetwatch::engine::time::Timestamp;
use fleetwatch::record::outbox::{Dispatch, DispatchState, Message, NewDispatch, Outcome, Untold, first_of_threads};
use fleetwatch::words::Both;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::place::{Place, in_both};
use crate::sample::NOW;

in_both!(
    a_message_is_kept_as_it_was_written_and_once,
    attempts_move_a_message_and_stay_on_record,
    what_has_not_got_through_for_long_is_found_with_what_was_said,
    an_attempt_that_is_written_down_twice_is_one,
    the_thread_to_answer_in_is_that_of_the_last_message_that_has_one,
    what_may_be_sent_is_what_the_contract_says,
    a_batch_with_a_message_that_cannot_be_written_is_not_written,
);

pub fn at(minutes: i64) -> Timestamp {
    NOW.plus_ms(minutes * 60_000)
}

pub fn message(key: &str, incident: Option<&str>, due: i64) -> NewDispatch {
    let both = |text: &str| Both { ja: format!("{text}：宮城支店 🚨"), en: text.to_owned() };
    let message = Message {
        kind: "declared".to_owned(),
        incident: incident.map(str::to_owned),
        severity: "major".to_owned(),
        scope: "fleet".to_owned(),
        subject: both("declared"),
        body: both("two\nlines"),
        path: "/incidents/INC-0001".to_owned(),
        summary: None,
        started_at: Some(NOW),
        ended_at: None,
    };
    NewDispatch { key: key.to_owned(), channel: "chat".to_owned(), target: "#noc".to_owned(), message, due_at: at(due) }
}

fn keys(dispatches: &[Dispatch]) -> Vec<&str> {
    dispatches.iter().map(|dispatch| dispatch.key.as_str()).collect()
}

async fn a_message_is_kept_as_it_was_written_and_once(place: &Place) {
    let store = place.open().await;
    assert_eq!(store.backlog().await.unwrap(), (0, None));
    let messages = [message("later", None, 5), message("a", Some("INC-0001"), 0), message("b", Some("INC-0001"), 0)];
    assert_eq!(store.enqueue(&messages, NOW).await.unwrap(), 3);
    let again = [message("c", None, 1), NewDispatch { target: "changed".to_owned(), ..message("a", None, 9) }];
    assert_eq!(store.enqueue(&again, at(1)).await.unwrap(), 1, "only c is new");
    store.close().await;

    let store = place.open().await;
    let due = store.due(at(1), 10).await.unwrap();
    assert_eq!(keys(&due), ["a", "b", "c"], "the oldest first, and none before its time");
    let NewDispatch { key, channel, target, message, due_at } = messages[1].clone();
    let state = DispatchState::Pending;
    assert_eq!(
        due[0],
        Dispatch { id: due[0].id, key, channel, target, message, created_at: NOW, due_at, state, attempts: 0 }
    );
    assert_eq!(keys(&store.due(at(1), 2).await.unwrap()), ["a", "b"]);
    assert_eq!(store.backlog().await.unwrap(), (4, Some(NOW)));
}

async fn what_has_not_got_through_for_long_is_found_with_what_was_said(place: &Place) {
    let store = place.open().await;
    let names = ["late", "failed", "sent", "twin", "planned"];
    let mut all: Vec<NewDispatch> = names.iter().map(|key| message(key, Some("INC-0001"), 0)).collect();
    for (nth, one) in all.iter_mut().enumerate() {
        one.message.subject.en = format!("message {}", nth.min(2));
        one.channel = format!("channel {nth}");
    }
    // The fourth says what the third says, over another channel.
    all[3].message = all[2].message.clone();
    all[4].due_at = at(500);
    store.enqueue(&all, NOW).await.unwrap();
    let due = store.due(NOW, 10).await.unwrap();
    let id = |key: &str| due.iter().find(|one| one.key == key).unwrap().id;
    let later = |error: &str, minute| Outcome::Retry { error: error.to_owned(), retry_at: at(minute) };
    store.attempted(id("late"), at(1), &later("first", 50)).await.unwrap();
    store.attempted(id("late"), at(2), &later("second", 90)).await.unwrap();
    store.attempted(id("failed"), at(1), &Outcome::Failed { error: "no".to_owned() }).await.unwrap();
    store.attempted(id("sent"), at(1), &Outcome::Sent { reference: None }).await.unwrap();
    let found = |list: Vec<Untold>| -> Vec<(String, Option<String>, bool)> {
        list.into_iter().map(|one| (one.dispatch.key, one.error, one.told_elsewhere)).collect()
    };
    let expected = |key: &str, error: Option<&str>, elsewhere| (key.to_owned(), error.map(str::to_owned), elsewhere);
    assert_eq!(
        found(store.untold(NOW, at(60), 10).await.unwrap()),
        [expected("late", Some("second"), false), expected("failed", Some("no"), false), expected("twin", None, true),]
    );
    // What was given up is told at once; the others are not late yet, and what is old is no longer shown.
    assert_eq!(found(store.untold(NOW, at(-1), 10).await.unwrap()), [expected("failed", Some("no"), false)]);
    assert_eq!(found(store.untold(at(1), at(-1), 10).await.unwrap()), []);
    assert_eq!(store.untold(NOW, at(60), 1).await.unwrap().len(), 1);
}

async fn attempts_move_a_message_and_stay_on_record(place: &Place) {
    let store = place.open().await;
    store
        .enqueue(&[message("a", Some("INC-0001"), 0), message("b", None, 0), message("c", None, 0)], NOW)
        .await
        .unwrap();
    let due = store.due(NOW, 10).await.unwrap();
    let [a, b, c] = [due[0].id, due[1].id, due[2].id];
    let retry = Outcome::Retry { error: "503".to_owned(), retry_at: at(10) };
    let (sent, failed) = (Outcome::Sent { reference: None }, Outcome::Failed { error: "no such room".to_owned() });
    store.attempted(a, at(1), &retry).await.unwrap();
    store.attempted(b, at(1), &failed).await.unwrap();
    store.attempted(c, at(1), &sent).await.unwrap();
    assert!(store.due(at(9), 10).await.unwrap().is_empty());
    // It waits for its next attempt; it has been due all the time.
    assert_eq!(store.backlog().await.unwrap(), (1, Some(NOW)));
    let due = store.due(at(10), 10).await.unwrap();
    assert_eq!((keys(&due), due[0].attempts), (vec!["a"], 1));
    store.attempted(a, at(11), &sent).await.unwrap();
    // A second copy of the deliverer comes too late: what was sent stays sent.
    store.attempted(a, at(12), &failed).await.unwrap();
    assert_eq!(store.backlog().await.unwrap(), (0, None));

    let told = |list: Vec<fleetwatch::record::outbox::Attempt>| {
        list.into_iter().map(|attempt| (attempt.key, attempt.at, attempt.outcome)).collect::<Vec<_>>()
    };
    let of_a = [
        ("a".to_owned(), at(12), failed.clone()),
        ("a".to_owned(), at(11), sent.clone()),
        ("a".to_owned(), at(1), retry),
    ];
    assert_eq!(told(store.attempts(Some("INC-0001"), 10).await.unwrap()), of_a);
    assert_eq!(store.attempts(None, 10).await.unwrap().len(), 5);
    assert_eq!(store.attempts(None, 2).await.unwrap().len(), 2);
    let unknown = store.attempted(9_999, NOW, &sent).await.unwrap_err();
    assert_eq!(unknown.reason(), "refused", "{unknown}");
}

async fn an_attempt_that_is_written_down_twice_is_one(place: &Place) {
    let store = place.open().await;
    store.enqueue(&[message("a", None, 0)], NOW).await.unwrap();
    let id = store.due(NOW, 1).await.unwrap()[0].id;
    let retry = |minute| Outcome::Retry { error: "503".to_owned(), retry_at: at(minute) };
    for _ in 0..3 {
        store.attempted(id, at(1), &retry(2)).await.unwrap();
    }
    store.attempted(id, at(2), &retry(4)).await.unwrap();
    let due = store.due(at(4), 1).await.unwrap();
    assert_eq!(due[0].attempts, 2);
    assert_eq!(store.attempts(None, 10).await.unwrap().len(), 2);
}

async fn the_thread_to_answer_in_is_that_of_the_last_message_that_has_one(place: &Place) {
    let store = place.open().await;
    let elsewhere = NewDispatch { target: "#other".to_owned(), ..message("d", Some("INC-0001"), 0) };
    let messages = [
        message("a", Some("INC-0001"), 0),
        message("b", Some("INC-0001"), 0),
        message("c", Some("INC-0002"), 0),
        elsewhere,
    ];
    store.enqueue(&messages, NOW).await.unwrap();
    let thread = async |incident| store.thread("chat", "#noc", incident).await.unwrap();
    assert_eq!(thread("INC-0001").await, None);
    let due = store.due(NOW, 10).await.unwrap();
    for (dispatch, reference) in due.iter().zip([Some("1.1"), None, Some("2.2"), Some("9.9")]) {
        let outcome = Outcome::Sent { reference: reference.map(str::to_owned) };
        store.attempted(dispatch.id, at(1), &outcome).await.unwrap();
    }
    assert_eq!(thread("INC-0001").await.as_deref(), Some("1.1"));
    assert_eq!(thread("INC-0002").await.as_deref(), Some("2.2"));
}

/// The one query of a database against the words of the contract, over outboxes of every shape.
async fn what_may_be_sent_is_what_the_contract_says(place: &Place) {
    let store = place.open().await;
    let shape = (0..3_i64, 0..2_usize, 0..2_usize, prop::option::of(0..2_usize), 0..4_usize);
    let mut runner = TestRunner::deterministic();
    let messages = prop::collection::vec(shape, 80).new_tree(&mut runner).unwrap().current();
    let mut sizes = Vec::new();
    for (number, (due, channel, target, incident, fate)) in messages.into_iter().enumerate() {
        let incident = incident.map(|number| format!("INC-000{number}"));
        let message = NewDispatch {
            channel: ["chat", "mail"][channel].to_owned(),
            target: ["#noc", "#other"][target].to_owned(),
            ..message(&format!("m-{number}"), incident.as_deref(), due)
        };
        store.enqueue(&[message], NOW).await.unwrap();
        let newest = store.due(at(9), 1_000).await.unwrap().into_iter().map(|dispatch| dispatch.id).max().unwrap();
        match fate {
            0 => store.attempted(newest, NOW, &Outcome::Sent { reference: None }).await.unwrap(),
            1 => {
                let retry = Outcome::Retry { error: "503".to_owned(), retry_at: at(due + 1) };
                store.attempted(newest, NOW, &retry).await.unwrap();
            }
            _ => {}
        }
        for minute in 0..4 {
            let pending = store.due(Timestamp::from_ms(i64::MAX), 1_000).await.unwrap();
            let expected = first_of_threads(pending, "chat", at(minute), 3);
            assert_eq!(store.heads("chat", at(minute), 3).await.unwrap(), expected, "after {number}, minute {minute}");
            sizes.push(expected.len());
        }
    }
    assert!(sizes.contains(&0) && sizes.contains(&3), "from nothing to the limit");
}

async fn a_batch_with_a_message_that_cannot_be_written_is_not_written(place: &Place) {
    let store = place.open().await;
    let mut other = place.client().await;
    other
        .run(place.pick(
            "CREATE TRIGGER fail BEFORE INSERT ON outbox WHEN NEW.dispatch_key = 'b' BEGIN SELECT RAISE(ABORT, 'no'); END",
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; \
             CREATE TRIGGER fail BEFORE INSERT ON outbox FOR EACH ROW WHEN (NEW.dispatch_key = 'b') EXECUTE FUNCTION fail()",
        ))
        .await
        .unwrap();
    let messages = [message("a", None, 0), message("b", None, 0)];
    assert!(store.enqueue(&messages, NOW).await.is_err());
    assert_eq!(store.backlog().await.unwrap(), (0, None));
}
