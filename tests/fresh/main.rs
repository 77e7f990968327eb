//! A page that can no longer be refreshed says so by itself, in a real browser: the server is killed, stopped, behind a proxy that
//! answers for it, or does not know the reader any more; and the machine with the browser sleeps.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says why it was skipped"
)]
#![allow(clippy::disallowed_methods, reason = "waits for another program with a bounded deadline")]

#[path = "../story/browser.rs"]
#[allow(dead_code, reason = "shared with the story")]
mod browser;
mod front;
#[path = "../interfaces/sample.rs"]
mod sample;
#[path = "../interfaces/server.rs"]
mod server;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fleetwatch::clock::Clock;
use fleetwatch::engine::snapshot::Snapshot;
use fleetwatch::record::access::{AccessStore, Deed, Role, User};
use fleetwatch::web::access::{Mode, password};
use fleetwatch::web::{Access, AccessSettings, HttpConfig};
use rustix::process::{Pid, Signal, kill_process};

use browser::{Driver, Page, Window};
use front::{Front, Way};
use sample::{NOW, Stage};
use server::Server;

/// Two refreshes and a half, and what a busy machine adds.
const LOST: Duration = Duration::from_secs(45);
const PASSWORD: &str = "correct horse battery";

/// A fleet in which nothing is wrong, looked at every two seconds by a clock that runs as the wall's.
struct Calm {
    server: Server,
    front: Front,
    looks: tokio::task::JoinHandle<()>,
}

impl Calm {
    async fn start(settings: AccessSettings) -> Self {
        let clock = Clock::scaled(NOW, 1.0);
        let calm = Snapshot { events: Vec::new(), ..sample::snapshot(100, Stage::Quiet) };
        let server = Server::start_with("127.0.0.1:0", calm.clone(), &[], HttpConfig::default(), |state| {
            let store = state.access.store();
            state.clock = clock;
            state.access = Arc::new(Access::new(store, settings, clock).unwrap());
        })
        .await;
        let shared = Arc::clone(&server.snapshot);
        let looks = tokio::spawn(async move {
            loop {
                shared.store(Arc::new(Snapshot { at: clock.now(), ..calm.clone() }));
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        });
        let front = Front::of(server.address).await;
        Self { server, front, looks }
    }

    fn site(&self) -> String {
        format!("http://{}", self.front.address)
    }
}

impl Drop for Calm {
    fn drop(&mut self) {
        self.looks.abort();
    }
}

async fn is_calm(page: &Page) {
    page.shows("#banners .banner.good", "Nothing is wrong").await;
    assert!(!page.shown("#lost").await);
    assert_eq!(page.title().await, "Now - fleetwatch");
}

/// The page has turned: the calm is gone, the words and the title say so, and the age counts.
async fn is_lost(page: &Page) {
    page.shows_within("#lost", "cannot be seen", LOST).await;
    assert!(!page.shown("#page .banner.good").await, "no calm is claimed:\n{}", page.body().await);
    let body = page.body().await;
    assert!(body.contains("This page can no longer be refreshed. It shows the state as of "), "{body}");
    let (title, age) = (page.title().await, page.text("#lost-age").await.unwrap());
    assert!(title.starts_with("No view for "), "{title}");
    page.changes("#lost-age", &age).await;
    assert_ne!(page.title().await, title, "the title counts as well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_whose_server_is_away_says_that_nothing_can_be_seen_and_comes_back_by_itself() {
    let Some(driver) = Driver::start() else { return };
    let calm = Calm::start(AccessSettings::default()).await;
    let page = driver.open(&calm.site(), Window::DESK).await;
    page.go("/").await;
    is_calm(&page).await;
    let mark = page.mark().await;
    for way in [Way::Gone, Way::Answered(502), Way::Maintenance, Way::Silent, Way::Answered(403)] {
        calm.front.set(way);
        is_lost(&page).await;
        calm.front.set(Way::Through);
        page.gone_within("#lost", LOST).await;
        is_calm(&page).await;
        println!("{way:?}: turned, and came back");
    }
    assert!(page.is_marked(&mark).await, "it was never reloaded");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_slept_does_not_show_the_calm_of_before() {
    let Some(driver) = Driver::start() else { return };
    let calm = Calm::start(AccessSettings::default()).await;
    let page = driver.open(&calm.site(), Window::DESK).await;
    page.go("/").await;
    is_calm(&page).await;
    // The clocks go on while nothing of the page runs: as on a laptop whose lid was closed for an hour.
    page.run("const late = 3600e3, date = Date.now; Date.now = () => date.call(Date) + late;").await;
    calm.front.set(Way::Silent);
    page.shows_within("#lost", "cannot be seen", Duration::from_secs(5)).await;
    page.shows("#lost-age", "1 h 00 min").await;
    calm.front.set(Way::Through);
    page.gone_within("#lost", LOST).await;
    is_calm(&page).await;
    // A clock that is set back makes nothing young again.
    page.run("const before = Date.now; Date.now = () => before.call(Date) - 7200e3;").await;
    calm.front.set(Way::Gone);
    is_lost(&page).await;
    page.close().await;
}

async fn add_user(store: &dyn AccessStore) {
    let deed =
        Deed { at: NOW, by: "test".into(), what: "user_added".into(), about: "Sato".into(), detail: String::new() };
    let user = User {
        name: "Sato".into(),
        role: Role::Admin,
        branches: Vec::new(),
        password: password::hash(PASSWORD, "Sato").unwrap(),
        disabled: false,
        made_at: NOW,
        changed_at: NOW,
    };
    assert!(store.add_user(&user, &deed).await.unwrap());
}

async fn log_in(page: &Page) {
    page.fill("input[name=name]", "Sato").await;
    page.fill("input[name=password]", PASSWORD).await;
    page.click("main button").await;
}

async fn log_out(calm: &Calm) {
    let deed = Deed { at: NOW, by: "test".into(), what: "logout".into(), about: "Sato".into(), detail: String::new() };
    assert!(calm.server.store.end_sessions_of("Sato", &deed).await.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_logged_in_any_more_is_led_to_the_login_and_loses_nothing_typed() {
    let Some(driver) = Driver::start() else { return };
    let settings = AccessSettings { mode: Mode::Users, ..AccessSettings::default() };
    let calm = Calm::start(settings).await;
    add_user(&*calm.server.store).await;
    let page = driver.open(&calm.site(), Window::DESK).await;
    page.go("/").await;
    log_in(&page).await;
    is_calm(&page).await;
    log_out(&calm).await;
    page.shows_within("main h1", "Log in", LOST).await;
    assert_eq!(page.path().await, "/login");
    log_in(&page).await;
    // Where something is typed the page stays, and says so.
    page.go("/devices?update=2026.11.20").await;
    page.shows("#list", "2026.11.20").await;
    page.go("/report").await;
    page.fill("input[name=since]", "18:30").await;
    log_out(&calm).await;
    page.shows_within("#lost-login", "no longer logged in", LOST).await;
    assert_eq!(page.path().await, "/report");
    assert_eq!(page.value("input[name=since]").await, "18:30");
    assert!(page.title().await.starts_with("No view for "));
    page.close().await;
}

/// The daemon as a process of its own, which the test may stop and kill.
struct Daemon(Child);

impl Daemon {
    fn start(dir: &std::path::Path) -> (Self, String) {
        let file = dir.join("fleetwatch.toml");
        let text = format!(
            "[broker.embedded]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n[journal]\ndir = {:?}\n\
             [checkpoint]\ndir = {:?}\n[store]\npath = {:?}\n",
            dir.join("journal"),
            dir.join("checkpoint"),
            dir.join("record/fleetwatch.sqlite"),
        );
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleetwatch"));
        command.args(["--log-format", "json", "serve", "--config"]).arg(file);
        let mut own = Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        let mut lines = BufReader::new(own.0.stderr.take().unwrap()).lines();
        let mut said = String::new();
        loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said}")).unwrap();
            let told: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            said.push_str(&line);
            if told["message"] == "watching" {
                let site = told["pages"].as_str().unwrap().trim_end_matches('/').to_owned();
                std::thread::spawn(move || lines.for_each(drop));
                return (own, site);
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_a_daemon_that_is_stopped_or_killed_turns_by_itself() {
    let Some(driver) = Driver::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (daemon, site) = Daemon::start(dir.path());
    let paths = ["/", "/incidents", "/devices?lang=ja", "/gates", "/report", "/settings", "/account"];
    let mut pages = Vec::new();
    for path in paths {
        let page = driver.open(&site, if pages.is_empty() { Window::PHONE } else { Window::DESK }).await;
        page.go(path).await;
        page.shows("#age", if path.contains("ja") { "前" } else { "ago" }).await;
        assert!(!page.shown("#lost").await, "{path}");
        pages.push(page);
    }
    daemon.signal(Signal::STOP);
    for page in &pages {
        page.shown_within("#lost", LOST).await;
    }
    daemon.signal(Signal::CONT);
    for page in &pages {
        page.gone_within("#lost", LOST).await;
    }
    daemon.signal(Signal::KILL);
    for (path, page) in paths.iter().zip(&pages) {
        page.shown_within("#lost", LOST).await;
        page.picture(&format!("lost{}", path.replace(['/', '?', '='], "-"))).await;
        assert!(page.overflow().await <= 0, "{path}");
    }
    for page in pages {
        page.close().await;
    }
}
