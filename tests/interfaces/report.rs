//! The morning report, and what an incident's page tells beside its proof.

use fleetwatch::engine::effect::Change;
use fleetwatch::record::report::MorningReport;
use fleetwatch::store::Store;

use crate::client::{Answer, ask, get};
use crate::pages::{assert_well_formed, without_own_script, words};
use crate::sample::{self, NOW, Stage};
use crate::server::Server;

async fn night() -> Server {
    let mut changes = sample::near_miss();
    changes.extend(sample::history());
    let lone = Change {
        event_id: "E-0040".to_owned(),
        incident: Some("INC-0002".to_owned()),
        scope: fleetwatch::engine::effect::Scope::Isolated,
        cause: None,
        ..sample::change(fleetwatch::engine::effect::ChangeKind::Declared, NOW.plus_ms(-60_000), &[77])
    };
    changes.push(lone);
    Server::start(sample::snapshot(1_000, Stage::Declared), &changes).await
}

async fn browse(server: &Server, path: &str, language: &str) -> Answer {
    let headers = [("Host", "localhost"), ("Accept", "text/html"), ("Accept-Language", language)];
    ask(server.address, "GET", path, &headers).await
}

#[tokio::test]
async fn the_report_tells_what_the_night_amounted_to() {
    let server = night().await;
    let page = browse(&server, "/report", "en").await;
    assert_eq!(page.status, 200);
    assert_well_formed(&page.body);
    let own = without_own_script(&page.body);
    assert!(!own.contains("<script") && !page.body.contains(" style=\""));
    let seen = words(&page.body);
    for expected in [
        "Report",
        "Major incidents 1",
        "Near misses 1",
        "INC-0001",
        "INC-0002",
        "E-0031",
        "47 minutes, then 6 healthy (60 continuous minutes are required)",
        "update 2026.11.21",
        "330 devices",
        "B-0097",
        "fell silent in this period",
    ] {
        assert!(seen.contains(expected), "{expected:?} is not in {seen}");
    }
    let japanese = browse(&server, "/report?lang=ja", "en").await;
    assert_well_formed(&japanese.body);
    let seen = words(&japanese.body);
    for expected in ["夜間報告", "重大障害に至らなかった事象", "47分継続、その後6分正常（基準は連続60分）"]
    {
        assert!(seen.contains(expected), "{expected:?} is not in {seen}");
    }
    assert!(japanese.body.contains("name=\"lang\" value=\"ja\""), "the form keeps the language");
    server.stop().await;
}

#[tokio::test]
async fn a_report_is_of_the_time_that_is_asked_for() {
    let server = night().await;
    // The near miss began two hours ago and was over 66 minutes ago; the others are still open.
    let report = |query: &str| {
        let (path, address) = (format!("/api/v1/report?{query}"), server.address);
        async move { serde_json::from_value::<MorningReport>(get(address, &path).await.json()).unwrap() }
    };
    let whole = report("since=24h").await;
    let names = |list: &[fleetwatch::record::EventSummary]| list.iter().map(|i| i.event_id.clone()).collect::<Vec<_>>();
    assert_eq!(names(&whole.near_misses), ["E-0031"]);
    assert_eq!(
        (names(&whole.major), names(&whole.isolated)),
        (vec![sample::EVENT.to_owned()], vec!["E-0040".to_owned()])
    );
    assert_eq!(whole.longest[0].streak_s, 3_840);
    assert!(whole.longest.iter().any(|streak| streak.name == "E-0031" && !streak.declared));
    assert_eq!((whole.suspects[0].incidents, whole.suspects[0].devices), (1, 330));
    assert_eq!(whole.silent.unwrap().len(), 10);
    assert!(report("since=1h").await.near_misses.is_empty());
    let early = report("since=18:00&until=2026-11-22T01:40:00%2B09:00").await;
    assert_eq!((early.near_misses.len(), early.major.len()), (1, 0));
    server.stop().await;
}

#[tokio::test]
async fn a_time_that_is_none_is_said_and_stays_text() {
    let server = night().await;
    for (query, told) in [
        ("since=yesterday", "yesterday is not a time"),
        ("since=%3Cscript%3Ealert(1)%3C/script%3E", "is not a time"),
        ("since=08:00&until=08:00", "before the end"),
    ] {
        let page = browse(&server, &format!("/report?{query}"), "en").await;
        assert_eq!(page.status, 400, "{query}");
        assert_well_formed(&page.body);
        assert!(
            !without_own_script(&page.body).contains("<script") && words(&page.body).contains(told),
            "{}",
            page.body
        );
        let answer = get(server.address, &format!("/api/v1/report?{query}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, "application/problem+json"), "{query}");
    }
    server.store.close().await;
    assert!(words(&browse(&server, "/report", "en").await.body).contains("cannot be read"));
    assert_eq!(get(server.address, "/api/v1/report").await.status, 503);
    server.stop().await;
}

#[tokio::test]
async fn the_page_of_an_incident_tells_what_the_suspect_rests_on_and_what_carries_the_damage() {
    let server = night().await;
    let page = browse(&server, "/incidents/INC-0001", "en").await;
    assert_well_formed(&page.body);
    let seen = words(&page.body);
    for expected in [
        "With it 330 3 99 %",
        "Without it 2 655 0.3 %",
        "+63 points",
        "https delay p95 330 devices 4.1 % 71 %",
        "https false positives 330 devices not known 18 %",
        "2100498 0.5 to 312.0 flags an hour",
        "Added delay of https p50 p90 p95 p99 Before 1.9 ms",
        "Chance of a declaration: 51 %. Would be declared at 03:26. 120 devices have not installed it yet; about 72",
    ] {
        assert!(seen.contains(expected), "{expected:?} is not in {seen}");
    }
    assert!(page.body.contains("<polygon class=\"during\"") && page.body.contains("<polyline class=\"before\""));
    let miss = browse(&server, "/incidents/E-0031", "en").await;
    let seen = words(&miss.body);
    assert!(seen.contains("near miss") && seen.contains("Why not declared 47 minutes, then 6 healthy"), "{seen}");
    assert!(seen.contains("Declared not declared") && !seen.contains("Continuity proof"), "{seen}");
    assert!(!miss.body.contains("http-equiv=\"refresh\""), "what is over does not reload");
    server.stop().await;
}

#[tokio::test]
async fn an_alias_leads_to_the_incident_that_is_left() {
    let mut merged = sample::change(fleetwatch::engine::effect::ChangeKind::Joined, NOW, &[3]);
    merged.aliases = vec!["INC-0007".to_owned()];
    let mut changes = sample::history();
    changes.push(merged);
    let server = Server::start(sample::snapshot(1_000, Stage::Declared), &changes).await;
    let page = words(&browse(&server, "/incidents/INC-0007", "en").await.body);
    for expected in ["INC-0001", "Also known as INC-0007", "INC-0007 proved to be this incident"] {
        assert!(page.contains(expected), "{expected:?} is not in {page}");
    }
    assert_eq!(get(server.address, "/api/v1/events/INC-0007").await.json()["number"], "INC-0001");
    server.stop().await;
}

/// The program beside the server, with the server's record; a success.
async fn fleetwatch(server: &Server, args: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fleetwatch"));
    command.args(args).env_remove("FLEETWATCH_CONFIG").env("FLEETWATCH__STORE__PATH", &server.record);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_tells_the_same_from_the_record_and_from_the_running_instance() {
    let server = night().await;
    let url = format!("http://{}", server.address);
    let span = ["--since", "2026-11-21 18:00", "--until", "2026-11-22T03:30:00+09:00"];
    let recorded = fleetwatch(&server, &[&["report"][..], &span].concat()).await;
    let asked = fleetwatch(&server, &[&["report", "--from", &url][..], &span].concat()).await;
    let (until_silent, _) = recorded.split_once("Devices that do not report").unwrap();
    assert!(asked.starts_with(until_silent), "{recorded}\n{asked}");
    for told in ["1 major incident, 1 of one device, 1 not declared", "47 minutes, then 6 healthy", "B-0097 "] {
        assert!(asked.contains(told), "{told:?} is not in {asked}");
    }
    assert!(recorded.contains("not in the record: ask the running instance"), "{recorded}");
    let json = fleetwatch(&server, &[&["report", "--json"][..], &span].concat()).await;
    let report: MorningReport = serde_json::from_str(&json).unwrap();
    assert_eq!((report.near_misses[0].near_miss.unwrap().length_min, report.silent), (47, None));

    for name in ["INC-0001", "E-0031"] {
        let recorded = fleetwatch(&server, &["explain", name, "--minutes"]).await;
        assert_eq!(recorded, fleetwatch(&server, &["explain", name, "--minutes", "--from", &url]).await);
        assert!(recorded.starts_with(&format!("{name}  ")) && recorded.is_ascii() || recorded.contains('\u{2588}'));
    }
    let proof = fleetwatch(&server, &["explain", "INC-0001", "--ascii"]).await;
    for told in [
        "  02:25 #######################....#############?##########_########",
        "02:48  gap of 4 minutes: bridged",
        "03:05  gap of 1 minute: bridged",
        "03:16  1 healthy minute: does not count",
        "with it             330          3   99 % affected",
        "difference in differences: +63 points",
    ] {
        assert!(proof.contains(told), "{told:?} is not in {proof}");
    }
    server.stop().await;
}
