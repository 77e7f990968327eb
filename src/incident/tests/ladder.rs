//! One device's way: every pair of step and event, and what telemetry makes of it.

use super::*;
use crate::incident::ladder::{Claim, Exception, ExceptionKind, Proof};

/// One letter a step: affected, contacted, workaround claimed, verified, fix installed, reverted, quality verified, done.
const STEPS: &str = "ACcVFRQD";

/// One row a step, one column an event, in the order of [`events`].
const TABLE: [&str; 8] = [
    // calls: reached, not; claims: workaround, fix, revert; proved: workaround, fix, revert, quality; disproved: the same;
    // workaround seen on, off; signed off, lifted; relapsed
    "CA cAA VFAA AAAA AA AA A", // affected
    "CC cCC VFCC CCCC CC CC C", // contacted
    "cc ccc VFcc cccc cc cc c", // workaround claimed
    "VV VVV VFVV cVVV VV VV V", // workaround verified
    "FF FFF FFRF FVFF FF FF F", // fix installed, the workaround still on
    "RR RRR FRRQ RcFR FR RR R", // reverted
    "DQ QQQ FQQQ QcFR FQ QQ R", // quality verified, and the customer not told
    "DD DDD FDDD DcFR FD DD R", // done
];

pub fn events(device: &DeviceId) -> Vec<Action> {
    let devices = || vec![device.clone()];
    let call = |outcome| Action::Called { device: device.clone(), call: call(outcome) };
    let claimed = |claim| Action::Claimed { devices: devices(), claim };
    let exception = Exception {
        kind: ExceptionKind::Refused,
        evidence: "says no".into(),
        signed_by: "ito".into(),
        at: minute(900),
    };
    let mut events = vec![call(CallOutcome::Reached), call(CallOutcome::NoAnswer)];
    events.extend(Claim::ALL.map(claimed));
    events.extend(Proof::ALL.map(|proof| Action::Proved { devices: devices(), proof }));
    events.extend(Proof::ALL.map(|proof| Action::Disproved { devices: devices(), proof }));
    events.extend([true, false].map(|active| Action::WorkaroundSeen { devices: devices(), active }));
    events.push(Action::Excepted { device: device.clone(), exception });
    events.push(Action::ExceptionLifted { device: device.clone(), reason: "a mistake".into() });
    events.push(Action::Relapsed { devices: devices() });
    events
}

/// The way up, step by step; each event brings the device to the next one.
fn way(device: &DeviceId) -> Vec<Action> {
    let devices = || vec![device.clone()];
    let reached =
        |progress| Action::Called { device: device.clone(), call: Call { progress, ..call(CallOutcome::Reached) } };
    let proved = |proof| Action::Proved { devices: devices(), proof };
    vec![
        reached(Some(Progress::Phone)),
        Action::Claimed { devices: devices(), claim: Claim::Workaround },
        proved(Proof::Workaround),
        proved(Proof::Fix),
        proved(Proof::Revert),
        proved(Proof::Quality),
        reached(None),
    ]
}

#[test]
fn every_pair_of_step_and_event_is_as_written() {
    let device = id(0);
    let mut incident = Story::declared(1).incident;
    let mut way = way(&device).into_iter();
    for (number, (step, row)) in Step::ALL.into_iter().zip(TABLE).enumerate() {
        let rung = incident.ladder.get(&device).unwrap();
        assert_eq!(rung.step(), step);
        assert_eq!(rung.done_at.is_some(), step == Step::Done);
        let said: String = events(&device)
            .into_iter()
            .map(|action| {
                let mut after = incident.clone();
                after.apply(&IncidentEvent { at: minute(1_000), by: "ito".into(), action });
                let reached = after.ladder.get(&device).unwrap().step();
                STEPS.as_bytes()[Step::ALL.into_iter().position(|step| step == reached).unwrap()] as char
            })
            .collect();
        assert_eq!(said, row.replace(' ', ""), "{step:?}");
        if let Some(action) = way.next() {
            incident.apply(&IncidentEvent { at: minute(10 * number as i64), by: "ito".into(), action });
        }
    }
}

#[test]
fn telemetry_proves_the_whole_way_of_a_device_and_a_relapse_takes_its_quality() {
    let mut story = Story::declared(2);
    story.agree_and_release();
    story.see(0).workaround = Some((Some("WA-1"), true));
    assert_eq!(story.wait(10).look(), ["proved"]);
    assert_eq!(story.step(0), Step::WorkaroundVerified);
    let now = story.now;
    story.see(0).update = Some("2026.11.22");
    story.see(0).quiet(now);
    assert_eq!(story.look(), ["proved"]);
    assert_eq!((story.step(0), story.rung(0).debt_since()), (Step::FixInstalled, Some(story.now)));
    story.see(0).workaround = Some((Some("WA-1"), false));
    assert_eq!(story.wait(10).look(), ["proved"]);
    assert_eq!((story.step(0), story.rung(0).debt_since()), (Step::WorkaroundReverted, None));
    assert_eq!(story.wait(59).look(), [""; 0], "quiet since before the revert proves nothing of what came after it");
    assert_eq!(story.wait(1).look(), ["proved"]);
    assert_eq!(story.step(0), Step::Done);
    story.see(0).affected = true;
    assert_eq!(story.wait(5).look(), ["relapsed"]);
    assert_eq!((story.step(0), story.rung(0).relapses), (Step::WorkaroundReverted, 1));
    assert_eq!(story.step(1), Step::Affected, "nothing was seen of the other one");
}

#[test]
fn a_fix_that_is_rolled_back_and_a_workaround_that_comes_back_are_steps_back() {
    let mut story = Story::declared(2);
    story.agree_and_release();
    story.see(0).workaround = Some((None, true));
    story.look();
    story.see(0).update = Some("2026.11.22");
    story.see(0).workaround = Some((None, false));
    assert_eq!(story.wait(1).look(), ["proved", "proved"], "fix and revert in one look");
    story.see(0).workaround = Some((None, true));
    assert_eq!(story.wait(1).look(), ["disproved"]);
    assert_eq!(story.step(0), Step::FixInstalled);
    story.see(0).update = Some("2026.11.20");
    story.see(0).workaround = Some((None, false));
    assert_eq!(story.wait(1).look(), ["disproved", "disproved"], "rolled back, and nothing to hold it up");
    assert_eq!(story.step(0), Step::Affected);
    assert!(!story.rung(0).is_mitigated());
    story.see(1).update = None;
    story.see(1).workaround = None;
    assert!(story.look().is_empty(), "what is not said disproves nothing");
}

#[test]
fn a_device_that_never_tells_of_workarounds_needs_a_word_only_where_one_was_claimed() {
    let mut story = Story::declared(2);
    story.agree_and_release();
    story.execute(Command::Claim { devices: vec![id(0)], claim: Claim::Workaround }, "abe").unwrap();
    story.wait(1).fix_all();
    assert_eq!((story.step(0), story.step(1)), (Step::FixInstalled, Step::Done));
    assert_eq!(story.incident.debts().count(), 1, "nobody knows that it is off");
    assert_eq!(story.incident.state, State::Fixing);
    story.execute(Command::Claim { devices: vec![id(0)], claim: Claim::Revert }, "abe").unwrap();
    assert_eq!(story.step(0), Step::Done);
    assert_eq!(story.look(), ["timed", "moved"]);
    assert_eq!(story.incident.state, State::Resolved);
}

#[test]
fn a_claim_is_worth_nothing_against_what_the_device_says() {
    let mut story = Story::declared(1);
    story.agree_and_release();
    story.execute(Command::Claim { devices: vec![id(0)], claim: Claim::Workaround }, "abe").unwrap();
    assert_eq!(story.step(0), Step::WorkaroundClaimed);
    story.see(0).workaround = Some((Some("WA-1"), false));
    assert_eq!(story.wait(1).look(), ["workaround_seen"]);
    assert_eq!(story.step(0), Step::WorkaroundClaimed);
    assert!(story.incident.follow_ups(30, story.now).is_empty());
    assert_eq!(story.incident.follow_ups(30, minute(30)).len(), 1, "not verified for half an hour");
    story.see(0).workaround = Some((Some("WA-1"), true));
    story.wait(60).look();
    assert!(story.incident.follow_ups(30, story.now).is_empty(), "verified");
    for claim in [Claim::Fix, Claim::Revert] {
        story.execute(Command::Claim { devices: vec![id(0)], claim }, "abe").unwrap();
    }
    let claims: Vec<Claim> =
        story.incident.follow_ups(30, story.now.plus_ms(1_800_000)).iter().map(|(_, claim, _)| *claim).collect();
    assert_eq!(claims, [Claim::Fix, Claim::Revert]);
    assert_eq!(story.step(0), Step::WorkaroundVerified);
}

#[test]
fn another_workaround_than_ours_is_a_debt_and_no_proof() {
    let mut story = Story::declared(1);
    story.agree_and_release();
    story.see(0).workaround = Some((Some("WA-9"), true));
    assert_eq!(story.look(), ["workaround_seen"]);
    assert_eq!(story.step(0), Step::Affected);
    story.wait(1).fix_all();
    assert_eq!(story.incident.debts().count(), 1);
    story.see(0).workaround = Some((Some("WA-9"), false));
    assert_eq!(story.look(), ["workaround_seen"]);
    assert_eq!(story.step(0), Step::FixInstalled, "its quality has to be shown anew");
    let now = story.now;
    story.see(0).quiet(now);
    assert_eq!(story.wait(60).look(), ["proved", "timed", "moved"]);
    assert_eq!(story.step(0), Step::Done);
}

#[test]
fn an_hour_mostly_without_data_after_the_fix_is_no_quiet_hour() {
    let mut story = Story::declared(1);
    story.agree_and_release();
    story.see(0).update = Some("2026.11.22");
    story.look();
    let fixed_at = story.now;
    // Quiet for long before the fix, silent for an hour after it, and back: 60 quiet minutes, most of them from before.
    story.wait(65);
    story.see(0).quiet(fixed_at.plus_ms(-100 * MINUTE_MS));
    story.see(0).gap_min = 60;
    assert_eq!(story.see(0).quiet_minutes(minute(65)), (60, Some(minute(-55))));
    assert!(story.look().is_empty());
    assert!(story.wait(54).look().is_empty());
    assert_eq!(story.wait(1).look()[0], "proved");
}

#[test]
fn whoever_called_us_was_reached() {
    let mut story = Story::declared(1);
    let incoming = |outcome| {
        let call = Call { direction: Direction::Incoming, ..call(outcome) };
        Command::RecordCall { device: id(0), call }
    };
    assert_eq!(story.execute(incoming(CallOutcome::NoAnswer), "abe"), Err(Refusal::NobodyCalled));
    story.execute(incoming(CallOutcome::CallBack), "abe").unwrap();
}

#[test]
fn who_asked_for_word_has_to_get_it_before_the_device_is_done() {
    let mut story = Story::declared(1);
    story.agree_and_release();
    story.execute(called(0, CallOutcome::Reached, Some(Progress::Mail)), "abe").unwrap();
    story.wait(1).fix_all();
    assert_eq!(story.step(0), Step::QualityVerified);
    assert_eq!(story.incident.state, State::Fixing);
    story.execute(called(0, CallOutcome::NoAnswer, None), "abe").unwrap();
    assert_eq!(story.step(0), Step::QualityVerified);
    story.wait(1);
    story.execute(called(0, CallOutcome::Reached, None), "abe").unwrap();
    assert_eq!(story.step(0), Step::Done);
    story.look();
    assert_eq!(story.incident.state, State::Resolved);
}
