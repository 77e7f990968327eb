//! A database on a server, as an operator meets it: the configuration, the daemon, and what looks into the record.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fleetwatch::clock::Clock;
use fleetwatch::config::Config;
use fleetwatch::runtime::serve::Service;

use crate::common::postgres::{PASSWORD, Postgres as Installed};
use crate::place::{USER, make};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_not_let_in_says_so_and_goes_on_once_the_password_is_right() {
    let Some(server) = Installed::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    make(server, "closed").await;
    let config = Config::load(Some(&configured(dir.path(), server, "closed", "wrong")), Vec::new()).unwrap();
    let service = Service::start(config, Clock::scaled(NOW, 1.0)).await.unwrap();
    let latch = async |wanted: bool| {
        let start = fleetwatch::clock::monotonic();
        loop {
            let latches = service.core().health().latches();
            let latch = latches.into_iter().find(|latch| latch.name == "store").unwrap();
            if latch.ready == wanted && latch.reason != "starting" {
                return latch.reason;
            }
            assert!(start.elapsed() < std::time::Duration::from_secs(30), "{latch:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let told = latch(false).await;
    assert!(!told.contains(USER) && !told.contains("127."), "{told}");
    // Whoever mends the file need not start anything again.
    configured(dir.path(), server, "closed", PASSWORD);
    latch(true).await;
    service.core().store().append(&history(), NOW).await.unwrap();
    service.shutdown().await.unwrap();

    let file = configured(dir.path(), server, "closed", "two\nlines");
    let checked = fleetwatch(&["check-config"], &file);
    assert!(!checked.status.success());
    assert!(String::from_utf8_lossy(&checked.stderr).contains("one line"), "the form of the file is told");
}

/// Runs the daemon with an open umask until it watches, ends it, and answers what it logged.
fn lived(config: &Path) -> Vec<String> {
    use std::io::{BufRead as _, BufReader};
    let run = format!("umask 000; exec {} serve --config {}", env!("CARGO_BIN_EXE_fleetwatch"), config.display());
    let mut child = Command::new("sh")
        .args(["-c", &run])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
        if line.contains("\"watching\"") {
            let pid = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        }
        lines.push(line);
    }
    assert!(child.wait().unwrap().success(), "{lines:#?}");
    lines
}

fn in_a_file(dir: &Path) -> PathBuf {
    let state = dir.join("state");
    let text = format!(
        "[broker.embedded]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n[journal]\ndir = {:?}\n\
         [checkpoint]\ndir = {:?}\n[store]\npath = {:?}\n",
        state.join("journal"),
        state.join("checkpoint"),
        state.join("fleetwatch.sqlite"),
    );
    let file = dir.join("fleetwatch.toml");
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_record_or_a_state_that_is_gone_is_no_first_start() {
    let dir = tempfile::tempdir().unwrap();
    let config = in_a_file(dir.path());
    let state = dir.path().join("state");
    let has = |lines: &[String], level: &str, words: &str| {
        lines.iter().any(|line| line.contains(&format!("\"level\":\"{level}\"")) && line.contains(words))
    };
    let first = lived(&config);
    assert!(has(&first, "INFO", "a first start") && !has(&first, "ERROR", ""), "{first:#?}");
    let second = lived(&config);
    assert!(!has(&second, "ERROR", "") && !has(&second, "INFO", "a first start"), "{second:#?}");

    for emptied in [false, true] {
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(state.join(format!("fleetwatch.sqlite{ending}")));
        }
        if emptied {
            std::fs::write(state.join("fleetwatch.sqlite"), "").unwrap();
        }
        let lines = lived(&config);
        assert!(has(&lines, "ERROR", "is not the one that it was"), "{lines:#?}");
        let lines = lived(&config);
        assert!(!has(&lines, "ERROR", ""), "said once: {lines:#?}");
    }
    for part in ["journal", "checkpoint"] {
        std::fs::remove_dir_all(state.join(part)).unwrap();
    }
    let lines = lived(&config);
    assert!(has(&lines, "ERROR", "neither checkpoint nor journal is there"), "{lines:#?}");
}

#[test]
fn whatever_is_made_is_its_owners_alone_and_what_was_open_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let config = in_a_file(dir.path());
    let state = dir.path().join("state");
    let open = |place: &Path| {
        let mut found = Vec::new();
        let mut places = vec![place.to_owned()];
        while let Some(place) = places.pop() {
            let mode = std::fs::metadata(&place).unwrap().permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                found.push(format!("{} {mode:o}", place.display()));
            }
            if place.is_dir() {
                places.extend(std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        found
    };
    lived(&config);
    assert_eq!(open(&state), Vec::<String>::new());
    std::fs::set_permissions(state.join("fleetwatch.sqlite"), std::fs::Permissions::from_mode(0o644)).unwrap();
    lived(&config);
    assert_eq!(open(&state), Vec::<String>::new());

    // A list with telephone numbers, and an account made from the command line before any start.
    let (list, to) = (dir.path().join("given.csv"), dir.path().join("devices.csv"));
    std::fs::write(&list, "device,branch,phone\nB-1,sapporo,0120-000-000\n").unwrap();
    let run = format!(
        "umask 000; exec {} devices import {} --to {}",
        env!("CARGO_BIN_EXE_fleetwatch"),
        list.display(),
        to.display()
    );
    assert!(Command::new("sh").args(["-c", &run]).status().unwrap().success());
    assert_eq!(open(&to), Vec::<String>::new());
    std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(Command::new("sh").args(["-c", &run]).status().unwrap().success());
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o640, "no more for everybody");
}
