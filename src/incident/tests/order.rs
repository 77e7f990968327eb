//! States and triggers, milestones and their order: every pair, with the expected answer written out.

use super::*;
use crate::incident::milestone::OrderError;
use crate::incident::state::{State, Trigger};

/// One letter a state, in the order of an incident's life; `-` where the trigger cannot happen.
const STATES: &str = "DMWPFRVC";

/// One row a state, one column a trigger: mustered, workaround available, mitigated, fix available, resolved, reviewed, closed,
/// reopened, ended. Reopened: with the fix released.
const TABLE: [&str; 8] = [
    "MWPFR--DC", // declared
    "MWPFR--MC", // mustered
    "WWPFR--WC", // workaround available
    "PPPFR--WC", // pending permanent fix
    "FFFFR--FC", // fixing
    "RRRRRV-FC", // resolved
    "VVVVVVCFC", // reviewed
    "---------", // closed
];

/// Where a reopened incident goes by what remedies there are: declared, mustered, workaround, fix.
const REOPENED: [(State, &str); 8] = [
    (State::Declared, "DDDD"),
    (State::Mustered, "MMMM"),
    (State::WorkaroundAvailable, "WWWW"),
    (State::PendingPermanentFix, "DMWW"),
    (State::Fixing, "FFFF"),
    (State::Resolved, "DMWF"),
    (State::Reviewed, "DMWF"),
    (State::Closed, "----"),
];

fn letter(state: Option<State>) -> char {
    let place = |state| State::ALL.into_iter().position(|other| other == state).unwrap();
    state.map_or('-', |state| STATES.as_bytes()[place(state)] as char)
}

#[test]
fn every_pair_of_state_and_trigger_is_as_written() {
    for (state, row) in State::ALL.into_iter().zip(TABLE) {
        let said: String =
            Trigger::ALL.into_iter().map(|trigger| letter(state.after(trigger, State::Fixing))).collect();
        assert_eq!(said, row, "{state:?}");
    }
}

#[test]
fn where_a_reopened_incident_goes_depends_on_the_remedies_there_are() {
    let remedies = [State::Declared, State::Mustered, State::WorkaroundAvailable, State::Fixing];
    for (state, row) in REOPENED {
        let said: String = remedies.iter().map(|remedied| letter(state.after(Trigger::Reopened, *remedied))).collect();
        assert_eq!(said, row, "{state:?}");
    }
}

#[test]
fn names_of_states_and_milestones_are_each_others_inverse() {
    for state in State::ALL {
        assert_eq!(State::from_name(state.as_str()), Some(state));
    }
    for milestone in Milestone::ALL {
        assert_eq!(Milestone::from_name(milestone.as_str()), Some(milestone));
    }
    for step in Step::ALL {
        assert_eq!(Step::from_name(step.as_str()), Some(step));
    }
}

#[test]
fn milestones_keep_their_order_in_every_pair() {
    use Milestone::*;
    // Earlier, later; whatever is not listed may come in any order.
    let ordered = [
        (ImpactStarted, Detected),
        (ImpactStarted, Declared),
        (ImpactStarted, Mustered),
        (ImpactStarted, WorkaroundAvailable),
        (ImpactStarted, FixAvailable),
        (ImpactStarted, Mitigated),
        (Detected, Declared),
        (Declared, Resolved),
        (FixAvailable, Resolved),
        (Mitigated, Resolved),
        (Resolved, Reviewed),
        (Resolved, Closed),
        (Reviewed, Closed),
    ];
    let now = minute(1_000);
    for known in Milestone::ALL {
        let mut milestones = Milestones::default();
        milestones.set(known, minute(10));
        for asked in Milestone::ALL {
            let check = |at| milestones.check(asked, minute(at), now);
            assert_eq!(check(10), Ok(()), "{known:?} {asked:?}: at the same time");
            let too_early = ordered.contains(&(known, asked));
            let refused = Err(OrderError::Order { earlier: known, later: asked });
            assert_eq!(check(9), if too_early { refused } else { Ok(()) }, "{known:?} {asked:?}: before");
            let too_late = ordered.contains(&(asked, known));
            let refused = Err(OrderError::Order { earlier: asked, later: known });
            assert_eq!(check(11), if too_late { refused } else { Ok(()) }, "{known:?} {asked:?}: after");
            assert_eq!(check(1_001), Err(OrderError::Future(asked)));
        }
    }
}

#[test]
fn a_person_corrects_an_instant_only_within_its_order_and_never_what_was_measured() {
    let mut story = Story::declared(3);
    story.agree(Some("WA-1"), None);
    let correct =
        |milestone, at| Command::CorrectTime { milestone, instant: minute(at), reason: "told by phone".into() };
    story.wait(30);
    assert_eq!(story.execute(correct(Milestone::WorkaroundAvailable, -20), "ito").unwrap(), ["timed"]);
    assert_eq!(story.incident.milestones.get(Milestone::WorkaroundAvailable), Some(minute(-20)));
    let early = story.execute(correct(Milestone::WorkaroundAvailable, -62), "ito").unwrap_err();
    assert_eq!(early.reason(), "order");
    assert_eq!(early.to_string(), "workaround_available cannot be before impact_started");
    assert_eq!(story.execute(correct(Milestone::WorkaroundAvailable, 31), "ito").unwrap_err().reason(), "order");
    assert_eq!(story.execute(correct(Milestone::Declared, -1), "ito").unwrap_err(), Refusal::Measured);
    let missing = story.execute(correct(Milestone::Resolved, 10), "ito").unwrap_err();
    assert_eq!(missing.reason(), "state");
}
