//! The lives of incidents: appended with a version and with what has to be said, found by every name, and beside them the
//! contacts, which are forgotten.

use fleetwatch::engine::device::DeviceId;
use fleetwatch::engine::effect::Scope;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::incident::event::{Joining, Opening};
use fleetwatch::incident::{Action, Incident, IncidentEvent, Milestone, State};
use fleetwatch::record::StoreError;
use fleetwatch::record::incident::{
    Contact, ContactEntry, IncidentAppend, IncidentQuery, IncidentRecord, Keep, KeptAnswer,
};
use fleetwatch::store::Store;

use crate::outbox::{at, message};
use crate::place::{Place, in_both};
use crate::record::{decided, record};
use crate::sample::{EVENT, NOW, history, id};

in_both!(
    a_case_is_read_as_it_was_written,
    of_two_writers_one_is_told_and_nothing_of_its_is_written,
    an_append_whose_answer_was_lost_is_repeated_without_harm,
    a_case_stands_beside_the_changes_and_changes_none_of_them,
    a_case_is_found_by_every_name_and_a_merged_one_by_its_own,
    lists_show_what_is_asked_for,
    what_lists_read_follows_from_the_events,
    contacts_are_found_as_people_type_them,
    contacts_are_replaced_one_by_one,
    contacts_are_forgotten_after_the_last_case_and_never_in_an_open_one,
    a_list_of_contacts_is_taken_over_once_and_what_is_given_anew_is_kept_anew,
    an_answer_is_kept_for_its_request_and_for_a_day,
    what_is_wished_under_a_key_and_its_answer_are_written_together,
    a_wish_under_a_key_is_carried_out_once_wherever_it_was_cut_off,
);

fn event(minute: i64, by: &str, action: Action) -> IncidentEvent {
    IncidentEvent { at: at(minute), by: by.to_owned(), action }
}

/// An opening at this minute, of these devices.
pub fn opened(event_id: &str, number: &str, minute: i64, devices: &[usize]) -> IncidentEvent {
    let opening = Opening {
        number: number.to_owned(),
        event_id: event_id.to_owned(),
        scope: Scope::Fleet,
        impact_started_at: at(minute - 60),
        detected_at: at(minute - 45),
        declared_at: at(minute),
        criterion_s: 3_600,
        measured_s: 3_660,
        cause: Some(crate::sample::cause()),
        follows: None,
        devices: devices.iter().map(|number| joining(*number)).collect(),
    };
    event(minute, "detector", Action::Opened(Box::new(opening)))
}

fn joining(number: usize) -> Joining {
    Joining { device: id(number), branch: Some("宮城".to_owned()), customer: Some(format!("C-{number}")) }
}

pub fn noted(minute: i64, text: &str) -> IncidentEvent {
    event(minute, "佐藤", Action::Noted { text: text.to_owned(), told: true })
}

fn closed(minute: i64) -> [IncidentEvent; 2] {
    [
        event(minute, "佐藤", Action::Moved { from: State::Declared, to: State::Closed }),
        event(minute, "佐藤", Action::Timed { milestone: Milestone::Closed, instant: at(minute), reason: None }),
    ]
}

/// Appends to an incident, whatever it holds so far.
async fn append(store: &dyn Store, id: &str, events: &[IncidentEvent]) {
    let before = store.incident(id).await.unwrap().map_or_else(Vec::new, |incident| incident.events);
    let before: Vec<IncidentEvent> = before.into_iter().map(|recorded| recorded.event).collect();
    let after = Incident::of(before.iter().chain(events)).unwrap().summary();
    let expected = before.len() as u64;
    store
        .append_incidents(&[IncidentAppend { id, expected, events, after: &after, messages: &[] }], at(99))
        .await
        .unwrap();
}

fn events(incident: &IncidentRecord) -> Vec<&IncidentEvent> {
    incident.events.iter().map(|recorded| &recorded.event).collect()
}

async fn found(store: &dyn Store, name: &str) -> Option<String> {
    store.incident(name).await.unwrap().map(|incident| incident.id)
}

async fn a_case_is_read_as_it_was_written(place: &Place) {
    let store = place.open().await;
    assert_eq!(store.incident(EVENT).await.unwrap(), None);
    let first = [opened(EVENT, "INC-0001", 0, &[3, 6, 9]), noted(0, "an escaped \0, \"quotes\" and 🚨")];
    let incident = Incident::of(&first).unwrap();
    let messages = [message("m-1", Some("INC-0001"), 0), message("m-2", Some("INC-0001"), 0)];
    let one =
        IncidentAppend { id: EVENT, expected: 0, events: &first, after: &incident.summary(), messages: &messages };
    store.append_incidents(&[one], at(1)).await.unwrap();
    // Later written, earlier happened: the order of writing is the order of an incident.
    append(&*store, EVENT, &[noted(-5, "reported late")]).await;
    store.close().await;

    let store = place.open().await;
    let read = store.incident(EVENT).await.unwrap().unwrap();
    assert_eq!(events(&read), [&first[0], &first[1], &noted(-5, "reported late")]);
    assert_eq!(read.events[0].recorded_at, at(1));
    assert!(read.events.is_sorted_by_key(|recorded| recorded.seq));
    assert_eq!(store.backlog().await.unwrap(), (2, Some(NOW)));
    let written = store.open_incidents().await.unwrap();
    assert_eq!(written, std::slice::from_ref(&read));
    let incident = Incident::of(events(&read)).unwrap();
    assert_eq!(store.incidents(&IncidentQuery::default()).await.unwrap(), [incident.summary()]);
}

async fn of_two_writers_one_is_told_and_nothing_of_its_is_written(place: &Place) {
    let (one, other) = (place.open().await, place.open().await);
    append(&*one, EVENT, &[opened(EVENT, "INC-0001", 0, &[3])]).await;
    append(&*one, "E-2", &[opened("E-2", "INC-0002", 1, &[4])]).await;
    let before = one.incident(EVENT).await.unwrap().unwrap();
    let try_to = async |store: &dyn Store, text: &str, key: &str| {
        let more = [noted(2, text)];
        let mut incident = Incident::of(events(&before)).unwrap();
        incident.apply(&more[0]);
        let second = Incident::of(&[opened("E-2", "INC-0002", 1, &[4])]).unwrap().summary();
        let messages = [message(key, None, 0)];
        store
            .append_incidents(
                &[
                    IncidentAppend { id: "E-2", expected: 1, events: &[], after: &second, messages: &messages },
                    IncidentAppend { id: EVENT, expected: 1, events: &more, after: &incident.summary(), messages: &[] },
                ],
                at(3),
            )
            .await
    };
    let (first, second) = tokio::join!(try_to(&*one, "mine", "m-1"), try_to(&*other, "yours", "m-2"));
    let refused: Vec<_> = [first, second].into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 1, "one of them was first");
    assert_eq!(refused[0].reason(), "conflict");
    assert_eq!(one.incident(EVENT).await.unwrap().unwrap().events.len(), 2);
    assert_eq!(one.backlog().await.unwrap().0, 1, "what the other wanted said is not said");
    // One that knows of more than there is.
    let summary = Incident::of(&[opened("E-2", "INC-0002", 1, &[4])]).unwrap().summary();
    let ahead = IncidentAppend { id: "E-2", expected: 7, events: &[noted(2, "x")], after: &summary, messages: &[] };
    assert_eq!(one.append_incidents(&[ahead], at(3)).await.unwrap_err().reason(), "conflict");
}

async fn an_append_whose_answer_was_lost_is_repeated_without_harm(place: &Place) {
    let store = place.open().await;
    let first = [opened(EVENT, "INC-0001", 0, &[3]), noted(1, "a")];
    let summary = Incident::of(&first).unwrap().summary();
    let messages = [message("m-1", None, 0)];
    let it = [IncidentAppend { id: EVENT, expected: 0, events: &first, after: &summary, messages: &messages }];
    store.append_incidents(&it, at(1)).await.unwrap();
    store.append_incidents(&it, at(2)).await.unwrap();
    // Also when somebody has gone on meanwhile; what lists show is then not set back.
    append(&*store, EVENT, &[noted(5, "b")]).await;
    store.append_incidents(&it, at(3)).await.unwrap();
    let read = store.incident(EVENT).await.unwrap().unwrap();
    assert_eq!(read.events.len(), 3);
    assert_eq!(read.events[0].recorded_at, at(1));
    assert_eq!(store.backlog().await.unwrap().0, 1);
    assert_eq!(store.incidents(&IncidentQuery::default()).await.unwrap()[0].version, 3);
}

async fn a_case_stands_beside_the_changes_and_changes_none_of_them(place: &Place) {
    use fleetwatch::engine::gate::{DETECTOR, Gate};
    let store = place.open().await;
    store.append(&history(), NOW).await.unwrap();
    store.append_gates(&[decided(0, Gate::Hold, DETECTOR, Some(EVENT))], NOW).await.unwrap();
    let before = record(&*store).await;
    append(&*store, EVENT, &[opened(EVENT, "INC-0001", 0, &[3, 6]), noted(1, "a")]).await;
    assert_eq!(record(&*store).await, before);
    store.rebuild().await.unwrap();
    assert_eq!(record(&*store).await, before);
    let error = place.client().await.run("DELETE FROM record_entry WHERE kind = 'incident'").await.unwrap_err();
    assert!(error.to_string().contains("append-only"), "{error}");
    // A number that a person gave by splitting is not given again.
    append(&*store, "split/1", &[opened("split/1", "INC-0017", 1, &[9])]).await;
    assert_eq!(store.highest_number().await.unwrap(), 17);
}

async fn a_case_is_found_by_every_name_and_a_merged_one_by_its_own(place: &Place) {
    let store = place.open().await;
    let reason = "one cause".to_owned();
    append(&*store, "E-1", &[opened("E-1", "INC-0001", 0, &[1])]).await;
    append(&*store, "E-2", &[opened("E-2", "INC-0002", 1, &[2])]).await;
    let attached = Action::Attached { event_id: "E-3".to_owned(), number: Some("INC-0003".to_owned()) };
    append(&*store, "E-2", &[event(2, "detector", attached)]).await;
    let other = Incident::of(events(&store.incident("E-2").await.unwrap().unwrap())).unwrap();
    let absorbed = Action::Absorbed {
        number: Some("INC-0002".to_owned()),
        event_ids: vec!["E-2".to_owned(), "E-3".to_owned()],
        devices: other.ladder.iter().map(|(device, rung)| (device.clone(), rung.clone())).collect(),
        reason: reason.clone(),
    };
    append(&*store, "E-1", &[event(3, "佐藤", absorbed)]).await;
    let merged = Action::Merged { into: "INC-0001".to_owned(), reason };
    let [moved, timed] = closed(3);
    append(&*store, "E-2", &[event(3, "佐藤", merged), moved, timed]).await;

    for (name, id) in [("INC-0001", "E-1"), ("inc-0001", "E-1"), ("E-1", "E-1"), ("INC-0002", "E-2"), ("E-2", "E-2")] {
        assert_eq!(found(&*store, name).await.as_deref(), Some(id), "{name}");
    }
    // The event that was attached belongs to both by now: the one that goes on answers.
    assert_eq!(found(&*store, "E-3").await.as_deref(), Some("E-1"));
    assert_eq!(found(&*store, "INC-0003").await.as_deref(), Some("E-2"));
    assert_eq!(found(&*store, "INC-000").await, None);
    let of_device = |number| IncidentQuery { device: Some(id(number)), ..IncidentQuery::default() };
    let numbers: Vec<String> =
        store.incidents(&of_device(2)).await.unwrap().into_iter().map(|summary| summary.number).collect();
    assert_eq!(numbers, ["INC-0002", "INC-0001"]);
}

async fn lists_show_what_is_asked_for(place: &Place) {
    let store = place.open().await;
    for (event_id, number, minute) in [("E-1", "INC-0001", 0), ("E-2", "INC-0002", 30), ("E-3", "INC-0003", 10)] {
        append(&*store, event_id, &[opened(event_id, number, minute, &[1])]).await;
    }
    append(&*store, "E-2", &closed(50)).await;
    let numbers = async |query: IncidentQuery| {
        store.incidents(&query).await.unwrap().into_iter().map(|summary| summary.number).collect::<Vec<_>>()
    };
    let all = IncidentQuery::default();
    assert_eq!(numbers(all.clone()).await, ["INC-0002", "INC-0003", "INC-0001"], "the latest first");
    assert_eq!(numbers(IncidentQuery { open_only: true, ..all.clone() }).await, ["INC-0003", "INC-0001"]);
    assert_eq!(numbers(IncidentQuery { limit: 1, offset: 1, ..all.clone() }).await, ["INC-0003"]);
    assert!(numbers(IncidentQuery { device: Some(id(2)), ..all }).await.is_empty());
    let open: Vec<String> = store.open_incidents().await.unwrap().into_iter().map(|incident| incident.id).collect();
    assert_eq!(open, ["E-1", "E-3"], "the earliest first");
}

async fn what_lists_read_follows_from_the_events(place: &Place) {
    let store = place.open().await;
    append(&*store, "E-1", &[opened("E-1", "INC-0001", 0, &[1, 2])]).await;
    append(&*store, "E-2", &[opened("E-2", "INC-0002", 1, &[3])]).await;
    append(&*store, "E-1", &[event(2, "detector", Action::Joined { devices: vec![joining(7)] })]).await;
    append(&*store, "E-2", &closed(50)).await;
    let mut client = place.client().await;
    let mut derived = async || {
        let mut lines =
            client.texts("SELECT event_id || number || state || summary_json FROM incident ORDER BY 1").await;
        lines.extend(client.texts("SELECT name || event_id || own FROM incident_name ORDER BY 1").await);
        lines.extend(client.texts("SELECT device || event_id FROM incident_device ORDER BY 1").await);
        lines
    };
    let before = derived().await;
    assert_eq!(before.len(), 2 + 4 + 4, "{before:#?}");
    store.rebuild().await.unwrap();
    assert_eq!(derived().await, before);
}

fn contact(number: usize, name: &str, phone: &str) -> ContactEntry {
    ContactEntry {
        device: id(number),
        customer: Some(format!("C-{number:05}")),
        branch: Some("sapporo-03".to_owned()),
        contact: Contact {
            name: Some(name.to_owned()),
            phone: Some(phone.to_owned()),
            mail: Some(format!("{number}@example.jp")),
        },
    }
}

async fn contacts_are_found_as_people_type_them(place: &Place) {
    let store = place.open().await;
    let entries = [
        contact(42, "佐藤 花子", "090-1234-5678"),
        contact(7, "Suzuki 100%_!", "(011) 222 3333"),
        contact(1, "ÉMILE", "０３－４４４４－５５５５"),
        ContactEntry { device: id(900), customer: None, branch: None, contact: Contact::default() },
    ];
    store.put_contacts(&entries, NOW).await.unwrap();
    assert_eq!(store.contact(&id(42)).await.unwrap().as_ref(), Some(&entries[0]));
    assert_eq!(store.contact(&id(2)).await.unwrap(), None);
    for (text, numbers) in [
        ("佐藤", &[42][..]),
        ("b-0042", &[42]),
        ("Ｂ－００４２", &[42]),
        ("c-00007", &[7]),
        ("SUZUKI", &[7]),
        ("émile", &[1]),
        ("12345678", &[42]),
        ("090 1234", &[42]),
        ("０９０－１２３４", &[42]),
        ("(011)2223333", &[7]),
        ("0344445555", &[1]),
        ("100%_!", &[7]),
        ("%", &[7]),
        ("_", &[7]),
        ("B-", &[1, 7, 42, 900]),
        ("", &[1, 7, 42, 900]),
        ("nobody", &[]),
        ("' OR 1=1 --", &[]),
        ("\\", &[]),
    ] {
        let found: Vec<DeviceId> =
            store.find_contacts(text, 10).await.unwrap().into_iter().map(|entry| entry.device).collect();
        assert_eq!(found, numbers.iter().copied().map(id).collect::<Vec<_>>(), "{text:?}");
    }
    assert_eq!(store.find_contacts("B-", 2).await.unwrap().len(), 2);
    assert!(store.find_contacts(&"x".repeat(100_000), 2).await.unwrap().is_empty());
}

async fn contacts_are_replaced_one_by_one(place: &Place) {
    let store = place.open().await;
    store.put_contacts(&[contact(1, "old", "1"), contact(2, "other", "2")], NOW).await.unwrap();
    let bare =
        ContactEntry { contact: Contact { name: Some("new".to_owned()), ..Contact::default() }, ..contact(1, "", "") };
    store.put_contacts(std::slice::from_ref(&bare), at(1)).await.unwrap();
    assert_eq!(store.contact(&id(1)).await.unwrap(), Some(bare), "nothing of the old one is left");
    assert!(store.find_contacts("old", 9).await.unwrap().is_empty());
    assert_eq!(store.contact(&id(2)).await.unwrap(), Some(contact(2, "other", "2")));
}

async fn contacts_are_forgotten_after_the_last_case_and_never_in_an_open_one(place: &Place) {
    let store = place.open().await;
    let entries: Vec<ContactEntry> = (1..=5).map(|number| contact(number, &format!("name-{number}"), "0120")).collect();
    store.put_contacts(&entries, NOW).await.unwrap();
    // 1: closed; 2: closed, and in an open one; 3: closed later; 4: in an open one, 5: in none.
    append(&*store, "E-1", &[opened("E-1", "INC-0001", 0, &[1, 2, 3])]).await;
    append(&*store, "E-2", &[opened("E-2", "INC-0002", 1, &[2, 4])]).await;
    append(&*store, "E-3", &[opened("E-3", "INC-0003", 1, &[3])]).await;
    append(&*store, "E-1", &closed(10)).await;
    append(&*store, "E-3", &closed(20)).await;
    let forgotten = async |before: Timestamp| {
        let count = store.forget_contacts(before).await.unwrap();
        let mut gone = Vec::new();
        for number in 1..=5 {
            let entry = store.contact(&id(number)).await.unwrap().unwrap();
            assert_eq!(entry.customer, Some(format!("C-{number:05}")), "whose device it is stays known");
            if entry.contact == Contact::default() {
                assert!(store.find_contacts(&format!("name-{number}"), 9).await.unwrap().is_empty());
                gone.push(number);
            }
        }
        (count, gone)
    };
    assert_eq!(forgotten(at(10)).await, (0, vec![]), "not closed before that, but then");
    assert_eq!(forgotten(at(11)).await, (1, vec![1]));
    assert_eq!(forgotten(at(11)).await, (0, vec![1]));
    assert_eq!(forgotten(at(1_000)).await, (1, vec![1, 3]));
    append(&*store, "E-2", &closed(2_000)).await;
    assert_eq!(forgotten(at(2_000)).await, (0, vec![1, 3]));
    assert_eq!(forgotten(at(2_001)).await, (2, vec![1, 2, 3, 4]));
}

async fn a_list_of_contacts_is_taken_over_once_and_what_is_given_anew_is_kept_anew(place: &Place) {
    let store = place.open().await;
    let list: Vec<ContactEntry> = (1..=3).map(|number| contact(number, &format!("name-{number}"), "0120")).collect();
    let named = async |number: usize| store.contact(&id(number)).await.unwrap().unwrap().contact.name.is_some();
    assert!(store.import_contacts(&list, NOW).await.unwrap());
    append(&*store, "E-1", &[opened("E-1", "INC-0001", 0, &[1])]).await;
    append(&*store, "E-1", &closed(10)).await;
    assert_eq!(store.forget_contacts(at(11)).await.unwrap(), 1);
    assert!(!store.import_contacts(&list, at(12)).await.unwrap(), "a restart brings nobody back");
    assert!(!named(1).await && named(2).await);
    // A person gives the list anew, for the next incident.
    let grown: Vec<ContactEntry> = list.into_iter().chain([contact(4, "name-4", "0120")]).collect();
    assert!(store.import_contacts(&grown, at(20)).await.unwrap());
    assert_eq!(store.forget_contacts(at(1_000)).await.unwrap(), 0, "it has been in no incident since");
    assert!(named(1).await);
    append(&*store, "E-2", &[opened("E-2", "INC-0002", 30, &[1])]).await;
    append(&*store, "E-2", &closed(40)).await;
    assert_eq!(store.forget_contacts(at(41)).await.unwrap(), 1);
    assert!(!named(1).await);
}

async fn an_answer_is_kept_for_its_request_and_for_a_day(place: &Place) {
    let store = place.open().await;
    let answer = |byte: u8, body: &str| KeptAnswer { request: [byte; 32], status: 200, body: body.to_owned() };
    let keep = async |who: &str, key: &str, answer: KeptAnswer, now: Timestamp| {
        store.append_incidents_once(&[], Some(Keep { who, key, answer: &answer }), now).await
    };
    keep("佐藤", "k", answer(0xab, "first"), NOW).await.unwrap();
    assert!(matches!(keep("佐藤", "k", answer(0xcd, "second"), at(1)).await, Err(StoreError::Repeated)));
    assert_eq!(store.kept_answer("佐藤", "k").await.unwrap(), Some(answer(0xab, "first")), "the first was given");
    assert_eq!(store.kept_answer("鈴木", "k").await.unwrap(), None, "another person's key is another key");
    keep("鈴木", "later", answer(1, "x"), at(24 * 60)).await.unwrap();
    assert!(store.kept_answer("佐藤", "k").await.unwrap().is_some(), "a day old");
    keep("鈴木", "latest", answer(1, "x"), at(24 * 60 + 1)).await.unwrap();
    assert_eq!(store.kept_answer("佐藤", "k").await.unwrap(), None);
    keep("佐藤", "k", answer(0xcd, "second"), at(24 * 60 + 1)).await.unwrap();
    assert_eq!(store.kept_answer("佐藤", "k").await.unwrap(), Some(answer(0xcd, "second")));
}

async fn what_is_wished_under_a_key_and_its_answer_are_written_together(place: &Place) {
    let store = place.open().await;
    append(&*store, EVENT, &[opened(EVENT, "INC-2026-0001", 0, &[1])]).await;
    let answer = KeptAnswer { request: [7; 32], status: 200, body: "{}".to_owned() };
    let keep = Some(Keep { who: "佐藤", key: "k", answer: &answer });
    let noted = |text: &str| [noted(1, text)];
    let first = Incident::of(&[opened(EVENT, "INC-2026-0001", 0, &[1])]).unwrap().summary();
    let request = async |text: &str, expected: u64| {
        let events = noted(text);
        let append = IncidentAppend { id: EVENT, expected, events: &events, after: &first, messages: &[] };
        store.append_incidents_once(&[append], keep, at(1)).await
    };
    // A conflict keeps no answer, and the key stays free.
    assert!(matches!(request("too late", 9).await, Err(StoreError::Conflict)));
    assert_eq!(store.kept_answer("佐藤", "k").await.unwrap(), None);
    request("once", 1).await.unwrap();
    assert_eq!(store.kept_answer("佐藤", "k").await.unwrap(), Some(answer.clone()));
    // Whoever comes again with the key, from whatever process, does nothing.
    assert!(matches!(request("twice", 2).await, Err(StoreError::Repeated)));
    assert_eq!(store.incident(EVENT).await.unwrap().unwrap().events.len(), 2);
}

/// Whoever asked may go away at any point: what was done is answered when it is asked again, and what was not done is done then.
async fn a_wish_under_a_key_is_carried_out_once_wherever_it_was_cut_off(place: &Place) {
    let store = place.open().await;
    append(&*store, EVENT, &[opened(EVENT, "INC-2026-0001", 0, &[1])]).await;
    let first = Incident::of(&[opened(EVENT, "INC-2026-0001", 0, &[1])]).unwrap().summary();
    let answer = KeptAnswer { request: [7; 32], status: 200, body: "{}".to_owned() };
    let (mut cut, mut before) = (0, 0);
    for polls in 0..40_u64 {
        let key = format!("k{polls}");
        let events = [noted(1, &key)];
        let append = |expected| IncidentAppend { id: EVENT, expected, events: &events, after: &first, messages: &[] };
        let keep = Some(Keep { who: "佐藤", key: &key, answer: &answer });
        {
            let appends = [append(polls + 1)];
            let mut request = std::pin::pin!(store.append_incidents_once(&appends, keep, at(1)));
            let mut left = polls;
            let done = std::future::poll_fn(|context| {
                left = left.saturating_sub(1);
                match request.as_mut().poll(context) {
                    std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
                    std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
                    std::task::Poll::Pending => std::task::Poll::Pending,
                }
            });
            match done.await {
                None => cut += 1,
                Some(done) => done.unwrap(),
            }
        }
        // The same request again, as whoever got no answer sends it.
        match store.append_incidents_once(&[append(polls + 1)], keep, at(1)).await {
            Ok(()) => {}
            Err(StoreError::Repeated) => before += 1,
            Err(error) => panic!("after {polls} polls: {error}"),
        }
        let notes = store.incident(EVENT).await.unwrap().unwrap().events.len() as u64;
        assert_eq!(notes, polls + 2, "after {polls} polls");
    }
    println!("{cut} of 40 cut off; {before} had been carried out by then");
    assert!(cut >= 3 && before >= 1);
}
