//! A branch sees its own devices, and nothing of others, wherever it looks.

use std::sync::Arc;

use fleetwatch::engine::device::DeviceId;
use fleetwatch::engine::snapshot::Snapshot;
use fleetwatch::incident::Action;
use fleetwatch::incident::event::Joining;

use super::{ABE, ENDO, SATO, path, site, site_of};
use crate::client::send;
use crate::desk::Told;
use crate::life::{self, LATER, NUMBER};
use crate::pages::words;
use crate::sample;

#[tokio::test]
async fn a_branch_sees_its_own_and_its_contacts() {
    let site = site().await;
    let own = ABE.read(&site, "/branches/branch-03").await;
    for expected in ["Branch branch-03", "INC-2026-0007", "B-0453", "Customer 453 0120-00-0453", "Script WA-1"] {
        assert!(own.contains(expected), "{expected:?} is not in {own}");
    }
    let list = ABE.read(&site, "/branches").await;
    assert!(
        list.contains("branch-03") && !list.contains("branch-04") && list.contains("You see your own branches."),
        "{list}"
    );
    assert!(ABE.read(&site, "/devices/B-0153").await.contains("0120-00-0153"));
    assert!(ABE.read(&site, "/support?q=B-0153").await.contains("0120-00-0153"));
    let whole = SATO.read(&site, "/branches").await;
    assert!(whole.contains("branch-03") && whole.contains("branch-04"));
    site.server.stop().await;
}

#[tokio::test]
async fn nothing_of_another_branch_is_told_anywhere() {
    let site = site().await;
    // B-0006 is branch-06's; its customer is C-00006.
    for elsewhere in ["/branches/branch-06", "/devices/B-0006", "/branches/nowhere"] {
        assert_eq!(ABE.look(&site, elsewhere).await.status, 404, "{elsewhere}");
    }
    for whole in [
        &*path(""),
        &path("/record"),
        &path("/review"),
        &path("/review.md"),
        "/incidents",
        "/settings",
        "/report",
        "/gates",
    ] {
        let answer = ABE.look(&site, whole).await;
        assert_eq!(answer.status, 403, "{whole}");
        assert!(!answer.body.contains("B-0"), "{whole}");
    }
    for q in ["B-0006", "C-00006", "0120-00-0006", "Customer%206"] {
        let page = ABE.look(&site, &format!("/support?q={q}")).await.body;
        // What was typed is told back, in the form and in the answer.
        let told = words(&page).replace("No match for B-0006", "");
        let foreign: Vec<&str> = told.split_whitespace().filter(|word| is_foreign(word)).collect();
        assert!(foreign.is_empty() && !told.contains("branch-06"), "{q}: {foreign:?} in {told}");
    }
    for open in ["/branches/branch-03", "/support", "/devices", "/branches"] {
        let page = ABE.read(&site, open).await;
        let foreign: Vec<&str> = page.split_whitespace().filter(|word| is_foreign(word)).collect();
        assert!(foreign.is_empty(), "{open}: {foreign:?}");
    }
    // The first page leads to what is its own.
    assert_eq!(ABE.look(&site, "/").await.header("location"), "/branches");
    site.server.stop().await;
}

/// A serial whose branch is not branch-03.
fn is_foreign(word: &str) -> bool {
    let number = word.strip_prefix("B-").and_then(|digits| digits.parse::<usize>().ok());
    number.is_some_and(|number| number % 50 != 3)
}

#[tokio::test]
async fn a_branch_works_on_its_own_devices_only() {
    let site = site_of(vec![life::with_workaround(NUMBER, &life::hit(1_000))], LATER).await;
    let call = |device| vec![("device", device), ("incident", NUMBER), ("calls", "0"), ("outcome", "reached")];
    assert_eq!(ABE.send(&site, "/support/call", &call("B-0153")).await.status, 303);
    let foreign = ABE.send(&site, "/support/call", &call("B-0006")).await;
    assert_eq!(foreign.status, 403);
    let claim = |device| vec![("device", device), ("incident", NUMBER), ("claim", "workaround")];
    assert_eq!(ABE.send(&site, "/support/claim", &claim("B-0006")).await.status, 403);
    assert_eq!(ABE.send(&site, "/support/claim", &claim("B-0153")).await.status, 303);
    // Many at once is for who sees the whole incident.
    let many = ABE.send(&site, &path("/do/claim"), &[("devices", "B-0006"), ("claim", "workaround")]).await;
    assert_eq!(many.status, 404);
    let many = ENDO.send(&site, &path("/do/claim"), &[("devices", "B-0006"), ("claim", "workaround")]).await;
    assert_eq!(many.status, 303);
    let incident = site.desk.incident(NUMBER);
    assert_eq!(incident.ladder.get(&sample::id(6)).unwrap().calls, 0);
    assert_eq!(incident.ladder.get(&sample::id(153)).unwrap().calls, 1);
    site.server.stop().await;
}

#[tokio::test]
async fn a_branch_reads_the_script_and_says_so() {
    let site = site().await;
    let page = ABE.look(&site, "/support").await;
    assert!(words(&page.body).contains("Version 2 of the script is new to you"));
    let read = ABE.send(&site, &path("/do/script"), &[("version", "2")]).await;
    assert_eq!((read.status, read.header("location")), (303, "/support"), "it may not see the incident's page");
    assert!(!ABE.read(&site, "/support").await.contains("is new to you"));
    for act in ["hand_over", "acknowledge", "note", "split", "close"] {
        assert_eq!(ABE.look(&site, &path(&format!("/do/{act}"))).await.status, 404, "{act}");
    }
    site.server.stop().await;
}

/// Anybody can make a device say what he likes. B-0006 is branch-06's by the list and says that it is branch-03's, B-0153 the other way
/// round, and B-9999 is on no list.
#[tokio::test]
async fn what_a_device_says_of_its_branch_gives_nobody_a_right() {
    let lies = |device: &str, branch: &str| match device {
        "B-0006" => "branch-03".to_owned(),
        "B-0153" => "branch-06".to_owned(),
        _ => branch.to_owned(),
    };
    let mut event = life::opening(NUMBER, &life::hit(1_000));
    if let Action::Opened(opening) = &mut event.action {
        for joining in &mut opening.devices {
            joining.branch = joining.branch.take().map(|branch| lies(joining.device.as_str(), &branch));
        }
        let unlisted = Joining { device: DeviceId::parse("B-9999").unwrap(), ..life::joining(3) };
        opening.devices.push(unlisted);
    }
    let site = site_of(vec![Told::open(event)], LATER).await;
    let mut snapshot = Snapshot::clone(&site.server.snapshot.load());
    for device in &mut snapshot.devices {
        let said = device.branch.as_deref().map(|branch| lies(device.id.as_str(), branch));
        device.branch = said.map(|branch| branch.into());
    }
    site.server.snapshot.store(Arc::new(snapshot));

    for foreign in ["B-0006", "B-9999"] {
        assert_eq!(ABE.look(&site, &format!("/devices/{foreign}")).await.status, 404, "{foreign}");
        assert_eq!(ABE.look(&site, &format!("/api/v1/contacts/{foreign}")).await.status, 404, "{foreign}");
        for open in [
            "/branches/branch-03",
            "/support",
            "/devices",
            "/devices?branch=branch-03",
            &*format!("/api/v1/incidents/{NUMBER}"),
            &format!("/api/v1/incidents/{NUMBER}/ladder?limit=1000"),
            &format!("/api/v1/incidents?device={foreign}"),
            "/api/v1/devices?limit=1000",
        ] {
            let answer = ABE.look(&site, open).await;
            assert!(answer.status == 200 && !answer.body.contains(foreign), "{foreign} in {open}");
        }
        let page = ABE.look(&site, &format!("/support?q={foreign}")).await.body;
        assert!(!page.contains("0120-00-0006") && !page.contains("C-00006"), "{foreign}");
        let call = [("device", foreign), ("incident", NUMBER), ("calls", "0"), ("outcome", "reached")];
        assert_eq!(ABE.send(&site, "/support/call", &call).await.status, 403, "{foreign}");
        let claim = [("device", foreign), ("incident", NUMBER), ("claim", "workaround")];
        assert_eq!(ABE.send(&site, "/support/claim", &claim).await.status, 403, "{foreign}");
        for command in [
            format!(r#"{{"command":"claim","devices":["{foreign}"],"claim":"workaround"}}"#),
            format!(r#"{{"command":"record_call","device":"{foreign}","call":{{"outcome":"reached"}}}}"#),
        ] {
            let headers = ABE.headers(&[("Content-Type", "application/json")]);
            let path = format!("/api/v1/incidents/{NUMBER}/commands");
            let answer = send(site.server.address, "POST", &path, &headers, &command).await;
            assert_eq!(answer.status, 403, "{command}: {}", answer.body);
        }
    }
    let found = ABE.look(&site, "/api/v1/contacts?q=0120-00-0006").await;
    assert!(found.status == 200 && !found.body.contains("0120-00-0006"), "{}", found.body);

    // What is its own stays its own, whatever it says of itself.
    for open in ["/branches/branch-03", "/devices/B-0153", "/support?q=B-0153"] {
        let page = ABE.read(&site, open).await;
        assert!(page.contains("B-0153") && page.contains("0120-00-0153"), "{open}: {page}");
        assert!(!page.contains("branch-06"), "{open}: {page}");
    }
    let list = ABE.read(&site, "/branches").await;
    assert!(list.contains("branch-03") && !list.contains("branch-06"), "{list}");
    let call = [("device", "B-0153"), ("incident", NUMBER), ("calls", "0"), ("outcome", "reached")];
    assert_eq!(ABE.send(&site, "/support/call", &call).await.status, 303);
    // Whoever is bound to no branch sees all of it.
    assert!(ENDO.read(&site, "/support?q=B-0006").await.contains("0120-00-0006"));
    site.server.stop().await;
}
