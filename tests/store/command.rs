//! A database on a server, as an operator meets it: the configuration, the daemon, and what looks into the record.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fleetwatch::app::serve::Service;
use fleetwatch::clock::Clock;
use fleetwatch::config::Config;
use fleetwatch::store::{Postgres, Store};

use crate::common::postgres::{PASSWORD, Postgres as Installed};
use crate::place::{USER, make, reach};
use crate::sample::{NOW, history};

/// A configuration file that names the database and a file with its password.
fn configured(dir: &Path, server: &Installed, database: &str, password: &str) -> PathBuf {
    let secret = dir.join("password");
    std::fs::write(&secret, format!("{password}\n")).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "[broker.embedded]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n[journal]\ndir = {:?}\n\
         [checkpoint]\ndir = {:?}\n[store]\nurl = {:?}\npassword_file = {secret:?}\n",
        dir.join("journal"),
        dir.join("checkpoint"),
        server.url(USER, database),
    );
    let file = dir.join("fleetwatch.toml");
    std::fs::write(&file, text).unwrap();
    file
}

fn fleetwatch(args: &[&str], config: &Path) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_fleetwatch")).args(args).arg(config).output().unwrap();
    for said in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(said).contains(PASSWORD), "the password is not told");
    }
    output
}

#[tokio::test]
async fn commands_read_the_record_that_the_daemon_keeps_on_a_server() {
    let Some(server) = Installed::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    make(server, "served").await;
    let file = configured(dir.path(), server, "served", PASSWORD);

    let early = fleetwatch(&["explain", "INC-0001", "--config"], &file);
    assert!(!early.status.success());
    let told = String::from_utf8_lossy(&early.stderr).into_owned();
    assert!(told.contains("`serve` brings them up to date") && told.contains("/served"), "{told}");

    // The daemon makes the tables, and ends with its connections closed.
    let config = Config::load(Some(&file), Vec::new()).unwrap();
    let service = Service::start(config, Clock::scaled(NOW, 1.0)).await.unwrap();
    service.core().store().append(&history(), NOW).await.unwrap();
    service.shutdown().await.unwrap();

    let explained = fleetwatch(&["explain", "INC-0001", "--ascii", "--config"], &file);
    assert!(explained.status.success(), "{}", String::from_utf8_lossy(&explained.stderr));
    assert!(String::from_utf8_lossy(&explained.stdout).contains("2026.11.21"), "the suspect is named");
    let args = ["report", "--json", "--since", "2026-11-21T00:00:00Z", "--until", "2026-11-23T00:00:00Z", "--config"];
    let reported = fleetwatch(&args, &file);
    let report: serde_json::Value = serde_json::from_slice(&reported.stdout).unwrap();
    assert_eq!(report["major"][0]["number"], "INC-0001");

    let checked = fleetwatch(&["check-config"], &file);
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.contains("record ") && checked.contains(&server.url(USER, "served")), "{checked}");
    let printed = fleetwatch(&["check-config", "--print"], &file);
    let again = dir.path().join("again.toml");
    std::fs::write(&again, &printed.stdout).unwrap();
    let (one, other) = (Config::load(Some(&file), Vec::new()), Config::load(Some(&again), Vec::new()));
    assert_eq!(one.unwrap(), other.unwrap(), "what is printed can be read, and means the same");
}

#[tokio::test]
async fn a_daemon_that_is_not_let_in_says_so_and_does_not_start() {
    let Some(server) = Installed::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    make(server, "closed").await;
    Postgres::open(&reach(server, "closed")).await.unwrap().close().await;
    let config = Config::load(Some(&configured(dir.path(), server, "closed", "wrong")), Vec::new()).unwrap();
    let error = Service::start(config, Clock::scaled(NOW, 1.0)).await.unwrap_err();
    let told = format!("{error:#}");
    assert!(told.contains("password authentication failed") && told.contains("store.password_file"), "{told}");

    let file = configured(dir.path(), server, "closed", "two\nlines");
    let checked = fleetwatch(&["check-config"], &file);
    assert!(!checked.status.success());
    assert!(String::from_utf8_lossy(&checked.stderr).contains("one line"), "the form of the file is told");
}
