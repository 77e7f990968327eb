//! The pages, the API and the guards of the operators' listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fleetwatch::engine::device::Label;
use fleetwatch::engine::effect::ChangeKind;
use fleetwatch::engine::snapshot::Snapshot;
use fleetwatch::store::Store;
use fleetwatch::web::HttpConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, ask, get};
use crate::sample::{self, NOW, Stage};
use crate::server::Server;

async fn declared() -> Server {
    Server::start(sample::snapshot(1_000, Stage::Declared), &sample::history()).await
}

async fn browse(address: SocketAddr, path: &str, language: &str) -> Answer {
    ask(address, "GET", path, &[("Host", "localhost"), ("Accept", "text/html"), ("Accept-Language", language)]).await
}

/// The text that a reader sees: without tags, spaces folded.
pub fn words(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The page without the one script that is ours.
pub fn without_own_script(html: &str) -> String {
    let Some(begin) = html.find("<script src=\"/assets/live.js?v=") else { return html.to_owned() };
    let end = begin + html[begin..].find("</script>").unwrap();
    format!("{}{}", &html[..begin], &html[end + "</script>".len()..])
}

/// Every start tag has its end tag, in order: what a hostile name would break first.
pub fn assert_well_formed(html: &str) {
    const VOID: [&str; 5] = ["meta", "link", "br", "input", "!DOCTYPE"];
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1) {
        let name = tag.split(|c: char| c == '>' || c.is_whitespace()).next().unwrap();
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "in {html}");
        } else if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test]
async fn the_first_page_says_what_is_wrong() {
    let server = declared().await;
    let page = browse(server.address, "/", "en").await;
    assert_eq!(page.status, 200);
    assert_well_formed(&page.body);
    let words = words(&page.body);
    for expected in [
        "Major incident",
        "990 of 1000 expected",
        "Degraded now 330",
        "INC-0001",
        "update 2026.11.21 (confidence 98 %)",
        "Runner-up: update + model 2026.11.21+B200 (confidence 1 %)",
        "full: 65 min proved",
        "Impact began 22 Nov 2026 02:25",
        "As of 03:30:00",
        "Suspended: without data",
    ] {
        assert!(words.contains(expected), "{expected:?} is not in {words}");
    }
    assert!(!words.contains("Nothing is wrong") && !words.contains("cannot be seen"));
    assert!(page.body.contains("<time datetime=\"2026-11-21T17:25:00Z\">"));
    assert!(!without_own_script(&page.body).contains("<script"));
    server.stop().await;
}

#[tokio::test]
async fn a_warning_counts_down_to_its_deadline() {
    let server = Server::start(sample::snapshot(1_000, Stage::Minute(42)), &[]).await;
    let page = words(&browse(server.address, "/", "en").await.body);
    assert!(page.contains("Early warning"), "{page}");
    assert!(page.contains("42 min of 60 min proved"), "{page}");
    assert!(page.contains("Becomes a major incident at 03:48 (in 17 min) if nothing changes."), "{page}");
    // 42 of 60 minutes on a bar of 600 units.
    assert!(browse(server.address, "/", "en").await.body.contains("width=\"420.0\""));
    server.stop().await;
}

#[tokio::test]
async fn all_is_well_is_said_only_by_a_detector_that_sees() {
    for path in ["/", "/wall"] {
        all_is_well_is_said_by_who_sees(path).await;
    }
}

async fn all_is_well_is_said_by_who_sees(path: &str) {
    let healthy = Snapshot { events: Vec::new(), ..sample::snapshot(100, Stage::Quiet) };
    let server = Server::start(healthy.clone(), &[]).await;
    let seen = |page: Answer| words(&page.body);
    let page = seen(browse(server.address, path, "en").await);
    assert!(page.contains("Nothing is wrong") && !page.contains("cannot be seen"), "{page}");

    server.health.close("journal", "no space left on device");
    let page = seen(browse(server.address, path, "en").await);
    assert!(page.contains("The fleet cannot be seen") && page.contains("journal : no space left"), "{page}");
    assert!(!page.contains("Nothing is wrong"), "{page}");
    server.health.open("journal");

    let mut silent = healthy.clone();
    silent.totals.reporting = 49;
    server.snapshot.store(Arc::new(silent));
    let page = seen(browse(server.address, path, "en").await);
    assert!(page.contains("Only 49 of 100 devices are reporting. The rest are unknown, not healthy."), "{page}");
    assert!(!page.contains("Nothing is wrong"), "{page}");

    server.snapshot.store(Arc::new(Snapshot { at: NOW.plus_ms(-600_000), ..healthy }));
    let page = seen(browse(server.address, path, "en").await);
    assert!(page.contains("are 10 min old"), "{page}");
    assert!(!page.contains("Nothing is wrong"), "{page}");

    server.snapshot.store(Arc::default());
    let page = seen(browse(server.address, path, "en").await);
    assert!(page.contains("Starting") && !page.contains("Nothing is wrong"), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn the_wall_says_the_worst_first_and_has_no_menu() {
    let server = declared().await;
    let page = browse(server.address, "/wall", "en").await;
    assert_well_formed(&page.body);
    let seen = words(&page.body);
    for expected in
        ["Major incident INC-0001", "Degraded now 330", "Reporting 990 / 1000", "update 2026.11.21", "As of 03:30:00"]
    {
        assert!(seen.contains(expected), "{expected:?} is not in {seen}");
    }
    assert!(
        !page.body.contains("<nav") && !page.body.contains("<form") && !seen.contains("Nothing is wrong"),
        "{seen}"
    );
    server.stop().await;

    let server = Server::start(sample::snapshot(1_000, Stage::Minute(42)), &[]).await;
    let seen = words(&browse(server.address, "/wall", "en").await.body);
    assert!(seen.contains("Early warning") && seen.contains("Becomes a major incident at 03:48 (in 17 min)"), "{seen}");
    server.stop().await;
}

#[tokio::test]
async fn the_page_of_an_incident_has_its_proof_its_story_and_its_devices() {
    let server = declared().await;
    let page = browse(server.address, "/incidents/INC-0001", "en").await;
    assert_eq!(page.status, 200);
    assert_well_formed(&page.body);
    // Minutes of one verdict are drawn as one: seven runs in the hour, one beyond it, and the title of the page.
    assert_eq!(page.body.matches("<title>").count(), 1 + 8);
    assert!(page.body.contains("<title>02:48–02:52 no data</title>"), "{}", page.body);
    let words = words(&page.body);
    for expected in [
        "65 minutes: 59 degraded, 1 healthy, 5 not known",
        "gap of 4 min, bridged",
        "gap of 1 min, bridged",
        "does not count",
        "Early warning after 15 min",
        "Declared a major incident with 330 devices",
        "330 devices (328 still affected)",
        "branch-03",
        "B-0999",
    ] {
        assert!(words.contains(expected), "{expected:?} is not in {words}");
    }
    assert!(page.body.contains("aria-label=\"65 minutes: 59 degraded, 1 healthy, 5 not known\""));
    // By event id it is the same page.
    let same = browse(server.address, &format!("/incidents/{}", sample::EVENT), "en").await;
    assert_eq!(same.body.matches("<title>").count(), 9);
    server.stop().await;
}

#[tokio::test]
async fn an_event_that_is_not_yet_on_record_has_a_page_from_the_snapshot() {
    let server = Server::start(sample::snapshot(1_000, Stage::Minute(42)), &[]).await;
    let page = browse(server.address, &format!("/incidents/{}", sample::EVENT), "en").await;
    assert_eq!(page.status, 200);
    let words = words(&page.body);
    assert!(words.contains("still being written") && words.contains("330 devices"), "{words}");
    let missing = browse(server.address, "/incidents/INC-9999", "ja").await;
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("見つかりません"));
    server.stop().await;
}

#[tokio::test]
async fn the_reader_chooses_the_language() {
    let server = declared().await;
    for path in ["/", "/incidents", "/incidents/INC-0001", "/devices"] {
        let japanese = browse(server.address, path, "ja,en;q=0.5").await;
        assert!(japanese.body.contains("<html lang=\"ja\">"), "{path}");
        assert_eq!((japanese.header("content-language"), japanese.header("vary")), ("ja", "Accept-Language"), "{path}");
        let english = browse(server.address, path, "en").await;
        assert!(english.body.contains("<html lang=\"en\">"), "{path}");
        assert_ne!(words(&japanese.body), words(&english.body));
        // A choice in the address beats the browser's, and stays in the links.
        let chosen = browse(server.address, &format!("{path}?lang=ja"), "en").await;
        assert!(chosen.body.contains("<html lang=\"ja\">"), "{path}");
        assert!(chosen.body.contains("href=\"/devices?lang=ja\""), "{path}");
        assert!(chosen.body.contains("lang=en\" lang=\"en\""), "the switch leads back");
    }
    let page = browse(server.address, "/?lang=ja", "en").await;
    let seen = words(&page.body);
    for expected in ["重大障害", "原因の候補", "2026年11月22日 02:25", "確信度 98%"] {
        assert!(seen.contains(expected), "{expected} is not in {seen}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_device_list_is_filtered_and_paged() {
    let server = declared().await;
    let page = browse(server.address, "/devices?branch=branch-03&update=&verdict=degraded", "en").await;
    assert_eq!(page.status, 200);
    assert_well_formed(&page.body);
    assert_eq!(page.body.matches("<th scope=\"row\">").count(), 7);
    assert!(page.body.contains("<option value=\"branch-03\" selected>"));
    let first = browse(server.address, "/devices?sort=id", "en").await;
    assert!(first.body.contains("100 of 1000") && first.body.contains("href=\"/devices?sort=id&amp;after=B-0100\""));
    let last = browse(server.address, "/devices?sort=id&after=B-0950", "en").await;
    assert!(last.body.contains("50 of 1000") && !last.body.contains("rel=\"next\""));
    assert_eq!(browse(server.address, "/devices?verdict=purple", "en").await.status, 400);
    assert_eq!(browse(server.address, "/devices?sort=colour", "en").await.status, 400);
    assert_eq!(browse(server.address, "/devices?limit=x", "en").await.status, 400);
    server.stop().await;
}

/// The devices of a list, in its order.
fn listed(html: &str) -> Vec<&str> {
    html.split("<th scope=\"row\"><a href=\"/devices/")
        .skip(1)
        .map(|rest| rest.split(['"', '?']).next().unwrap())
        .collect()
}

#[tokio::test]
async fn the_first_page_shows_the_last_hours_with_axes_and_both_ends() {
    let server = declared().await;
    let page = browse(server.address, "/", "en").await.body;
    let (_, trend) = page.split_once("<section id=\"trend\"").unwrap();
    let (trend, _) = trend.split_once("</section>").unwrap();
    let seen = words(trend);
    // Unit, the greatest value of the axis, both ends of the time.
    for expected in
        ["devices 0 100 200 300 400", "21:25", "03:30", "degraded now: 330, at most 330 at 03:29", "nothing known"]
    {
        assert!(seen.contains(expected), "{expected:?} is not in {seen}");
    }
    assert_eq!(trend.matches("<rect class=\"gap\"").count(), 2, "the gap and its legend: {trend}");
    let japanese = words(&browse(server.address, "/?lang=ja", "en").await.body);
    assert!(japanese.contains("直近の推移") && japanese.contains("品質低下: 330台"), "{japanese}");
    server.stop().await;
}

#[tokio::test]
async fn a_device_shows_its_last_hours_and_what_of_them_is_unknown() {
    let server = declared().await;
    let page = browse(server.address, "/devices/B-0003", "en").await;
    assert_well_formed(&page.body);
    let (_, hours) = page.body.split_once("<section id=\"history\"").unwrap();
    let seen = words(hours.split_once("</section>").unwrap().0);
    for expected in [
        "Last 8 h: 65 min degraded, 385 min healthy, 0 min undecided, 30 min without data.",
        "https: Share of the delays above the p95 limit",
        "The limit is 7.8 ms at this hour of the day.",
        "p95 at its limit 5.0 %",
        "no data",
        "19:30",
        "03:30",
    ] {
        assert!(seen.contains(expected), "{expected:?} is not in {seen}");
    }
    assert!(
        hours.contains(
            "aria-label=\"Share of the delays above the p95 limit: 69 % in the newest 5 min, at most 69 %.\""
        ),
        "{hours}"
    );
    // Another class, by an address that says it.
    let dns = browse(server.address, "/devices/B-0003?class=dns", "en").await.body;
    assert!(
        words(&dns).contains("dns: Share of the delays") && dns.contains("class=dns\" aria-current=\"true\""),
        "{dns}"
    );
    assert!(page.body.len() < 150 * 1_024, "{}", page.body.len());
    server.stop().await;
}

/// The page asked for again by one that has `parts`.
async fn again(address: SocketAddr, path: &str, parts: &str) -> Answer {
    let headers =
        [("Host", "localhost"), ("Accept", "text/html"), ("X-Fleetwatch-Refresh", "1"), ("X-Fleetwatch-Have", parts)];
    ask(address, "GET", path, &headers).await
}

fn parts_of(html: &str) -> &str {
    html.split_once("data-parts=\"").unwrap().1.split('"').next().unwrap()
}

#[tokio::test]
async fn a_refresh_fetches_only_what_has_changed() {
    let server = declared().await;
    for path in ["/", "/incidents/INC-0001", "/incidents", "/devices", "/devices/B-0003", "/wall"] {
        let whole = browse(server.address, path, "en").await.body;
        let parts = parts_of(&whole);
        let same = again(server.address, path, parts).await;
        assert_well_formed(&same.body);
        assert_eq!((same.status, parts_of(&same.body)), (200, parts), "{path}");
        assert_eq!(same.body.matches("data-same").count(), parts.split(' ').count(), "{path}");
        assert!(same.body.len() < 1_800, "{path}: {} bytes of {}", same.body.len(), whole.len());
        println!("{path}: {} bytes of {} where nothing has changed", same.body.len(), whole.len());
        // A part that is not there is sent, and nothing else; a page of other parts comes whole.
        let (first, rest) = parts.split_once(' ').unwrap();
        let other = again(server.address, path, &format!("{}=00000000 {rest}", first.split('=').next().unwrap())).await;
        assert_eq!(other.body.matches("data-same").count(), parts.split(' ').count() - 1, "{path}");
        assert!(again(server.address, path, rest).await.body.contains("<script"), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_device_list_is_searched_and_sorted() {
    let server = declared().await;
    let list =
        |query: &'static str| async move { browse(server.address, &format!("/devices?{query}"), "en").await.body };
    for (query, expected) in [
        ("", ["B-0003", "B-0006", "B-0009"]),
        ("sort=worst&after=B-0999", ["B-0097", "B-0194", "B-0291"]),
        ("sort=id", ["B-0001", "B-0002", "B-0003"]),
        ("sort=branch", ["B-0050", "B-0100", "B-0150"]),
        ("sort=seen", ["B-0097", "B-0194", "B-0291"]),
        ("q=b-099&sort=id", ["B-0990", "B-0991", "B-0992"]),
        ("q=C-0042&sort=id", ["B-0420", "B-0421", "B-0422"]),
    ] {
        let page = list(query).await;
        assert_well_formed(&page);
        assert_eq!(listed(&page)[..3], expected, "{query}");
    }
    // Links keep the other choices.
    let page = list("q=B-0&branch=branch-03&sort=seen&lang=ja").await;
    assert!(page.contains("aria-sort=\"ascending\""), "{page}");
    let kept = "href=\"/devices?q=B-0&amp;branch=branch-03&amp;sort=branch&amp;lang=ja\"";
    assert!(
        page.contains(kept) && page.contains("<option value=\"seen\" selected>最終受信が古い順</option>"),
        "{page}"
    );
    // How long ago a device was heard of stands beside when.
    assert!(list("sort=seen").await.contains("</time> <span class=\"note\">(23 min ago)</span>"));
    server.stop().await;
}

#[tokio::test]
async fn hostile_names_stay_text() {
    let evil = "</td><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>";
    let mut snapshot = sample::snapshot(50, Stage::Declared);
    for device in &mut snapshot.devices {
        device.branch = Some(Label::from(evil));
        device.update = Some(Label::from(evil));
        device.model = Some(Label::from(evil));
        device.evidence = vec![evil.to_owned()];
    }
    for event in &mut snapshot.events {
        event.event_id = evil.to_owned();
        event.incident = Some(evil.to_owned());
        event.evidence = vec![evil.to_owned()];
        event.cause = Some(sample::cause());
        event.cause.as_mut().unwrap().suspect.value = evil.to_owned();
        event.cause.as_mut().unwrap().suspect.kind = evil.to_owned();
    }
    let mut change = sample::change(ChangeKind::Declared, NOW, &[3, 6]);
    change.event_id = evil.to_owned();
    change.incident = Some(evil.to_owned());
    change.cause.as_mut().unwrap().suspect.value = evil.to_owned();
    let server = Server::start(snapshot, &[change]).await;
    server.health.close("broker", evil);
    let encoded: String = evil.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for path in [
        "/".to_owned(),
        "/incidents".to_owned(),
        format!("/incidents/{encoded}"),
        "/devices".to_owned(),
        format!("/devices?branch={encoded}"),
        format!("/devices?lang={encoded}&verdict={encoded}"),
        format!("/{encoded}?{encoded}"),
    ] {
        let page = browse(server.address, &path, "en").await;
        let body = without_own_script(&page.body);
        assert!(!body.contains("<script") && !body.contains("<img"), "{path}: {body}");
        assert_well_formed(&page.body);
    }
    let filtered = browse(server.address, &format!("/devices?branch={encoded}"), "en").await;
    assert!(filtered.body.contains("50 of 50"), "the name still works as a filter");
    server.stop().await;
}

#[tokio::test]
async fn the_api_tells_the_same_as_the_pages() {
    let server = declared().await;
    let list = get(server.address, "/api/v1/events").await;
    assert_eq!((list.status, list.header("content-type")), (200, "application/json"));
    let list = list.json();
    assert_eq!(list["events"][0]["number"], "INC-0001");
    assert_eq!(list["events"][0]["cause"]["value"], "2026.11.21");
    assert_eq!(list["events"][0]["affected"], 330);

    let one = get(server.address, "/api/v1/events/INC-0001").await.json();
    assert_eq!(one["state"], "declared");
    assert_eq!(one["live"]["streak_s"], 3_900);
    assert_eq!(one["devices"].as_array().unwrap().len(), 330);
    let changes = one["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 9);
    assert_eq!((&changes[7]["event"], &changes[7]["actor"]), (&"declared".into(), &"detector".into()));
    assert_eq!(changes[7]["proof"].as_array().unwrap().len(), 65);
    server.stop().await;
}

#[tokio::test]
async fn the_api_pages_through_every_device_once() {
    let server = declared().await;
    let mut ids = Vec::new();
    let mut after = String::new();
    loop {
        let page = get(server.address, &format!("/api/v1/devices?limit=137&after={after}")).await.json();
        assert_eq!(page["total"], 1_000);
        ids.extend(page["devices"].as_array().unwrap().iter().map(|device| device["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    assert_eq!(ids, (1..=1_000).map(|number| sample::id(number).to_string()).collect::<Vec<_>>());
    let page = get(server.address, "/api/v1/devices?update=2026.11.21&verdict=degraded&branch=branch-03").await.json();
    assert_eq!(page["total"], 7);
    assert_eq!(page["at"], NOW.as_ms());
    server.stop().await;
}

#[tokio::test]
async fn mistakes_are_answered_with_problem_details() {
    let server = declared().await;
    let problems = [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/nowhere", 404),
        ("GET", "/api/v1/events/INC-9999", 404),
        ("POST", "/api/v1/events", 405),
        ("DELETE", "/", 405),
        ("GET", "/api/v1/devices?limit=0", 400),
        ("GET", "/api/v1/devices?limit=1001", 400),
        ("GET", "/api/v1/devices?limit=many", 400),
        ("GET", "/api/v1/devices?verdict=purple", 400),
        ("GET", "/api/v1/events?limit=100000", 400),
        ("GET", "/api/v1/events?open=perhaps", 400),
        ("GET", "/api/v1/events/%FF%FE", 400),
    ];
    for (method, path, status) in problems {
        let answer = ask(server.address, method, path, &[("Host", "localhost")]).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{method} {path}");
        assert!(problem["title"].is_string() && problem["detail"].as_str().is_some_and(|detail| detail.len() > 5));
    }
    let refused = ask(server.address, "POST", "/devices", &[("Host", "localhost")]).await;
    assert!(refused.header("allow").contains("GET"), "{:?}", refused.headers);
    server.stop().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_read_is_no_reason_to_show_nothing() {
    let server = declared().await;
    server.store.close().await;
    let page = browse(server.address, "/", "en").await;
    let seen = words(&page.body);
    assert!(page.status == 200 && seen.contains("Major incident") && seen.contains("cannot be read"), "{seen}");
    let page = browse(server.address, "/incidents/INC-0001", "en").await;
    let seen = words(&page.body);
    assert!(page.status == 200 && seen.contains("330 devices") && seen.contains("cannot be read"), "{seen}");
    let answer = get(server.address, "/api/v1/events").await;
    assert_eq!((answer.status, answer.header("content-type")), (503, "application/problem+json"));
    server.stop().await;
}

#[tokio::test]
async fn every_answer_carries_the_guarding_headers() {
    let server = declared().await;
    for path in ["/", "/devices", "/incidents/INC-0001", "/nowhere", "/metrics", "/livez", "/assets/style.css"] {
        let answer = get(server.address, path).await;
        assert!(
            answer.header("content-security-policy").starts_with("default-src 'none'; style-src 'self';"),
            "{path}"
        );
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
    }
    assert_eq!(get(server.address, "/").await.header("cache-control"), "no-store");
    let page = get(server.address, "/").await.body;
    let style = page.split("href=\"").find(|part| part.starts_with("/assets/style.css")).unwrap();
    let style = get(server.address, style.split('"').next().unwrap()).await;
    assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"));
    assert!(style.header("cache-control").contains("immutable"));
    // Nothing on a page would be blocked by the policy: no inline style, script or handler.
    for path in ["/", "/devices", "/incidents/INC-0001"] {
        let page = get(server.address, path).await.body;
        assert!(!page.contains(" style=\"") && !page.contains("<style") && !page.contains("onclick"), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_rebound_name_is_not_answered() {
    let server = declared().await;
    for (host, status, metrics) in
        [("127.0.0.1:1", 200, 200), ("localhost", 200, 200), ("evil.example", 421, 403), ("evil.example:80", 421, 403)]
    {
        for (path, status) in [("/", status), ("/metrics", metrics), ("/api/v1/devices", status), ("/livez", 200)] {
            assert_eq!(ask(server.address, "GET", path, &[("Host", host)]).await.status, status, "{host} {path}");
        }
        let page = [("Host", host), ("Sec-Fetch-Site", "same-origin")];
        assert_eq!(ask(server.address, "GET", "/metrics", &page).await.status, status, "{host}: by a page");
    }
    assert_eq!(ask(server.address, "GET", "http://evil.example/", &[("Host", "localhost")]).await.status, 421);
    server.stop().await;
}

#[tokio::test]
async fn readiness_names_the_latch_that_is_closed() {
    let server = declared().await;
    let ready = get(server.address, "/readyz").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &true.into()));
    server.health.close("broker", "connection refused");
    let answer = get(server.address, "/readyz").await;
    assert_eq!(answer.status, 503);
    let latches = answer.json()["latches"].clone();
    let broker = latches.as_array().unwrap().iter().find(|latch| latch["name"] == "broker").unwrap().clone();
    assert_eq!((&broker["ready"], &broker["reason"]), (&false.into(), &"connection refused".into()));
    assert_eq!(get(server.address, "/livez").await.status, 200, "alive all the same");
    server.stop().await;
}

#[tokio::test]
async fn metrics_are_served_as_text() {
    let server = declared().await;
    let answer = get(server.address, "/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    assert!(answer.body.contains("fleetwatch_device_verdict{device=\"B-1000\"} 2\n"));
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_its_place_given_away() {
    let config = HttpConfig { max_connections: 1, idle_timeout: Duration::from_millis(150), ..HttpConfig::default() };
    let server = Server::start_on("127.0.0.1:0", sample::snapshot(10, Stage::Quiet), &[], config).await;
    // Half a request, and then silence: it takes the only place there is.
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    silent.write_all(b"GET / HTTP/1.1\r\nHost: loc").await.unwrap();
    let answer = get(server.address, "/livez").await;
    assert_eq!(answer.status, 200, "it is answered once the silent one is out");
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), silent.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the silent connection was closed");
    server.stop().await;
}

#[tokio::test]
async fn a_large_body_is_refused_and_a_long_answer_cut() {
    let server = declared().await;
    let answer = ask(server.address, "GET", "/", &[("Host", "localhost"), ("Content-Length", "1000000000")]).await;
    assert_eq!(answer.status, 413);
    server.stop().await;

    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let config = HttpConfig { request_timeout: Duration::from_millis(50), ..HttpConfig::default() };
    let snapshot = sample::snapshot(10, Stage::Quiet);
    let server = Server::start_with("127.0.0.1:0", snapshot, &[], config, |state| {
        state.metrics = Arc::new(move || {
            let _ = held.lock().unwrap().recv();
            ("text/plain", String::new())
        });
    })
    .await;
    let answer = get(server.address, "/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (503, "application/problem+json"));
    assert_eq!(get(server.address, "/livez").await.status, 200, "the others are answered meanwhile");
    drop(release);
    server.stop().await;
}

/// The paths of pages, as the router has them.
fn routes() -> Vec<String> {
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/web.rs")).unwrap();
    let found = source.split(".route(\"").skip(1).filter_map(|rest| {
        let (path, handler) = rest.split_once('"')?;
        handler.starts_with(", get(").then(|| path.to_owned())
    });
    // Programs read these; and the login is for strangers.
    let others = ["/api/", "/assets/", "/login", "/livez", "/readyz", "/metrics", "/here"];
    found.filter(|path| !others.iter().any(|other| path.starts_with(other)) && !path.ends_with(".md")).collect()
}

#[tokio::test]
async fn every_page_says_of_when_it_is_and_asks_for_itself_again() {
    let site = crate::work::site().await;
    let routes = routes();
    assert!(routes.len() >= 15, "{routes:?}");
    for route in routes {
        let fill = |path: &str, id: &str| {
            let path = path.replace("{device}", "B-0003").replace("{branch}", "branch-03").replace("{act}", "note");
            path.replace("{id}", id)
        };
        let ids: &[&str] =
            if route == "/incidents/{id}" { &[crate::life::NUMBER, sample::EVENT] } else { &[crate::life::NUMBER] };
        for path in ids.iter().map(|id| fill(&route, id)) {
            for who in [crate::work::SATO, crate::work::SATO.japanese()] {
                let answer = who.look(&site, &path).await;
                assert_eq!(answer.status, 200, "{path}");
                let body = &answer.body;
                assert!(body.contains("id=\"as-of\"") && body.contains("<main id=\"content\" data-fresh="), "{path}");
                let line = body.split("id=\"as-of\"").nth(1).unwrap().split("</p>").next().unwrap();
                assert!(line.contains("data-age=\"") && line.contains("<time datetime="), "{path}: {line}");
                assert!(words(body).contains(if who.language == "ja" { "時点" } else { "As of" }), "{path}");
                // Forms stay as they are; whatever else there is lives.
                let still = ["/incidents/{id}/do/{act}", "/account"].contains(&&*route);
                let kind = if still { "data-fresh=\"still\"" } else { "data-fresh=\"living\" data-watch=\"" };
                assert!(body.contains(kind), "{path}: {body}");
                assert!(still || body.contains("data-live=\"\""), "{path}");
                assert!(body.contains("<div class=\"banner unknown\" id=\"lost\" hidden"), "{path}");
            }
        }
    }
    site.server.stop().await;
}

#[tokio::test]
async fn a_page_of_a_detector_that_stands_still_says_so_wherever_it_is() {
    let site = crate::work::site().await;
    let old = Snapshot {
        at: crate::life::at(crate::life::LATER).plus_ms(-600_000),
        ..(**site.server.snapshot.load()).clone()
    };
    site.server.snapshot.store(Arc::new(old));
    for path in ["/", "/incidents", "/devices", "/gates", "/report", "/branches", "/devices/B-0003", "/support"] {
        let seen = crate::work::SATO.read(&site, path).await;
        assert!(seen.contains("cannot be seen") && seen.contains("are 10 min old"), "{path}: {seen}");
        assert!(!seen.contains("Nothing is wrong"), "{path}");
    }
    site.server.stop().await;
}

/// The head of an answer and its body, as bytes.
async fn raw(address: SocketAddr, path: &str, more: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let cut = |bytes: &[u8], end: &[u8]| bytes.windows(end.len()).position(|window| window == end).unwrap();
    let end = cut(&bytes, b"\r\n\r\n");
    let (head, mut rest) = (String::from_utf8_lossy(&bytes[..end]).to_lowercase(), &bytes[end + 4..]);
    if !head.contains("transfer-encoding: chunked") {
        return (head, rest.to_vec());
    }
    let mut body = Vec::new();
    loop {
        let line = cut(rest, b"\r\n");
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            return (head, body);
        }
        body.extend_from_slice(&rest[line + 2..][..length]);
        rest = &rest[line + 2 + length + 2..];
    }
}

#[tokio::test]
async fn answers_are_compressed_for_who_takes_that() {
    let server = declared().await;
    for path in ["/incidents/INC-0001", "/api/v1/devices", "/assets/style.css"] {
        let (head, plain) = raw(server.address, path, "").await;
        assert!(head.contains("200 ok") && !head.contains("content-encoding"), "{path}: {head}");
        let (head, packed) = raw(server.address, path, "Accept-Encoding: gzip\r\n").await;
        assert!(head.contains("content-encoding: gzip") && head.contains("vary: accept-encoding"), "{path}: {head}");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*packed), &mut text).unwrap();
        assert_eq!(text.len(), plain.len(), "{path}");
        assert!(packed.len() * 2 < plain.len(), "{path}: {} of {}", packed.len(), plain.len());
        println!("{path}: {} bytes, {} of gzip", plain.len(), packed.len());
    }
    server.stop().await;
}
