//! Every form of an incident: its happy path, its refusals, and who may not.

use fleetwatch::incident::State;

use super::{ENDO, NODA, Person, SATO, Site, YAGI, path, site, site_of};
use crate::desk::Sight;
use crate::life::{self, LATER, NUMBER};
use crate::pages::{assert_well_formed, words};

const KIMURA: Person = Person { name: "Kimura", ..NODA };
const TANAKA: Person = Person { name: "Tanaka", ..NODA };

/// What the record says last, as `name by`.
fn last(site: &Site) -> String {
    let file = site.desk.incident(NUMBER);
    format!("{} {}", file.state.as_str(), file.version)
}

async fn done(site: &Site, who: &Person, act: &str, fields: &[(&str, &str)]) {
    let before = last(site);
    let answer = who.send(site, &path(&format!("/do/{act}")), fields).await;
    assert_eq!(answer.status, 303, "{act}: {}", words(&answer.body));
    assert_eq!(answer.header("location"), path(""), "{act}");
    assert_ne!(last(site), before, "{act} is on record");
}

#[tokio::test]
async fn what_is_typed_is_done_in_the_name_of_who_typed_it() {
    let site = site().await;
    for (who, act, fields, told) in [
        (NODA, "acknowledge", &[("seat", "communications_lead")][..], "Noda acknowledged as communications lead"),
        (NODA, "join", &[], "Noda joined"),
        (
            SATO,
            "hand_over",
            &[("seat", "commander"), ("to", "Takahashi"), ("reason", "night")],
            "commander: Sato hands over to Takahashi Sato night",
        ),
        (SATO, "note", &[("text", "All is <well>"), ("tell", "yes")], "Message to staff Sato All is &lt;well&gt;"),
        (NODA, "note", &[("text", "for later"), ("tell", "no")], "Note Noda for later"),
        (
            SATO,
            "correct_time",
            &[("milestone", "workaround_available"), ("instant", "2026-11-22 04:00"), ("reason", "phone log")],
            "workaround available corrected to 22 Nov 2026 04:00 Sato phone log",
        ),
        (
            ENDO,
            "claim",
            &[("devices", "B-0006, B-0009"), ("claim", "fix")],
            "Claimed for 2 devices: fix installed Endo",
        ),
        (
            SATO,
            "sign_off",
            &[("device", "B-0993"), ("kind", "decommissioned"), ("reason", "order 12")],
            "B-0993 signed off: decommissioned Sato order 12",
        ),
        (
            SATO,
            "lift",
            &[("device", "B-0993"), ("reason", "it is back")],
            "B-0993 is no longer signed off Sato it is back",
        ),
        (
            KIMURA,
            "countermeasure",
            &[
                ("workaround", "WA-2"),
                ("script_ja", "手順"),
                ("fix_kind", "update"),
                ("fix_value", "2026.11.24"),
                ("fix_due", "2026-11-25 18:00"),
            ],
            "Countermeasure version 3 registered Kimura",
        ),
        (TANAKA, "agree", &[("version", "3")], "Development agreed to version 3 Tanaka"),
        (ENDO, "script", &[("version", "3")], "Endo has read version 3 of the script"),
    ] {
        done(&site, &who, act, fields).await;
        let page = SATO.read(&site, &path("/record")).await;
        assert!(page.contains(told), "{told:?} is not in {}", &page[..page.len().min(1_500)]);
    }
    let incident = site.desk.incident(NUMBER);
    assert_eq!(incident.muster.holder(fleetwatch::incident::Role::Commander), Some("Takahashi"));
    let split = SATO
        .send(&site, &path("/do/split"), &[("devices", ""), ("branch", "branch-03"), ("reason", "another line")])
        .await;
    assert_eq!((split.status, split.header("location")), (303, "/incidents/INC-2026-0102"), "{}", words(&split.body));
    done_elsewhere(&site).await;
    site.server.stop().await;
}

async fn done_elsewhere(site: &Site) {
    let demoted = SATO.send(site, "/incidents/INC-2026-0102/do/demote", &[("reason", "a test")]).await;
    assert_eq!(demoted.status, 303);
    let page = SATO.read(site, "/incidents/INC-2026-0102").await;
    assert!(page.contains("Not a major incident: a test") && !page.contains("Sign off a device"), "{page}");
    let merged = SATO.send(site, "/incidents/INC-2026-0008/do/merge", &[("into", NUMBER), ("reason", "same")]).await;
    assert_eq!((merged.status, merged.header("location")), (303, &*path("")));
    let gone = SATO.read(site, "/incidents/INC-2026-0007").await;
    assert!(gone.contains("INC-2026-0008"), "the other number is told");
    let declared = SATO.send(site, "/incidents/E-77aa0f10/do/declare", &[("reason", "a hospital")]).await;
    assert_eq!((declared.status, declared.header("location")), (303, "/incidents/INC-2026-0999"));
}

/// Who does what with which fields; the status, the field that the fault stands at, and what it says.
type RefusedAct = (Person, &'static str, &'static [(&'static str, &'static str)], u16, &'static str, &'static str);

const REFUSED: &[RefusedAct] = &[
    (NODA, "acknowledge", &[("seat", "king")], 422, "seat", "Choose a role from the list."),
    (
        SATO,
        "hand_over",
        &[("seat", "commander"), ("to", "Sato"), ("reason", "r")],
        422,
        "to",
        "Commander is held by Sato already.",
    ),
    (
        SATO,
        "hand_over",
        &[("seat", "commander"), ("to", "Mori"), ("reason", "")],
        422,
        "reason",
        "Enter a reason of 1 to",
    ),
    (SATO, "note", &[("text", ""), ("tell", "yes")], 422, "text", "Enter a text of 1 to"),
    (
        SATO,
        "correct_time",
        &[("milestone", "fix_available"), ("instant", "soon"), ("reason", "typed reason")],
        422,
        "instant",
        "Not a valid time.",
    ),
    (
        SATO,
        "correct_time",
        &[("milestone", "fix_available"), ("instant", "2026-11-30 00:00"), ("reason", "typed reason")],
        422,
        "instant",
        "in the future",
    ),
    (
        SATO,
        "correct_time",
        &[("milestone", "declared"), ("instant", "2026-11-22 03:00"), ("reason", "r")],
        422,
        "instant",
        "are measured and cannot be corrected",
    ),
    (KIMURA, "countermeasure", &[("fix_kind", "none")], 422, "", "a workaround, a permanent fix, or both"),
    (KIMURA, "countermeasure", &[("workaround", "WA-9")], 422, "script_ja", "a script in at least one language"),
    (
        KIMURA,
        "countermeasure",
        &[("fix_kind", "update"), ("fix_value", "9"), ("fix_due", "18:00")],
        422,
        "fix_due",
        "Enter date and time",
    ),
    (TANAKA, "agree", &[("version", "1")], 422, "", "Version 1 was replaced by version 2."),
    (TANAKA, "agree", &[("version", "2")], 422, "", "Version 2 is agreed already."),
    (ENDO, "script", &[("version", "7")], 422, "", "There is no version 7"),
    (ENDO, "claim", &[("devices", "B-0001"), ("claim", "fix")], 422, "devices", "B-0001 is not part of this incident."),
    (ENDO, "claim", &[("devices", ""), ("claim", "fix")], 422, "devices", "Name at least one device."),
    (
        SATO,
        "sign_off",
        &[("device", "B-0990"), ("kind", "unreachable"), ("reason", "typed reason")],
        422,
        "kind",
        "after 3 recorded calls without an answer",
    ),
    (SATO, "lift", &[("device", "B-0006"), ("reason", "r")], 422, "", "B-0006 is not signed off."),
    (SATO, "promote", &[("reason", "r")], 422, "", "concerns the whole fleet already"),
    (SATO, "merge", &[("into", "INC-2026-4444"), ("reason", "r")], 404, "", "There is no incident INC-2026-4444."),
    (SATO, "split", &[("devices", "B-0001"), ("reason", "r")], 422, "devices", "not part of this incident"),
    (SATO, "review", &[("text", "too early")], 422, "", "the present state (fixing)"),
    (SATO, "close", &[], 422, "", "Not everything is done."),
];

#[tokio::test]
async fn what_is_refused_is_shown_again_as_it_was_typed_with_the_fault() {
    let site = site().await;
    for &(who, act, fields, status, field, fault) in REFUSED {
        let before = last(&site);
        let answer = who.send(&site, &path(&format!("/do/{act}")), fields).await;
        let seen = words(&answer.body);
        assert_eq!(answer.status, status, "{act} {fields:?}: {seen}");
        assert_well_formed(&answer.body);
        assert!(seen.contains("Not carried out") && seen.contains(fault), "{act}: {fault:?} is not in {seen}");
        assert_eq!(last(&site), before, "{act}: nothing has changed");
        if !field.is_empty() {
            assert!(answer.body.contains(&format!("href=\"#f-{field}\"")), "{act} leads to {field}");
        }
        for (name, typed) in fields.iter().filter(|(_, typed)| typed.starts_with("typed")) {
            assert!(answer.body.contains(&format!(">{typed}</textarea>")), "{act} keeps {name}");
        }
    }
    let japanese = SATO.japanese().send(&site, &path("/do/note"), &[("text", "")]).await;
    assert!(words(&japanese.body).contains("本文を1〜4000文字で入力してください。"), "{}", words(&japanese.body));
    site.server.stop().await;
}

#[tokio::test]
async fn who_may_not_is_offered_nothing_and_refused() {
    let site = site().await;
    let page = YAGI.look(&site, &path("")).await;
    assert!(!page.body.contains("method=\"post\"") && !page.body.contains("/do/"), "a viewer has no buttons");
    assert!(!words(&page.body).contains("0120-"), "and no telephone numbers");
    let noc = NODA.look(&site, &path("")).await.body;
    assert!(noc.contains("/do/acknowledge") && noc.contains("/do/countermeasure") && !noc.contains("/do/demote"));
    for (who, act, fields) in [
        (YAGI, "note", &[("text", "x"), ("tell", "no")][..]),
        (YAGI, "acknowledge", &[("seat", "commander")]),
        (NODA, "claim", &[("devices", "B-0006"), ("claim", "fix")]),
        (ENDO, "release_fix", &[]),
        (NODA, "close", &[]),
        (ENDO, "countermeasure", &[("fix_kind", "update"), ("fix_value", "9")]),
        (ENDO, "sign_off", &[("device", "B-0006"), ("kind", "replaced"), ("reason", "r")]),
        (ENDO, "demote", &[("reason", "r")]),
        // The commander's part is Sato's to give away, or a commander's.
        (NODA, "hand_over", &[("seat", "commander"), ("to", "Noda"), ("reason", "r")]),
    ] {
        let before = last(&site);
        let answer = who.send(&site, &path(&format!("/do/{act}")), fields).await;
        assert_eq!((answer.status, last(&site)), (403, before), "{act} by {}", who.name);
        // A viewer has no form to send: that is refused before anything is asked.
        assert!(
            who.role == "viewer" || words(&answer.body).contains("may not do this"),
            "{act}: {}",
            words(&answer.body)
        );
    }
    // Who holds a part may hand it over.
    let held = Person { name: "Kimura", ..NODA };
    done(&site, &held, "hand_over", &[("seat", "development_lead"), ("to", "Tanaka"), ("reason", "home")]).await;
    site.server.stop().await;
}

#[tokio::test]
async fn a_form_of_a_foreign_page_or_without_its_token_is_refused() {
    let site = site().await;
    let before = last(&site);
    let answer = SATO.send_with(&site, &path("/do/note"), &[("text", "x")], "forged").await;
    assert_eq!((answer.status, last(&site)), (403, before));
    for nowhere in ["/incidents/INC-2026-4444/do/note", &path("/do/delete"), "/incidents/INC-2026-4444/review"] {
        assert_eq!(SATO.look(&site, nowhere).await.status, 404, "{nowhere}");
    }
    // An incident is not declared again, and what is none takes no other act.
    assert_eq!(SATO.look(&site, &path("/do/declare")).await.status, 404);
    assert_eq!(SATO.look(&site, "/incidents/E-77aa0f10/do/note").await.status, 404);
    assert!(SATO.read(&site, "/incidents/E-77aa0f10").await.contains("Declare now"));
    site.server.stop().await;
}

#[tokio::test]
async fn a_record_that_cannot_be_written_is_said_so_and_nothing_is_lost() {
    let site = site().await;
    *site.desk.broken.lock().unwrap() = true;
    let answer = SATO.send(&site, &path("/do/note"), &[("text", "typed before"), ("tell", "no")]).await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("typed before</textarea>") && words(&answer.body).contains("cannot be written"));
    site.server.stop().await;
}

#[tokio::test]
async fn the_close_shows_what_is_in_the_way_until_nothing_is() {
    let site = site_of(vec![life::with_workaround(NUMBER, &[3, 6, 9])], LATER).await;
    let close = || path("/do/close");
    let page = SATO.look(&site, &close()).await;
    let seen = words(&page.body);
    assert!(seen.contains("It cannot be closed yet") && seen.contains("The fleet cannot be seen right now"), "{seen}");
    assert!(!page.body.contains("<button"), "there is no button that fails");

    *site.desk.sight.lock().unwrap() = Sight::Quiet;
    let seen = SATO.read(&site, &close()).await;
    assert!(seen.contains("3 devices are neither done nor signed off B-0003 , B-0006 , B-0009"), "{seen}");

    for device in ["B-0003", "B-0006", "B-0009"] {
        let fields = [("device", device), ("kind", "replaced"), ("reason", "new box")];
        assert_eq!(SATO.send(&site, &path("/do/sign_off"), &fields).await.status, 303);
    }
    use fleetwatch::incident::{Action, Milestone, TELEMETRY};
    let now = life::at(LATER);
    site.desk.happen(NUMBER, TELEMETRY, Action::Timed { milestone: Milestone::Resolved, instant: now, reason: None });
    site.desk.happen(NUMBER, TELEMETRY, Action::Moved { from: State::WorkaroundAvailable, to: State::Resolved });
    let seen = SATO.read(&site, &close()).await;
    assert!(seen.contains("File the review first"), "{seen}");

    let review = SATO.read(&site, &path("/review")).await;
    assert!(review.contains("The review is due by 30 Nov 2026"), "{review}");
    // It is edited from the draft, which is shown as it reads; what only people can know has to be written.
    let page = SATO.look(&site, &path("/review")).await.body;
    let text = page.split_once("<textarea").unwrap().1.split_once('>').unwrap().1.split_once("</textarea>").unwrap().0;
    assert!(text.starts_with("# INC-2026-0007: review\n") && text.contains("- (to be written)"), "{text}");
    assert!(page.contains("<h3>Durations</h3><div class=\"wide\"><table>"), "{page}");
    let draft = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    let early = SATO.send(&site, &path("/do/review"), &[("text", &draft)]).await;
    assert!(early.status == 422 && words(&early.body).contains("Something is still to be written"), "{}", early.status);
    let whole = draft.replace("(to be written)", "We watch the first hour of an update.");
    assert!(whole.chars().count() <= fleetwatch::incident::MAX_REVIEW, "{}", whole.len());
    let filed = SATO.send(&site, &path("/do/review"), &[("text", "What happened.\nWhat will change.")]).await;
    assert_eq!(filed.status, 303, "{}", words(&filed.body));
    let markdown = SATO.look(&site, &path("/review.md")).await;
    assert_eq!(markdown.header("content-type"), "text/markdown; charset=utf-8");
    assert!(
        markdown.body.starts_with("# INC-2026-0007: review (draft)\n")
            && markdown.body.contains("\nWhat happened.\nWhat will change.\n")
    );

    let page = SATO.look(&site, &close()).await;
    assert!(page.body.contains("<button"), "{}", words(&page.body));
    assert_eq!(SATO.send(&site, &close(), &[]).await.status, 303);
    assert_eq!(site.desk.incident(NUMBER).state, State::Closed);
    let page = SATO.read(&site, &path("")).await;
    assert!(page.contains("\u{25cf} now: closed") && !page.contains("Correct a time"), "{page}");
    site.server.stop().await;
}
