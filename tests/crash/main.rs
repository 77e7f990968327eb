//! The master property: a run that is killed and goes on decides what the run that was not killed decides.
//!
//! A simulated night is delivered to a real intake on a real journal, with real checkpoints, in virtual time. It is cut at
//! seeded instants: everything in memory is gone, the journal is cut down to its last durable byte or torn behind it, and a
//! new life starts from what is on the disk. The devices send again whatever had not been acknowledged, and now and
//! then something that had been. Every change has to be the same: kind, instant, event, incident, devices, cause.
#![allow(clippy::unwrap_used, reason = "tests")]

mod forget;
mod gate;
mod life;

use fleetwatch::engine::effect::{Change, ChangeKind};
use life::{Cut, Night};

/// All of a change but the last digits of a confidence.
fn told(changes: &[Change]) -> Vec<String> {
    let one = |change: &Change| {
        let cause = change.cause.as_ref().map(|cause| (&cause.suspect.kind, &cause.suspect.value));
        let devices: Vec<&str> = change.devices.iter().map(|device| device.as_str()).collect();
        format!(
            "{} {:?} {} {:?} {:?} {:?} since {} streak {} {devices:?} {cause:?} proof {}",
            change.at.as_ms(),
            change.kind,
            change.event_id,
            change.incident,
            change.severity,
            change.scope,
            change.impact_started_at.as_ms(),
            change.streak_s,
            change.proof.len(),
        )
    };
    changes.iter().map(one).collect()
}

#[test]
fn a_night_with_kills_decides_what_the_night_without_decides() {
    let night = Night::new(40, 7);
    let whole = night.live(&[]);
    let declared: Vec<_> = whole.changes.iter().filter(|change| change.kind == ChangeKind::Declared).collect();
    assert_eq!(declared.len(), 1, "the night has its one incident: {:#?}", told(&whole.changes));
    assert!(whole.lost.is_empty());

    for seed in 0..4 {
        let cuts = night.cuts(seed);
        let killed = night.live(&cuts);
        assert_eq!(killed.lives, cuts.len() + 1);
        assert!(killed.redelivered > 0, "a cut leaves something unacknowledged: {cuts:?}");
        assert_eq!(told(&killed.changes), told(&whole.changes), "cut at {cuts:?}");
        assert!(killed.lost.is_empty(), "acknowledged and not in the journal: {:?}", killed.lost);
    }
}

#[test]
fn a_kill_in_every_phase_of_the_hour_leaves_the_minute_of_the_declaration() {
    let night = Night::new(30, 3);
    let whole = night.live(&[]);
    let declared = whole.changes.iter().find(|change| change.kind == ChangeKind::Declared).expect("an incident");
    for minute in [1, 20, 40, 59, 60, 61] {
        let at = declared.impact_started_at.plus_ms(minute * 60_000 + 12_345);
        let killed = night.live(&[Cut { at, torn: minute % 2 == 0, old_checkpoint: minute == 40 }]);
        assert_eq!(told(&killed.changes), told(&whole.changes), "killed in minute {minute}");
    }
}

#[test]
fn the_finished_journal_replays_to_what_was_lived() {
    let night = Night::new(30, 11);
    let killed = night.live(&night.cuts(2));
    assert_eq!(told(&killed.replayed()), told(&killed.changes));
}
