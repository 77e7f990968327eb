//! Slack, Mattermost and incoming webhooks, as their documentation describes them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fleetwatch::notify::chat::{Chat, Incoming, Mattermost, Slack};
use fleetwatch::notify::voice::Voice;
use fleetwatch::notify::{Channel as _, Refusal};
use fleetwatch::words::Languages;
use serde_json::json;

use super::receiver::{Answer, Got, Receiver};
use super::{access, dispatch, now};

fn voice() -> Voice {
    Voice {
        pages: Some("https://noc.example".into()),
        language: Languages::En,
        languages: [("@sato".to_owned(), Languages::Ja)].into(),
    }
}

/// Gives every post a time stamp of its own.
async fn slack() -> Receiver {
    let count = AtomicU32::new(0);
    Receiver::start(move |_| {
        let nth = count.fetch_add(1, Ordering::SeqCst);
        Answer::json(&json!({ "ok": true, "channel": "C042", "ts": format!("1795305600.{nth:06}") }))
    })
    .await
}

fn paths(got: &[Got]) -> Vec<&str> {
    got.iter().map(|got| got.path.as_str()).collect()
}

#[tokio::test]
async fn slack_gets_a_pinned_summary_and_a_thread_below_it() {
    let receiver = slack().await;
    let chat = Chat::new(Slack::new(&receiver.url("/api"), "xoxb-1", &access()).unwrap(), "#noc", voice());
    let reference = chat.deliver(&dispatch(1), None, now()).await.unwrap().reference;
    assert_eq!(reference.as_deref(), Some("C042/1795305600.000000"));
    let got = receiver.got();
    assert_eq!(paths(&got), ["/api/chat.postMessage", "/api/pins.add", "/api/chat.postMessage"]);
    assert!(got.iter().all(|got| got.header("authorization") == "Bearer xoxb-1"));
    let (root, pin, reply) = (got[0].json(), got[1].json(), got[2].json());
    assert_eq!(root["channel"], "#noc");
    assert_eq!(root["text"], "INC-2026-0007: 330 devices, mustering\nhttps://noc.example/incidents/INC-2026-0007");
    // What follows names the room by its id, which pins and updates need.
    assert_eq!((&pin["channel"], &pin["timestamp"]), (&"C042".into(), &"1795305600.000000".into()));
    assert_eq!((&reply["channel"], &reply["thread_ts"]), (&"C042".into(), &"1795305600.000000".into()));
    assert_eq!(reply["metadata"]["event_payload"]["key"], dispatch(1).key);

    // The next process knows the thread from the outbox; pinned is as good as pinning.
    let chat = Chat::new(Slack::new(&receiver.url("/api"), "xoxb-1", &access()).unwrap(), "#noc", voice());
    receiver
        .next([Answer::json(&json!({ "ok": true })), Answer::json(&json!({ "ok": false, "error": "already_pinned" }))]);
    let mut second = dispatch(2);
    second.message.kind = "script_changed".into();
    assert_eq!(chat.deliver(&second, reference.as_deref(), now()).await.unwrap().reference, reference);
    let got = receiver.got();
    assert_eq!(paths(&got), ["/api/chat.update", "/api/pins.add", "/api/chat.postMessage"]);
    assert_eq!(got[2].json()["reply_broadcast"], true);
}

#[tokio::test]
async fn slacks_errors_are_told_apart_and_mentions_are_defused() {
    let receiver = slack().await;
    let chat = Chat::new(Slack::new(&receiver.url("/api"), "xoxb-1", &access()).unwrap(), "C042", voice());
    let failed = |error: &str| Answer::json(&json!({ "ok": false, "error": error }));
    for (answer, class) in [
        (failed("internal_error"), "later"),
        (failed("ratelimited"), "later"),
        (failed("invalid_auth"), "later"),
        (failed("token_expired"), "later"),
        (failed("not_authed"), "later"),
        (failed("account_inactive"), "later"),
        (failed("an_error_of_next_year"), "later"),
        (failed("channel_not_found"), "receiver"),
        (failed("not_in_channel"), "receiver"),
        (failed("is_archived"), "receiver"),
        (failed("msg_too_long"), "never"),
        (failed("invalid_arguments"), "never"),
        (Answer { body: "<html>".into(), ..Answer::status(200) }, "later"),
    ] {
        receiver.next([answer.clone()]);
        let refusal = chat.deliver(&dispatch(1), None, now()).await.unwrap_err();
        let found = match &refusal {
            Refusal::Later { .. } => "later",
            Refusal::Receiver { .. } => "receiver",
            Refusal::Never { .. } => "never",
        };
        assert_eq!(found, class, "{answer:?}: {refusal:?}");
        assert!(!refusal.error().contains("xoxb"));
    }
    receiver.next([Answer { header: Some(("retry-after", "30".into())), ..Answer::status(429) }]);
    let refusal = chat.deliver(&dispatch(1), None, now()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Later { after: Some(after), .. } if after == Duration::from_secs(30)));
    receiver.got();
    let mut typed = dispatch(3);
    typed.message.body.en = "<!channel> <@U1> & <https://evil.example|our page>".into();
    chat.deliver(&typed, None, now()).await.unwrap();
    let reply = receiver.got().last().unwrap().json();
    let text = reply["text"].as_str().unwrap();
    assert!(!text.contains('<') && text.contains("&lt;!channel&gt;") && text.contains("&amp;"), "{text}");
    assert_eq!(reply["mrkdwn"], false);
}

/// A Mattermost that knows one bot and one person, and makes posts.
async fn mattermost() -> Receiver {
    let count = AtomicU32::new(0);
    Receiver::start(move |got| {
        let id = match got.path.as_str() {
            "/api/v4/users/me" => "bot".to_owned(),
            "/api/v4/users/username/sato" => "u-sato".to_owned(),
            "/api/v4/channels/direct" => format!("dm-{}", got.json()[1].as_str().unwrap()),
            "/api/v4/posts" => format!("post{}", count.fetch_add(1, Ordering::SeqCst)),
            path if path.ends_with("/pin") || path.ends_with("/patch") => "x".to_owned(),
            _ => return Answer { body: json!({ "id": "api.not_found" }).to_string(), ..Answer::status(404) },
        };
        Answer { body: json!({ "id": id }).to_string(), ..Answer::status(201) }
    })
    .await
}

#[tokio::test]
async fn mattermost_gets_the_same_and_people_directly() {
    let receiver = mattermost().await;
    let chat = Chat::new(Mattermost::new(&receiver.url("/"), "token", &access()).unwrap(), "room26", voice());
    let reference = chat.deliver(&dispatch(1), None, now()).await.unwrap().reference;
    assert_eq!(reference.as_deref(), Some("post0"));
    let got = receiver.got();
    assert_eq!(paths(&got), ["/api/v4/posts", "/api/v4/posts/post0/pin", "/api/v4/posts"]);
    let (root, reply) = (got[0].json(), got[2].json());
    assert_eq!((&root["channel_id"], &root["root_id"]), (&"room26".into(), &"".into()));
    assert_eq!((&reply["root_id"], &reply["pending_post_id"]), (&"post0".into(), &dispatch(1).key.into()));

    let mut page = dispatch(2);
    page.target = "@sato".into();
    page.message.body.ja = "@all [押す](http://evil.example)".into();
    for _ in 0..2 {
        chat.deliver(&page, None, now()).await.unwrap();
    }
    let got = receiver.got();
    // Whom the name belongs to is asked once.
    assert_eq!(
        paths(&got),
        [
            "/api/v4/users/me",
            "/api/v4/users/username/sato",
            "/api/v4/channels/direct",
            "/api/v4/posts",
            "/api/v4/posts"
        ]
    );
    let post = got[3].json();
    let text = post["message"].as_str().unwrap();
    assert_eq!(post["channel_id"], "dm-u-sato");
    assert!(text.starts_with("重大インシデント") && !text.contains("@all") && !text.contains("](http"), "{text}");
}

#[tokio::test]
async fn a_thread_that_was_deleted_at_mattermost_is_begun_anew() {
    let receiver = mattermost().await;
    let chat = Chat::new(Mattermost::new(&receiver.url(""), "token", &access()).unwrap(), "room26", voice());
    receiver.next([Answer { body: json!({ "id": "app.post.get.app_error" }).to_string(), ..Answer::status(404) }]);
    let reference = chat.deliver(&dispatch(2), Some("gone"), now()).await.unwrap().reference;
    assert_eq!(reference.as_deref(), Some("post0"));
    assert_eq!(receiver.got().last().unwrap().json()["root_id"], "post0");
}

#[tokio::test]
async fn an_incoming_webhook_gets_one_text_with_the_number() {
    let receiver = Receiver::start(|_| Answer { body: "ok".into(), ..Answer::status(200) }).await;
    let chat = Incoming::new(&receiver.url("/services/T0/B0/hunter2"), voice(), &access()).unwrap();
    let mut typed = dispatch(1);
    typed.message.body.en = "<!here> @channel".into();
    chat.deliver(&typed, None, now()).await.unwrap();
    let got = receiver.got();
    let text = got[0].json()["text"].as_str().unwrap().to_owned();
    assert!(
        text.starts_with("[INC-2026-0007] Major incident INC-2026-0007\n&lt;!here&gt; @\u{200b}channel\n"),
        "{text}"
    );
    assert!(text.ends_with("\nhttps://noc.example/incidents/INC-2026-0007"));
    receiver.next([Answer { body: "no_service".into(), ..Answer::status(404) }]);
    let refusal = chat.deliver(&typed, None, now()).await.unwrap_err();
    assert!(refusal.error().contains("no_service") && !refusal.error().contains("hunter2"), "{refusal:?}");
}
