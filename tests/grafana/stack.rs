//! `deploy/stack/run`: the whole stack from Debian's packages, with TLS, on free ports.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use super::process::{are_installed, free_port, get, json, line_of, start, until};
use super::{list, read, root};

const PATIENCE: Duration = Duration::from_secs(90);

const PROGRAMS: [(&str, &str); 4] = [
    ("mosquitto", "mosquitto"),
    ("prometheus", "prometheus"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("openssl", "openssl"),
];

#[test]
fn the_stack_starts_from_files_and_ends_as_one() {
    if !are_installed(&PROGRAMS) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let ports = [free_port(), free_port(), free_port(), free_port()];
    let mut command = Command::new(root().join("deploy/stack/run"));
    command.arg(place.path()).env("FLEETWATCH_BINARY", env!("CARGO_BIN_EXE_fleetwatch"));
    for (name, port) in ["MQTT_PORT", "HTTP_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT"].into_iter().zip(ports) {
        command.env(name, port.to_string());
    }
    let (mut stack, lines) = start(command.env("DEVICES", "B-0001"));
    line_of(&lines, PATIENCE, |line| line.starts_with("Everything runs").then_some(()));
    let [_, http, prometheus, _] = ports;
    until("all three targets to be scraped", PATIENCE, || {
        // Until it has opened its storage, Prometheus answers that it is not available.
        let answer = get(&format!("http://127.0.0.1:{prometheus}/api/v1/query"), &[("query", "up == 1")])?;
        let up: serde_json::Value = serde_json::from_str(&answer).ok()?;
        (list(&up, "/data/result").len() == 3).then_some(())
    });
    let ready = json(&format!("http://127.0.0.1:{http}/readyz"), &[]);
    assert_eq!(ready["ready"], true, "with the broker, over TLS: {ready}");
    assert!(Command::new("kill").args(["-TERM", &stack.0.id().to_string()]).status().unwrap().success());
    until("the script to end", PATIENCE, || stack.0.try_wait().unwrap());
    for port in ports {
        until("its programs to end", PATIENCE, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_err().then_some(())
        });
    }
}

/// Containers cannot be started by a test; what can be held against the program is what they give it.
#[test]
fn the_containers_settings_have_no_fault() {
    let place = tempfile::tempdir().unwrap();
    let compose = read("deploy/compose.yml");
    let settings = compose.lines().filter_map(|line| line.trim().strip_prefix("FLEETWATCH__")?.split_once(": "));
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetwatch"));
    command.arg("check-config").arg(root().join("deploy/fleetwatch.toml"));
    let mut given = 0;
    for (key, value) in settings {
        let mut value = value.trim_matches('"').to_owned();
        if let Some(name) = value.strip_prefix("/etc/fleetwatch/certs/") {
            let file = place.path().join(name);
            std::fs::write(&file, "as deploy/stack/certs makes it").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
            value = file.to_str().unwrap().to_owned();
        }
        command.env(format!("FLEETWATCH__{key}"), value);
        given += 1;
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && given >= 9, "{given} settings: {said}");
    assert!(said.contains("broker    mosquitto:8883"), "{said}");
}
