//! Pages that keep themselves fresh: the stream of events.

use std::time::Duration;

use fleetwatch::incident::ladder::Proof;
use fleetwatch::incident::{Action, TELEMETRY};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{ABE, ENDO, Person, Site, site, site_of};
use crate::life::{self, NUMBER};
use crate::sample;

/// An open stream, and what has come of it.
struct Stream {
    stream: TcpStream,
    heard: String,
}

impl Stream {
    async fn open(site: &Site, who: &Person) -> Self {
        let mut stream = TcpStream::connect(site.server.address).await.unwrap();
        let mut request = "GET /api/v1/incidents/stream HTTP/1.1\r\n".to_owned();
        for (name, value) in who.headers(&[]) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
        let mut opened = Self { stream, heard: String::new() };
        opened.until("data: {}\n\n").await;
        opened
    }

    /// Reads until `wanted` was heard; answers all that was heard since the last call.
    async fn until(&mut self, wanted: &str) -> String {
        let read = async {
            let mut buffer = [0; 4_096];
            while !self.heard.contains(wanted) {
                let n = self.stream.read(&mut buffer).await.unwrap();
                assert!(n > 0, "the stream ended after {}", self.heard);
                self.heard.push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        };
        tokio::time::timeout(Duration::from_secs(20), read).await.unwrap_or_else(|_| panic!("no {wanted:?} came"));
        std::mem::take(&mut self.heard)
    }
}

fn proved(number: usize) -> Action {
    Action::Proved { devices: vec![sample::id(number)], proof: Proof::Workaround }
}

#[tokio::test]
async fn a_change_reaches_whoever_looks_and_the_page_then_shows_it() {
    let site = site_of(vec![life::with_workaround(NUMBER, &life::hit(60))], life::LATER).await;
    let page = ENDO.read(&site, "/support?q=B-0003").await;
    assert!(page.contains("Workaround is OFF"), "{page}");
    let mut stream = Stream::open(&site, &ENDO).await;
    site.desk.happen(NUMBER, TELEMETRY, proved(3));
    let heard = stream.until("\n\n").await;
    assert!(heard.contains("event: incident") && heard.contains("\"number\":\"INC-2026-0007\""), "{heard}");
    assert!(heard.contains("\"actions\":[\"proved\"]") && heard.contains("B-0003"), "{heard}");
    assert!(ENDO.read(&site, "/support?q=B-0003").await.contains("Workaround is ON"));
    // A new picture of the fleet is told as well.
    let at = life::snapshot(1_000, life::LATER + 1);
    let ms = at.at.as_ms().to_string();
    site.server.snapshot.store(std::sync::Arc::new(at));
    assert!(stream.until(&ms).await.contains("event: fleet"));
    // An open stream does not keep the listener from ending.
    site.server.stop().await;
}

#[tokio::test]
async fn a_branch_hears_of_no_device_of_others() {
    let site = site().await;
    let mut stream = Stream::open(&site, &ABE).await;
    site.desk.happen(NUMBER, TELEMETRY, proved(6));
    let heard = stream.until("\n\n").await;
    let data = heard.split("data: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    let update: serde_json::Value = serde_json::from_str(data).unwrap();
    let devices = update["devices"].as_array().unwrap();
    assert!(!devices.is_empty(), "its own are named");
    for device in devices {
        let number: usize = device.as_str().unwrap().trim_start_matches("B-").parse().unwrap();
        assert_eq!(number % 50, 3, "{device}");
    }
    site.server.stop().await;
}
