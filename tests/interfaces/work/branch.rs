//! A branch sees its own devices, and nothing of others, wherever it looks.

use super::{ABE, ENDO, path, site, site_of};
use crate::life::{self, LATER, NUMBER};
use crate::pages::words;
use crate::sample;

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
    let case = site.desk.case(NUMBER);
    assert_eq!(case.ladder.get(&sample::id(6)).unwrap().calls, 0);
    assert_eq!(case.ladder.get(&sample::id(153)).unwrap().calls, 1);
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
