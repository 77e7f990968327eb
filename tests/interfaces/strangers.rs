//! Strangers harm nobody: a listener without access control answers its own machine alone, and whoever holds connections, requests or
//! streams holds up nobody else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fleetwatch::record::access::{Role, Scope};
use fleetwatch::web::access::Mode;
use fleetwatch::web::{Access, AccessSettings, HttpConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::access::{add_user, deed, guarded, guarded_by, log_in_with, token};
use crate::client::{ask, send};
use crate::life;
use crate::sample::NOW;
use crate::server::Server;

const HOST: (&str, &str) = ("Host", "127.0.0.1:8080");
const HTML: (&str, &str) = ("Accept", "text/html");
const JSON: (&str, &str) = ("Content-Type", "application/json");
/// More than there are places.
const MANY: usize = 600;

/// Opens a connection, writes the beginning of a request, and says no more.
async fn half_sent(address: SocketAddr, beginning: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(beginning.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn without_access_control_this_machine_is_answered_and_nobody_behind_a_proxy() {
    let server = guarded(AccessSettings::default()).await;
    for own in [&[HOST][..], &[("Host", "localhost"), ("Origin", "http://localhost")], &[("Host", "[::1]:80"), HTML]] {
        assert_eq!(ask(server.address, "GET", "/api/v1/devices", own).await.status, 200, "{own:?}");
    }
    let decide = [HOST, JSON];
    let sent = send(server.address, "POST", "/api/v1/gates/1", &decide, r#"{"gate":"hold","reason":"r"}"#).await;
    assert_eq!(sent.status, 404, "let in; nothing is decided about updates in this sample");
    for passed_on in [
        ("X-Forwarded-For", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("Forwarded", "for=127.0.0.1"),
        ("Via", "1.1 Caddy"),
        ("X-Real-IP", "127.0.0.1"),
        ("CF-Connecting-IP", "203.0.113.9"),
        ("X-Remote-User", "sato"),
        ("Referer", "https://noc.example.jp/devices"),
        ("Origin", "https://noc.example.jp"),
    ] {
        for path in ["/", "/devices", "/account", "/login"] {
            let page = ask(server.address, "GET", &format!("{path}?lang=en"), &[HOST, HTML, passed_on]).await;
            assert_eq!((page.status, page.header("set-cookie")), (403, ""), "{path} {passed_on:?}");
            let told = page.body.contains("For this machine only") && page.body.contains("access.mode");
            assert!(told, "{path} {passed_on:?}: {}", page.body);
        }
        for path in ["/api/v1/devices", "/api/v1/incidents/stream", "/metrics"] {
            let answer = ask(server.address, "GET", path, &[HOST, passed_on]).await;
            assert_eq!(answer.status, 403, "{path} {passed_on:?}: {}", answer.body);
        }
        let headers = [HOST, JSON, passed_on];
        let sent = send(server.address, "POST", "/api/v1/gates/1", &headers, r#"{"gate":"hold","reason":"r"}"#).await;
        assert_eq!(sent.status, 403, "{passed_on:?}");
    }
    let japanese = [HOST, HTML, ("Accept-Language", "ja"), ("Via", "x")];
    assert!(ask(server.address, "GET", "/", &japanese).await.body.contains("このサーバーからのみ利用できます"));
    // nginx's default: no header, the upstream's name as Host, HTTP/1.0.
    let mut old = half_sent(server.address, "GET /api/v1/devices HTTP/1.0\r\nHost: 127.0.0.1:8080\r\n\r\n").await;
    let mut answer = String::new();
    old.read_to_string(&mut answer).await.unwrap();
    assert!(answer.split(' ').nth(1) == Some("403"), "{answer}");
    for open in ["/livez", "/readyz", "/assets/style.css"] {
        assert_eq!(ask(server.address, "GET", open, &[HOST, ("Via", "x")]).await.status, 200, "{open}");
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_that_are_half_sent_hold_up_nobody() {
    let server = guarded(AccessSettings { mode: Mode::Users, ..AccessSettings::default() }).await;
    add_user(&server, "Sato", Role::Noc, &[]).await;
    let mut held = Vec::new();
    for n in 0..MANY {
        let beginning = ["", "GET / HTTP/1.1\r\nHost: loc", "POST /login HTTP/1.1\r\nHost: localhost\r\n"][n % 3];
        held.push(half_sent(server.address, beginning).await);
    }
    everybody_is_answered(&server).await;
    drop(held);
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_do_not_come_hold_up_nobody() {
    let server = guarded(AccessSettings { mode: Mode::Users, ..AccessSettings::default() }).await;
    add_user(&server, "Sato", Role::Noc, &[]).await;
    let beginning = "POST /login HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Type: \
                     application/x-www-form-urlencoded\r\nContent-Length: 9000\r\n\r\nname=";
    let mut held = Vec::new();
    for _ in 0..MANY {
        held.push(half_sent(server.address, beginning).await);
    }
    everybody_is_answered(&server).await;
    drop(held);
    server.stop().await;
}

/// Health, metrics, a person who logs in, and a program.
async fn everybody_is_answered(server: &Server) {
    for path in ["/livez", "/readyz", "/metrics", "/login"] {
        assert_eq!(ask(server.address, "GET", path, &[HOST]).await.status, 200, "{path}");
    }
    assert_eq!(log_in_with(server, "Sato", &[("Host", "localhost")]).await.status, 303);
    let (reader, _) = token(server, Role::Viewer, &[Scope::Read], NOW.plus_ms(60_000)).await;
    let answer = ask(server.address, "GET", "/api/v1/devices", &[HOST, ("Authorization", &reader)]).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_head_that_takes_too_long_is_not_waited_for() {
    let config = HttpConfig { header_timeout: Duration::from_millis(100), ..HttpConfig::default() };
    let server = guarded_by(AccessSettings::default(), config).await;
    let mut stream = half_sent(server.address, "GET / HTTP/1.1\r\nHost: localhost\r\n").await;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "closed without an answer");
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_given_up() {
    let config = HttpConfig { stall_timeout: Duration::from_millis(100), ..HttpConfig::default() };
    let server = guarded_by(AccessSettings::default(), config).await;
    // Asks for more than the kernel keeps for a reader, and reads none of it.
    let request = "GET /api/v1/devices?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let _ = stream.write_all(request.as_bytes()).await;
    // A stop waits for every connection that is being answered.
    server.stop().await;
    drop(stream);
}

#[tokio::test]
async fn one_program_does_not_take_all_streams() {
    let desk = life::desk(vec![life::later(life::NUMBER, &life::hit(1_000))], life::LATER);
    let snapshot = life::snapshot(1_000, life::LATER);
    let server = Server::start_with("127.0.0.1:0", snapshot, &[], HttpConfig::default(), |state| {
        life::behind(&desk, state);
        let settings = AccessSettings { mode: Mode::Users, ..AccessSettings::default() };
        state.access = Arc::new(Access::new(state.access.store(), settings, state.clock).unwrap());
    })
    .await;
    let later = life::at(life::LATER + 60);
    let (one, _) = token(&server, Role::Viewer, &[Scope::Read], later).await;
    let (other, _) = token(&server, Role::Viewer, &[Scope::Read], later).await;
    let open = async |token: &str| {
        let head =
            format!("GET /api/v1/incidents/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n\r\n");
        let mut stream = half_sent(server.address, &head).await;
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        (String::from_utf8_lossy(&first[9..]).into_owned(), stream)
    };
    let mut statuses = Vec::new();
    let mut held = Vec::new();
    for _ in 0..128 {
        let (status, stream) = open(&one).await;
        statuses.push(status);
        held.push(stream);
    }
    let given = statuses.iter().filter(|status| *status == "200").count();
    assert!(given > 8 && given < 64, "{given}");
    assert!(statuses[given..].iter().all(|status| status == "503"), "{statuses:?}");
    assert_eq!(open(&other).await.0, "200", "somebody else still hears");
    drop(held);
    server.stop().await;
}

#[tokio::test]
async fn health_is_told_under_every_name_and_metrics_to_whom_they_are_for() {
    let settings = AccessSettings {
        mode: Mode::Users,
        public_url: Some("https://noc.example.jp".into()),
        metrics_from: vec!["127.0.0.0/8".parse().unwrap()],
        ..AccessSettings::default()
    };
    let config = HttpConfig { allowed_hosts: vec!["fleetwatch.noc.svc".into()], ..HttpConfig::default() };
    let server = guarded_by(settings, config).await;
    for host in ["127.0.0.1:30931", "10.244.0.5:8080", "fleetwatch.noc.svc:8080", "evil.example"] {
        for path in ["/livez", "/readyz", "/metrics"] {
            let answer = ask(server.address, "GET", path, &[("Host", host)]).await;
            assert_eq!(answer.status, 200, "{path} {host}: {}", answer.body);
            assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
        }
    }
    // A page under a foreign name that leads here (DNS rebinding), and somebody behind a proxy that is not listed.
    let rebound = [("Host", "evil.example"), ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(ask(server.address, "GET", "/metrics", &rebound).await.status, 421);
    let behind = [("Host", "127.0.0.1:30931"), ("X-Forwarded-For", "203.0.113.9")];
    assert_eq!(ask(server.address, "GET", "/metrics", &behind).await.status, 401);
    assert_eq!(ask(server.address, "GET", "/login", &[("Host", "fleetwatch.noc.svc:8080")]).await.status, 200);
    let unknown = ask(server.address, "GET", "/login", &[("Host", "10.244.0.5")]).await;
    assert!(unknown.status == 421 && unknown.body.contains("http.allowed_hosts"), "{}", unknown.body);
    server.stop().await;
}

#[tokio::test]
async fn strangers_hear_that_it_is_not_ready_and_not_where_its_files_are() {
    let server = guarded(AccessSettings { mode: Mode::Users, ..AccessSettings::default() }).await;
    server.health.close("journal", "cannot write to /srv/secret/journal: no space left");
    server.health.close("elsewhere", "postgres://noc@db.internal is away");
    let (reader, _) = token(&server, Role::Viewer, &[Scope::Read], NOW.plus_ms(60_000)).await;
    let stranger = ("X-Forwarded-For", "203.0.113.9");
    let told = ask(server.address, "GET", "/readyz", &[HOST, stranger]).await;
    assert_eq!(told.status, 503);
    let json = told.json();
    let journal = json["latches"].as_array().unwrap().iter().find(|latch| latch["name"] == "journal").unwrap();
    assert_eq!((&journal["ready"], &journal["reason"]), (&false.into(), &"the journal cannot be written".into()));
    assert!(!told.body.contains("/srv") && !told.body.contains("db.internal"), "{}", told.body);
    for known in [&[HOST][..], &[HOST, stranger, ("Authorization", &reader)]] {
        let told = ask(server.address, "GET", "/readyz", known).await;
        assert!(told.status == 503 && told.body.contains("/srv/secret/journal"), "{}", told.body);
    }
    assert_eq!(ask(server.address, "GET", "/readyz", &[HOST]).await.header("strict-transport-security"), "");
    server.stop().await;
}

#[tokio::test]
async fn wrong_passwords_from_anywhere_lock_nobody_else_out() {
    let https = ("https://noc.example.jp", ("Host", "noc.example.jp"));
    for (listed, form) in [
        (true, "203.0.113.{}"),
        (true, "203.0.113.{}:50000"),
        (true, "[2001:db8:0:{}::9]:50000"),
        (true, "\"[2001:db8:0:{}::9]\""),
        (true, "unknown{}"),
        (false, "203.0.113.{}"),
    ] {
        let networks = if listed { vec!["127.0.0.1/32".parse().unwrap()] } else { Vec::new() };
        let settings = AccessSettings {
            mode: Mode::Users,
            public_url: Some(https.0.into()),
            proxies: networks,
            ..AccessSettings::default()
        };
        let server = guarded(settings).await;
        add_user(&server, "Sato", Role::Noc, &[]).await;
        for n in 0..12 {
            let from = form.replace("{}", &(n + 1).to_string());
            let answer = log_in_with(&server, &format!("nobody{n}"), &[https.1, ("X-Forwarded-For", &from)]).await;
            assert_eq!(answer.status, 401, "{from}");
        }
        let from = form.replace("{}", "77");
        let answer = log_in_with(&server, "Sato", &[https.1, ("X-Forwarded-For", &from)]).await;
        assert_eq!(answer.status, 303, "{from} listed: {listed}");
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let headers = [https.1, ("X-Forwarded-For", &*from), ("Cookie", &cookie)];
        let page = ask(server.address, "GET", "/account?lang=en", &headers).await.body;
        let own = from.trim_matches(['"', '[']).split([']']).next().unwrap();
        let own = own.strip_suffix(":50000").unwrap_or(own);
        let shown = if listed && form != "unknown{}" { format!("<dd>{own}</dd>") } else { "a proxy&#39;s".to_owned() };
        let shown = page.contains(&shown) || page.contains(&shown.replace("&#39;", "'"));
        assert!(shown, "{from} listed: {listed}: {page}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_role_that_was_changed_counts_at_the_next_request() {
    use fleetwatch::record::access::AccessStore;
    let server = guarded(AccessSettings { mode: Mode::Users, ..AccessSettings::default() }).await;
    add_user(&server, "Sato", Role::Admin, &[]).await;
    let cookie = log_in_with(&server, "Sato", &[("Host", "localhost")]).await;
    let cookie = cookie.header("set-cookie").split(';').next().unwrap().to_owned();
    let role = async || {
        let page = ask(server.address, "GET", "/account?lang=en", &[HOST, HTML, ("Cookie", &cookie)]).await.body;
        page.split("<dt>Role</dt><dd>").nth(1).and_then(|rest| rest.split('<').next()).map(str::to_owned)
    };
    assert_eq!(role().await.as_deref(), Some("Administrator"));
    let mut user = server.store.user("Sato").await.unwrap().unwrap();
    user.role = Role::Viewer;
    server.store.change_user(&user, &deed("user_changed")).await.unwrap();
    assert!(role().await.is_none_or(|role| role == "Viewer"), "whether or not the session has ended with it");
    server.stop().await;
}
