//! Countermeasures: versions, agreement, acknowledgement, release, and what a changed fix does to what was proved.

use super::*;
use crate::incident::countermeasure::includes;
use crate::incident::ladder::{Claim, Proof};

#[test]
fn an_update_includes_the_fix_from_its_version_on_where_versions_are_numbers() {
    // Installed, fix, whether it has it.
    let table = [
        ("2026.11.22", "2026.11.22", true),
        ("2026.11.23", "2026.11.22", true),
        ("2027.1.1", "2026.11.22", true),
        ("2026.11.21", "2026.11.22", false),
        ("2026.9.30", "2026.11.22", false),
        ("2026.11.022", "2026.11.22", true),
        ("2026.11.22.1", "2026.11.22", false),
        ("2026.11", "2026.11.22", false),
        ("9", "10", false),
        ("v2", "v2", true),
        ("v3", "v2", false),
        ("2026.11.22-rc1", "2026.11.22", false),
        ("99999999999999999999", "1", false),
        ("", "", true),
        ("", "1", false),
    ];
    for (installed, fix, has) in table {
        assert_eq!(includes(installed, fix), has, "{installed:?} {fix:?}");
    }
}

fn register(workaround: Option<&str>, fix: Option<&str>) -> Command {
    let script = Script { ja: "設定".into(), en: String::new() };
    Command::RegisterCountermeasure {
        workaround: workaround.map(|id| WorkaroundPlan { id: id.into(), script }),
        fix: fix.map(|version| Fix::Update(version.into())),
        fix_due_at: None,
    }
}

#[test]
fn nothing_spreads_to_support_before_development_has_agreed() {
    let mut story = Story::declared(3);
    let (agree, read) =
        (|version| Command::AgreeCountermeasure { version }, |version| Command::AcknowledgeScript { version });
    assert_eq!(story.execute(agree(1), "sato").unwrap_err(), Refusal::NoVersion(1));
    assert_eq!(story.execute(Command::ReleaseFix, "sato").unwrap_err(), Refusal::NoFix);
    story.execute(register(Some("WA-1"), None), "mori").unwrap();
    assert_eq!(story.execute(read(1), "abe").unwrap_err(), Refusal::NotAgreed(1));
    assert_eq!(story.execute(agree(1), "mori").unwrap_err(), Refusal::OwnWord);
    assert_eq!(story.execute(agree(0), "sato").unwrap_err(), Refusal::NoVersion(0));
    assert_eq!(story.execute(agree(2), "sato").unwrap_err(), Refusal::NoVersion(2));
    let claim = Command::Claim { devices: vec![id(0)], claim: Claim::Workaround };
    assert_eq!(story.execute(claim.clone(), "abe").unwrap_err(), Refusal::NoWorkaround);
    assert_eq!(story.incident.state, State::Declared);
    assert_eq!(story.execute(agree(1), "sato").unwrap(), ["countermeasure_agreed", "timed", "moved"]);
    assert_eq!(story.incident.state, State::WorkaroundAvailable);
    assert_eq!(story.execute(agree(1), "sato").unwrap_err(), Refusal::Agreed(1));
    story.execute(claim, "abe").unwrap();
    story.execute(read(1), "abe").unwrap();
    // A second version: support goes on by the first until it is agreed.
    story.execute(register(Some("WA-2"), None), "mori").unwrap();
    assert_eq!(story.incident.countermeasures.workaround().unwrap().id, "WA-1");
    story.execute(read(1), "baba").unwrap();
    assert_eq!(story.execute(agree(1), "sato").unwrap_err(), Refusal::Replaced { version: 1, newest: 2 });
    story.execute(agree(2), "sato").unwrap();
    assert_eq!(story.incident.countermeasures.workaround().unwrap().id, "WA-2");
    let current = story.incident.countermeasures.current().unwrap();
    assert!(current.acknowledged.is_empty(), "whoever read the first has to read the second");
    assert_eq!(story.execute(read(1), "abe").unwrap_err(), Refusal::Replaced { version: 1, newest: 2 });
    story.execute(read(2), "abe").unwrap();
    assert_eq!(story.incident.countermeasures.versions()[0].acknowledged.len(), 2);
}

#[test]
fn a_countermeasure_has_to_make_sense() {
    let mut story = Story::declared(3);
    assert_eq!(story.execute(register(None, None), "mori").unwrap_err(), Refusal::Empty);
    assert_eq!(story.execute(register(Some(" "), None), "mori").unwrap_err(), Refusal::Script);
    assert_eq!(story.execute(register(None, Some("")), "mori").unwrap_err(), Refusal::Name);
    let plan = |ja: String| Command::RegisterCountermeasure {
        workaround: Some(WorkaroundPlan { id: "WA-1".into(), script: Script { ja, en: String::new() } }),
        fix: None,
        fix_due_at: None,
    };
    assert_eq!(story.execute(plan(" \n".into()), "mori").unwrap_err(), Refusal::Script);
    assert_eq!(story.execute(plan("あ".repeat(4_001)), "mori").unwrap_err(), Refusal::Script);
    story.execute(plan("あ".repeat(4_000)), "mori").unwrap();
    let late = Command::RegisterCountermeasure {
        workaround: None,
        fix: Some(Fix::Elsewhere("the line was repaired".into())),
        fix_due_at: Some(minute(-1)),
    };
    assert_eq!(story.execute(late, "mori").unwrap_err(), Refusal::Due);
}

#[test]
fn a_fix_is_released_once_and_another_one_again() {
    let mut story = Story::declared(2);
    story.agree_and_release();
    assert_eq!(story.incident.state, State::Fixing);
    assert_eq!(story.incident.milestones.get(Milestone::FixAvailable), Some(minute(0)));
    assert_eq!(story.execute(Command::ReleaseFix, "sato").unwrap_err(), Refusal::Released("2026.11.22".into()));
    story.wait(5);
    story.agree(None, Some(Fix::Update("2026.11.23".into())));
    let claim = Command::Claim { devices: vec![id(0)], claim: Claim::Fix };
    assert_eq!(story.execute(claim.clone(), "abe").unwrap_err(), Refusal::NotReleased, "the new one is not there yet");
    assert_eq!(story.execute(Command::ReleaseFix, "sato").unwrap(), ["fix_released"]);
    story.execute(claim, "abe").unwrap();
    assert_eq!(story.incident.milestones.get(Milestone::FixAvailable), Some(minute(0)), "when there first was one");
}

#[test]
fn another_fix_makes_what_was_proved_of_the_first_be_judged_again() {
    let mut story = Story::declared(2);
    story.agree_and_release();
    story.wait(1).fix_all();
    assert_eq!(story.incident.state, State::Resolved);
    story.wait(10).agree(None, Some(Fix::Update("2026.11.23".into())));
    assert_eq!(story.look()[..2], ["disproved", "reopened"], "who has the first fix has not this one");
    assert_eq!(story.incident.state, State::Declared, "neither a workaround nor a fix is there");
    assert_eq!(story.incident.milestones.get(Milestone::Resolved), None);
    story.see_all(|seen| seen.update = Some("2026.11.23"));
    assert!(story.wait(5).look().is_empty(), "tried before it is released");
    story.execute(Command::ReleaseFix, "sato").unwrap();
    assert_eq!(story.look(), ["proved"]);
    assert_eq!(story.incident.state, State::Fixing);
    let now = story.now;
    story.see_all(|seen| seen.quiet(now));
    story.wait(61).look();
    assert_eq!(story.incident.state, State::Resolved);
}

#[test]
fn a_fix_that_is_withdrawn_proves_nothing_any_more() {
    let mut story = Story::declared(2);
    story.agree_and_release();
    story.wait(1).fix_all();
    story.agree(Some("WA-1"), None);
    assert_eq!(story.look()[..2], ["disproved", "reopened"]);
    assert_eq!(story.incident.state, State::WorkaroundAvailable);
    assert!(story.incident.ladder.iter().all(|(_, rung)| !rung.proves(Proof::Fix)));
}

#[test]
fn what_is_mended_elsewhere_is_proved_by_the_quality_alone() {
    let mut story = Story::declared(2);
    story.agree(None, Some(Fix::Elsewhere("the line was repaired".into())));
    assert!(story.look().is_empty(), "not yet");
    story.execute(Command::ReleaseFix, "sato").unwrap();
    assert_eq!(story.look(), ["proved"]);
    assert_eq!(story.step(0), Step::FixInstalled);
    let now = story.now;
    story.see_all(|seen| seen.quiet(now));
    story.wait(61).look();
    assert_eq!(story.incident.state, State::Resolved);
}

#[test]
fn a_package_is_a_fix_by_its_name_and_version() {
    let mut story = Story::declared(1);
    story.agree(None, Some(Fix::Package { name: "signatures".into(), version: "9.9.2".into() }));
    story.execute(Command::ReleaseFix, "sato").unwrap();
    for (installed, has) in [
        (vec![], false),
        (vec!["engine 9.9.2"], false),
        (vec!["signatures-eu 9.9.2"], false),
        (vec!["engine 1.0", "signatures 9.9.1"], false),
        (vec!["engine 1.0", "signatures 9.9.10"], true),
    ] {
        story.see(0).packages = installed.iter().map(|package| Label::from(*package)).collect();
        story.wait(1).look();
        assert_eq!(story.rung(0).proves(Proof::Fix), has, "{installed:?}");
    }
}
