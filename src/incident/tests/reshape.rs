//! One incident out of two, and two out of one: no device and no step is lost.

use proptest::prelude::*;

use super::*;
use crate::incident::ladder::{Claim, ExceptionKind, Proof};

/// Another incident, of these devices.
fn other(devices: &[usize]) -> Story {
    let mut story = Story::declared(1);
    let joined = devices.iter().map(|device| joining(*device)).collect();
    let mut opening = opening("INC-2026-0009", "E-0020", joined);
    opening.scope = Scope::Fleet;
    let opened = IncidentEvent { at: minute(5), by: DETECTOR.into(), action: Action::Opened(Box::new(opening)) };
    (story.incident, story.record) = (Incident::open(&opened).unwrap(), vec![opened]);
    story.now = minute(5);
    story.fleet = devices.iter().map(|device| (id(*device), Seen::suffering())).collect();
    story
}

#[test]
fn merging_keeps_every_device_with_its_way() {
    let (mut into, mut from) = (Story::declared(3), other(&[2, 3, 4]));
    from.wait(10);
    from.agree(Some("WA-1"), None);
    from.execute(called(2, CallOutcome::Reached, Some(Progress::Phone)), "abe").unwrap();
    from.execute(Command::Claim { devices: vec![id(2), id(3)], claim: Claim::Workaround }, "abe").unwrap();
    from.see(3).workaround = Some((Some("WA-1"), true));
    from.look();
    into.wait(5);
    into.execute(called(2, CallOutcome::NoAnswer, None), "baba").unwrap();
    into.wait(10);
    let (left, taken) = (
        from.incident.merge_into("INC-2026-0007", "one and the same", "ito", into.now).unwrap(),
        into.incident.absorb_from(&from.incident, "one and the same", "ito", into.now).unwrap(),
    );
    assert_eq!(into.take(taken), ["absorbed"]);
    from.now = into.now;
    assert_eq!(from.take(left), ["merged", "timed", "moved"]);
    assert_eq!(from.incident.merged_into(), Some("INC-2026-0007"));
    assert!(!from.incident.is_open() && from.look().is_empty());
    assert_eq!(into.incident.ladder.len(), 5);
    assert_eq!((into.step(3), into.step(4), into.step(0)), (Step::WorkaroundVerified, Step::Affected, Step::Affected));
    let both = into.rung(2);
    assert_eq!((both.calls, both.unanswered, both.progress), (2, 0, Some(Progress::Phone)));
    assert_eq!((both.step(), both.joined_at), (Step::WorkaroundClaimed, minute(0)));
    assert!(into.incident.aliases.contains("INC-2026-0009") && into.incident.event_ids.contains("E-0020"));
    assert_eq!(into.incident.absorb_from(&from.incident, "", "ito", into.now).unwrap_err(), Refusal::Reason);
    assert_eq!(from.incident.merge_into("X", "again", "ito", into.now).unwrap_err(), Refusal::Closed);
}

#[test]
fn what_is_merged_into_a_resolved_incident_reopens_it_and_another_fix_proves_nothing() {
    let (mut into, mut from) = (Story::declared(2), other(&[5, 6]));
    into.agree_and_release();
    into.wait(1).fix_all();
    assert_eq!(into.incident.state, State::Resolved);
    from.agree(None, Some(Fix::Elsewhere("the line was repaired".into())));
    from.execute(Command::ReleaseFix, "sato").unwrap();
    let now = from.now;
    from.see_all(|seen| seen.quiet(now));
    from.look();
    from.wait(61).look();
    assert_eq!(from.incident.state, State::Resolved);
    let taken = into.incident.absorb_from(&from.incident, "the same after all", "ito", into.now).unwrap();
    assert_eq!(into.take(taken), ["absorbed", "reopened", "moved"]);
    assert_eq!((into.incident.state, into.step(5)), (State::Fixing, Step::Affected));
    assert!(!into.rung(5).affected, "its quality had come back");
}

#[test]
fn the_same_fix_counts_in_the_merged_incident_too() {
    let (mut into, mut from) = (Story::declared(2), other(&[1, 5]));
    for story in [&mut into, &mut from] {
        story.agree_and_release();
        story.wait(1).fix_all();
    }
    let taken = into.incident.absorb_from(&from.incident, "the same after all", "ito", into.now).unwrap();
    assert_eq!(into.take(taken), ["absorbed"]);
    assert_eq!((into.incident.state, into.step(5)), (State::Resolved, Step::Done));
    assert_eq!(into.incident.ladder.len(), 3);
}

#[test]
fn a_device_that_is_affected_in_one_of_two_merged_incidents_is_affected() {
    let (mut into, from) = (Story::declared(2), other(&[1]));
    into.agree_and_release();
    into.wait(1).fix_all();
    into.execute(Command::SignOff { device: id(0), kind: ExceptionKind::Refused, evidence: "by phone".into() }, "ito")
        .unwrap();
    let taken = into.incident.absorb_from(&from.incident, "the same after all", "ito", into.now).unwrap();
    assert_eq!(into.take(taken), ["absorbed", "reopened", "moved"]);
    assert_eq!(into.step(1), Step::FixInstalled);
    assert!(into.rung(1).affected && !into.rung(1).proves(Proof::Quality));
    assert!(into.rung(0).exception.is_some(), "nothing was said of this one");
}

#[test]
fn a_quality_that_was_proved_before_the_other_incidents_fix_does_not_count_for_it() {
    let lived = |mut story: Story, proofs: &[Proof]| {
        for proof in proofs {
            let action = Action::Proved { devices: vec![id(1)], proof: *proof };
            story.incident.apply(&IncidentEvent { at: minute(10), by: "telemetry".into(), action });
        }
        story.incident
    };
    let mut into = lived(Story::declared(2), &[Proof::Quality, Proof::Fix]);
    let from = lived(other(&[1]), &[Proof::Quality]);
    for event in into.absorb_from(&from, "one and the same", "ito", minute(100)).unwrap() {
        into.apply(&event);
    }
    let rung = into.ladder.get(&id(1)).unwrap();
    assert!(rung.proves(Proof::Fix) && !rung.proves(Proof::Quality), "neither of them took it to be done");
}

#[test]
fn splitting_keeps_every_device_on_one_side_with_its_way() {
    let mut story = Story::declared(4);
    story.agree(Some("WA-1"), None);
    story.execute(Command::Claim { devices: vec![id(1)], claim: Claim::Workaround }, "abe").unwrap();
    story.execute(called(3, CallOutcome::Reached, None), "abe").unwrap();
    let split = |devices: &[usize]| {
        let devices: Vec<DeviceId> = devices.iter().map(|device| id(*device)).collect();
        story.incident.split(&devices, ("INC-2026-0007-B", "E-0012/B"), ("another cause", "ito"), minute(30))
    };
    assert_eq!(split(&[]).unwrap_err(), Refusal::NoDevice);
    assert_eq!(split(&[0, 1, 2, 3]).unwrap_err(), Refusal::AllDevices);
    assert_eq!(split(&[0, 9]).unwrap_err(), Refusal::NotADevice(id(9)));
    let (left, opened) = split(&[1, 3, 1]).unwrap();
    let before = story.incident.clone();
    story.wait(30);
    assert_eq!(story.take(left), ["split_off"]);
    let part = Incident::of(&opened).unwrap();
    assert_eq!(
        (part.number(), part.id(), part.opening.follows.as_deref()),
        ("INC-2026-0007-B", "E-0012/B", Some("INC-2026-0007"))
    );
    assert_eq!((story.incident.ladder.len(), part.ladder.len()), (2, 2));
    assert_eq!(
        part.promised_at(&story.settings),
        story.incident.promised_at(&story.settings),
        "the promise was given once"
    );
    for (device, rung) in before.ladder.iter() {
        let kept = story.incident.ladder.get(device).or(part.ladder.get(device));
        assert_eq!(kept, Some(rung));
    }
    let told = |event: &IncidentEvent, incident: &Incident| incident.notices(event).len();
    assert_eq!(opened.iter().map(|event| told(event, &part)).sum::<usize>(), 0, "told with the splitting");
}

proptest! {
    /// Whatever two incidents know of a device, the one that takes the other in knows all of it, whichever that is, and does not
    /// take the device to be further than one of them did.
    #[test]
    fn of_two_ways_of_a_device_nothing_is_lost(
        ours in prop::collection::vec((0_usize..16, 0_i64..50), 0..12),
        theirs in prop::collection::vec((0_usize..16, 0_i64..50), 0..12),
    ) {
        let lived = |mut story: Story, way: &[(usize, i64)]| {
            let mut way = way.to_vec();
            way.sort_by_key(|(_, at)| *at);
            for (place, at) in way {
                let action = ladder::events(&id(0)).swap_remove(place);
                story.incident.apply(&IncidentEvent { at: minute(10 + at), by: format!("p{place}"), action });
            }
            story.incident
        };
        let (one, two) = (lived(Story::declared(2), &ours), lived(other(&[0, 7]), &theirs));
        let merged = |into: &Incident, from: &Incident| {
            let mut into = into.clone();
            for event in into.absorb_from(from, "one and the same", "ito", minute(100)).unwrap() {
                into.apply(&event);
            }
            into
        };
        let (ours, theirs) = (merged(&one, &two), merged(&two, &one));
        prop_assert_eq!(ours.ladder.iter().map(|(device, _)| device).collect::<Vec<_>>(), [&id(0), &id(1), &id(7)]);
        let rung = |incident: &Incident| incident.ladder.get(&id(0)).unwrap().clone();
        let (a, b, merged) = (rung(&one), rung(&two), rung(&ours));
        prop_assert_eq!(merged.calls, a.calls + b.calls);
        prop_assert_eq!(merged.relapses, a.relapses + b.relapses);
        prop_assert_eq!(merged.contacted.is_some(), a.contacted.is_some() || b.contacted.is_some());
        let claims: BTreeSet<&Claim> = a.claims.keys().chain(b.claims.keys()).collect();
        prop_assert_eq!(merged.claims.keys().collect::<BTreeSet<_>>(), claims);
        prop_assert_eq!(merged.affected, a.affected || b.affected);
        prop_assert!(!merged.is_remedied() || a.is_remedied() || b.is_remedied());
        prop_assert!(merged.exception.is_none() || a.exception.is_some() || b.exception.is_some());
        let mirrored = rung(&theirs);
        prop_assert_eq!(merged.workaround_active, mirrored.workaround_active);
        prop_assert!(merged.watched_since() >= a.watched_since().max(b.watched_since()));
        prop_assert_eq!(merged.joined_at, mirrored.joined_at);
    }
}
