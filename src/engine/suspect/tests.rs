use super::*;

const NOW: Minute = Minute(29_921_760);

fn key(kind: Kind, value: &str) -> AttributeKey {
    AttributeKey { kind, value: value.into() }
}

/// A device as it is before it is borrowed.
type Known = (Option<Minute>, Vec<Attribute>);

fn ranked(known: &[Known], background: f64) -> Vec<Candidate> {
    let subjects: Vec<_> = known.iter().map(|(onset, attributes)| Subject { onset: *onset, attributes }).collect();
    rank(&subjects, background, NOW)
}

fn named(known: &[Known]) -> Option<Cause> {
    name(&ranked(known, 0.0))
}

/// A device of branch i % 10 and model i % 3; `updated`: minutes since it took the update.
fn subject(i: usize, updated: Option<i64>, onset_ago: Option<i64>) -> Known {
    let mut attributes = vec![
        (key(Kind::Branch, &format!("branch-{}", i % 10)), None),
        (key(Kind::Model, &format!("model-{}", i % 3)), None),
        (key(Kind::Fleet, "all"), None),
    ];
    let (update, installed) = updated.map_or(("old", None), |ago| ("new", Some(NOW.plus(-ago))));
    attributes.push((key(Kind::Update, update), installed));
    attributes.push((key(Kind::UpdateModel, &format!("{update}+model-{}", i % 3)), installed));
    (onset_ago.map(|ago| NOW.plus(-ago)), attributes)
}

#[test]
fn an_update_that_hit_most_of_its_devices_is_named() {
    let subjects: Vec<_> = (0..200)
        .map(|i| if i < 100 { subject(i, Some(60), (i % 10 != 0).then_some(50)) } else { subject(i, None, None) })
        .collect();
    let found = ranked(&subjects, 0.0);
    let cause = name(&found).expect("named");
    assert_eq!(cause.suspect.value, "new");
    assert!(cause.confidence > 0.99 && !cause.inseparable);
    assert_eq!((found[0].affected_with, found[0].healthy_with, found[0].affected_without), (90, 10, 0));
}

#[test]
fn a_branch_fault_on_the_night_of_an_innocent_update_is_the_branchs() {
    let subjects: Vec<_> = (0..200).map(|i| subject(i, (i < 120).then_some(60), (i % 10 == 3).then_some(50))).collect();
    assert_eq!(named(&subjects).expect("named").suspect.value, "branch-3");
}

#[test]
fn three_devices_right_after_their_install_suffice_and_two_do_not() {
    let with = |affected: usize| {
        let subjects: Vec<_> =
            (0..200).map(|i| subject(i, (i < 40).then_some(12), (i < affected).then_some(8))).collect();
        named(&subjects)
    };
    assert_eq!(with(3).expect("named").suspect.value, "new");
    assert!(with(1).is_none());
}

#[test]
fn lone_faults_of_long_ago_name_nobody() {
    let subjects: Vec<_> = (0..1_000).map(|i| subject(i, Some(600), (i % 250 == 0).then_some(10))).collect();
    assert!(named(&subjects).is_none());
}

#[test]
fn a_noisy_afternoon_is_not_blamed_on_what_most_devices_share() {
    let subjects: Vec<_> = (0..100).map(|i| subject(i, (i < 85).then_some(900), (i % 12 == 0).then_some(30))).collect();
    assert!(name(&ranked(&subjects, 0.08)).is_none());
    assert!(named(&subjects).is_some(), "which a fixed chance of 0.4 % would do");
}

#[test]
fn an_onset_before_the_install_is_not_blamed_on_it() {
    let subjects: Vec<_> = (0..200).map(|i| subject(i, (i < 100).then_some(30), (i < 50).then_some(90))).collect();
    let found = ranked(&subjects, 0.0);
    assert!(!found.iter().any(|c| &*c.key.value == "new" && c.is_named()), "{found:?}");
}

#[test]
fn two_candidates_with_the_same_devices_cannot_be_separated() {
    let mut subjects: Vec<_> =
        (0..200).map(|i| if i < 100 { subject(i, Some(60), Some(50)) } else { subject(i, None, None) }).collect();
    for subject in subjects.iter_mut().take(100) {
        subject.1.push((key(Kind::Package, "signatures 9.9.1"), Some(NOW.plus(-60))));
    }
    let cause = named(&subjects).expect("named");
    assert!(cause.inseparable);
    assert_eq!(cause.runner_up.expect("both").suspect.kind, "package");
}

#[test]
fn the_ranking_does_not_depend_on_the_order_of_the_devices() {
    let mut subjects: Vec<_> =
        (0..300).map(|i| subject(i, (i % 2 == 0).then_some(40), (i % 6 == 0).then_some(20))).collect();
    let order = |subjects: &[Known]| ranked(subjects, 0.0).into_iter().map(|c| c.key).collect::<Vec<_>>();
    let forward = order(&subjects);
    subjects.reverse();
    assert_eq!(forward, order(&subjects));
}

#[test]
fn an_attack_wave_on_updated_and_other_devices_alike_is_not_the_updates() {
    // Six in ten have the update, taken just before the wave; it hits two in three of everybody.
    let hit = |i: usize| (!(i / 10).is_multiple_of(3)).then_some(25);
    let wave: Vec<_> = (0..300).map(|i| subject(i, (i % 10 < 6).then_some(40), hit(i))).collect();
    assert_eq!(named(&wave).expect("the fleet's").suspect.kind, "fleet");
    // A wave on a fifth of the fleet names nobody.
    let hit = |i: usize| (i / 10).is_multiple_of(5).then_some(25);
    let wave: Vec<_> = (0..300).map(|i| subject(i, (i % 7 < 4).then_some(40), hit(i))).collect();
    assert_eq!(named(&wave), None);
}

#[test]
fn a_defect_of_one_model_names_the_pair_and_one_of_all_models_the_update() {
    let hurts = |model: Option<usize>| {
        let fleet: Vec<_> = (0..300)
            .map(|i| {
                let updated = i % 10 < 6;
                let hit = updated && model.is_none_or(|model| i % 3 == model);
                subject(i, updated.then_some(50), hit.then_some(40))
            })
            .collect();
        named(&fleet).expect("named").suspect
    };
    let pair = hurts(Some(2));
    assert_eq!((pair.kind.as_str(), pair.value.as_str()), ("update+model", "new+model-2"));
    let update = hurts(None);
    assert_eq!((update.kind.as_str(), update.value.as_str()), ("update", "new"));
}

#[test]
fn a_model_that_fails_with_any_update_is_the_models() {
    let fleet: Vec<_> = (0..300).map(|i| subject(i, (i % 10 < 6).then_some(700), (i % 3 == 1).then_some(40))).collect();
    let cause = named(&fleet).expect("named").suspect;
    assert_eq!((cause.kind.as_str(), cause.value.as_str()), ("model", "model-1"));
}

#[test]
fn two_causes_of_the_same_size_on_different_devices_are_not_called_inseparable() {
    let fleet: Vec<_> = (0..300)
        .map(|i| {
            let updated = i % 10 != 3 && i < 35;
            subject(i, updated.then_some(50), (updated || i % 10 == 3).then_some(40))
        })
        .collect();
    assert!(!named(&fleet).expect("named").inseparable);
}

#[test]
fn kinds_are_read_back_by_their_names() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_name(kind.as_str()), Some(kind));
        assert_eq!(Kind::ALL[kind as usize], kind);
    }
    assert_eq!(Kind::from_name("weather"), None);
}

#[test]
fn what_everybody_took_is_blamed_only_where_onsets_follow_installs() {
    // The whole fleet took it within forty minutes; nearly all suffer.
    let fleet = |onset: &dyn Fn(i64) -> i64| -> Vec<_> {
        (0..200).map(|i| subject(i, Some(30 + i as i64 / 5), (i % 20 != 0).then(|| onset(30 + i as i64 / 5)))).collect()
    };
    let one_by_one = named(&fleet(&|installed_ago| installed_ago - 3)).expect("named").suspect;
    assert_eq!((one_by_one.kind.as_str(), one_by_one.value.as_str()), ("update", "new"));
    let at_once = named(&fleet(&|_| 25)).expect("named");
    assert_eq!(at_once.suspect.kind, "fleet");
    assert!(at_once.inseparable, "{at_once:?}");
}

#[test]
fn what_is_rolled_out_is_suspected_only_beyond_chance() {
    // In a night in which 1,000 devices take an update, 1 % of them are ill for reasons of their own.
    assert!(!exceeds_chance(10, 990, 0.0), "as many as usual");
    assert!(exceeds_chance(40, 960, 0.0), "four times as many");
    assert!(!exceeds_chance(40, 960, 0.04), "as many as is usual in this fleet");
    assert!(!exceeds_chance(1, 0, 0.0) && exceeds_chance(3, 9, 0.0), "the first of a ring");
    let timed: Vec<_> = (0..1_000).map(|i| subject(i, (i < 990).then_some(12), (i % 250 == 0).then_some(8))).collect();
    let found = ranked(&timed, 0.0);
    let update = found.iter().find(|candidate| candidate.key == key(Kind::Update, "new")).expect("ranked");
    assert!(update.is_named(), "timing alone accuses it");
    assert!(!update.exceeds_chance(0.0), "{} of {}", update.affected_with, update.healthy_with);
    let branch = found.iter().find(|candidate| candidate.key.kind == Kind::Branch).expect("ranked");
    assert!(branch.exceeds_chance(0.9), "a branch is few devices");
}

#[test]
fn what_everybody_took_hours_ago_is_not_suspected_of_a_bad_time_of_day() {
    // The fix reached all of them in half an hour; hours later so many in a hundred are ill, most of them of one model.
    let morning = |percent: usize, everybody: bool| -> Vec<_> {
        (0..1_000)
            .map(|i| {
                let took = (everybody || i % 10 < 8).then_some(150 + i as i64 % 30);
                let is_ill = took.is_some() && i / 10 < percent && (i % 3 == 0 || i % 7 == 0);
                subject(i, took, is_ill.then_some(5 + i as i64 % 15))
            })
            .collect()
    };
    let suspected = |known: &[Known]| -> Vec<String> {
        let found = ranked(known, 0.005);
        let blamed = found.iter().filter(|best| best.is_named() && best.exceeds_chance(0.005));
        blamed.map(|best| best.key.value.to_string()).collect()
    };
    let noise = morning(6, true);
    let timed = ranked(&noise, 0.005);
    assert!(timed.iter().any(|best| best.is_named()), "by the hour alone something is accused: {timed:?}");
    assert_eq!(suspected(&noise), [""; 0]);
    assert!(suspected(&morning(30, true)).iter().any(|name| name.starts_with("new")), "far more than at any time");
    assert!(
        suspected(&morning(8, false)).iter().any(|name| name.starts_with("new")),
        "two hundred took it not, and are well"
    );
}
