//! The demo as a user runs it: the binary, a small fleet, a fast clock.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "waits for another process with a bounded deadline")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Above what any of these runs may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A fleet whose time runs 600 times as fast wants the machine for itself: two at once, and both take twice as long.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn demo(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetwatch"));
    command.args(["demo", "--plain", "--devices", "60", "--speed", "600"]).args(arguments);
    command.env_remove("FLEETWATCH_CONFIG").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for the end; a demo that outlives the patience is ended and fails the test.
fn outcome(mut child: Child) -> Output {
    let deadline = Instant::now() + PATIENCE;
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let out = thread::spawn(move || drain(&mut out));
    let err = thread::spawn(move || drain(&mut err));
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("the demo did not end: {}", String::from_utf8_lossy(&out.join().unwrap()));
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    Output { status, stdout: out.join().unwrap(), stderr: err.join().unwrap() }
}

fn drain(from: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Standard output and error of a demo that ended with this code.
fn ended_with(code: i32, child: Child) -> (String, String) {
    let output = outcome(child);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

/// The acknowledged and the journaled messages of the summary.
fn messages(out: &str) -> (u64, u64) {
    let line = out.lines().find(|line| line.contains(" messages acknowledged")).expect("a summary");
    let number = |before: &str| {
        let text = line.split_once(before).unwrap().0.rsplit(' ').next().unwrap().replace(',', "");
        text.parse::<u64>().unwrap()
    };
    (number(" messages acknowledged"), number(" journaled"))
}

#[test]
fn the_nightly_update_makes_one_major_incident_that_names_it() {
    let _alone = alone();
    let (out, _) = ended_with(0, demo(&["--exit-when-declared", "--for", "200s"]));
    let declared: Vec<_> = out.lines().filter(|line| line.contains("declared  ")).collect();
    let [declared] = declared[..] else { panic!("not one declared line:\n{out}") };
    assert!(declared.contains("INC-2026-0001") && declared.contains("suspect update 2026.11.18 ("), "{declared}");
    assert!(declared.contains("fleet") && declared.contains(" 0 without knowledge"), "{declared}");
    assert!(out.contains("warning"), "an hour is warned of before it is full:\n{out}");
    assert!(!out.contains('\u{1b}'), "plain means plain:\n{out}");
    let (acked, journaled) = messages(&out);
    assert!(acked > 1_000 && journaled >= acked, "nothing is acknowledged that is not kept: {acked} {journaled}");
}

#[test]
fn the_crew_leads_the_incident_to_its_close_and_finds_what_went_wrong() {
    let _alone = alone();
    let (out, err) = ended_with(0, demo(&["--exit-when-closed", "--for", "220s"]));
    let states =
        ["mustered", "workaround available", "pending permanent fix", "fixing", "resolved", "reviewed", "closed"];
    let told: Vec<_> = out.lines().filter_map(|line| line.split_once("  state     ")).map(|(_, text)| text).collect();
    assert_eq!(told.len(), states.len(), "{out}\n{err}");
    for (told, state) in told.iter().zip(states) {
        assert!(told.contains(&format!(" is {state}: ")), "{told}");
    }
    let of_kind = |kind: &str| out.lines().filter(|line| line.get(10..19) == Some(&format!("{kind:<9}"))).count();
    assert_eq!((of_kind("debt"), of_kind("refused"), of_kind("sign-off")), (1, 1, 1), "{out}");
    assert!(out.lines().last().is_some_and(|line| line.ends_with(", closed")), "{out}");
}

/// Keeps every core busy until it is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..2 * thread::available_parallelism().unwrap().get() {
            let over = Arc::clone(&over);
            thread::spawn(move || while !over.load(Ordering::Relaxed) {});
        }
        Self(over)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_same_seed_tells_the_same_story_however_busy_the_machine_is() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let stories = [false, true, false].map(|busy| {
        let _load = busy.then(Load::start);
        let file = place.path().join("story");
        let named = file.to_str().unwrap();
        let child = demo(&["--exit-when-closed", "--for", "220s", "--transcript", named, "--seed", "7"]);
        let (out, err) = ended_with(0, child);
        assert!(out.contains(" is closed: "), "the close is told before the end:\n{out}\n{err}");
        std::fs::read_to_string(&file).unwrap()
    });
    let of = |event: &str| stories[0].lines().filter(|line| line.contains(&format!("\"event\":\"{event}\""))).count();
    assert_eq!(of("declared"), 1, "{}", stories[0]);
    assert!(!stories[0].contains("\"version\":\"2026.11.19\""), "the fix is not put on hold:\n{}", stories[0]);
    assert!(stories[1] == stories[0] && stories[2] == stories[0], "{}\n\n{}", stories[0], stories[1]);
}

#[test]
fn a_close_that_does_not_come_is_told_by_the_exit_code() {
    let _alone = alone();
    let (out, err) = ended_with(4, demo(&["--no-crew", "--exit-when-closed", "--for", "45s"]));
    assert!(err.contains("no incident was closed"), "{err}");
    assert!(out.contains("declared  ") && !out.contains("  state     "), "nobody works on it:\n{out}");
    assert!(out.contains("time      runs at 6x from here on: an incident is open"), "time to work on it:\n{out}");
}

/// Somebody at the pages of a demo without a crew, who goes by what the API shows.
struct Person {
    api: String,
    /// Rounds since each device's customer was called last.
    called: BTreeMap<String, u32>,
}

impl Person {
    fn get(&self, path: &str) -> Option<Value> {
        let text = ureq::get(format!("{}{path}", self.api)).call().ok()?.body_mut().read_to_string().ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Whether it was carried out.
    fn execute(&self, number: &str, request: &Value) -> bool {
        let to =
            ureq::post(format!("{}/incidents/{number}/commands", self.api)).header("content-type", "application/json");
        to.send(request.to_string()).is_ok()
    }

    fn call(&mut self, number: &str, device: &str) {
        let rounds = self.called.entry(device.to_owned()).or_insert(u32::MAX);
        *rounds = rounds.saturating_add(1);
        if *rounds > 50 {
            *rounds = 0;
            let call = json!({"outcome": "reached", "script": 1});
            self.execute(number, &json!({"command": "record_call", "device": device, "call": call}));
        }
    }

    /// Looks once, and does what there is to do.
    fn work(&mut self) -> Option<()> {
        let open = self.get("/incidents?open=true")?;
        let number = open["incidents"][0]["number"].as_str()?.to_owned();
        let incident = self.get(&format!("/incidents/{number}"))?;
        for seat in incident["muster"].as_array()?.iter().filter(|seat| seat["holder"].is_null()) {
            self.execute(&number, &json!({"command": "acknowledge", "seat": seat["seat"]}));
        }
        if incident["countermeasures"].as_array()?.is_empty() {
            let workaround = json!({"id": "WA-7", "script": {"ja": "", "en": "Please change the setting."}});
            let fix = json!({"kind": "update", "value": "2026.11.19"});
            self.execute(&number, &json!({"command": "register_countermeasure", "workaround": workaround, "fix": fix}));
        }
        if incident["current_countermeasure"].is_null() {
            return None;
        }
        self.execute(&number, &json!({"command": "acknowledge_script", "version": 1}));
        for step in ["affected", "contacted", "workaround_claimed"] {
            let page = self.get(&format!("/incidents/{number}/ladder?step={step}&limit=1000"))?;
            for rung in page["devices"].as_array()? {
                self.call(&number, rung["device"].as_str()?);
            }
        }
        for device in incident["debts"].as_array()? {
            self.call(&number, device.as_str()?);
        }
        let request = match incident["state"].as_str()? {
            "pending_permanent_fix" => json!({"command": "release_fix"}),
            "resolved" => json!({"command": "file_review", "text": "One person did all of it."}),
            "reviewed" => json!({"command": "close"}),
            _ => return None,
        };
        self.execute(&number, &request).then_some(())
    }
}

#[test]
fn somebody_alone_at_the_pages_carries_the_incident_to_its_close() {
    let _alone = alone();
    let mut child = demo(&["--no-crew", "--work-speed", "600", "--exit-when-closed", "--for", "220s"]);
    let mut told = String::new();
    let (mut out, mut err) = (BufReader::new(child.stdout.take().unwrap()), child.stderr.take().unwrap());
    thread::spawn(move || drain(&mut err));
    while !told.contains("Ctrl-C") {
        assert!(out.read_line(&mut told).unwrap() > 0, "it ended before it began: {told}");
    }
    let pages = told.lines().find_map(|line| line.trim().strip_prefix("pages")).unwrap().trim().to_owned();
    let rest = thread::spawn(move || drain(&mut out));
    let mut person = Person { api: format!("{pages}api/v1"), called: BTreeMap::new() };
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        person.work();
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline || child.kill().is_err(), "it is not closed");
        thread::sleep(Duration::from_millis(20));
    };
    let out = String::from_utf8(rest.join().unwrap()).unwrap();
    assert_eq!(status.code(), Some(0), "{told}{out}");
    for told in ["customers who were called have changed the setting", "has come to every branch", " is closed: "] {
        assert!(out.contains(told), "{out}");
    }
}

#[test]
fn what_was_waited_for_and_did_not_happen_is_told_by_the_exit_code() {
    let _alone = alone();
    let (out, err) = ended_with(4, demo(&["--scenario", "quiet", "--exit-when-declared", "--for", "3s"]));
    assert!(err.contains("no major incident was declared"), "{err}");
    assert!(!out.contains("declared  "), "{out}");
}

#[test]
fn ctrl_c_ends_it_cleanly_and_leaves_no_directory() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetwatch"));
    command.args(["demo", "--plain", "--devices", "20", "--speed", "60"]).env("TMPDIR", place.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = Vec::new();
    let mut stdout = child.stdout.take().unwrap();
    let mut chunk = [0; 4_096];
    while !String::from_utf8_lossy(&told).contains("Ctrl-C") {
        let read = stdout.read(&mut chunk).unwrap();
        assert!(read > 0, "it ended before it began: {}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&chunk[..read]);
    }
    assert_eq!(entries(place.path()), 1, "its directory is where TMPDIR says");
    assert_page(&String::from_utf8_lossy(&told));
    child.stdout = Some(stdout);
    let asked = Instant::now();
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    let (out, _) = ended_with(0, child);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert!(out.contains("Ended on request"), "{out}");
    assert_eq!(entries(place.path()), 0, "nothing is left behind");
}

#[test]
fn a_port_that_is_taken_is_told_at_once() {
    let _alone = alone();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for option in ["--http-port", "--mqtt-port"] {
        let (out, err) = ended_with(1, demo(&[option, &port]));
        assert!(err.contains(&port) && err.contains(option) && err.contains("in use"), "{err}");
        assert!(out.is_empty(), "{out}");
    }
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

/// The pages that the demo names are there.
fn assert_page(told: &str) {
    let address = told.lines().find_map(|line| line.trim().strip_prefix("pages")).expect("the pages' address").trim();
    let page = ureq::get(address).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(page.contains("<html"), "{page}");
    let ready = ureq::get(&format!("{address}readyz")).call().unwrap();
    assert_eq!(ready.status(), 200);
}
