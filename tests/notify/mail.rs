//! Mail to a real server: encrypted, authenticated, readable, threaded; and refusals taken for what they are.

use std::path::PathBuf;
use std::time::Duration;

use fleetwatch::notify::mail::{Mail, MailSettings, Security};
use fleetwatch::notify::voice::Voice;
use fleetwatch::notify::{Channel as _, Refusal};
use fleetwatch::record::directory::Language;
use fleetwatch::record::outbox::Bilingual;

use super::authority::Authority;
use super::smtp::Smtp;
use super::{dispatch, now};

fn mail(port: u16, security: Security, ca_file: Option<PathBuf>, password: &str) -> Mail {
    let settings = MailSettings {
        host: if security == Security::Plain { "127.0.0.1".into() } else { "localhost".into() },
        port,
        security,
        credentials: (security != Security::Plain).then(|| ("fleetwatch".into(), password.into())),
        ca_file,
        timeout: Duration::from_secs(5),
        from: "fleetwatch <fleetwatch@example.jp>".into(),
        to: vec!["staff@example.jp".into(), "desk@example.jp".into()],
    };
    let languages =
        [("sato@example.jp".to_owned(), Language::Ja), ("smith@example.jp".to_owned(), Language::En)].into();
    let voice = Voice { pages: Some("https://noc.example".into()), language: Language::Both, languages };
    Mail::new(settings, voice).unwrap()
}

#[tokio::test]
async fn a_room_reads_both_languages_and_a_person_their_own() {
    let Some(mut server) = Smtp::start("plain", None) else { return };
    let mail = mail(server.port, Security::Plain, None, "");
    let first = mail.deliver(&dispatch(1), None, now()).await.unwrap();
    let took = server.took();
    assert_eq!(took["from"], "fleetwatch@example.jp");
    assert_eq!(took["to"], serde_json::json!(["staff@example.jp", "desk@example.jp"]));
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
    let mut evil = dispatch(2);
    let inject = "x\r\nBcc: evil@example.com\r\n\r\n.\r\nMAIL FROM:<evil@example.com>\r\n";
    evil.message.subject = Bilingual { ja: inject.into(), en: inject.into() };
    evil.message.body = Bilingual { ja: inject.into(), en: inject.into() };
    evil.message.kind = inject.into();
    evil.message.incident = Some(inject.into());
    mail.deliver(&evil, None, now()).await.unwrap();
    let took = server.took();
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
async fn a_receiver_that_is_unknown_is_for_good_and_one_that_is_busy_is_not() {
    let Some(server) = Smtp::start("plain", None) else { return };
    let mail = mail(server.port, Security::Plain, None, "");
    for (target, again) in [("unknown@example.jp", false), ("busy@example.jp", true)] {
        let mut page = dispatch(1);
        page.target = target.into();
        let refusal = mail.deliver(&page, None, now()).await.unwrap_err();
        assert_eq!(matches!(refusal, Refusal::Later { .. }), again, "{refusal:?}");
    }
    drop(server);
    let refusal = mail.deliver(&dispatch(1), None, now()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Later { .. }), "{refusal:?}");
}
