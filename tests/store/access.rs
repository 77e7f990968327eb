//! Who may, as it is kept: the same properties on every database.

use fleetwatch::engine::time::Timestamp;
use fleetwatch::record::access::{ApiToken, Deed, Fingerprint, Role, Scope, Session, User};

use crate::place::{Place, in_both};

in_both!(
    users_are_added_once_and_changed,
    sessions_end_one_by_one_all_at_once_and_by_themselves,
    tokens_are_kept_used_and_revoked_once,
    the_log_of_access_only_grows,
    a_role_of_a_newer_version_opens_nothing,
);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn deed(what: &str, about: &str, ms: i64) -> Deed {
    Deed { at: at(ms), by: "command line".into(), what: what.into(), about: about.into(), detail: "d".into() }
}

fn user(name: &str) -> User {
    User {
        name: name.into(),
        role: Role::Branch,
        branches: vec!["sapporo-03".into(), "那覇-01".into()],
        password: "$argon2id$...".into(),
        disabled: false,
        made_at: at(1_000),
        changed_at: at(1_000),
    }
}

fn session(number: u8, name: &str) -> Session {
    Session {
        fingerprint: Fingerprint([number; 32]),
        name: name.into(),
        role: Role::Branch,
        branches: vec!["sapporo-03".into()],
        begun_at: at(i64::from(number) * 1_000),
        seen_at: at(i64::from(number) * 1_000),
        ends_at: at(100_000),
        address: "192.0.2.1".into(),
    }
}

fn token(number: u8) -> ApiToken {
    ApiToken {
        id: format!("t{number}"),
        fingerprint: Fingerprint([number; 32]),
        name: "grafana".into(),
        role: Role::Viewer,
        branches: Vec::new(),
        scopes: vec![Scope::Metrics, Scope::Read],
        made_by: "Sato".into(),
        made_at: at(i64::from(number) * 1_000),
        expires_at: at(90_000),
        revoked_at: None,
        used_at: None,
    }
}

async fn users_are_added_once_and_changed(place: &Place) {
    let store = place.open().await;
    let mut sato = user("佐藤");
    assert!(store.add_user(&sato, &deed("user_added", "佐藤", 1_000)).await.unwrap());
    assert!(
        !store.add_user(&User { role: Role::Admin, ..sato.clone() }, &deed("user_added", "佐藤", 2_000)).await.unwrap()
    );
    assert_eq!(store.user("佐藤").await.unwrap(), Some(sato.clone()), "the first one stands");
    assert_eq!(store.user("佐").await.unwrap(), None);
    assert!(!store.change_user(&user("nobody"), &deed("user_changed", "nobody", 3_000)).await.unwrap());
    (sato.role, sato.disabled, sato.changed_at) = (Role::Commander, true, at(4_000));
    assert!(store.change_user(&sato, &deed("user_changed", "佐藤", 4_000)).await.unwrap());
    assert!(store.add_user(&user("Abe"), &deed("user_added", "Abe", 5_000)).await.unwrap());
    assert_eq!(store.users().await.unwrap(), [user("Abe"), sato]);
    // What was not done is not in the log.
    let deeds: Vec<(String, String)> = store.deeds(10).await.unwrap().into_iter().map(|d| (d.what, d.about)).collect();
    let expected = [("user_added", "Abe"), ("user_changed", "佐藤"), ("user_added", "佐藤")];
    assert_eq!(deeds, expected.map(|(what, about)| (what.to_owned(), about.to_owned())));
    assert_eq!(store.deeds(1).await.unwrap(), [deed("user_added", "Abe", 5_000)]);
}

async fn sessions_end_one_by_one_all_at_once_and_by_themselves(place: &Place) {
    let store = place.open().await;
    store.add_user(&user("Abe"), &deed("user_added", "Abe", 0)).await.unwrap();
    for number in 1..=4 {
        store.begin_session(&session(number, "Abe"), &deed("login", "Abe", 1_000)).await.unwrap();
    }
    store.begin_session(&session(9, "Ito"), &deed("login", "Ito", 1_000)).await.unwrap();
    let print = |number| Fingerprint([number; 32]);
    assert_eq!(store.session(&print(2)).await.unwrap(), Some(session(2, "Abe")));
    assert_eq!(store.session(&print(7)).await.unwrap(), None);
    store.touch_session(&print(2), at(60_000)).await.unwrap();
    store.touch_session(&print(2), at(50_000)).await.unwrap();
    assert_eq!(store.session(&print(2)).await.unwrap().unwrap().seen_at, at(60_000), "never backwards");

    let newest: Vec<Fingerprint> =
        store.sessions_of("Abe").await.unwrap().into_iter().map(|session| session.fingerprint).collect();
    assert_eq!(newest, [4, 3, 2, 1].map(print));
    assert!(store.end_session(&print(4), &deed("logout", "Abe", 2_000)).await.unwrap());
    assert!(!store.end_session(&print(4), &deed("logout", "Abe", 3_000)).await.unwrap());
    assert_eq!(store.deeds(1).await.unwrap()[0].at, at(2_000), "nothing ended, nothing noted");

    // 1 and 3 were idle since 3 s; 2 was used since.
    assert_eq!(store.sweep_sessions(at(3_000), at(70_000)).await.unwrap(), 2);
    assert_eq!(store.sessions_of("Abe").await.unwrap().len(), 1);
    assert_eq!(store.sweep_sessions(at(0), at(100_000)).await.unwrap(), 2, "the absolute end holds for the busy too");

    store.begin_session(&session(5, "Abe"), &deed("login", "Abe", 1_000)).await.unwrap();
    store.begin_session(&session(6, "Abe"), &deed("login", "Abe", 1_000)).await.unwrap();
    store.begin_session(&session(8, "Ito"), &deed("login", "Ito", 1_000)).await.unwrap();
    assert_eq!(store.end_sessions_of("Abe", &deed("sessions_ended", "Abe", 4_000)).await.unwrap(), 2);
    store.begin_session(&session(5, "Abe"), &deed("login", "Abe", 1_000)).await.unwrap();
    store.change_user(&user("Abe"), &deed("user_changed", "Abe", 5_000)).await.unwrap();
    assert_eq!(store.sessions_of("Abe").await.unwrap(), [], "a change of the user ends them");
    assert_eq!(store.sessions_of("Ito").await.unwrap().len(), 1, "and nobody else's");
}

async fn tokens_are_kept_used_and_revoked_once(place: &Place) {
    let store = place.open().await;
    store.add_token(&token(1), &deed("token_made", "t1", 1_000)).await.unwrap();
    store.add_token(&token(2), &deed("token_made", "t2", 2_000)).await.unwrap();
    let same_secret = ApiToken { id: "t3".into(), ..token(2) };
    assert!(store.add_token(&same_secret, &deed("token_made", "t3", 3_000)).await.is_err());
    assert_eq!(store.tokens().await.unwrap(), [token(2), token(1)]);
    store.touch_token("t1", at(60_000)).await.unwrap();
    assert!(store.revoke_token("t1", &deed("token_revoked", "t1", 70_000)).await.unwrap());
    assert!(!store.revoke_token("t1", &deed("token_revoked", "t1", 80_000)).await.unwrap());
    assert!(!store.revoke_token("t9", &deed("token_revoked", "t9", 80_000)).await.unwrap());
    let found = store.token(&Fingerprint([1; 32])).await.unwrap().unwrap();
    assert_eq!(found, ApiToken { used_at: Some(at(60_000)), revoked_at: Some(at(70_000)), ..token(1) });
    assert_eq!(store.token(&Fingerprint([3; 32])).await.unwrap(), None);
    assert_eq!(store.deeds(10).await.unwrap().len(), 3, "what failed is not in the log");
}

async fn the_log_of_access_only_grows(place: &Place) {
    let store = place.open().await;
    store.add_user(&user("Abe"), &deed("user_added", "Abe", 1_000)).await.unwrap();
    let mut client = place.client().await;
    let own = place.pick("REPLACE INTO access_deed VALUES (1, 0, 'me', 'x', 'y', 'z')", "TRUNCATE access_deed");
    for sql in ["UPDATE access_deed SET by_who = 'me'", "DELETE FROM access_deed", own] {
        let error = client.run(sql).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
    assert_eq!(store.deeds(10).await.unwrap(), [deed("user_added", "Abe", 1_000)]);
}

async fn a_role_of_a_newer_version_opens_nothing(place: &Place) {
    let store = place.open().await;
    store.add_user(&user("Abe"), &deed("user_added", "Abe", 1_000)).await.unwrap();
    place.client().await.run("UPDATE access_user SET role = 'owner'").await.unwrap();
    assert!(store.user("Abe").await.unwrap_err().to_string().contains("owner"));
}
