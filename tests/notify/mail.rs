//! Mail to a real server: encrypted, authenticated, readable, threaded; and refusals taken for what they are.

use std::path::PathBuf;
use std::time::Duration;

use fleetwatch::notify::mail::{Mail, MailSettings, Security};
use fleetwatch::notify::voice::Voice;
use fleetwatch::notify::{Channel as _, Refusal};
use fleetwatch::words::Both;
use fleetwatch::words::Languages;

use super::authority::Authority;
use super::smtp::Smtp;
use super::{dispatch, now};

fn mail(port: u16, security: Security, ca_file: Option<PathBuf>, password: &str) -> Mail {
    Mail::new(settings(port, security, ca_file, password), voice()).unwrap()
}

/// Mail without TLS to these receivers.
fn mail_to(port: u16, to: &[&str]) -> Mail {
    let to = to.iter().map(|&to| to.to_owned()).collect();
    Mail::new(MailSettings { to, ..settings(port, Security::Plain, None, "") }, voice()).unwrap()
}

fn settings(port: u16, security: Security, ca_file: Option<PathBuf>, password: &str) -> MailSettings {
    MailSettings {
        host: if security == Security::Plain { "127.0.0.1".into() } else { "localhost".into() },
        port,
        security,
        credentials: (security != Security::Plain).then(|| ("fleetwatch".into(), password.into())),
        ca_file,
        timeout: Duration::from_secs(5),
        from: "fleetwatch <fleetwatch@example.jp>".into(),
        to: vec!["staff@example.jp".into(), "desk@example.jp".into()],
    }
}

fn voice() -> Voice {
    let languages =
        [("sato@example.jp".to_owned(), Languages::Ja), ("smith@example.jp".to_owned(), Languages::En)].into();
    Voice { pages: Some("https://noc.example".into()), language: Languages::Both, languages }
}

#[tokio::test]
async fn a_room_reads_both_languages_and_a_person_their_own() {
    let Some(mut server) = Smtp::start("plain", None) else { return };
    let mail = mail(server.port, Security::Plain, None, "");
    let first = mail.deliver(&dispatch(1), None, now()).await.unwrap();
    let took = server.took();
    assert_eq!(took["from"], "fleetwatch@example.jp");
    // A mail for each receiver, and the same one for both.
    let second = server.took();
    let to = [&took["to"], &second["to"]];
    assert_eq!(to, [&serde_json::json!(["staff@example.jp"]), &serde_json::json!(["desk@example.jp"])]);
    assert_eq!(took["headers"]["message-id"], second["headers"]["message-id"]);
    assert_eq!(took["defects"], serde_json::json!([]));
    let headers = &took["headers"];
    assert_eq!(headers["subject"], "重大インシデント INC-2026-0007 / Major incident INC-2026-0007");
    assert_eq!(headers["auto-submitted"], "auto-generated");
    assert_eq!(headers["list-id"], "fleetwatch <fleetwatch.example.jp>");
    assert_eq!(headers["message-id"], first.reference.clone().unwrap());
    let body = took["body"].as_str().unwrap().replace("\r\n", "\n");
    assert_eq!(
        body.trim_end(),
        "330台に影響。\n原因の候補: 更新 2026.11.21\n\n----\n\n330 devices are affected.\nSuspect: update 2026.11.21\n\n\
         https://noc.example/incidents/INC-2026-0007"
    );
    for (target, subject) in
        [("sato@example.jp", "重大インシデント INC-2026-0007"), ("smith@example.jp", "Major incident INC-2026-0007")]
    {
        let mut page = dispatch(2);
        page.target = target.into();
        mail.deliver(&page, first.reference.as_deref(), now()).await.unwrap();
        let took = server.took();
        assert_eq!((&took["to"], &took["headers"]["subject"]), (&serde_json::json!([target]), &subject.into()));
        assert_eq!(took["headers"]["in-reply-to"], first.reference.clone().unwrap());
        assert!(took["headers"]["references"].as_str().unwrap().ends_with(first.reference.as_deref().unwrap()));
    }
    assert_eq!(server.end(), Vec::<String>::new());
}

#[tokio::test]
async fn what_people_type_adds_no_header_and_no_receiver() {
    let Some(mut server) = Smtp::start("plain", None) else { return };
    let mail = mail(server.port, Security::Plain, None, "");
    mail.deliver(&dispatch(1), None, now()).await.unwrap();
    let plain = server.took();
    server.took();
    let mut evil = dispatch(2);
    let inject = "x\r\nBcc: evil@example.com\r\n\r\n.\r\nMAIL FROM:<evil@example.com>\r\n";
    evil.message.subject = Both { ja: inject.into(), en: inject.into() };
    evil.message.body = Both { ja: inject.into(), en: inject.into() };
    evil.message.kind = inject.into();
    evil.message.incident = Some(inject.into());
    mail.deliver(&evil, None, now()).await.unwrap();
    let took = server.took();
    server.took();
    assert_eq!((&took["names"], &took["to"]), (&plain["names"], &plain["to"]));
    assert_eq!(took["defects"], serde_json::json!([]));
    assert_eq!(server.end(), Vec::<String>::new(), "nothing else was taken");
}

#[tokio::test]
async fn with_tls_mail_is_sent_to_the_right_server_with_the_right_password_or_not_at_all() {
    let (Some(authority), Some(other)) = (Authority::new(), Authority::new()) else { return };
    let ca = |authority: &Authority| Some(authority.path("ca.crt"));
    for (mode, security) in [("starttls", Security::StartTls), ("implicit", Security::Implicit)] {
        let Some(mut server) = Smtp::start(mode, Some(&authority)) else { return };
        let good = mail(server.port, security, ca(&authority), "correct horse");
        good.deliver(&dispatch(1), None, now()).await.unwrap();
        let took = server.took();
        server.took();
        assert_eq!((&took["tls"], &took["authenticated"]), (&true.into(), &true.into()), "{mode}");
        for (mail, told) in [
            (mail(server.port, security, ca(&other), "correct horse"), "certificate"),
            (mail(server.port, security, ca(&authority), "wrong"), "535"),
        ] {
            // Both are mended in the configuration, and the mail is then still wanted.
            let refusal = mail.deliver(&dispatch(2), None, now()).await.unwrap_err();
            let fits = matches!(&refusal, Refusal::Later { error, .. } if error.contains(told));
            assert!(fits && !refusal.error().contains("wrong"), "{mode}: {refusal:?}");
        }
        assert_eq!(server.end(), Vec::<String>::new(), "{mode}");
    }
}

#[tokio::test]
async fn a_server_without_the_tls_that_was_asked_for_gets_nothing() {
    let Some(server) = Smtp::start("plain", None) else { return };
    for security in [Security::StartTls, Security::Implicit] {
        let mail = mail(server.port, security, None, "correct horse");
        let refusal = mail.deliver(&dispatch(1), None, now()).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Later { .. }), "{refusal:?}");
    }
    assert_eq!(server.end(), Vec::<String>::new());
}

#[tokio::test]
async fn a_receiver_that_is_refused_is_tried_again_and_is_no_matter_of_the_server() {
    let Some(server) = Smtp::start("plain", None) else { return };
    let mail = mail(server.port, Security::Plain, None, "");
    for target in ["unknown@example.jp", "busy@example.jp"] {
        let mut page = dispatch(1);
        page.target = target.into();
        let refusal = mail.deliver(&page, None, now()).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Receiver { .. }), "{refusal:?}");
    }
    drop(server);
    let refusal = mail.deliver(&dispatch(1), None, now()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Later { .. }), "{refusal:?}");
}

#[tokio::test]
async fn one_dead_receiver_stops_nobody_elses_mail_and_the_others_get_it_once() {
    let Some(mut server) = Smtp::start("plain", None) else { return };
    for dead in ["unknown@example.jp", "busy@example.jp"] {
        for place in 0..3 {
            let mut to = vec!["noc@example.jp", "duty@example.jp"];
            to.insert(place, dead);
            let mail = mail_to(server.port, &to);
            for _ in 0..3 {
                let refusal = mail.deliver(&dispatch(1), None, now()).await.unwrap_err();
                let says = matches!(&refusal, Refusal::Receiver { error } if error.contains(dead));
                assert!(says, "{refusal:?}");
            }
            let got = [server.took()["to"][0].clone(), server.took()["to"][0].clone()];
            assert_eq!(got, ["noc@example.jp", "duty@example.jp"]);
        }
    }
    assert_eq!(server.end(), Vec::<String>::new(), "nobody got a second copy");
}
