//! One incident, handed on whole.

use fleetwatch::engine::gate::{DETECTOR, Gate};
use fleetwatch::incident::{Action, Incident, IncidentEvent};
use fleetwatch::record::EventStore;
use fleetwatch::record::export::{COLUMNS, Export};
use fleetwatch::record::incident::{IncidentAppend, IncidentStore};
use fleetwatch::record::outbox::{Outbox, Outcome};
use fleetwatch::store::Store;

use crate::incidents::opened;
use crate::outbox::{at, message};
use crate::place::{Place, in_both};
use crate::record::decided;
use crate::sample::{EVENT, NOW, history};

in_both!(an_export_has_everything_and_its_story_is_in_order, an_export_of_what_is_not_there_is_none);

async fn export(store: &dyn Store, id: &str) -> Option<Export> {
    let parts: (&dyn EventStore, &dyn IncidentStore, &dyn Outbox) = (store, store, store);
    Export::read(parts, id, at(60)).await.unwrap()
}

/// The CSV as a spreadsheet reads it, without its header.
fn story(export: &Export) -> Vec<Vec<String>> {
    let mut bytes = Vec::new();
    export.write_csv(&mut bytes).unwrap();
    assert!(bytes.starts_with("\u{feff}".as_bytes()), "so that a spreadsheet in Japan takes it for UTF-8");
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    assert_eq!(reader.headers().unwrap(), &COLUMNS[..]);
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

async fn an_export_has_everything_and_its_story_is_in_order(place: &Place) {
    let store = place.open().await;
    store.append(&history(), NOW).await.unwrap();
    store.append_gates(&[decided(1, Gate::Hold, DETECTOR, Some(EVENT))], NOW).await.unwrap();
    let events = [
        opened(EVENT, "INC-0001", 0, &[3, 6, 9]),
        IncidentEvent {
            at: at(4),
            by: "=佐藤".to_owned(),
            action: Action::Noted { text: "called, \"all\"\nat once".to_owned(), told: true },
        },
    ];
    let after = Incident::of(&events).unwrap().summary();
    let messages = [message("m", Some("INC-0001"), 2), message("other", Some("INC-0002"), 2)];
    let append = IncidentAppend { id: EVENT, expected: 0, events: &events, after: &after, messages: &messages };
    store.append_incidents(&[append], at(5)).await.unwrap();
    for dispatch in store.due(at(2), 9).await.unwrap() {
        store.attempted(dispatch.id, at(3), &Outcome::Failed { error: "no such room".to_owned() }).await.unwrap();
    }

    let whole = export(&*store, "INC-0001").await.unwrap();
    assert_eq!(export(&*store, EVENT).await.as_ref(), Some(&whole));
    let incident = whole.incident.as_ref().unwrap();
    assert_eq!(whole.detected, store.event(EVENT).await.unwrap());
    assert_eq!((incident.summary.as_ref(), incident.events.len(), whole.deliveries.len()), (Some(&after), 2, 1));
    let json = serde_json::to_value(&whole).unwrap();
    assert_eq!(json["detected"]["changes"].as_array().unwrap().len(), history().len());
    assert_eq!(json["incident"]["events"][1]["text"], "called, \"all\"\nat once");

    let lines = story(&whole);
    assert_eq!(lines.len(), history().len() + 1 + 2 + 1);
    assert!(lines.is_sorted_by_key(|line| line[0].clone()), "by the instant at which it happened");
    let what = |name: &str| lines.iter().find(|line| line[3] == name).unwrap_or_else(|| panic!("{name}: {lines:#?}"));
    let declared = what("declared");
    assert!(
        declared[4].contains("devices: 330 (B-0003 B-0006") && declared[4].contains("and 280 more"),
        "{declared:?}"
    );
    assert!(declared[4].contains("cause: (") && declared[4].contains("2026.11.21"), "{declared:?}");
    let opened = what("opened");
    assert!(opened[4].contains("devices: 3 (B-0003 B-0006 B-0009)"), "{opened:?}");
    assert!(opened[4].contains("declared_at: 2026-11-21T18:30:00Z"), "{opened:?}");
    assert_eq!(what("gate_hold")[2], DETECTOR);
    let noted = what("noted");
    let expected = ["2026-11-21T18:34:00Z", "2026-11-21T18:35:00Z", "'=佐藤", "noted"];
    assert_eq!(noted[..4], expected, "a name that a spreadsheet would run is escape_formula");
    assert!(noted[4].contains("text: called, \"all\"\nat once"), "{noted:?}");
    let failed = what("message_failed");
    assert!(failed[4].contains("error: no such room") && failed[4].contains("target: #noc"), "{failed:?}");
}

async fn an_export_of_what_is_not_there_is_none(place: &Place) {
    let store = place.open().await;
    assert_eq!(export(&*store, "INC-0001").await, None);
    // An event that was only warned of has a story too.
    store.append(&crate::sample::near_miss(), NOW).await.unwrap();
    let warned = export(&*store, "E-0031").await.unwrap();
    assert_eq!((warned.incident.is_none(), story(&warned).len()), (true, 2));
}
