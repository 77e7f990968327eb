//! Who is called, and who is called next.

use super::*;
use crate::incident::muster::PostStatus;

fn step(people: &[&str], timeout_min: u32) -> RotaStep {
    RotaStep { people: people.iter().map(|person| (*person).to_owned()).collect(), timeout_min }
}

fn seat(text: &str) -> Seat {
    Seat::try_from(text.to_owned()).unwrap()
}

fn rota(seats: &[(&str, Vec<RotaStep>)]) -> Rota {
    Rota(seats.iter().map(|(name, steps)| (seat(name), steps.clone())).collect())
}

/// Whom the story has paged since the last call.
fn paged(story: &mut Story) -> Vec<String> {
    let told = story.told().into_iter();
    told.filter_map(|(kind, audience)| match (kind, audience) {
        (NoticeKind::Page, Audience::People(people)) => Some(people.join("+")),
        (NoticeKind::PageUnanswered, _) => Some("nobody answered".into()),
        _ => None,
    })
    .collect()
}

fn acknowledge(text: &str) -> Command {
    Command::Acknowledge { seat: seat(text) }
}

#[test]
fn a_page_escalates_step_by_step_and_never_ends_in_silence() {
    let mut story = Story::declared(3);
    story.rota = rota(&[("commander", vec![step(&["ito"], 5), step(&["mori", "sato"], 10)])]);
    let mut heard = Vec::new();
    for minute in 0..=31 {
        story.tick();
        heard.extend(paged(&mut story).into_iter().map(|who| format!("{minute}: {who}")));
        story.wait(1);
    }
    let expected =
        ["0: ito", "5: mori+sato", "15: ito", "15: nobody answered", "20: mori+sato", "30: ito", "30: nobody answered"];
    assert_eq!(heard, expected);
    let post = &story.incident.muster.posts[&seat("commander")];
    assert_eq!((post.paged.join(" "), post.exhausted), ("ito mori sato".to_owned(), 2));
    story.execute(acknowledge("commander"), "sato").unwrap();
    story.wait(100);
    story.tick();
    assert!(paged(&mut story).is_empty(), "answered");
}

#[test]
fn a_rota_that_was_shortened_goes_on_at_its_end() {
    let mut story = Story::declared(3);
    story.rota = rota(&[("commander", vec![step(&["ito"], 5), step(&["mori"], 5), step(&["sato"], 5)])]);
    for _ in 0..3 {
        story.tick();
        story.wait(5);
    }
    assert_eq!(paged(&mut story), ["ito", "mori", "sato"]);
    story.rota = rota(&[("commander", vec![step(&["abe"], 7)])]);
    story.tick();
    assert!(paged(&mut story).is_empty(), "its own time-out holds");
    story.wait(2).tick();
    assert_eq!(paged(&mut story), ["abe", "nobody answered"]);
    story.rota = rota(&[("commander", vec![])]);
    story.wait(60).tick();
    assert!(paged(&mut story).is_empty(), "nobody is left to be called");
}

#[test]
fn the_seat_of_a_branch_is_called_only_where_it_has_devices_to_see_to() {
    let mut story = Story::declared(3);
    let one = || vec![step(&["ito"], 5)];
    story.rota = rota(&[("support_lead", one()), ("support_lead@branch-1", one()), ("support_lead@branch-9", one())]);
    story.tick();
    let called: Vec<String> = story.incident.muster.posts.keys().map(ToString::to_string).collect();
    assert_eq!(called, ["support_lead", "support_lead@branch-1"]);
    story.execute(acknowledge("support_lead"), "ito").unwrap();
    assert_eq!(story.incident.state, State::Mustered, "branches are not waited for");
    // The branch's only device is settled: nobody has to be called for it any more.
    story
        .execute(
            Command::SignOff { device: id(1), kind: ExceptionKind::Replaced, evidence: "see ticket 7".into() },
            "ito",
        )
        .unwrap();
    story.wait(30).tick();
    assert_eq!(story.incident.muster.posts[&seat("support_lead@branch-1")].exhausted, 0);
}

#[test]
fn the_first_to_answer_holds_the_role_others_are_seen_and_it_can_be_handed_over() {
    let mut story = Story::declared(3);
    story.rota = rota(&[("commander", vec![step(&["ito"], 5)]), ("development_lead", vec![step(&["sato"], 5)])]);
    let commander = seat("commander");
    assert_eq!(story.incident.muster.status(&commander), PostStatus::Uncalled);
    story.tick();
    assert_eq!(story.incident.muster.status(&commander), PostStatus::Paged);
    story.execute(acknowledge("commander"), "ito").unwrap();
    story.wait(1);
    story.execute(acknowledge("commander"), "mori").unwrap();
    assert_eq!(story.incident.muster.holder(Role::Commander), Some("ito"));
    assert_eq!(story.incident.muster.posts[&commander].acknowledged.len(), 2);
    assert_eq!(story.incident.state, State::Declared, "nobody has answered for development");
    assert_eq!(story.incident.muster.status(&commander), PostStatus::Acknowledged);
    story.execute(Command::Join, "ito").unwrap();
    assert_eq!(story.incident.muster.status(&commander), PostStatus::Joined);
    assert_eq!(story.execute(acknowledge("development_lead"), "sato").unwrap(), ["acknowledged", "timed", "moved"]);
    assert_eq!(story.incident.milestones.get(Milestone::Mustered), Some(minute(1)));
    story.told();
    let over =
        |to: &str, reason: &str| Command::HandOver { seat: seat("commander"), to: to.into(), reason: reason.into() };
    assert_eq!(story.execute(over("mori", " "), "ito").unwrap_err(), Refusal::Reason);
    assert_eq!(story.execute(over("ito", "sleep"), "ito").unwrap_err().reason(), "held");
    story.execute(over("mori", "sleep"), "ito").unwrap();
    assert_eq!(story.incident.muster.holder(Role::Commander), Some("mori"));
    let (kind, audience) = story.told().remove(0);
    assert_eq!(
        (kind, audience),
        (NoticeKind::HandedOver, Audience::People(vec!["mori".into()])),
        "the new one is told"
    );
}

#[test]
fn an_isolated_incident_musters_nobody_until_it_is_promoted() {
    let mut story = Story::declared(1);
    story.rota = rota(&[("commander", vec![step(&["ito"], 5)])]);
    assert_eq!(story.told(), [(NoticeKind::Isolated, Audience::SupportQueue)]);
    story.wait(120);
    assert!(story.tick().is_empty(), "neither pages nor reminders");
    assert_eq!(story.execute(Command::Promote { reason: " ".into() }, "abe").unwrap_err(), Refusal::Reason);
    story.execute(Command::Promote { reason: "three more by phone".into() }, "abe").unwrap();
    assert_eq!(story.told(), [(NoticeKind::Promoted, Audience::Staff)]);
    assert_eq!(story.tick(), ["paged"], "called at once, and not reminded of a silence that nobody was in");
    assert_eq!(story.execute(Command::Promote { reason: "again".into() }, "abe").unwrap_err(), Refusal::Promoted);
}

#[test]
fn whoever_leads_is_reminded_when_nothing_was_said() {
    let mut story = Story::declared(3);
    story.wait(59);
    assert!(story.tick().is_empty());
    story.told();
    assert_eq!(story.wait(1).tick(), ["nagged"]);
    assert_eq!(story.told(), [(NoticeKind::Nag, Audience::Staff)], "nobody leads");
    story.execute(acknowledge("commander"), "ito").unwrap();
    story.told();
    assert!(story.wait(59).tick().is_empty());
    assert_eq!(story.wait(1).tick(), ["nagged"]);
    assert_eq!(story.told(), [(NoticeKind::Nag, Audience::People(vec!["ito".into()]))]);
    let note = |tell| Command::Note { text: "the cause is known".into(), tell };
    story.wait(30);
    story.execute(note(false), "ito").unwrap();
    assert!(story.told().is_empty(), "an entry in the log");
    assert_eq!(story.wait(30).tick(), ["nagged"]);
    story.wait(30);
    story.execute(note(true), "ito").unwrap();
    assert_eq!(story.told().last(), Some(&(NoticeKind::Word, Audience::Staff)));
    assert!(story.wait(30).tick().is_empty(), "something was said half an hour ago");
    story.settings.nag_min = 0;
    assert!(story.wait(600).tick().is_empty(), "switched off");
}

#[test]
fn seats_are_read_as_they_are_written() {
    for text in ["commander", "support_lead@sapporo-03"] {
        assert_eq!(seat(text).to_string(), text);
    }
    for text in ["", "boss", "support_lead@", "@sapporo-03"] {
        let error = Seat::try_from(text.to_owned()).unwrap_err().to_string();
        assert!(error.contains("is no role"), "{error}");
    }
}
