//! The signed webhook: what arrives, whether the recipe in its documentation verifies it, and how answers are taken.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use fleetwatch::notify::voice::Voice;
use fleetwatch::notify::web::Access;
use fleetwatch::notify::webhook::{KEY_HEADER, SIGNATURE_HEADER, Webhook};
use fleetwatch::notify::{Channel as _, Refusal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::authority::Authority;
use super::receiver::{Answer, Got, Receiver};
use super::{access, dispatch, now};

const SECRET: &[u8] = b"correct horse battery staple";

/// The four lines of Python from the module's documentation: whoever follows them has to come to the right answer.
fn recipe() -> String {
    let source = include_str!("../../src/notify/webhook.rs");
    let (_, rest) = source.split_once("//! In Python:").unwrap();
    let (code, _) = rest.split_once("```text").unwrap().1.split_once("//! ```").unwrap();
    code.lines().map(|line| line.trim_start_matches("//!").trim_start()).collect::<Vec<_>>().join("\n")
}

/// Whether the recipe accepts the request; `None` where there is no Python.
fn verified(signature: &str, body: &[u8], secret: &[u8], seconds_later: i64) -> Option<bool> {
    let program = format!(
        "import hashlib, hmac, sys, time\nclock = time.time\ntime.time = lambda: clock() + {seconds_later}\n\
         secret = {:?}.encode()\nheaders = {{'X-Fleetwatch-Signature': {signature:?}}}\nbody = sys.stdin.buffer.read()\n\
         {}\nprint(ok)\n",
        std::str::from_utf8(secret).unwrap(),
        recipe()
    );
    let spawned = Command::new("python3").args(["-c", &program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else {
        assert!(std::env::var_os("CI").is_none(), "python3 cannot be run");
        println!("skipped: python3 cannot be run");
        return None;
    };
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}");
    Some(output.stdout.starts_with(b"True"))
}

fn webhook(url: &str) -> Webhook {
    let voice = Voice { pages: Some("https://noc.example".into()), ..Voice::default() };
    Webhook::new(url, SECRET, voice, &access()).unwrap()
}

fn deliver_one(got: &[Got]) -> &Got {
    assert_eq!(got.len(), 1);
    &got[0]
}

#[tokio::test]
async fn what_is_posted_says_everything_and_is_verified_by_the_documented_recipe() {
    let receiver = Receiver::good().await;
    let sent = dispatch(1);
    webhook(&receiver.url("/hook")).deliver(&sent, None, now()).await.unwrap();
    let got = receiver.got();
    let got = deliver_one(&got);
    assert_eq!((got.method.as_str(), got.path.as_str()), ("POST", "/hook"));
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.header(KEY_HEADER), sent.key);
    let body = got.json();
    assert_eq!(body["v"], 1);
    assert_eq!(body["key"], sent.key);
    assert_eq!(body["incident"], "INC-2026-0007");
    assert_eq!(body["subject"]["ja"], "重大インシデント INC-2026-0007");
    assert_eq!(body["page"], "https://noc.example/incidents/INC-2026-0007");
    assert_eq!((&body["attempt"], &body["ended_at"]), (&1.into(), &serde_json::Value::Null));

    let signature = got.header(SIGNATURE_HEADER);
    let Some(good) = verified(signature, &got.body, SECRET, 0) else { return };
    assert!(good, "{signature}");
    let mut forged = got.body.to_vec();
    forged[10] ^= 1;
    assert_eq!(verified(signature, &forged, SECRET, 0), Some(false), "a changed body");
    assert_eq!(verified(signature, &got.body, b"another secret of somebody", 0), Some(false), "another secret");
    assert_eq!(verified(signature, &got.body, SECRET, 301), Some(false), "played again");
}

#[tokio::test]
async fn answers_are_taken_for_what_they_say() {
    let receiver = Receiver::good().await;
    let webhook = webhook(&receiver.url("/hook"));
    for (status, again) in [
        (500, true),
        (503, true),
        (429, true),
        (408, true),
        (401, true),
        (404, true),
        (410, true),
        (400, false),
        (422, false),
    ] {
        receiver.next([Answer { body: "because\nof reasons".into(), ..Answer::status(status) }]);
        let refusal = webhook.deliver(&dispatch(1), None, now()).await.unwrap_err();
        assert_eq!(matches!(refusal, Refusal::Later { .. }), again, "{status}");
        assert!(refusal.error().contains("because of reasons"), "{refusal:?}");
    }
    receiver.next([Answer { header: Some(("retry-after", "90".into())), ..Answer::status(429) }]);
    let refusal = webhook.deliver(&dispatch(1), None, now()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Later { after: Some(after), .. } if after == Duration::from_secs(90)));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (receiver, other) = (Receiver::good().await, Receiver::good().await);
    receiver.next([Answer { header: Some(("location", other.url("/"))), ..Answer::status(307) }]);
    let refusal = webhook(&receiver.url("/")).deliver(&dispatch(1), None, now()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Later { .. }) && other.got().is_empty(), "{refusal:?}");
}

#[tokio::test]
async fn silence_and_a_dead_port_are_told_apart_and_neither_tells_the_address() {
    let silent = Receiver::start(|_| Answer::default()).await;
    let access = Access { ca_file: None, timeout: Duration::from_millis(200) };
    let hook = Webhook::new(&silent.url("/hunter2"), SECRET, Voice::default(), &access).unwrap();
    let silence = hook.deliver(&dispatch(1), None, now()).await.unwrap_err();
    let dead = webhook("http://127.0.0.1:9/hunter2").deliver(&dispatch(1), None, now()).await.unwrap_err();
    for (refusal, told) in [(silence, "timed out"), (dead, "refused")] {
        assert!(matches!(refusal, Refusal::Later { .. }), "{refusal:?}");
        assert!(refusal.error().contains(told) && !refusal.error().contains("hunter2"), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_and_of_a_named_one_is_taken() {
    let Some(authority) = Authority::new() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let acceptor = authority.acceptor();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
            let mut request = [0_u8; 16 * 1024];
            let _ = tls.read(&mut request).await;
            let _ = tls.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
            let _ = tls.shutdown().await;
        }
    });
    let with = |ca_file| {
        let access = Access { ca_file, ..access() };
        Webhook::new(&url, SECRET, Voice::default(), &access).unwrap()
    };
    with(Some(authority.path("ca.crt"))).deliver(&dispatch(1), None, now()).await.unwrap();
    let other = Authority::new().unwrap();
    let refusal = with(Some(other.path("ca.crt"))).deliver(&dispatch(1), None, now()).await.unwrap_err();
    assert!(matches!(&refusal, Refusal::Later { error, .. } if error.contains("certificate")), "{refusal:?}");
}
