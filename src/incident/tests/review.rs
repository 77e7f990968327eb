//! The review's draft says what the record says.

use super::*;
use crate::incident::ladder::{Claim, ExceptionKind, Proof};
use crate::incident::review::{Calls, Late};

/// Three devices, of which the second relapses once and the third is replaced; support is slow, and so is the fix.
fn told() -> Story {
    let mut story = Story::declared(3);
    let step = |person: &str| RotaStep { people: vec![person.into()], timeout_min: 5 };
    story.rota = Rota([(Seat::of(Role::Commander), vec![step("ito"), step("mori")])].into_iter().collect());
    story.tick();
    story.wait(5).tick();
    story.execute(Command::Acknowledge { seat: Seat::of(Role::Commander) }, "mori").unwrap();
    let script = Script { ja: "設定".into(), en: "setting".into() };
    let register = Command::RegisterCountermeasure {
        workaround: Some(WorkaroundPlan { id: "WA-1".into(), script }),
        fix: Some(Fix::Update("2026.11.22".into())),
        fix_due_at: Some(minute(60)),
    };
    story.wait(5).execute(register, "mori").unwrap();
    story.execute(Command::AgreeCountermeasure { version: 1 }, "sato").unwrap();
    story.execute(called(0, CallOutcome::Reached, None), "abe").unwrap();
    story.execute(called(1, CallOutcome::NoAnswer, None), "abe").unwrap();
    story.execute(Command::Claim { devices: vec![id(0), id(1)], claim: Claim::Workaround }, "abe").unwrap();
    story.see(0).workaround = Some((Some("WA-1"), true));
    story.wait(1).look();
    story.wait(49).tick();
    story.see(1).workaround = Some((Some("WA-1"), true));
    story.wait(10).look();
    story.execute(Command::Note { text: "the fix is\nlate | sorry".into(), tell: true }, "mori").unwrap();
    story.wait(30).execute(Command::ReleaseFix, "sato").unwrap();
    let evidence = "see ticket 7".into();
    story.execute(Command::SignOff { device: id(2), kind: ExceptionKind::Replaced, evidence }, "mori").unwrap();
    let now = story.now;
    for device in 0..2 {
        story.see(device).update = Some("2026.11.22");
        story.see(device).workaround = Some((Some("WA-1"), false));
        story.see(device).quiet(now);
    }
    story.look();
    story.wait(60).look();
    story
}

#[test]
fn impact_is_counted_from_its_start_to_the_verified_quality_and_again_for_a_relapse() {
    let mut story = told();
    assert_eq!(story.incident.state, State::Resolved);
    let resolved = story.now;
    story.see(1).affected = true;
    story.wait(10).look();
    let events = story.incident.take_in(&[joining(5)], story.now);
    story.take(events);
    story.fleet.insert(id(5), Seen::suffering());
    let relapsed = story.now;
    story.see(1).quiet(relapsed);
    story.wait(60).look();
    let review = Review::draft(&story.record, &story.settings, story.now).unwrap();
    let minutes = |from: Timestamp, to: Timestamp| (to.since_ms(from) / MINUTE_MS) as u64;
    let impact: BTreeMap<&str, u64> =
        review.devices.iter().map(|device| (device.device.as_str(), device.impact_min)).collect();
    let first = minutes(minute(-61), resolved);
    let all = BTreeMap::from([
        ("B-0000", first),
        ("B-0001", first + 60),
        ("B-0002", minutes(minute(-61), story.now)),
        ("B-0005", 60),
    ]);
    assert_eq!(impact, all);
    assert_eq!(review.impact_min, all.values().sum::<u64>());
    let second = review.devices.iter().find(|device| device.device == id(1)).unwrap();
    assert_eq!(second.spans, [(minute(-61), Some(resolved)), (relapsed, Some(story.now))]);
    assert_eq!((second.relapses, second.step), (1, Step::Done));
    let names: Vec<(&str, u32, u32)> =
        review.branches.iter().map(|branch| (branch.branch.as_str(), branch.devices, branch.settled)).collect();
    assert_eq!(names, [("branch-0", 2, 2), ("branch-1", 2, 1)]);
    assert!(review.devices.is_sorted_by(|a, b| a.impact_min >= b.impact_min));
}

#[test]
fn how_long_everything_took_and_what_was_late_are_told() {
    let mut story = told();
    let review = Review::draft(&story.record, &story.settings, story.now).unwrap();
    let took = |milestone| {
        let lasted = review.milestones.iter().find(|lasted| lasted.milestone == milestone).unwrap();
        (lasted.from_impact_s / 60, lasted.from_declaration_s.map(|seconds| seconds / 60))
    };
    assert_eq!(took(Milestone::Detected), (15, None));
    assert_eq!(took(Milestone::Declared), (61, Some(0)));
    assert_eq!(took(Milestone::Mustered), (66, Some(5)));
    assert_eq!(took(Milestone::WorkaroundAvailable), (71, Some(10)));
    assert_eq!(took(Milestone::FixAvailable), (161, Some(100)));
    assert_eq!(took(Milestone::Resolved), (221, Some(160)));
    assert_eq!(review.calls, Calls { made: 2, reached: 1, devices_reached: 1 });
    let commander = Seat::of(Role::Commander);
    let late = [
        Late::Unanswered { seat: commander, at: minute(5), exhausted: false },
        Late::Silence { at: minute(60), silent_s: 3_600 },
        Late::Claim { device: id(1), claim: Claim::Workaround, claimed_at: minute(10), verified_at: Some(minute(70)) },
        Late::Fix { due_at: minute(60), released_at: Some(minute(100)) },
    ];
    assert_eq!(review.late, late);
    assert_eq!(review.exceptions.len(), 1);
    assert_eq!((&review.debts[..], review.fix.as_deref()), (&[][..], Some("2026.11.22")));
    let words: Vec<&str> = review.said.iter().filter_map(|said| said.text.as_deref()).collect();
    assert_eq!(words, ["the fix is\nlate | sorry"]);
    assert!(review.said.iter().all(|said| said.kind != NoticeKind::Page));
    // Nobody files the review, and in the end nothing is closed.
    story.wait(8 * 24 * 60);
    let review = Review::draft(&story.record, &story.settings, story.now).unwrap();
    let due_at = minute(160 + 7 * 24 * 60);
    assert_eq!(review.late.last(), Some(&Late::Review { due_at, filed_at: None }));
}

#[test]
fn a_promise_that_was_missed_and_a_claim_that_nobody_verified_are_late() {
    let mut story = Story::declared(2);
    story.agree_and_release();
    story.execute(Command::Claim { devices: vec![id(0)], claim: Claim::Fix }, "abe").unwrap();
    story.wait(73 * 60);
    let review = Review::draft(&story.record, &story.settings, story.now).unwrap();
    let late = [
        Late::Claim { device: id(0), claim: Claim::Fix, claimed_at: minute(0), verified_at: None },
        Late::Promise { promised_at: minute(72 * 60), done_at: None, left: 2 },
    ];
    assert_eq!(review.late, late);
    story.fix_all();
    let review = Review::draft(&story.record, &story.settings, story.now).unwrap();
    let done_at = Some(story.now);
    assert!(review.late.contains(&Late::Promise { promised_at: minute(72 * 60), done_at, left: 0 }));
}

#[test]
fn what_devices_show_within_an_hour_is_one_line_of_the_timeline() {
    let mut story = Story::declared(6);
    story.agree_and_release();
    for device in 0..6 {
        story.see(device).update = Some("2026.11.22");
        story.wait(20).look();
    }
    let review = Review::draft(&story.record, &story.settings, story.now).unwrap();
    let proved: Vec<(i64, i64, usize)> = review
        .timeline
        .iter()
        .filter_map(|entry| match &entry.event.action {
            Action::Proved { devices, proof: Proof::Fix } => {
                let minutes = |at: Timestamp| at.since_ms(minute(0)) / MINUTE_MS;
                Some((minutes(entry.event.at), minutes(entry.until), devices.len()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(proved, [(20, 60, 3), (80, 120, 3)]);
    assert!(serde_json::to_string(&review).is_ok());
    assert_eq!(Review::draft([], &story.settings, story.now), None);
}
