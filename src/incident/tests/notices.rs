//! Who is told what: every action, for an incident of the fleet and for an isolated one.

use super::*;
use crate::incident::countermeasure::Countermeasure;
use crate::incident::ladder::{Claim, ExceptionKind, Proof};
use crate::incident::muster::Seat;

/// `staff`, `support`, or names.
fn who(audience: &Audience) -> String {
    match audience {
        Audience::Staff => "staff".into(),
        Audience::SupportQueue => "support".into(),
        Audience::People(people) => people.join("+"),
    }
}

fn said(incident: &Incident, action: Action) -> String {
    let event = IncidentEvent { at: minute(1), by: "ito".into(), action };
    let mut after = incident.clone();
    after.apply(&event);
    let notices = after.notices(&event);
    notices
        .iter()
        .map(|notice| format!("{} {}", notice.kind.as_str(), who(&notice.audience)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn countermeasure(version: u32, workaround: bool) -> Box<Countermeasure> {
    let plan = WorkaroundPlan { id: "WA-1".into(), script: Script::default() };
    let fix = Some(Fix::Update("2026.11.22".into()));
    Box::new(Countermeasure { version, workaround: workaround.then_some(plan), fix, fix_due_at: None })
}

#[test]
fn every_action_tells_whom_it_concerns_and_nobody_else() {
    let commander = Seat::of(Role::Commander);
    let (text, devices) = (|| "because".to_owned(), || vec![id(0)]);
    let moved = |to| Action::Moved { from: State::Declared, to };
    let page = |exhausted| Action::Paged { seat: commander.clone(), step: 0, people: vec!["abe".into()], exhausted };
    let forecast = |missed| Action::PromiseForecast { ends_at: None, promised_at: minute(9), missed };
    // What happens; what is said in an incident of the fleet; in an isolated one, where it is another thing.
    let table: Vec<(Action, &str, &str)> = vec![
        (Action::Attached { event_id: "E-9".into(), number: None }, "", ""),
        (Action::Joined { devices: vec![joining(7)] }, "growing staff", "growing support"),
        (Action::Relapsed { devices: devices() }, "", ""),
        (Action::CauseChanged { cause: None }, "cause_changed staff", "cause_changed support"),
        (moved(State::Mustered), "moved staff", "moved support"),
        (moved(State::WorkaroundAvailable), "", ""),
        (moved(State::PendingPermanentFix), "moved staff", "moved support"),
        (moved(State::Fixing), "", ""),
        (moved(State::Resolved), "moved staff", "moved support"),
        (moved(State::Reviewed), "", ""),
        (moved(State::Closed), "", ""),
        (Action::Timed { milestone: Milestone::Mustered, instant: minute(1), reason: None }, "", ""),
        (page(false), "page abe", "page abe"),
        (page(true), "page abe, page_unanswered staff", "page abe, page_unanswered support"),
        (Action::Acknowledged { seat: commander.clone(), person: "ito".into() }, "", ""),
        (Action::Present { person: "ito".into() }, "", ""),
        (
            Action::HandedOver { seat: commander.clone(), from: None, to: "mori".into(), reason: text() },
            "handed_over mori, handed_over staff",
            "handed_over mori, handed_over support",
        ),
        (Action::Noted { text: text(), told: true }, "word staff", "word support"),
        (Action::Noted { text: text(), told: false }, "", ""),
        (Action::Nagged { silent_s: 3_600 }, "nag staff", "nag support"),
        (
            Action::CountermeasureRegistered(countermeasure(1, true)),
            "agreement_wanted staff",
            "agreement_wanted support",
        ),
        (Action::ScriptAcknowledged { version: 1, person: "abe".into() }, "", ""),
        (Action::FixReleased { name: text() }, "fix_released staff, fix_released support", "fix_released support"),
        (Action::Called { device: id(0), call: call(CallOutcome::Reached) }, "", ""),
        (Action::Claimed { devices: devices(), claim: Claim::Fix }, "", ""),
        (Action::Proved { devices: devices(), proof: Proof::Fix }, "", ""),
        (Action::Disproved { devices: devices(), proof: Proof::Fix }, "", ""),
        (Action::WorkaroundSeen { devices: devices(), active: true }, "", ""),
        (Action::ExceptionLifted { device: id(0), reason: text() }, "", ""),
        (forecast(true), "promise_missed staff", "promise_missed support"),
        (forecast(false), "promise_met staff", "promise_met support"),
        (Action::Demoted { reason: text() }, "demoted staff", "demoted support"),
        (Action::Promoted { reason: text() }, "promoted staff", "promoted staff"),
        (Action::Merged { into: text(), reason: text() }, "merged staff", "merged support"),
        (Action::Absorbed { number: None, event_ids: vec![], devices: vec![], reason: text() }, "", ""),
        (
            Action::SplitOff { number: text(), devices: devices(), reason: text() },
            "split_off staff",
            "split_off support",
        ),
        (Action::ReviewFiled { text: text() }, "", ""),
        (Action::ReviewNagged { due_at: minute(1) }, "review_due staff", "review_due support"),
        (Action::Closed { reason: None }, "closed staff", "closed support"),
        (Action::Reopened { devices: devices() }, "reopened staff", "reopened support"),
        (Action::Followed { number: text() }, "followed staff", "followed support"),
    ];
    let (fleet, lone) = (Story::declared(3).incident, Story::declared(1).incident);
    for (action, in_fleet, alone) in table {
        let name = action.as_str();
        assert_eq!(said(&fleet, action.clone()), in_fleet, "{name}");
        assert_eq!(said(&lone, action), alone, "{name}, isolated");
    }
    let exception = Exception { kind: ExceptionKind::Refused, evidence: text(), signed_by: text(), at: minute(1) };
    assert_eq!(said(&fleet, Action::Excepted { device: id(0), exception }), "");
}

#[test]
fn an_opening_is_told_by_its_scope_and_a_part_that_was_split_off_with_the_splitting() {
    assert_eq!(Story::declared(3).told(), [(NoticeKind::Declared, Audience::Staff)]);
    assert_eq!(Story::declared(1).told(), [(NoticeKind::Isolated, Audience::SupportQueue)]);
}

#[test]
fn who_leads_hears_what_is_for_the_lead() {
    let mut story = Story::declared(3);
    for (role, person) in [(Role::Commander, "ito"), (Role::DevelopmentLead, "sato")] {
        story.execute(Command::Acknowledge { seat: Seat::of(role) }, person).unwrap();
    }
    let incident = &story.incident;
    assert_eq!(said(incident, Action::Nagged { silent_s: 1 }), "nag ito");
    assert_eq!(said(incident, Action::ReviewNagged { due_at: minute(1) }), "review_due ito");
    assert_eq!(said(incident, Action::CountermeasureRegistered(countermeasure(1, true))), "agreement_wanted sato");
}

#[test]
fn support_hears_of_a_script_when_it_is_agreed_and_again_when_it_is_another() {
    let mut story = Story::declared(3);
    let agreed = |story: &mut Story| {
        let told = story.told().into_iter();
        let told = told.filter(|(kind, _)| matches!(kind, NoticeKind::Script | NoticeKind::ScriptChanged));
        told.map(|(kind, audience)| format!("{} {}", kind.as_str(), who(&audience))).collect::<Vec<_>>()
    };
    story.agree(None, Some(Fix::Update("2026.11.22".into())));
    assert_eq!(agreed(&mut story), [""; 0], "nothing to say on the phone");
    story.agree(Some("WA-1"), None);
    assert_eq!(agreed(&mut story), ["script support"]);
    story.agree(Some("WA-1"), None);
    assert_eq!(agreed(&mut story), ["script_changed support"]);
    story.agree(None, Some(Fix::Update("2026.11.22".into())));
    assert_eq!(agreed(&mut story), ["script_changed support"], "it was withdrawn");
    story.agree(None, Some(Fix::Update("2026.11.23".into())));
    assert_eq!(agreed(&mut story), [""; 0], "there was none, and there is none");
}

#[test]
fn keys_are_unique_and_the_same_whenever_they_are_made_from_the_record() {
    let mut story = Story::declared(3);
    story.rota = Rota(
        [(Seat::of(Role::Commander), vec![RotaStep { people: vec!["ito".into()], timeout_min: 5 }])]
            .into_iter()
            .collect(),
    );
    for _ in 0..30 {
        story.tick();
        story.wait(5);
    }
    story.agree_and_release();
    story.fix_all();
    let keys: Vec<String> = story.notices.iter().map(|notice| notice.key.clone()).collect();
    assert!(keys.len() > 40, "{}", keys.len());
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{keys:#?}");
    let mut incident = Incident::open(&story.record[0]).unwrap();
    let mut again: Vec<String> = incident.notices(&story.record[0]).into_iter().map(|notice| notice.key).collect();
    for event in &story.record[1..] {
        incident.apply(event);
        again.extend(incident.notices(event).into_iter().map(|notice| notice.key));
    }
    assert_eq!(again, keys);
    assert_eq!(keys[0], "E-0012/1/declared/0");
}
