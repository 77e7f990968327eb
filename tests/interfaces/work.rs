//! People work on an incident: the pages they see, the forms they fill in, and what is refused.

mod branch;
mod forms;
mod live;
mod support;

use std::sync::Arc;

use fleetwatch::clock::Clock;
use fleetwatch::record::access::{AccessStore, Role, Separator};
use fleetwatch::record::channel_health::ChannelsHealth;
use fleetwatch::web::access::{Mode, ProxySettings, RoleMap};
use fleetwatch::web::{Access, AccessSettings, HttpConfig};

use crate::client::{Answer, ask, form_token_in, send};
use crate::desk::{Desk, Told};
use crate::life::{self, LATER, NUMBER};
use crate::pages::{assert_well_formed, words};
use crate::server::Server;

/// A listener with a desk behind it, and a proxy's word for who is there.
pub struct Site {
    pub server: Server,
    pub desk: Arc<Desk>,
    pub channels: Arc<ChannelsHealth>,
}

/// Somebody with a browser.
#[derive(Clone, Copy)]
pub struct Person {
    pub name: &'static str,
    pub role: &'static str,
    pub branches: &'static str,
    pub language: &'static str,
}

pub const SATO: Person = Person { name: "Sato", role: "commander", branches: "", language: "en" };
pub const ENDO: Person = Person { name: "Endo", role: "support", branches: "", language: "en" };
pub const NODA: Person = Person { name: "Noda", role: "noc", branches: "", language: "en" };
pub const YAGI: Person = Person { name: "Yagi", role: "viewer", branches: "", language: "en" };
pub const ABE: Person = Person { name: "Abe", role: "branch", branches: "branch-03", language: "en" };

fn access(server: Arc<dyn AccessStore>, clock: Clock) -> Access {
    let roles = Role::ALL.into_iter().map(|role| (role, vec![role.as_str().to_owned()])).collect();
    let header = |name| axum::http::HeaderName::from_static(name);
    let proxy = ProxySettings {
        user_header: header("x-remote-user"),
        groups_header: header("x-remote-groups"),
        branches_header: header("x-remote-branches"),
        separator: Separator::Comma,
        roles: RoleMap(roles),
    };
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let settings = AccessSettings { mode: Mode::Proxy(proxy), proxies, ..AccessSettings::default() };
    Access::new(server, settings, clock).unwrap()
}

pub async fn site_of(told: Vec<Told>, minutes: i64) -> Site {
    site_with(told, minutes, HttpConfig::default()).await
}

pub async fn site_with(told: Vec<Told>, minutes: i64, config: HttpConfig) -> Site {
    let desk = life::desk(told, minutes);
    let shared = Arc::clone(&desk);
    let dir = tempfile::tempdir().unwrap();
    let users = Arc::new(fleetwatch::store::Sqlite::open(&dir.path().join("users.db")).await.unwrap());
    let snapshot = life::snapshot(1_000, minutes);
    let changes = crate::sample::history();
    let channels = Arc::<ChannelsHealth>::default();
    let server = Server::start_with("127.0.0.1:0", snapshot, &changes, config, |state| {
        life::behind(&shared, state);
        state.access = Arc::new(access(users, state.clock));
        state.channels = Arc::clone(&channels);
    })
    .await;
    Site { server, desk, channels }
}

/// The sample's incident on its second day, with another one beside it.
pub async fn site() -> Site {
    let told = vec![life::later(NUMBER, &life::hit(1_000)), life::mustered("INC-2026-0008", &[100, 200, 400, 500])];
    site_of(told, LATER).await
}

impl Person {
    fn headers<'a>(&self, extra: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut headers = vec![
            ("Host", "localhost"),
            ("Accept", "text/html"),
            ("Sec-Fetch-Site", "same-origin"),
            ("X-Remote-User", self.name),
            ("X-Remote-Groups", self.role),
            ("X-Remote-Branches", self.branches),
            ("Accept-Language", self.language),
        ];
        headers.extend_from_slice(extra);
        headers
    }

    pub fn japanese(self) -> Self {
        Self { language: "ja", ..self }
    }

    pub async fn look(&self, site: &Site, path: &str) -> Answer {
        ask(site.server.address, "GET", path, &self.headers(&[])).await
    }

    /// What the reader sees of a page that is there.
    pub async fn read(&self, site: &Site, path: &str) -> String {
        let answer = self.look(site, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", words(&answer.body));
        assert_well_formed(&answer.body);
        words(&answer.body)
    }

    /// Sends a form with the token of some page that the person has open.
    pub async fn send(&self, site: &Site, path: &str, fields: &[(&str, &str)]) -> Answer {
        // Any form that the person is shown carries it; who is shown none has none.
        let forms = [path, "/support?q=B-0003", "/support?q=B-0603", "/incidents/INC-2026-0007/do/note", "/gates"];
        let mut token = None;
        for form in forms {
            token = form_token_in(&self.look(site, form).await.body);
            if token.is_some() {
                break;
            }
        }
        self.send_with(site, path, fields, &token.unwrap_or_default()).await
    }

    pub async fn send_with(&self, site: &Site, path: &str, fields: &[(&str, &str)], token: &str) -> Answer {
        let mut body = format!("form_token={token}");
        for (name, value) in fields {
            body.push_str(&format!("&{name}={}", encoded(value)));
        }
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        send(site.server.address, "POST", path, &self.headers(&[form]), &body).await
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}

pub fn path(rest: &str) -> String {
    format!("/incidents/{NUMBER}{rest}")
}

#[tokio::test]
async fn the_page_of_an_incident_says_where_it_stands_and_what_is_left() {
    let site = site().await;
    let page = SATO.read(&site, &path("")).await;
    for expected in [
        "INC-2026-0007 \u{25b2} fixing",
        "\u{2713} done: declared 22 Nov 2026 03:25",
        "\u{25cf} now: fixing",
        "\u{25cb} to come: resolved",
        "The permanent fix is being installed",
        "neither done nor signed off",
        "Promised by 25 Nov 2026 03:25",
        "of 330 devices left",
        "communications lead \u{25a0} called, no answer yet nobody yet",
        "commander \u{25cf} joined Sato",
        "workaround claimed 20",
        "claimed, not confirmed by telemetry",
        "fix installed, workaround still on",
        "Version 2 \u{25cf} in force",
        "2026.11.23",
        "Sato Replaced on 23 Nov, order 4711",
        "given up 404 Not Found",
        "connection refused",
        "65 minutes: 59 degraded, 1 healthy, 5 not known",
        "Detector decisions",
    ] {
        assert!(page.contains(expected), "{expected:?} is not in {page}");
    }
    // By its event's id it is the same page.
    let same = SATO.look(&site, &format!("/incidents/{}", crate::sample::EVENT)).await;
    assert!(same.body.contains("INC-2026-0007"));
    site.server.stop().await;
}

#[tokio::test]
async fn the_page_lists_devices_in_pages_and_by_what_is_asked_for() {
    let site = site().await;
    let rows = |body: &str| body.matches("<th scope=\"row\"><a href=\"/devices/").count();
    let first = SATO.look(&site, &path("")).await;
    assert!(words(&first.body).contains("50 of 230 devices"));
    assert_eq!(rows(&first.body), 50);
    let next = first.body.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('#').next()).unwrap();
    let second = SATO.look(&site, next).await;
    assert_eq!(rows(&second.body), 50);
    assert!(!second.body.contains("/devices/B-0006\">B-0006</a></th>"));
    let claimed = SATO.read(&site, &path("?step=workaround_claimed&branch=branch-10")).await;
    assert!(claimed.contains("of 1 devices") && claimed.contains("B-0660"), "{claimed}");
    let customer = SATO.read(&site, &path("?step=all&q=c-00999")).await;
    assert!(customer.contains("1 of 1 devices") && customer.contains("signed off: replaced"), "{customer}");
    site.server.stop().await;
}

#[tokio::test]
async fn every_page_is_whole_without_javascript_and_loads_nothing_foreign() {
    let site = site().await;
    for path in [
        "/",
        "/incidents",
        &path(""),
        &path("/record"),
        &path("/review"),
        &path("/do/note"),
        "/support",
        "/support?q=B-0441",
        "/branches",
        "/branches/branch-03",
        "/devices/B-0441",
        "/settings",
    ] {
        for person in [SATO, SATO.japanese()] {
            let answer = person.look(&site, path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_well_formed(&answer.body);
            let policy = answer.header("content-security-policy");
            assert!(policy.contains("script-src 'self'") && policy.contains("connect-src 'self'"), "{policy}");
            assert!(!answer.body.contains(" style=") && !answer.body.contains("onclick"), "{path}");
            for script in answer.body.split("<script").skip(1) {
                assert!(script.starts_with(" src=\"/assets/live.js?v="), "{path}");
            }
            // Whoever has no script is served by reloading, and is the only one who is.
            let reload = answer.body.find("http-equiv=\"refresh\"");
            if answer.body.contains("<script") && reload.is_some() {
                assert!(answer.body.contains("<noscript><meta http-equiv=\"refresh\""), "{path}");
            }
        }
    }
    let script = SATO.look(&site, "/assets/live.js").await;
    assert_eq!((script.status, script.header("content-type")), (200, "text/javascript; charset=utf-8"));
    site.server.stop().await;
}

#[tokio::test]
async fn the_japanese_pages_speak_japanese_only() {
    let site = site().await;
    for place in [
        "/",
        &path(""),
        &path("/do/sign_off"),
        "/support?q=B-0441",
        "/branches/branch-03",
        "/devices/B-0441",
        "/settings",
    ] {
        let page = SATO.japanese().read(&site, place).await;
        for english in [
            "fixing",
            "declared",
            "affected",
            "commander",
            "acknowledged",
            "workaround",
            "device",
            "Promise",
            "Script",
            "review",
            "reached",
            "Record",
            "Reason",
            "call back",
            "seat",
        ] {
            let told = page.replace("support_lead", "").replace("unreachable_calls", "").replace("review_days", "");
            let found = told.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == english);
            // What people typed, and names of messages and keys, are as they are.
            assert!(!found || place == path("") && english == "declared", "{english} is in {place}: {page}");
        }
    }
    let page = SATO.japanese().read(&site, &path("")).await;
    for expected in [
        "恒久対策の適用中",
        "約束の期限",
        "330台中 残り230台",
        "指揮者",
        "広報責任者",
        "招集中（応答なし）",
        "解除が必要な回避策",
        "第2版",
    ] {
        assert!(page.contains(expected), "{expected} is not in {page}");
    }
    site.server.stop().await;
}

#[tokio::test]
async fn the_drawing_of_the_promise_tells_its_story_in_words_too() {
    let site = site().await;
    let page = SATO.look(&site, &path("")).await.body;
    let drawing = page
        .split("<svg class=\"plot\" role=\"img\" aria-labelledby=\"burndown-title")
        .nth(1)
        .and_then(|rest| rest.split("</svg>").next())
        .unwrap();
    assert!(drawing.contains("<title id=\"burndown-title\">Devices left of INC-2026-0007</title>"));
    assert!(drawing.contains("230 of 330 devices left. Promised by 25 Nov 2026 03:25. At the rate of the last day"));
    assert!(
        drawing.contains("class=\"promise-line\"")
            && drawing.contains("class=\"cone\"")
            && drawing.contains("class=\"left\"")
    );
    site.server.stop().await;
}

#[tokio::test]
async fn the_first_page_says_who_is_wanted() {
    let site = site().await;
    let page = SATO.read(&site, "/").await;
    assert!(page.contains("Open incidents INC-2026-0007 \u{25b2} fixing"), "{page}");
    assert!(page.contains("Needed communications lead (Ito, Mori"), "{page}");
    // The event of an incident is not told twice; one that is none is.
    assert!(page.contains("E-77aa0f10") && !page.contains("INC-0001 \u{25a0} declared Declaration clock"), "{page}");
    let list = SATO.read(&site, "/incidents").await;
    assert!(list.contains("\u{25b2} fixing"), "the list tells how far people have come: {list}");
    site.server.stop().await;
}

#[tokio::test]
async fn the_record_is_read_in_pages_and_by_who_wrote_it() {
    let site = site().await;
    let all = SATO.look(&site, &path("/record")).await.body;
    assert_eq!(all.matches("<div class=\"when\">").count(), 200);
    let older =
        all.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().replace("&amp;", "&");
    let second = SATO.read(&site, &older).await;
    assert!(second.contains("Opened with 330 devices") && second.contains("Called as commander: Sato"), "{second}");
    let people = SATO.read(&site, &path("/record?by=people")).await;
    assert!(people.contains("Word to the staff") || people.contains("Call about"), "{people}");
    assert!(!people.contains("telemetry"), "{people}");
    site.server.stop().await;
}

#[tokio::test]
async fn a_device_has_its_way_its_calls_and_its_distribution() {
    let site = site().await;
    let answer = SATO.look(&site, "/devices/B-0441").await;
    assert_well_formed(&answer.body);
    assert!(answer.body.contains("<svg class=\"histogram\""), "before and during");
    let page = words(&answer.body);
    for expected in [
        "B-0441 \u{25a0} degraded",
        "Customer 441 0120-00-0441 c441@example.jp",
        "INC-2026-0007 \u{25b2} fixing \u{25b2} fix installed",
        "Call about B-0441: reached",
        "claimed: workaround on Endo",
        "the fix is installed telemetry",
        "Delay before and during",
    ] {
        assert!(page.contains(expected), "{expected:?} is not in {page}");
    }
    assert!(SATO.read(&site, "/devices/B-0001").await.contains("Incidents of this device None on record."));
    for missing in ["/devices/B-9999", "/devices/a%2Fb", "/devices/%00"] {
        assert_eq!(SATO.look(&site, missing).await.status, 404, "{missing}");
    }
    site.server.stop().await;
}

#[tokio::test]
async fn the_settings_are_read_without_their_secrets() {
    let site = site().await;
    let page = YAGI.read(&site, "/settings").await;
    assert!(page.contains("detector.hold_min 60") && page.contains("1. Sato; next step after 10 min"), "{page}");
    assert!(page.contains("promise_h 72") && page.contains("https://hooks.example/..."), "{page}");
    assert!(!page.contains("T0/secret"), "{page}");
    site.server.stop().await;
}

#[tokio::test]
async fn a_channel_that_takes_nothing_is_told_where_people_look() {
    use fleetwatch::record::outbox::Outcome;
    let site = site().await;
    assert!(YAGI.read(&site, "/settings").await.contains("No channel is configured: nobody is notified."));
    site.channels.note("mail", Some("noc@example.jp"), life::at(LATER), &Outcome::Sent { reference: None });
    assert!(!YAGI.read(&site, "/").await.contains("Messages are not getting through"));
    let refused = Outcome::Retry { error: "<b>connection refused</b>".into(), retry_at: life::at(LATER + 1) };
    site.channels.note("chat", None, life::at(LATER), &refused);
    for (path, wanted) in [("/", "Messages are not getting through chat"), ("/settings", " delivers ")] {
        let page = YAGI.read(&site, path).await;
        assert!(page.contains(wanted) && page.contains("failing since"), "{path}: {page}");
        assert!(page.contains("&lt;b&gt;connection refused"), "as text: {page}");
    }
    assert!(words(&YAGI.japanese().look(&site, "/").await.body).contains("通知が届いていません"));
    let other = Outcome::Retry { error: "550 no such user".into(), retry_at: life::at(LATER + 1) };
    site.channels.note("mail", Some("old@example.jp"), life::at(LATER), &other);
    site.channels.set_untold(vec![life::untold("mail", "old@example.jp", "550 no such user")]);
    for (path, wanted) in [("/", "1 message has not got through"), ("/settings", "refused since")] {
        let page = YAGI.read(&site, path).await;
        assert!(page.contains(wanted) && page.contains("550 no such user"), "{path}: {page}");
    }
    site.server.stop().await;
}

/// The lesson of the incident that fleetwatch was built for: a workaround makes the fleet quiet, and ends nothing.
#[tokio::test]
async fn a_quiet_fleet_with_devices_that_are_not_done_is_not_called_well() {
    let desk = life::desk(vec![life::later(NUMBER, &life::hit(1_000))], LATER);
    let mut quiet = life::snapshot(1_000, LATER);
    quiet.events.clear();
    let behind = |state: &mut fleetwatch::web::HttpState| life::behind(&desk, state);
    let server = Server::start_with("127.0.0.1:0", quiet, &[], HttpConfig::default(), behind).await;
    let look = async |language| {
        let headers = [("Host", "localhost"), ("Accept", "text/html"), ("Accept-Language", language)];
        ask(server.address, "GET", "/", &headers).await.body
    };
    let page = words(&look("en").await);
    assert!(page.contains("Major incident INC-2026-0007: fixing Since"), "{page}");
    assert!(
        page.contains("230 of 330 devices are neither done nor signed off. Quality has recovered for now"),
        "{page}"
    );
    assert!(!page.contains("Nothing is wrong"), "{page}");
    let japanese = look("ja").await;
    assert!(japanese.contains("障害は終わっていません") && !japanese.contains("異常はありません"), "{japanese}");
    assert!(japanese.contains("<title>重大障害 INC-2026-0007: 恒久対策の適用中"), "{japanese}");
    server.stop().await;
}

#[tokio::test]
async fn an_early_warning_of_one_device_does_not_hide_the_open_incident() {
    let site = site().await;
    let page = SATO.read(&site, "/").await;
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text:?} is not in {page}"));
    let worst = at("\u{25a0} Major incident INC-2026-0008");
    assert!(worst < at("Major incident INC-2026-0007: fixing") && worst < at("Early warning E-77aa0f10"), "{page}");
    assert!(page.starts_with("Major incident INC-2026-0008"), "the tab says it first: {page}");
    assert!(page.contains("4 of 4 devices are neither done nor signed off."), "{page}");
    assert!(page.contains("31 min of 60 min proved"), "{page}");
    let japanese = SATO.japanese().read(&site, "/").await;
    assert!(japanese.starts_with("重大障害 INC-2026-0008: ") && japanese.contains("早期警告 E-77aa0f10"), "{japanese}");
    let open = SATO.look(&site, "/api/v1/open").await.json();
    let names: Vec<&str> = open["open"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["INC-2026-0008", NUMBER, "E-77aa0f10"]);
    let of = |index: usize, field: &str| open["open"][index][field].clone();
    assert_eq!(
        (of(0, "lifecycle"), of(1, "lifecycle"), of(2, "lifecycle")),
        ("declared".into(), "fixing".into(), "pending".into())
    );
    assert_eq!((of(0, "affected"), of(0, "of")), (4.into(), 4.into()));
    site.server.stop().await;
}

#[tokio::test]
async fn every_surface_says_the_same_of_one_number() {
    let site = site().await;
    // The detector has done with it, people have not.
    for path in ["/", "/incidents", "/report?since=2026-11-21T00:00:00Z", "/incidents/INC-2026-0007"] {
        let page = SATO.read(&site, path).await;
        assert!(page.contains("fixing"), "{path}: {page}");
        assert!(!page.contains("\u{25cf} recovered") && !page.contains("\u{25cf} resolved"), "{path}: {page}");
    }
    let listed = SATO.look(&site, "/api/v1/events?warnings=true").await.json();
    assert_eq!(listed["lifecycles"][crate::sample::EVENT], "fixing", "{listed}");
    let one = SATO.look(&site, &format!("/api/v1/events/{}", crate::sample::EVENT)).await.json();
    let report = SATO.look(&site, "/api/v1/report?since=2026-11-21T00:00:00Z").await.json();
    assert_eq!((&one["lifecycle"], &report["lifecycles"][crate::sample::EVENT]), (&"fixing".into(), &"fixing".into()));
    site.server.stop().await;
}

#[tokio::test]
async fn an_incident_that_is_over_offers_nothing() {
    let site = site().await;
    let moved = SATO.send(&site, &path("/do/merge"), &[("into", "INC-2026-0008"), ("reason", "same update")]).await;
    assert_eq!((moved.status, moved.header("location")), (303, "/incidents/INC-2026-0008"));
    let page = SATO.read(&site, "/incidents/INC-2026-0008").await;
    assert!(page.contains("of 334 devices left") && page.contains("INC-2026-0007"), "{page}");
    let gone = SATO.look(&site, &path("")).await;
    assert!(words(&gone.body).contains("Merged into INC-2026-0008"), "{}", words(&gone.body));
    for offer in ["method=\"post\"", "/do/"] {
        let found = gone.body.find(offer).map(|at| gone.body[at..].chars().take(200).collect::<String>());
        assert_eq!(found, None, "nothing can be done to it");
    }
    assert_eq!(SATO.send(&site, &path("/do/note"), &[("text", "x"), ("tell", "no")]).await.status, 422);
    site.server.stop().await;
}

#[tokio::test]
async fn hostile_words_stay_text() {
    use fleetwatch::incident::Command;
    let evil = "</textarea></td><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>";
    let mut told = life::with_workaround(NUMBER, &[3, 6, 9]);
    let mut event = told.events[0].event.clone();
    if let fleetwatch::incident::Action::Opened(opening) = &mut event.action {
        for joining in &mut opening.devices {
            (joining.branch, joining.customer) = (Some(evil.to_owned()), Some(evil.to_owned()));
        }
    }
    let later: Vec<_> = told.events.drain(1..).map(|recorded| recorded.event).collect();
    let mut told = Told::open(event);
    told.take(later);
    told.execute(life::at(LATER), evil.get(..60).unwrap(), Command::Note { text: evil.to_owned(), tell: true });
    told.execute(
        life::at(LATER),
        "Kimura",
        Command::RegisterCountermeasure {
            workaround: Some(fleetwatch::incident::WorkaroundPlan {
                id: evil.get(..60).unwrap().to_owned(),
                script: fleetwatch::incident::Script { ja: evil.to_owned(), en: evil.to_owned() },
            }),
            fix: None,
            fix_due_at: None,
        },
    );
    told.execute(life::at(LATER), "Tanaka", Command::AgreeCountermeasure { version: 3 });
    let site = site_of(vec![told], LATER).await;
    let encoded: String = evil.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for place in [
        "/".to_owned(),
        path(""),
        path(&format!("?q={encoded}&step={encoded}")),
        path("/record"),
        path("/do/countermeasure"),
        path(&format!("/do/hand_over?seat={encoded}")),
        format!("/support?q={encoded}"),
        "/support?q=B-0003".to_owned(),
        format!("/branches/{encoded}"),
        "/devices/B-0003".to_owned(),
    ] {
        let answer = SATO.look(&site, &place).await;
        let body = crate::pages::without_own_script(&answer.body);
        assert!(!body.contains("<script") && !body.contains("<img"), "{place}: {body}");
        assert_well_formed(&body);
    }
    let refused = SATO.send(&site, &path("/do/hand_over"), &[("seat", evil), ("to", evil), ("reason", evil)]).await;
    let body = crate::pages::without_own_script(&refused.body);
    assert!(refused.status == 422 && !body.contains("<script") && !body.contains("<img"), "{body}");
    assert_well_formed(&body);
    site.server.stop().await;
}

#[tokio::test]
async fn each_reader_is_told_the_next_thing_that_is_theirs() {
    let site = site().await;
    let next = async |who: Person, path: &str| {
        let body = who.look(&site, path).await.body;
        body.split("<p class=\"next screen\">").nth(1).map(|rest| words(rest.split("</p>").next().unwrap()))
    };
    // On its second day, with a role that nobody has taken and claims that nothing verifies; and one that has just been declared.
    let (old, new) = ("/incidents/INC-2026-0007", "/incidents/INC-2026-0008");
    let vacant = "Next: No communications lead yet: take the role";
    for (path, who, expected) in [
        (old, SATO, Some(vacant)),
        (old, ENDO, Some("Next: Call again about 20 devices (claimed, not verified)")),
        (new, NODA, Some("Next: Register a countermeasure")),
        (new, ENDO, Some(vacant)),
        (old, SATO.japanese(), Some("次の対応: 広報責任者が決まっていません。担当してください")),
        (old, YAGI, None),
        (old, ABE, None),
    ] {
        assert_eq!(next(who, path).await.as_deref(), expected, "{path} {}", who.name);
    }
    let head = SATO.read(&site, old).await;
    let impact = "Since 22 Nov 2026 02:25 (31 h 00 min). 230 of 330 devices are neither done nor signed off. 50 branches, most in branch-01 (7),";
    assert!(head.contains(impact), "{head}");
    let body = SATO.look(&site, old).await.body;
    let grave = body.split("<details class=\"grave screen\">").nth(1).unwrap().split("</details>").next().unwrap();
    for act in ["merge", "split", "demote", "correct_time"] {
        assert_eq!(body.matches(&format!("/do/{act}\"")).count(), 1 + usize::from(act == "correct_time"), "{act}");
        assert!(grave.contains(&format!("/do/{act}\"")), "{act} stands apart from the common acts");
    }
    site.server.stop().await;
}
