use proptest::prelude::*;

use super::*;
use crate::engine::device::{DeviceId, Label};
use crate::engine::effect::{CauseEvidence, RunnerUp, Verdict};
use crate::engine::snapshot::DeviceView;

const T0: Timestamp = Timestamp::from_ms(1_795_305_600_000);

fn at(minute: i64) -> Timestamp {
    T0.plus_ms(minute * 60_000)
}

fn suspect(text: &str) -> Suspect {
    let (kind, value) = text.split_once(' ').unwrap();
    Suspect { kind: kind.to_owned(), value: value.to_owned() }
}

/// From JSON, so that what else a cause may tell does not matter here.
fn cause(text: &str, confidence: f64) -> Cause {
    let Suspect { kind, value } = suspect(text);
    serde_json::from_value(serde_json::json!({ "kind": kind, "value": value, "confidence": confidence })).unwrap()
}

fn sure(text: &str) -> Cause {
    cause(text, 0.98)
}

fn beside(mut cause: Cause, text: &str, confidence: f64, inseparable: bool) -> Cause {
    cause.runner_up = Some(RunnerUp { suspect: suspect(text), confidence });
    cause.inseparable = inseparable;
    cause
}

/// What `E-1` looks like `minute` minutes after its start.
fn warned(minute: i64, cause: &Cause) -> Observation<'_> {
    Observation {
        at: at(minute),
        event: "E-1",
        incident: None,
        stage: Stage::Warned,
        scope: Scope::Fleet,
        cause: Some(cause),
        streak_s: minute as u64 * 60,
        affected: Some(40),
        aliases: &[],
    }
}

fn declared(minute: i64, cause: &Cause) -> Observation<'_> {
    Observation { incident: Some("INC-1"), stage: Stage::Declared, ..warned(minute, cause) }
}

fn resolved(minute: i64, cause: &Cause) -> Observation<'_> {
    Observation { stage: Stage::Resolved, ..declared(minute, cause) }
}

fn told(decisions: &[Decision]) -> Vec<String> {
    let line = |d: &Decision| format!("{} {} {}", d.gate.as_str(), d.version, d.incident.as_deref().unwrap_or("-"));
    decisions.iter().map(line).collect()
}

/// Sees these one after the other and tells what was decided.
fn run(policy: Policy, seen: &[Observation<'_>]) -> Vec<String> {
    let mut gates = Gates::new(policy);
    seen.iter().flat_map(|seen| told(&gates.observe(&[*seen]).decisions)).collect()
}

#[test]
fn a_few_devices_that_chance_may_have_picked_hold_nothing_before_the_hour() {
    for (affected, healthy, holds) in [
        (3, 597, false),
        (15, 585, false),
        (16, 584, true),
        (257, 343, true),
        (3, 27, false),
        (4, 26, true),
        (3, 0, true),
    ] {
        let counts = CauseEvidence {
            affected_with: affected,
            healthy_with: healthy,
            affected_without: 0,
            healthy_without: 400,
            difference: None,
        };
        let cause = Cause { evidence: Some(counts), ..sure("update 2026.11.21") };
        let mut gates = Gates::new(Policy::default());
        assert_eq!(gates.observe(&[warned(15, &cause)]).decisions.len(), usize::from(holds), "{affected} of {healthy}");
        let mut gates = Gates::new(Policy::default());
        assert_eq!(gates.observe(&[declared(61, &cause)]).decisions.len(), 1, "an hour is no chance");
    }
}

#[test]
fn an_update_is_held_when_it_is_blamed_with_confidence_and_not_before() {
    let v = sure("update v1");
    let pair = beside(cause("update+model v1+B200", 0.6), "update v1", 0.35, true);
    let doubtful = beside(sure("update v1"), "package signatures 9", 0.4, true);
    let cases: Vec<(&str, Observation<'_>, bool)> = vec![
        ("at the first mark", warned(15, &v), true),
        ("before it", warned(14, &v), false),
        ("declared, however short its clock says", Observation { streak_s: 0, ..declared(15, &v) }, true),
        ("a lone device", Observation { scope: Scope::Isolated, ..declared(60, &v) }, false),
        ("no suspect", Observation { cause: None, ..warned(20, &v) }, false),
        ("over without having been declared", Observation { stage: Stage::CameToNothing, ..warned(20, &v) }, false),
        ("two candidates that name it together reach the confidence", warned(20, &pair), true),
        ("the data cannot tell it from a package", warned(20, &doubtful), false),
    ];
    for (name, seen, holds) in cases {
        assert_eq!(!run(Policy::default(), &[seen]).is_empty(), holds, "{name}");
    }
    for (confidence, holds) in [(0.9, true), (0.899, false), (1.0, true), (0.0, false)] {
        let cause = cause("update v1", confidence);
        assert_eq!(!run(Policy::default(), &[warned(20, &cause)]).is_empty(), holds, "{confidence}");
    }
    for other in ["package signatures 9", "branch b", "model update", "firmware 5", "fleet all", "updates v1"] {
        let cause = sure(other);
        assert!(run(Policy::default(), &[declared(60, &cause)]).is_empty(), "{other}");
    }
    let late = Policy { hold_from_min: 1_440, ..Policy::default() };
    assert_eq!(run(late, &[warned(55, &v), declared(61, &v)]), ["hold v1 INC-1"], "only at the declaration");
}

#[test]
fn the_table_of_transitions() {
    let (v1, v2, branch) = (sure("update v1"), sure("update v2"), sure("branch osaka"));
    let less = cause("update v1", 0.5);
    let unclear = beside(sure("package signatures 9"), "update v1", 0.4, true);
    let pair = sure("update+model v1+B200");
    let cases: Vec<(&str, Policy, Vec<Observation<'_>>, Vec<&str>)> = vec![
        (
            "once, and once more with the incident's number",
            Policy::default(),
            vec![warned(15, &v1), warned(30, &v1), declared(60, &v1), declared(61, &v1)],
            vec!["hold v1 -", "hold v1 INC-1"],
        ),
        (
            "another suspect lifts it",
            Policy::default(),
            vec![warned(15, &v1), warned(20, &branch)],
            vec!["hold v1 -", "release v1 -"],
        ),
        (
            "another update takes its place",
            Policy::default(),
            vec![warned(15, &v1), declared(60, &v2)],
            vec!["hold v1 -", "release v1 INC-1", "hold v2 INC-1"],
        ),
        (
            "less confidence and a pair with it lift nothing",
            Policy::default(),
            vec![warned(15, &v1), warned(20, &less), warned(25, &pair), warned(30, &v1)],
            vec!["hold v1 -"],
        ),
        (
            "nor does what cannot be told from it",
            Policy::default(),
            vec![warned(15, &v1), warned(20, &unclear)],
            vec!["hold v1 -"],
        ),
        (
            "blamed twice, it stays held",
            Policy::default(),
            vec![warned(15, &v1), warned(20, &branch), warned(25, &v1), warned(30, &branch), warned(35, &v1)],
            vec!["hold v1 -", "release v1 -", "hold v1 -"],
        ),
    ];
    for (name, policy, seen, expected) in cases {
        assert_eq!(run(policy, &seen), expected, "{name}");
    }
}

#[test]
fn the_table_of_other_events_and_ends() {
    let (v1, branch, pair) = (sure("update v1"), sure("branch osaka"), sure("update+model v1+B200"));
    let on_recovery = Policy { release_on: ReleaseOn::Resolved, ..Policy::default() };
    let other = |o| Observation { event: "E-2", ..o };
    let alias = ["INC-2".to_owned()];
    let cases: Vec<(&str, Policy, Vec<Observation<'_>>, Vec<&str>)> = vec![
        (
            "another event that names it keeps it held, until that one changes its mind too",
            Policy::default(),
            vec![warned(15, &v1), other(warned(16, &pair)), warned(20, &branch), other(warned(25, &branch))],
            vec!["hold v1 -", "release v1 -"],
        ),
        (
            "a recovery releases nothing by default",
            Policy::default(),
            vec![declared(60, &v1), resolved(200, &v1)],
            vec!["hold v1 INC-1"],
        ),
        (
            "a recovery releases where that is configured",
            on_recovery,
            vec![declared(60, &v1), declared(100, &v1), resolved(200, &v1)],
            vec!["hold v1 INC-1", "release v1 INC-1"],
        ),
        (
            "but not what another open event names",
            on_recovery,
            vec![declared(60, &v1), other(warned(70, &v1)), resolved(200, &v1)],
            vec!["hold v1 INC-1"],
        ),
        (
            "a warning that came to nothing proves no recovery",
            on_recovery,
            vec![warned(15, &v1), Observation { stage: Stage::CameToNothing, ..warned(20, &v1) }],
            vec!["hold v1 -"],
        ),
        (
            "an event that proved to be another one speaks through that one",
            Policy::default(),
            vec![
                Observation { event: "E-2", incident: Some("INC-2"), ..declared(60, &v1) },
                Observation { aliases: &alias, ..declared(70, &v1) },
                declared(80, &branch),
            ],
            vec!["hold v1 INC-2", "release v1 INC-1"],
        ),
        (
            "an event that has said nothing for a day keeps nothing held",
            Policy::default(),
            vec![warned(15, &v1), other(warned(16, &v1)), warned(1_500, &branch)],
            vec!["hold v1 -", "release v1 -"],
        ),
    ];
    for (name, policy, seen, expected) in cases {
        assert_eq!(run(policy, &seen), expected, "{name}");
    }
}

#[test]
fn of_two_suspects_in_one_tick_the_last_counts() {
    let change = |kind: &str, cause: &str| -> Change {
        let cause = serde_json::to_value(sure(cause)).unwrap();
        serde_json::from_value(serde_json::json!({
            "at": at(20), "event": kind, "event_id": "E-1", "severity": "warning", "scope": "fleet",
            "impact_started_at": at(0), "streak_s": 1_200, "devices": ["B-1", "B-2"], "cause": cause,
        }))
        .unwrap()
    };
    let tick = [change("cause_changed", "update v1"), change("joined", "update v2")];
    let mut gates = Gates::new(Policy::default());
    let observed = gates.see(&tick);
    assert_eq!(told(&observed.decisions), ["hold v2 -"]);
    assert_eq!(observed.decisions[0].affected, 2, "as counted when all were");
    assert_eq!(gates.see(&tick), Observed::default(), "the same once more");
}

#[test]
fn a_persons_word_stands_until_a_person_changes_it() {
    let (v1, branch) = (sure("update v1"), sure("branch osaka"));
    let mut gates = Gates::new(Policy { release_on: ReleaseOn::Resolved, ..Policy::default() });
    gates.observe(&[warned(15, &v1)]);
    let release = gates.decide("v1", Gate::Release, ("Sato", "a test bed, not the fleet"), at(16)).unwrap();
    assert_eq!((release.event.as_deref(), release.before, release.affected), (Some("E-1"), Some(Gate::Hold), 40));
    assert_eq!(gates.of("v1").unwrap().gate, Gate::Hold, "not in force before it is applied");
    gates.apply(release.clone());
    assert_eq!(gates.decide("v1", Gate::Release, (" Sato ", "a test bed, not the fleet"), at(17)).unwrap(), release);
    assert!(gates.observe(&[declared(60, &v1)]).decisions.is_empty());
    assert_eq!(gates.of("v1"), Some(&release));

    let hold = gates.decide("v1", Gate::Hold, ("Suzuki", "it is the fleet"), at(61)).unwrap();
    assert_eq!((hold.incident.as_deref(), hold.before), (Some("INC-1"), Some(Gate::Release)));
    gates.apply(hold.clone());
    for seen in [declared(62, &branch), resolved(200, &branch)] {
        assert!(gates.observe(&[seen]).decisions.is_empty());
    }
    assert_eq!(gates.of("v1"), Some(&hold));

    let alone = gates.decide("v9", Gate::Hold, ("Suzuki", "the vendor said so"), at(61)).unwrap();
    assert_eq!((alone.event, alone.incident, alone.before), (None, None, None));
}

#[test]
fn a_decision_without_a_name_a_reason_or_a_version_is_refused() {
    let gates = Gates::new(Policy::default());
    let decide = |version: &str, by: &str, reason: &str| gates.decide(version, Gate::Hold, (by, reason), T0);
    let long = |n: usize| "x".repeat(n);
    assert!(decide(&long(128), &long(128), &long(500)).is_ok());
    let formed = decide(" ２０２６.11.21\0", "佐藤\u{3000}", "試験\u{202e}").unwrap();
    assert_eq!((&*formed.version, &*formed.by, &*formed.reason), ("2026.11.21", "佐藤", "試験"));
    for by in ["", "  ", "detector", "Detector\u{200b}", &long(129)] {
        assert_eq!(decide("v1", by, "r"), Err(DecideError::Name), "{by}");
    }
    for reason in ["", " ", "a\nb", &long(501)] {
        assert_eq!(decide("v1", "Sato", reason), Err(DecideError::Reason), "{reason}");
    }
    for (version, fault) in [
        ("", VersionError::Empty),
        (&*long(129), VersionError::Long),
        ("a/b", VersionError::NoTopicLevel),
        ("a+b", VersionError::NoTopicLevel),
        ("+", VersionError::NoTopicLevel),
        ("#", VersionError::NoTopicLevel),
        ("\0", VersionError::Empty),
        ("$SYS", VersionError::NoTopicLevel),
    ] {
        assert_eq!(decide(version, "Sato", "r"), Err(fault.into()), "{version}");
    }
}

#[test]
fn a_version_that_is_no_topic_level_is_told_once_and_never_held() {
    for (text, version) in [("update a/b", "a/b"), ("update+model a+b+B200", "a+b+B200")] {
        let mut gates = Gates::new(Policy::default());
        let bad = sure(text);
        let seen = gates.observe(&[warned(15, &bad)]);
        assert_eq!((seen.unfit, seen.decisions.len()), (vec![(version.to_owned(), VersionError::NoTopicLevel)], 0));
        assert_eq!(gates.observe(&[warned(16, &bad)]), Observed::default(), "told once");
        assert_eq!(gates.in_force().count(), 0);
    }
}

#[test]
fn the_number_of_versions_is_bounded_and_a_persons_word_is_kept() {
    let mut gates = Gates::new(Policy::default());
    gates.apply(gates.decide("kept", Gate::Release, ("Sato", "known good"), T0).unwrap());
    for n in 0..MAX_VERSIONS as i64 + 50 {
        let cause = sure(&format!("update v{n}"));
        let event = format!("E-{n}");
        gates.observe(&[Observation { event: &event, ..declared(60 + n, &cause) }]);
    }
    assert_eq!(gates.in_force().count(), MAX_VERSIONS);
    assert!(gates.of("kept").is_some() && gates.of("v0").is_none() && gates.of("v1049").is_some());
    let full = Gates { in_force: (0..MAX_VERSIONS).map(|n| by_person(&gates, n)).collect(), ..gates };
    assert_eq!(full.decide("new", Gate::Hold, ("Sato", "r"), T0), Err(DecideError::Full));
}

fn by_person(gates: &Gates, n: usize) -> (String, DecisionInForce) {
    let decision = gates.decide(&format!("p{n}"), Gate::Hold, ("Sato", "r"), T0).unwrap();
    (decision.version.clone(), DecisionInForce { decision, blamed: None })
}

#[test]
fn messages_are_as_the_updater_knows_them() {
    let golden = |name: &str| {
        let path = format!("{}/fixtures/wire/{name}.json", concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        std::fs::read_to_string(path).unwrap().trim_end().to_owned()
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let blamed = sure("update 2026.11.21");
    let mut gates = Gates::new(Policy::default());
    gates.observe(&[Observation { event: "E-0003", affected: Some(332), ..warned(15, &blamed) }]);
    let confirmed =
        Observation { event: "E-0003", incident: Some("INC-2026-0001"), affected: Some(332), ..declared(61, &blamed) };
    let hold = gates.observe(&[confirmed]).decisions.remove(0);
    assert_eq!(text(hold.message()), golden("gate-hold"));
    let by = ("佐藤", "the defect was in the test bed only");
    let release = gates.decide("2026.11.21", Gate::Release, by, at(90)).unwrap();
    assert_eq!(text(release.message()), golden("gate-release"));
    let ids = |names: &[&str]| names.iter().map(|name| DeviceId::parse(name).unwrap()).collect();
    let ring = Ring { percent: Some(5), seed: Some(1), devices: ids(&["B-0007", "B-0042"]) };
    assert_eq!(text(ring.message()), golden("control-ring"));
    assert_eq!(topic("utm", "2026.11.21"), "utm/v1/updates/2026.11.21/gate");
    assert_eq!(ring_topic("utm"), "utm/v1/updates/control-ring");
}

/// One step of a story.
#[derive(Clone, Debug)]
enum Step {
    See { event: usize, cause: usize, stage: usize },
    Person { version: usize, hold: bool },
}

const EVENTS: [&str; 3] = ["E-1", "E-2", "E-3"];
const CAUSES: [&str; 5] = ["update v1", "update v2", "update+model v1+B200", "branch osaka", "update a/b"];

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let see = (0..EVENTS.len(), 0..CAUSES.len(), 0..6_usize).prop_map(|(event, cause, stage)| Step::See {
        event,
        cause,
        stage,
    });
    let person = (0..2_usize, any::<bool>()).prop_map(|(version, hold)| Step::Person { version, hold });
    prop::collection::vec((0..3_i64, prop_oneof![6 => see, 1 => person]), 1..60)
}

/// The observation that a step is, `minute` minutes into the story.
fn seen(minute: i64, (event, cause, stage): (usize, &Cause, usize)) -> Observation<'_> {
    let base = if stage < 3 { warned(minute, cause) } else { declared(minute, cause) };
    let stages =
        [Stage::Warned, Stage::Warned, Stage::CameToNothing, Stage::Declared, Stage::Declared, Stage::Resolved];
    Observation { event: EVENTS[event], stage: stages[stage], ..base }
}

/// The minutes of a story's steps. An event speaks once a minute: [`Gates::see`] sees to it.
fn timed(story: &[(i64, Step)]) -> Vec<(i64, &Step)> {
    let mut minute = 15;
    let mut spoken = Vec::new();
    let timed = story.iter().filter_map(|(pause, step)| {
        minute += pause;
        if let Step::See { event, .. } = step {
            if spoken.contains(&(minute, *event)) {
                return None;
            }
            spoken.push((minute, *event));
        }
        Some((minute, step))
    });
    timed.collect()
}

/// Lives a story; returns the end's state and what was recorded.
fn live(policy: Policy, story: &[(i64, Step)]) -> (Gates, Vec<Decision>) {
    let mut gates = Gates::new(policy);
    let mut record = Vec::new();
    for (minute, step) in timed(story) {
        match step {
            Step::See { event, cause, stage } => {
                let cause = sure(CAUSES[*cause]);
                record.extend(gates.observe(&[seen(minute, (*event, &cause, *stage))]).decisions);
            }
            Step::Person { version, hold } => {
                let gate = if *hold { Gate::Hold } else { Gate::Release };
                let version = ["v1", "v2"][*version];
                let decision = gates.decide(version, gate, ("Sato", "so I say"), at(minute)).unwrap();
                record.push(decision.clone());
                gates.apply(decision);
            }
        }
    }
    (gates, record)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The record alone gives the state back, and the whole story once more (a journal replayed behind it) changes
    /// nothing: neither a decision nor a message.
    #[test]
    fn the_record_restores_the_state_and_a_replay_decides_nothing_new(
        story in steps(), on_resolved in any::<bool>(),
    ) {
        let release_on = if on_resolved { ReleaseOn::Resolved } else { ReleaseOn::Person };
        let policy = Policy { release_on, ..Policy::default() };
        let (lived, record) = live(policy, &story);
        let (again, same) = live(policy, &story);
        prop_assert_eq!((&lived, &record), (&again, &same), "the same story twice");

        let mut restored = Gates::new(policy);
        record.iter().cloned().for_each(|decision| restored.apply(decision));
        prop_assert!(restored.in_force().eq(lived.in_force()), "from the record");
        let messages = |gates: &Gates| gates.in_force().map(Decision::message).collect::<Vec<_>>();
        let before = messages(&lived);
        prop_assert_eq!(&messages(&restored), &before);

        // What the events named last is on record too; a replay of what came before it is passed over.
        restored.named = lived.named.clone();
        for (minute, step) in timed(&story) {
            let Step::See { event, cause, stage } = step else { continue };
            let cause = sure(CAUSES[*cause]);
            let observed = restored.observe(&[seen(minute, (*event, &cause, *stage))]);
            prop_assert_eq!(observed.decisions, vec![], "replayed minute {}", minute);
        }
        prop_assert_eq!(&messages(&restored), &before);
    }

    /// No flapping: within one event the detector says hold, release, hold at most, and what a person said last stands.
    #[test]
    fn the_detector_changes_its_mind_at_most_twice_for_an_event(story in steps()) {
        let (lived, record) = live(Policy::default(), &story);
        for event in EVENTS {
            for version in ["v1", "v2"] {
                let turns: Vec<Gate> = record
                    .iter()
                    .filter(|d| d.version == version && d.event.as_deref() == Some(event) && !d.is_by_person())
                    .map(|d| d.gate)
                    .collect();
                let mut distinct = turns.clone();
                distinct.dedup();
                let alone = record.iter().all(|d| d.event.as_deref() == Some(event) && !d.is_by_person());
                prop_assert!(!alone || distinct.len() <= 3, "{:?}", turns);
            }
        }
        for version in ["v1", "v2"] {
            let last = record.iter().rev().find(|d| d.version == version && d.is_by_person());
            if let Some(last) = last {
                prop_assert_eq!(lived.of(version), Some(last));
            }
        }
    }
}

fn view(number: usize, model: usize, branch: usize) -> DeviceView {
    DeviceView {
        id: DeviceId::parse(&format!("B-{number:05}")).unwrap(),
        model: Some(Label::from(format!("B{model}00"))),
        branch: Some(Label::from(format!("branch-{branch}"))),
        customer: None,
        firmware: None,
        update: None,
        packages: Vec::new(),
        update_installed_at: None,
        reporting: true,
        online: None,
        workaround_active: None,
        workaround_id: None,
        verdict: Verdict::Healthy,
        quiet_min: 60,
        quiet_since: None,
        is_known: true,
        streak_s: 0,
        evidence: Vec::new(),
        latency_us: None,
        classes: Vec::new(),
        false_positive_ratio: None,
        last_report_at: None,
        event_id: None,
        affected: false,
        clock_offset_ms: None,
        recent_boots: 0,
        over_budget: None,
        refused: None,
    }
}

fn fleet(count: usize) -> Vec<DeviceView> {
    (0..count).map(|n| view(n, 1 + n % 7 % 3, n % 50)).collect()
}

#[test]
fn the_ring_has_its_share_of_every_model_and_spreads_over_the_branches() {
    let devices = fleet(1_000);
    let ring = control_ring(&devices, 10, 1);
    let share = |of: &dyn Fn(&DeviceView) -> bool| {
        let all = devices.iter().filter(|device| of(device)).count() as f64;
        let within = devices.iter().filter(|device| of(device) && ring.devices.contains(&device.id)).count() as f64;
        within / all
    };
    for model in ["B100", "B200", "B300"] {
        let found = share(&|device| device.model.as_deref() == Some(model));
        assert!((0.07..=0.13).contains(&found), "{model}: {found}");
    }
    let without = (0..50).filter(|b| share(&|d| d.branch.as_deref() == Some(&*format!("branch-{b}"))) == 0.0).count();
    assert!(without <= 10, "{without} of 50 branches of 20 devices have nobody in the ring");
    assert!(ring.devices.is_sorted());
    assert_ne!(ring.devices, control_ring(&devices, 10, 2).devices, "another seed is another ring");
    assert!(control_ring(&devices, 0, 1).devices.is_empty());
    assert_eq!(control_ring(&devices, 100, 1).devices.len(), 1_000);
}

#[test]
fn the_ring_does_not_reshuffle_when_the_fleet_changes() {
    let devices = fleet(1_000);
    let ring = control_ring(&devices, 10, 1);
    let mut reversed = devices.clone();
    reversed.reverse();
    assert_eq!(control_ring(&reversed, 10, 1), ring, "the order of the devices says nothing");
    let changed = |others: &[DeviceView]| {
        let other = control_ring(others, 10, 1).devices;
        let here = |id: &&DeviceId| others.iter().any(|device| device.id == **id);
        let gone = ring.devices.iter().filter(here).filter(|id| !other.contains(id)).count();
        gone + other.iter().filter(|id| !ring.devices.contains(id)).count()
    };
    for n in [0, 1, 500, 999] {
        let without: Vec<DeviceView> = devices.iter().filter(|d| d.id != devices[n].id).cloned().collect();
        assert!(changed(&without) <= 1, "one device less changes {} places", changed(&without));
        let mut with = devices.clone();
        with.push(view(5_000 + n, 1, n % 50));
        assert!(changed(&with) <= 2, "one device more changes {} places", changed(&with));
    }
    let grown = fleet(1_200);
    let kept = control_ring(&grown, 10, 1).devices.iter().filter(|id| ring.devices.contains(id)).count();
    assert!(kept * 10 >= ring.devices.len() * 7, "{kept} of {} stay when a fifth is added", ring.devices.len());
}

#[test]
fn a_listed_ring_is_what_was_listed() {
    let id = |name: &str| DeviceId::parse(name).unwrap();
    let ring = Ring::listed(vec![id("B-2"), id("B-1"), id("B-2")]);
    assert_eq!((ring.devices, ring.percent), (vec![id("B-1"), id("B-2")], None));
}
