//! From the declaration to the close, and the ways back.

use super::*;
use crate::incident::ladder::ExceptionKind;
use crate::incident::way::Lapse;

fn sign_off(device: usize, kind: ExceptionKind) -> Command {
    Command::SignOff { device: id(device), kind, evidence: "see ticket 7".into() }
}

fn review() -> Command {
    Command::FileReview { text: "What happened, and what we do about it.".into() }
}

#[test]
fn the_whole_life_of_an_incident() {
    let mut story = Story::declared(3);
    story.execute(Command::Acknowledge { seat: Seat::of(Role::Commander) }, "ito").unwrap();
    assert_eq!(story.incident.state, State::Mustered);
    story.wait(10).agree(Some("WA-1"), None);
    assert_eq!(story.incident.state, State::WorkaroundAvailable);
    let now = story.now;
    story.see_all(|seen| {
        seen.workaround = Some((Some("WA-1"), true));
        seen.quiet(now);
    });
    assert_eq!(story.wait(61).look(), ["proved", "proved", "timed", "moved"]);
    assert_eq!(story.incident.state, State::PendingPermanentFix, "a workaround resolves nothing");
    assert_eq!(
        story.execute(Command::Close, "ito").unwrap_err().to_string(),
        "still open: 3 devices neither done nor signed off"
    );
    story.agree_and_release();
    assert_eq!(story.incident.state, State::Fixing);
    story.see_all(|seen| seen.update = Some("2026.11.22"));
    story.wait(1).look();
    assert_eq!(story.incident.debts().count(), 3);
    assert_eq!(story.execute(review(), "ito").unwrap_err().reason(), "state");
    let now = story.now;
    story.see_all(|seen| {
        seen.workaround = Some((Some("WA-1"), false));
        seen.quiet(now);
    });
    story.look();
    assert_eq!(story.wait(61).look(), ["proved", "timed", "moved"]);
    assert_eq!(story.incident.state, State::Resolved);
    assert_eq!(story.execute(Command::Close, "ito").unwrap_err().reason(), "state");
    story.execute(review(), "ito").unwrap();
    assert_eq!(story.incident.state, State::Reviewed);
    story.see(0).streak_min = 15;
    assert_eq!(
        story.execute(Command::Close, "ito").unwrap_err().to_string(),
        "still open: 1 device degraded for a while"
    );
    story.see(0).streak_min = 14;
    story.see(1).is_known = false;
    assert_eq!(story.execute(Command::Close, "ito").unwrap_err().to_string(), "still open: 1 device without data");
    story.see(1).is_known = true;
    assert_eq!(story.execute(Command::Close, "ito").unwrap(), ["closed", "timed", "moved"]);
    let milestones: Vec<Milestone> = story.incident.milestones.iter().map(|(milestone, _)| milestone).collect();
    assert_eq!(milestones, Milestone::ALL);
    for pair in Milestone::ALL[6..].windows(2) {
        assert!(story.incident.milestones.get(pair[0]) <= story.incident.milestones.get(pair[1]));
    }
    story.see(0).affected = true;
    assert!(story.look().is_empty() && story.tick().is_empty());
    assert!(story.incident.take_in(&[joining(9)], story.now).is_empty(), "a closed incident takes nobody in");
    assert_eq!(story.execute(Command::Join, "ito").unwrap_err(), Refusal::Closed);
}

#[test]
fn without_a_look_at_the_fleet_nothing_is_closed() {
    let mut story = Story::declared(1);
    story.agree_and_release();
    story.wait(1).fix_all();
    story.execute(review(), "ito").unwrap();
    let blind = story.incident.decide(&Command::Close, "ito", None, (&story.settings, story.now));
    assert_eq!(blind.unwrap_err().to_string(), "still open: the fleet cannot be seen right now");
}

#[test]
fn what_degrades_again_before_the_close_reopens_and_has_to_be_reviewed_again() {
    let mut story = Story::declared(2);
    story.agree_and_release();
    story.wait(1).fix_all();
    story.execute(review(), "ito").unwrap();
    story.told();
    story.see(1).affected = true;
    assert_eq!(story.wait(5).look(), ["relapsed", "reopened", "moved"]);
    assert_eq!(story.told(), [(NoticeKind::Reopened, Audience::Staff)]);
    assert_eq!(story.incident.state, State::Fixing);
    let lost = [Milestone::Resolved, Milestone::Reviewed];
    assert!(lost.iter().all(|milestone| story.incident.milestones.get(*milestone).is_none()));
    assert!(story.incident.milestones.get(Milestone::Mitigated).is_some(), "the first time stays");
    assert_eq!(story.incident.way.lapses(), [Lapse { lost_at: story.now, back_at: None }]);
    assert!(story.tick().is_empty(), "being told of it is a word: nobody is reminded at once");
    let now = story.now;
    story.see(1).quiet(now);
    story.wait(61).look();
    assert_eq!(story.incident.state, State::Resolved);
    assert_eq!(story.execute(Command::Close, "ito").unwrap_err().reason(), "state", "the review is another one");
}

#[test]
fn a_device_that_joins_late_reopens_and_a_fix_that_is_rolled_back_too() {
    let mut story = Story::declared(2);
    story.agree_and_release();
    story.wait(1).fix_all();
    let events = story.incident.take_in(&[joining(0), joining(5)], story.now);
    assert_eq!(story.take(events), ["joined", "relapsed", "reopened", "moved"]);
    assert_eq!(story.incident.ladder.len(), 3);
    assert!(story.incident.take_in(&[joining(0), joining(5)], story.now).is_empty(), "said twice");

    let mut story = Story::declared(2);
    story.agree_and_release();
    story.wait(1).fix_all();
    story.see(0).update = Some("2026.11.21");
    assert_eq!(story.wait(1).look(), ["disproved", "reopened", "moved"]);
    assert_eq!(story.incident.state, State::Fixing);
}

#[test]
fn a_relapse_while_the_fix_is_awaited_is_told_beside_the_first_mitigation() {
    let mut story = Story::declared(2);
    story.agree(Some("WA-1"), None);
    let now = story.now;
    story.see_all(|seen| {
        seen.workaround = Some((None, true));
        seen.quiet(now);
    });
    story.wait(61).look();
    assert_eq!(story.incident.state, State::PendingPermanentFix);
    let first = story.now;
    story.see(0).affected = true;
    assert_eq!(story.wait(1).look(), ["relapsed", "moved"]);
    let (mitigated, lost_at) = (story.incident.milestones.get(Milestone::Mitigated), story.now);
    assert_eq!((story.incident.state, mitigated), (State::WorkaroundAvailable, Some(first)));
    let now = story.now;
    story.see(0).quiet(now);
    assert_eq!(story.wait(61).look(), ["proved", "timed", "moved"]);
    assert_eq!(story.incident.milestones.get(Milestone::Mitigated), Some(first));
    assert_eq!(story.incident.way.lapses(), [Lapse { lost_at, back_at: Some(story.now) }]);
    assert_eq!(story.incident.way.reached(State::PendingPermanentFix), Some(first));
}

#[test]
fn an_exception_needs_evidence_and_a_relapse_voids_it() {
    let mut story = Story::declared(2);
    let unreachable = || sign_off(0, ExceptionKind::Unreachable);
    let refused = |made| Refusal::Calls { device: id(0), needed: 3, made };
    assert_eq!(story.execute(unreachable(), "ito").unwrap_err(), refused(0));
    for _ in 0..2 {
        story.execute(called(0, CallOutcome::NoAnswer, None), "abe").unwrap();
    }
    assert_eq!(story.execute(unreachable(), "ito").unwrap_err(), refused(2));
    story.execute(called(0, CallOutcome::CallBack, None), "abe").unwrap();
    for made in 0..3 {
        assert_eq!(story.execute(unreachable(), "ito").unwrap_err(), refused(made), "somebody has answered meanwhile");
        story.execute(called(0, CallOutcome::NoAnswer, None), "abe").unwrap();
    }
    let without = Command::SignOff { device: id(0), kind: ExceptionKind::Unreachable, evidence: " ".into() };
    assert_eq!(story.execute(without, "ito").unwrap_err(), Refusal::Reason);
    story.execute(unreachable(), "ito").unwrap();
    assert_eq!(story.rung(0).exception.as_ref().unwrap().signed_by, "ito");
    assert_eq!(story.rung(0).calls, 6);
    assert!(story.look().is_empty(), "still affected, as it was when it was signed off");
    assert!(story.rung(0).is_settled());
    let now = story.now;
    story.see(0).quiet(now);
    story.wait(61).look();
    story.see(0).affected = true;
    assert_eq!(story.wait(1).look(), ["relapsed"]);
    assert!(!story.rung(0).is_settled(), "whoever signed it off did not sign for this");
}

#[test]
fn who_is_signed_off_is_asked_for_nothing_and_lifting_it_reopens() {
    let mut story = Story::declared(2);
    story.agree_and_release();
    story.wait(1).fix_all();
    // Done, and then taken out of service: it falls silent.
    story.see(0).is_known = false;
    story.execute(review(), "ito").unwrap();
    assert_eq!(story.execute(Command::Close, "ito").unwrap_err().reason(), "open");
    story.execute(sign_off(0, ExceptionKind::Decommissioned), "ito").unwrap();
    assert!(story.incident.obstacles(Some(&observation(&story.fleet, story.now))).is_empty());

    let mut story = Story::declared(2);
    for device in 0..2 {
        story.execute(sign_off(device, ExceptionKind::Replaced), "ito").unwrap();
    }
    assert_eq!(story.look(), ["timed", "moved"], "each was answered for by name, whatever their event does");
    assert_eq!(story.incident.state, State::Resolved);
    let lift = |reason: &str| Command::LiftException { device: id(1), reason: reason.into() };
    assert_eq!(story.execute(lift(""), "ito").unwrap_err(), Refusal::Reason);
    assert_eq!(story.execute(lift("it is still there"), "ito").unwrap(), ["exception_lifted", "reopened", "moved"]);
    assert_eq!(story.execute(lift("again"), "ito").unwrap_err(), Refusal::NoException(id(1)));
}

#[test]
fn a_customer_who_is_owed_a_word_keeps_the_incident_from_its_close_and_does_not_reopen_it() {
    let mut story = Story::declared(1);
    story.agree_and_release();
    story.wait(1).fix_all();
    story.execute(review(), "ito").unwrap();
    story.execute(called(0, CallOutcome::CallBack, Some(Progress::Phone)), "abe").unwrap();
    assert_eq!(story.look(), [""; 0]);
    assert_eq!(story.incident.state, State::Reviewed);
    assert_eq!(story.execute(Command::Close, "ito").unwrap_err().reason(), "open");
    story.execute(called(0, CallOutcome::Reached, None), "abe").unwrap();
    story.execute(Command::Close, "ito").unwrap();
}

#[test]
fn the_review_is_asked_for_on_its_day_and_daily_after_it() {
    let mut story = Story::declared(1);
    story.agree_and_release();
    story.wait(1).fix_all();
    let resolved = story.now;
    assert_eq!(story.incident.review_due_at(&story.settings), Some(resolved.plus_ms(7 * 24 * 60 * MINUTE_MS)));
    let mut days = Vec::new();
    for day in 0..=9 {
        if !story.tick().is_empty() {
            days.push(day);
        }
        story.wait(24 * 60);
    }
    assert_eq!(days, [7, 8, 9]);
    assert_eq!(story.told().last(), Some(&(NoticeKind::ReviewDue, Audience::SupportQueue)));
    story.execute(review(), "ito").unwrap();
    assert!(story.wait(48 * 60).tick().is_empty());
}

#[test]
fn what_was_no_major_incident_ends_and_says_why_even_while_devices_are_degraded() {
    let mut story = Story::declared(2);
    assert_eq!(story.execute(Command::Demote { reason: String::new() }, "ito").unwrap_err(), Refusal::Reason);
    let names = story.execute(Command::Demote { reason: "a load test".into() }, "ito").unwrap();
    assert_eq!(names, ["demoted", "timed", "moved"]);
    assert_eq!(story.incident.milestones.get(Milestone::Resolved), None, "ended is not resolved");
    assert!(story.look().is_empty() && story.tick().is_empty());
    assert!(story.incident.take_in(&[joining(0)], story.now).is_empty());
}

#[test]
fn words_and_names_are_bounded() {
    let mut story = Story::declared(1);
    let note = |text: &str| Command::Note { text: text.into(), tell: true };
    assert_eq!(story.execute(note(" \n"), "ito").unwrap_err(), Refusal::Text);
    assert_eq!(story.execute(note(&"あ".repeat(4_001)), "ito").unwrap_err(), Refusal::Text);
    story.execute(note(&"あ".repeat(4_000)), "ito").unwrap();
    for name in ["", " ", "\0\u{200b}", &"x".repeat(129)] {
        assert_eq!(story.execute(Command::Join, name).unwrap_err(), Refusal::Name, "{name:?}");
    }
    let stranger = story.execute(called(9, CallOutcome::Reached, None), "abe").unwrap_err();
    assert_eq!(stranger.to_string(), "B-0009 is not part of this incident");
    let nobody = Command::Claim { devices: vec![], claim: crate::incident::ladder::Claim::Revert };
    assert_eq!(story.execute(nobody, "abe").unwrap_err(), Refusal::NoDevice);
}

#[test]
fn branches_and_steps_are_counted_without_those_signed_off() {
    let mut story = Story::declared(4);
    story.execute(called(1, CallOutcome::Reached, None), "abe").unwrap();
    story.execute(sign_off(2, ExceptionKind::Refused), "ito").unwrap();
    let branches = story.incident.by_branch();
    assert_eq!(branches["branch-0"], BTreeMap::from([(Step::Affected, 1)]));
    assert_eq!(branches["branch-1"], BTreeMap::from([(Step::Affected, 1), (Step::Contacted, 1)]));
    let (steps, excepted) = story.incident.ladder.counts();
    assert_eq!((steps[&Step::Affected], steps[&Step::Contacted], excepted), (2, 1, 1));
}

#[test]
fn a_state_that_was_skipped_has_no_time_of_a_later_one() {
    // The fix is there before anybody has tried the workaround: the quality comes back while it is being installed.
    let mut story = Story::declared(2);
    story.agree_and_release();
    assert_eq!(story.incident.state, State::Fixing);
    let fixing = story.now;
    story.wait(1).fix_all();
    let way = &story.incident.way;
    assert_eq!((way.reached(State::PendingPermanentFix), way.reached(State::Fixing)), (None, Some(fixing)));
    assert!(story.incident.milestones.get(Milestone::Mitigated) > Some(fixing), "which is a milestone all the same");
}
