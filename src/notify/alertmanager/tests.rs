use std::time::Duration;

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_795_305_600_000);

fn alert(incident: &str) -> Alert {
    Alert {
        incident: incident.into(),
        severity: "major".into(),
        scope: "fleet".into(),
        subject: Both { ja: "件名".into(), en: "subject".into() },
        summary: None,
        suspect: Some("update 2026.11.21".into()),
        path: format!("/incidents/{incident}"),
        started_at: NOW.plus_ms(-3_600_000),
        ended_at: None,
    }
}

fn alertmanager() -> Alertmanager {
    let access = Access { ca_file: None, timeout: Duration::from_secs(1) };
    Alertmanager::new(&["http://127.0.0.1:1".into()], Voice::default(), &access).unwrap()
}

/// A teller over a list that the test changes.
fn teller() -> (Teller, Arc<Mutex<Vec<Alert>>>) {
    let list: Arc<Mutex<Vec<Alert>>> = Arc::default();
    let shared = Arc::clone(&list);
    (Teller::new(Arc::new(alertmanager()), Arc::new(move || shared.lock().unwrap().clone())), list)
}

fn minute(n: i64) -> Timestamp {
    NOW.plus_ms(n * EVERY_MS)
}

#[test]
fn labels_hold_whatever_changes() {
    let to = alertmanager();
    let first = to.posted(&alert("INC-1"), ALERT_NAME, NOW);
    let changed = Alert { scope: "isolated".into(), severity: "warning".into(), suspect: None, ..alert("INC-1") };
    let second = to.posted(&changed, ALERT_NAME, minute(1));
    assert_eq!(first.labels, second.labels);
    assert_ne!(first.annotations, second.annotations);
    assert_eq!(first.labels["scope"], "fleet");
    assert!(second.annotations.values().chain(second.labels.values()).all(|text| !text.is_empty()));
}

#[test]
fn an_open_alert_ends_ahead_and_an_ended_one_in_the_past() {
    let to = alertmanager();
    let open = to.posted(&alert("INC-1"), ALERT_NAME, NOW);
    assert_eq!((open.starts_at.as_str(), open.ends_at.as_str()), ("2026-11-21T23:00:00Z", "2026-11-22T00:04:00Z"));
    let ended = Alert { ended_at: Some(NOW.plus_ms(99)), ..alert("INC-1") };
    assert_eq!(to.posted(&ended, ALERT_NAME, NOW).ends_at, "2026-11-22T00:00:00Z");
    // A start that lies after the end would be refused.
    let odd = Alert { ended_at: Some(NOW), started_at: NOW.plus_ms(5), ..alert("INC-1") };
    assert_eq!(to.posted(&odd, ALERT_NAME, NOW).starts_at, "2026-11-22T00:00:00Z");
}

#[test]
fn every_open_incident_is_told_every_minute_and_an_end_a_few_times() {
    let (mut teller, list) = teller();
    *list.lock().unwrap() = vec![alert("INC-1"), alert("INC-2")];
    let told = |due: &[Alert]| -> Vec<(String, bool)> {
        due.iter().map(|alert| (alert.incident.clone(), alert.ended_at.is_some())).collect()
    };
    for n in 0..3 {
        assert_eq!(told(&teller.due(minute(n))), [("INC-1".into(), false), ("INC-2".into(), false)]);
    }
    list.lock().unwrap().remove(0);
    let mut ends = 0;
    for n in 3..20 {
        let due = teller.due(minute(n));
        ends += due.iter().filter(|alert| alert.incident == "INC-1" && alert.ended_at == Some(minute(3))).count();
        assert!(due.iter().any(|alert| alert.incident == "INC-2" && alert.ended_at.is_none()));
    }
    assert_eq!(ends, END_TOLD as usize);
}

#[test]
fn an_end_that_is_listed_is_told_with_its_own_time_and_forgotten_in_the_end() {
    let (mut teller, list) = teller();
    let ended = Alert { ended_at: Some(minute(-2)), ..alert("INC-1") };
    *list.lock().unwrap() = vec![ended.clone()];
    let told: usize = (0..10).map(|n| teller.due(minute(n)).len()).sum();
    assert_eq!(told, END_TOLD as usize);
    list.lock().unwrap().clear();
    teller.due(minute(59));
    assert!(teller.ended.is_empty());
}

#[test]
fn a_reopened_incident_is_told_as_open_again() {
    let (mut teller, list) = teller();
    *list.lock().unwrap() = vec![alert("INC-1")];
    teller.due(minute(0));
    list.lock().unwrap().clear();
    assert!(teller.due(minute(1))[0].ended_at.is_some());
    *list.lock().unwrap() = vec![alert("INC-1")];
    let due = teller.due(minute(2));
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].ended_at, None);
}
