//! Metrics: what is used exists, what is exported is described.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use fleetwatch::clock::Clock;
use fleetwatch::engine::device::{Label, TrafficClass};
use fleetwatch::engine::effect::{ChangeKind, Scope, Severity};
use fleetwatch::engine::report::{Bucket, ClassReport, Report};
use fleetwatch::metrics::incidents::{IncidentSample, LadderCount, MILESTONES, STEPS};
use fleetwatch::metrics::{Counters, DeviceSeries, Exporter};

use crate::sample::{self, NOW, Stage};
use crate::{all_dashboards, list, read, text};

/// What Prometheus itself says of a target.
const OF_PROMETHEUS: [&str; 2] = ["up", "scrape_duration_seconds"];

/// An incident of `event`, half-way down the ladder.
fn incident(event: &str, devices: &[&str]) -> IncidentSample {
    let at = |hours: i64| NOW.plus_ms(hours * 3_600_000);
    IncidentSample {
        incident: "INC-2026-0001".to_owned(),
        event: event.to_owned(),
        severity: Severity::Major,
        scope: Scope::Fleet,
        state: "pending_permanent_fix",
        cause: Some(sample::cause().suspect),
        started_at: at(-2),
        declared_at: at(-1),
        promise_at: Some(at(71)),
        forecast_end_at: Some(at(60)),
        ladder: STEPS
            .iter()
            .map(|step| LadderCount { branch: Some(Label::from("branch-01")), step, devices: 3 })
            .collect(),
        devices: devices
            .iter()
            .map(|id| (fleetwatch::engine::device::DeviceId::parse(id).unwrap(), "contacted"))
            .collect(),
        milestones: MILESTONES.iter().map(|milestone| (*milestone, at(-1))).collect(),
        roles: vec![("commander".to_owned(), "joined"), ("support".to_owned(), "paged")],
    }
}

/// Everything that can be exported.
fn exporter(incident: IncidentSample) -> Exporter {
    let counters = Arc::new(Counters::new(&["not_json"]));
    let snapshot = sample::snapshot(100, Stage::Minute(42));
    let counts = ClassReport {
        class: TrafficClass::Https,
        buckets: 0..1,
        rules: 0..0,
        flows: 1,
        flagged: 0,
        canary: 1,
        canary_flagged: 0,
        released: 0,
    };
    let report = Report { classes: vec![counts], buckets: vec![Bucket { index: 100, count: 1 }], ..Report::default() };
    counters.recorded(sample::id(1).as_str(), &report);
    counters.notifications.open("chat");
    counters.changed(&sample::change(ChangeKind::Declared, NOW, &[3]));
    let clock = Clock::scaled(NOW, 0.000_001);
    Exporter::new(counters, Arc::new(ArcSwap::from_pointee(snapshot)), clock, DeviceSeries::Full)
        .with_incidents(Arc::new(move || vec![incident.clone()]))
}

/// Name, kind and help of everything that is exported.
fn exported() -> BTreeMap<String, (String, String)> {
    let text = exporter(incident(sample::EVENT, &["B-0003"])).render();
    let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            found.entry(name.to_owned()).or_default().1 = help.to_owned();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            found.entry(name.to_owned()).or_default().0 = kind.to_owned();
        }
    }
    found
}

/// Names in an expression that could be metrics or recorded series: what stands before `{`, `[` or is no function or label.
fn names_in(expr: &str) -> BTreeSet<String> {
    let mut outside_of_texts = String::new();
    for (number, part) in expr.split('"').enumerate() {
        if number % 2 == 0 {
            outside_of_texts.push_str(part);
        }
    }
    let words = outside_of_texts.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let is_ours = |word: &&str| {
        word.starts_with("fleetwatch_")
            || word.starts_with("process_")
            || word.contains(':')
            || OF_PROMETHEUS.contains(word)
    };
    words.filter(is_ours).map(|word| word.trim_end_matches(':').to_owned()).collect()
}

/// The values of a key in a rule file. `promtool check rules` has read the file as what it is.
fn rules(key: &str) -> Vec<String> {
    let files = ["grafana/prometheus/fleetwatch-recording.yml", "grafana/prometheus/fleetwatch-alerts.yml"];
    let lines = files.map(read).join("\n");
    let named = lines.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix(key).map(str::trim));
    named.map(str::to_owned).collect()
}

/// The rules' expressions: what stands after `expr:` up to the next key.
fn rule_expressions() -> String {
    let files = ["grafana/prometheus/fleetwatch-recording.yml", "grafana/prometheus/fleetwatch-alerts.yml"];
    let text = files.map(read).join("\n");
    let mut inside = false;
    let mut found = String::new();
    for line in text.lines() {
        let line = line.trim();
        let key = line.trim_start_matches("- ").split(": ").next().unwrap_or("").trim_end_matches(':');
        if ["expr", "record", "alert", "for", "labels", "annotations", "interval", "name"].contains(&key)
            || line.starts_with('#')
        {
            inside = key == "expr";
        }
        if inside {
            found.push_str(line.trim_start_matches("expr:"));
            found.push('\n');
        }
    }
    found
}

#[test]
fn every_metric_that_is_used_exists() {
    let exported = exported();
    let recorded: BTreeSet<String> = rules("record:").into_iter().collect();
    let mut used: BTreeSet<String> = names_in(&rule_expressions());
    for (_, dashboard) in all_dashboards() {
        let targets = list(&dashboard, "/panels").iter().flat_map(|panel| list(panel, "/targets"));
        let exprs = targets.chain(list(&dashboard, "/annotations/list")).map(|one| text(one, "/expr").to_owned());
        let queries = list(&dashboard, "/templating/list").iter().map(|one| text(one, "/query/query").to_owned());
        used.extend(exprs.chain(queries).flat_map(|expr| names_in(&expr)));
    }
    assert!(used.len() > 80 && used.contains("fleetwatch_cohort_probes_total"), "{used:?}");
    let exists = |name: &str| {
        let of_histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .any(|base| exported.get(base).is_some_and(|(kind, _)| kind == "histogram"));
        exported.contains_key(name) || of_histogram || recorded.contains(name) || OF_PROMETHEUS.contains(&name)
    };
    let unknown: Vec<_> = used.iter().filter(|name| !exists(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let idle: Vec<_> = recorded.iter().filter(|name| !used.contains(*name)).collect();
    assert!(idle.is_empty(), "recorded for nobody: {idle:?}");
}

#[test]
fn every_alert_has_a_case() {
    let cases = read("grafana/prometheus/tests/alerts.test.yml");
    for alert in rules("alert:") {
        assert!(cases.contains(&format!("alertname=\"{alert}\"")), "{alert} has no case in alerts.test.yml");
    }
    let cases = read("grafana/prometheus/tests/recording.test.yml");
    for record in rules("record:") {
        assert!(cases.contains(&record), "{record} has no case in recording.test.yml");
    }
}

/// The table stands between two marks in grafana/README.md. A failure prints what it should be.
#[test]
fn every_metric_that_is_exported_is_described() {
    let mut table = String::from("| metric | kind | what |\n|---|---|---|\n");
    for (name, (kind, help)) in exported() {
        table.push_str(&format!("| `{name}` | {kind} | {help} |\n"));
    }
    let readme = read("grafana/README.md");
    let (_, rest) = readme.split_once("<!-- metrics: begin -->\n").unwrap();
    let (there, _) = rest.split_once("<!-- metrics: end -->").unwrap();
    assert!(there == table, "the table of grafana/README.md should be:\n{table}");
}
