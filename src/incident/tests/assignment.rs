//! Which incident an event belongs to, as a table; and that nothing is said twice.

use super::*;

fn event(event_id: &str, number: &str, suspect: Option<&str>, devices: std::ops::Range<usize>) -> DeclaredEvent {
    let scope = if devices.len() == 1 { Scope::Isolated } else { Scope::Fleet };
    DeclaredEvent {
        event_id: event_id.into(),
        number: number.into(),
        aliases: Vec::new(),
        scope,
        impact_started_at: minute(-30),
        declared_at: minute(30),
        streak_s: 3_600,
        cause: suspect.map(cause),
        devices: devices.map(id).collect(),
    }
}

#[test]
fn an_event_belongs_by_its_name_then_its_suspect_then_its_devices() {
    // The incident is INC-2026-0007, opened by E-0012: devices 0 to 9, suspect 2026.11.21.
    let fleet = Story::declared(10).incident;
    let lone = Story::declared(1).incident;
    let own = "2026.11.21";
    for (what, event, to_fleet, to_lone) in [
        ("the event itself", event("E-0012", "INC-2026-0007", None, 50..60), true, true),
        ("its number", event("E-0013", "INC-2026-0007", None, 50..60), true, true),
        (
            "what it proved to be",
            {
                let aliases = vec!["E-0012".to_owned()];
                DeclaredEvent { aliases, ..event("E-0013", "INC-2026-0008", None, 50..60) }
            },
            true,
            true,
        ),
        ("the same suspect", event("E-0013", "INC-2026-0008", Some(own), 50..60), true, false),
        ("the same suspect, of one alone", event("E-0013", "INC-2026-0008", Some(own), 50..51), false, false),
        ("another suspect", event("E-0013", "INC-2026-0008", Some("2026.11.22"), 50..60), false, false),
        ("more than half of its devices", event("E-0013", "INC-2026-0008", None, 4..15), true, false),
        ("half of its devices", event("E-0013", "INC-2026-0008", None, 5..15), false, false),
        ("the lone device", event("E-0013", "INC-2026-0008", None, 0..1), true, true),
        ("nothing in common", event("E-0013", "INC-2026-0008", None, 50..60), false, false),
    ] {
        assert_eq!((event.belongs_to(&fleet), event.belongs_to(&lone)), (to_fleet, to_lone), "{what}");
    }
}

#[test]
fn an_event_heard_twice_or_in_pieces_changes_nothing_more() {
    let incident = Story::declared(3).incident;
    let later = event("E-0013", "INC-2026-0008", Some("2026.11.21"), 2..6);
    let new: Vec<Joining> = (2..6).map(joining).collect();
    let events = incident.on_event(&later, &new, minute(31));
    let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["attached", "joined"]);
    let mut after = incident.clone();
    events.iter().for_each(|event| after.apply(event));
    assert!(after.on_event(&later, &new, minute(32)).is_empty());

    let (first, second) =
        (event("E-0013", "INC-2026-0008", None, 2..4), event("E-0013", "INC-2026-0008", Some("2026.11.21"), 3..6));
    let mut heard = first.clone();
    heard.extend(second);
    assert_eq!(heard, later);
}

#[test]
fn only_the_event_that_opened_an_incident_says_what_it_is() {
    let incident = Story::declared(1).incident;
    let own = event("E-0012", "INC-2026-0007", Some("2026.11.22"), 0..4);
    let actions = |event: &DeclaredEvent| -> Vec<String> {
        let happened = incident.on_event(event, &[], minute(31));
        happened.iter().map(|event| event.action.as_str().to_owned()).collect()
    };
    assert_eq!(actions(&own), ["cause_changed", "promoted"]);
    let other = DeclaredEvent { event_id: "E-0013".into(), ..own };
    assert_eq!(actions(&other), ["attached"]);
}

#[test]
fn an_incident_follows_a_closed_one_but_not_one_that_became_another() {
    let mut incident = Story::declared(4).incident;
    let again = event("E-0020", "INC-2026-0009", None, 1..5);
    assert!(again.follows(&incident));
    incident.ended = Some(aggregate::Ended::Merged { into: "INC-2026-0001".into() });
    assert!(!again.follows(&incident));
}
