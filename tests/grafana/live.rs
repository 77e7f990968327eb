//! Debian's Prometheus and Alertmanager, with the sample configurations, on a running demo: every query of every panel,
//! variable and mark runs and returns data at some time of the story, from the quiet before the rollout to the closed incident.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::process::{Running, are_installed, free_port, get, json, line_of, start, until};
use super::{all_dashboards, list, read, root, text};

/// Above what any step may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Queries that have nothing to show in a story of two minutes: dashboard, panel, query, why.
const EMPTY: &[(&str, &str, &str, &str)] =
    &[("device", "Delay", "D", "there is no day before"), ("itself", "Rejected messages", "A", "a demo tells nobody")];

/// Whether it asks for the second, third, ... of a kind, of which there may be fewer in the story.
fn is_a_lower_rank(expr: &str) -> bool {
    expr.contains("topk(") && expr.contains(" unless on (") && expr.contains("@ end()")
}

const PROGRAMS: [(&str, &str); 5] = [
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("amtool", "prometheus-alertmanager"),
    ("mosquitto_pub", "mosquitto-clients"),
];

/// Runs a checker over files; fails with what it says.
fn check(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).current_dir(root()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn rules_and_configurations_have_no_fault_and_every_rule_does_what_it_says() {
    if !are_installed(&PROGRAMS) {
        return;
    }
    let (recording, alerts) =
        ("grafana/prometheus/fleetwatch-recording.yml", "grafana/prometheus/fleetwatch-alerts.yml");
    check("promtool", &["check", "rules", recording, alerts]);
    let cases = ["recording", "alerts"].map(|name| format!("grafana/prometheus/tests/{name}.test.yml"));
    check("promtool", &["test", "rules", &cases[0], &cases[1]]);
    check("promtool", &["check", "config", "deploy/prometheus/prometheus.yml"]);
    check("amtool", &["check-config", "deploy/alertmanager/alertmanager.yml"]);
}

/// Everything that runs.
struct Night {
    prometheus: String,
    alertmanager: String,
    mqtt_port: String,
    started_s: u64,
    _place: tempfile::TempDir,
    _running: Vec<Running>,
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Night {
    fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut demo = Command::new(env!("CARGO_BIN_EXE_fleetwatch"));
        demo.args(["demo", "--plain", "--devices", "60", "--speed", "240"]).env_remove("FLEETWATCH_CONFIG");
        let (demo, lines) = start(demo.env("TMPDIR", place.path()));
        let address =
            |line: &str, what: &str| Some(line.trim().strip_prefix(what)?.split_whitespace().next()?.to_owned());
        let metrics = line_of(&lines, PATIENCE, |line| address(line, "metrics"));
        let mqtt = line_of(&lines, PATIENCE, |line| address(line, "mqtt"));
        let listener = metrics.trim_end_matches("/metrics");
        let target = listener.rsplit(':').next().unwrap().parse().unwrap();
        let (alertmanager, alertmanager_port) = start_alertmanager(place.path());
        let (prometheus, prometheus_port) = start_prometheus(place.path(), target, alertmanager_port);
        Self {
            prometheus: format!("http://127.0.0.1:{prometheus_port}/api/v1"),
            alertmanager: format!("http://127.0.0.1:{alertmanager_port}/api/v2"),
            mqtt_port: mqtt.rsplit(':').next().unwrap().to_owned(),
            started_s: now_s(),
            _place: place,
            _running: vec![demo, alertmanager, prometheus],
        }
    }

    /// The series of a query from the start of the story until now.
    fn series(&self, expr: &str) -> Result<Vec<Value>, String> {
        let (start, end) = (self.started_s.to_string(), now_s().to_string());
        let query = [("query", expr), ("start", &start), ("end", &end), ("step", "2")];
        let answer = json(&format!("{}/query_range", self.prometheus), &query);
        if answer["status"] != "success" {
            return Err(format!("{expr}: {answer}"));
        }
        Ok(list(&answer, "/data/result").to_vec())
    }

    /// The values of a variable that many can be chosen of, `label_values(metric, label)`.
    fn values(&self, query: &str) -> Vec<String> {
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let (metric, label) = inner.rsplit_once(", ").unwrap();
        let answer = json(&format!("{}/label/{label}/values", self.prometheus), &[("match[]", metric)]);
        list(&answer, "/data").iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The values of a variable that one is chosen of, in their order: `query_result(...)` at an instant.
    fn ordered(&self, variable: &Value, filled: &str, at_s: u64) -> Vec<String> {
        let expr = filled.strip_prefix("query_result(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let query = [("query", expr), ("time", &*at_s.to_string())];
        let answer = json(&format!("{}/query", self.prometheus), &query);
        assert_eq!(answer["status"], "success", "{expr}: {answer}");
        let label = text(variable, "/regex").trim_start_matches('/').split('=').next().unwrap();
        let found = list(&answer, "/data/result").iter().map(|one| text(&one["metric"], &format!("/{label}")));
        found.filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    /// A message that no device would send: something has to be refused.
    fn send_nonsense(&self) {
        let arguments = ["-h", "127.0.0.1", "-p", &self.mqtt_port, "-i", "B-9999", "-q", "1", "-m", "nonsense"];
        let sent = Command::new("mosquitto_pub").args(arguments).args(["-t", "utm/v1/B-9999/report"]).status().unwrap();
        assert!(sent.success());
    }
}

fn start_alertmanager(place: &Path) -> (Running, u16) {
    let port = free_port();
    let mut command = Command::new("prometheus-alertmanager");
    command.arg(format!("--config.file={}", root().join("deploy/alertmanager/alertmanager.yml").display()));
    command.arg(format!("--storage.path={}", place.join("alertmanager").display()));
    command.args([&format!("--web.listen-address=127.0.0.1:{port}"), "--cluster.listen-address="]);
    (start(&mut command).0, port)
}

/// The sample configuration with these addresses, and a second where it has a quarter of a minute.
fn start_prometheus(place: &Path, target: u16, alertmanager: u16) -> (Running, u16) {
    let port = free_port();
    std::fs::create_dir_all(place.join("rules")).unwrap();
    for name in ["fleetwatch-recording.yml", "fleetwatch-alerts.yml"] {
        let rules = read(&format!("grafana/prometheus/{name}")).replace("interval: 1m", "interval: 1s");
        std::fs::write(place.join("rules").join(name), rules).unwrap();
    }
    let config = read("deploy/prometheus/prometheus.yml")
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{target}"))
        .replace("127.0.0.1:9093", &format!("127.0.0.1:{alertmanager}"))
        .replace("127.0.0.1:9090", &format!("127.0.0.1:{port}"))
        .replace("_interval: 15s", "_interval: 1s")
        .replace("scrape_timeout: 10s", "scrape_timeout: 1s");
    std::fs::write(place.join("prometheus.yml"), config).unwrap();
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", place.join("prometheus.yml").display()));
    command.arg(format!("--storage.tsdb.path={}", place.join("data").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    (start(&mut command).0, port)
}

/// When the story is at its worst: what is open then, and what it is about.
struct Worst {
    at_s: u64,
    members: Vec<String>,
    update: String,
    incident: String,
}

/// What a dashboard chooses by itself at the worst of the story: of one the first, of many all.
fn choices(night: &Night, dashboard: &Value, worst: &Worst) -> Vec<(String, String)> {
    let range = format!("{}s", now_s() - night.started_s);
    let mut chosen = vec![("$__rate_interval".to_owned(), "15s".to_owned()), ("$__range".to_owned(), range)];
    for variable in list(dashboard, "/templating/list").iter().skip(1) {
        let (name, query) = (text(variable, "/name"), text(variable, "/query/query"));
        if variable["multi"] == true {
            assert!(!night.values(query).is_empty(), "{query} has no values");
            chosen.push((format!("${name}"), ".*".to_owned()));
            continue;
        }
        let filled = chosen.iter().fold(query.to_owned(), |query, (name, value)| query.replace(name, value));
        let values = night.ordered(variable, &filled, worst.at_s);
        let first = values.first().unwrap_or_else(|| panic!("{filled} has no values")).clone();
        let is_right = match name {
            "update" => first == worst.update,
            "against" => first != worst.update && first != "other",
            "device" => worst.members.contains(&first),
            "incident" => first == worst.incident,
            _ => first == "https" && values.len() > 1,
        };
        assert!(is_right, "{name} begins with {first}, of {values:?}: {filled}");
        chosen.push((format!("${name}"), first));
    }
    chosen
}

/// The instant of the middle of a series.
fn middle_s(series: &Value) -> u64 {
    let values = list(series, "/values");
    values[values.len() / 2][0].as_f64().unwrap() as u64
}

#[test]
fn every_query_runs_and_returns_data_where_it_should() {
    if !are_installed(&PROGRAMS) {
        return;
    }
    let night = Night::start();
    until("Prometheus to answer", PATIENCE, || get(&format!("{}/query", night.prometheus), &[("query", "up")]));
    until("a scrape", PATIENCE, || night.series("fleetwatch_build_info").ok().filter(|found| !found.is_empty()));
    night.send_nonsense();
    let switch = until("the dead-man's switch in Alertmanager", PATIENCE, || {
        let alerts = get(&format!("{}/alerts", night.alertmanager), &[])?;
        alerts.contains("FleetwatchDeadMansSwitch").then_some(alerts)
    });
    assert!(!switch.contains("FleetwatchDown"), "{switch}");
    until("the incident to be closed", PATIENCE, || {
        let found = night.series("fleetwatch_incident_info{state=\"closed\"}").ok()?;
        night.send_nonsense();
        (!found.is_empty()).then_some(())
    });

    let declared = "fleetwatch_event_info{cause_kind=\"update\",incident=\"INC-2026-0001\",state=\"declared\"}";
    let declared = night.series(declared).unwrap().remove(0);
    let members = night.series("fleetwatch_device_event_info").unwrap();
    let worst = Worst {
        at_s: middle_s(&declared),
        members: members.iter().map(|member| text(member, "/metric/device").to_owned()).collect(),
        update: text(&declared, "/metric/cause").to_owned(),
        incident: "INC-2026-0001".to_owned(),
    };
    let mut findings = Vec::new();
    let mut asked = 0;
    for (path, dashboard) in all_dashboards().into_iter().filter(|(path, _)| path.starts_with("en/")) {
        let chosen = choices(&night, &dashboard, &worst);
        let filled = |expr: &str| chosen.iter().fold(expr.to_owned(), |expr, (name, value)| expr.replace(name, value));
        let name = path.trim_start_matches("en/").trim_end_matches(".json");
        let mut ask = |title: &str, id: &str, expr: &str| {
            asked += 1;
            let may_be_empty = EMPTY.iter().any(|(of, panel, query, _)| (*of, *panel, *query) == (name, title, id));
            match night.series(&filled(expr)) {
                Err(error) => findings.push(format!("{name}, {title} {id}: {error}")),
                Ok(series) if series.is_empty() && is_a_lower_rank(expr) => {}
                Ok(series) if series.is_empty() != may_be_empty => {
                    findings.push(format!("{name}, {title} {id}: {} series: {}", series.len(), filled(expr)));
                }
                Ok(series) if series.len() > 120 => {
                    findings.push(format!("{name}, {title} {id}: {} series", series.len()))
                }
                Ok(_) => {}
            }
        };
        for panel in list(&dashboard, "/panels") {
            for target in list(panel, "/targets") {
                ask(text(panel, "/title"), text(target, "/refId"), text(target, "/expr"));
            }
        }
        for mark in list(&dashboard, "/annotations/list") {
            ask(text(mark, "/name"), "", text(mark, "/expr"));
            let marked = night.series(text(mark, "/expr")).unwrap_or_default();
            let kinds: BTreeSet<_> = marked.iter().map(|one| text(one, "/metric/en").to_owned()).collect();
            assert_eq!(kinds.len(), 6, "{name}: marks of {kinds:?}");
        }
    }
    assert!(findings.is_empty(), "of {asked} queries:\n{}", findings.join("\n"));
    assert!(asked > 120, "{asked}");
}
