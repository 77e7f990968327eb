use std::collections::BTreeMap;

use super::*;
use crate::engine::device::DeviceId;
use crate::engine::effect::{CauseEvidence, RunnerUp, Scope, Suspect};
use crate::incident::event::{Joining, Opening};
use crate::incident::ladder::{Exception, ExceptionKind, Proof};
use crate::incident::{Action, IncidentEvent, LifeSettings, Milestone, Role, Seat};

/// 2026-11-22 09:00 in Tokyo.
const T0: i64 = 1_795_305_600_000;

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_ms(T0 + minute * 60_000)
}

fn id(number: usize) -> DeviceId {
    DeviceId::parse(&format!("B-{number:04}")).unwrap()
}

fn review(devices: usize) -> Review {
    let suspect = |value: &str| Suspect { kind: "update".into(), value: value.into() };
    let evidence = CauseEvidence {
        affected_with: 30,
        healthy_with: 2,
        affected_without: 1,
        healthy_without: 60,
        difference: None,
    };
    let cause = Cause {
        suspect: suspect("2026.11.21"),
        confidence: 0.978,
        runner_up: Some(RunnerUp { suspect: suspect("x"), confidence: 0.011 }),
        inseparable: true,
        evidence: Some(evidence),
    };
    let joining = |n| Joining { device: id(n), branch: Some("a|b".into()), customer: None };
    let opening = Opening {
        number: "INC-2026-0007".into(),
        event_id: "E-0012".into(),
        scope: Scope::Fleet,
        impact_started_at: minute(-61),
        detected_at: minute(-46),
        declared_at: minute(0),
        criterion_s: 3_600,
        measured_s: 3_660,
        cause: Some(cause),
        follows: None,
        devices: (0..devices).map(joining).collect(),
    };
    let exception = Exception {
        kind: ExceptionKind::Refused,
        evidence: "# says no\n| twice".into(),
        signed_by: "ito".into(),
        at: minute(3),
    };
    let seat = Seat::of(Role::Commander);
    let record: Vec<IncidentEvent> = [
        (0, Action::Opened(Box::new(opening))),
        (5, Action::Paged { seat, step: 1, people: vec!["mori".into()], exhausted: true }),
        (6, Action::Timed { milestone: Milestone::Mustered, instant: minute(6), reason: None }),
        (7, Action::Noted { text: "two\nlines <b>".into(), told: true }),
        (8, Action::Excepted { device: id(0), exception }),
        (9, Action::Proved { devices: vec![id(1)], proof: Proof::Workaround }),
        (19, Action::Proved { devices: vec![id(2)], proof: Proof::Workaround }),
    ]
    .into_iter()
    .map(|(at, action)| IncidentEvent { at: minute(at), by: "ito".into(), action })
    .collect();
    Review::draft(&record, &LifeSettings::default(), minute(73 * 60)).unwrap()
}

#[test]
fn the_draft_tells_what_the_record_says_in_both_languages() {
    let Both { ja, en } = markdown(&review(3), 540);
    for line in [
        "# INC-2026-0007: review (draft)",
        "- State: declared, as of 2026-11-25 10:00; scope: fleet",
        "| detected | 2026-11-22 08:14 | 15 min | - |",
        "| mustered | 2026-11-22 09:06 | 1 h 07 min | 6 min |",
        "- update 2026.11.21 (98 %)",
        "- runner-up: update x (1 %), cannot be told apart",
        "- affected: 30 of 32 devices with it, 1 of 61 without it",
        "- 2026-11-22 09:05 commander: nobody answered in time (the whole rota)",
        "- promise: due 2026-11-25 09:00; done: not yet (2 devices left)",
        "- 2026-11-22 09:07 → staff: message: two lines \\<b\\>",
        "- 2026-11-22 09:09 - 2026-11-22 09:19 ito: Verified on 2 devices: the workaround is on",
        "- B-0000: refused, ito, 2026-11-22 09:03: \\# says no \\| twice",
        "| a\\|b | 3 | 1 | 13323 |",
    ] {
        assert!(en.lines().any(|other| other == line), "{line}\n{en}");
    }
    for line in [
        "# INC-2026-0007: 振り返り（下書き）",
        "| 検知 | 2026-11-22 08:14 | 15分 | - |",
        "- 該当する装置の 30/32台、該当しない装置の 1/61台に影響",
        "- 約束: 期限 2026-11-25 09:00、実績 未完了（残り2台）",
        "- B-0000: 顧客が拒否, ito, 2026-11-22 09:03: \\# says no \\| twice",
    ] {
        assert!(ja.lines().any(|other| other == line), "{line}\n{ja}");
    }
    let outline = |text: &str| text.lines().filter(|line| line.starts_with("## ")).count();
    assert_eq!((outline(&ja), outline(&en)), (10, 10), "the same chapters");
}

#[test]
fn tables_keep_their_shape_and_long_ones_are_cut() {
    let Both { en, .. } = markdown(&review(100), 0);
    assert!(en.contains("\nand 70 more\n"), "{en}");
    let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
    for line in en.lines().filter(|line| line.starts_with('|')) {
        *widths.entry(line.replace("\\|", "").matches('|').count() - 1).or_default() += 1;
    }
    // Milestones and branches have four columns, devices five.
    assert_eq!(widths, BTreeMap::from([(4, 2 + 4 + 2 + 1), (5, 2 + 30)]));
    assert!(markdown(&review(1), i32::MAX).en.contains("2026-11-22 00:00"), "an impossible zone is UTC");
}
