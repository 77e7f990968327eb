//! Who may do what, as data: people, sessions, API tokens, and the repository that keeps them.
//!
//! `web` asks at every request, `store` keeps, the command line makes the first administrator. What is secret never gets here:
//! a session's or a token's secret is known by its [`Fingerprint`], a password by its argon2id hash.
//!
//! Every change is written with the [`Deed`] that says who made it, in one transaction; deeds are never changed.
//!
//! | module | what it owns |
//! |---|---|
//! | [`role`] | roles, actions, scopes, and the one table that joins them |
//! | [`policy`] | what each command on an incident takes, and from whom |
//! | [`principal`] | whoever a request comes from |
//! | [`separator`] | what stands between the groups that somebody else says |

pub mod policy;
pub mod principal;
pub mod role;
pub mod separator;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use principal::{Listed, Principal, Via};
pub use role::{Action, Role, Scope, may};
pub use separator::{Separator, exact};

use super::StoreError;
use crate::engine::gate::MAX_NAME;
use crate::engine::label;
use crate::engine::time::Timestamp;

/// Names under which fleetwatch itself acts: no person may be called so.
const RESERVED: [&str; 4] = ["detector", "telemetry", "clock", "fleetwatch"];

/// Most branches that one person looks after.
pub const MAX_BRANCHES: usize = 64;

/// SHA-256 of a secret. Finds a session or a token without the store knowing what would open it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fingerprint(pub [u8; 32]);

/// Why a name is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NameError {
    #[error("a name has 1 to {MAX_NAME} characters, single blanks between its words, and nothing that cannot be seen")]
    Form,
    #[error("this name is fleetwatch's own: choose another one")]
    Reserved,
}

/// Checks the name of a person or of a token, as it will stand in the record: in its [one form](label::form), which is for the caller
/// to give it.
///
/// # Errors
/// See [`NameError`].
pub fn check_name(name: &str) -> Result<(), NameError> {
    if !(1..=MAX_NAME).contains(&name.chars().count()) || label::form(name) != name {
        return Err(NameError::Form);
    }
    let reserved = RESERVED.iter().any(|own| name.eq_ignore_ascii_case(own));
    if reserved { Err(NameError::Reserved) } else { Ok(()) }
}

/// A person with a password of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    pub name: String,
    pub role: Role,
    /// What a user with [`Role::Branch`] looks after; of no effect for others.
    pub branches: Vec<String>,
    /// Argon2id in PHC form: `$argon2id$v=19$...`.
    pub password: String,
    /// Cannot log in; the name stays taken, because it stands in records.
    pub disabled: bool,
    pub made_at: Timestamp,
    pub changed_at: Timestamp,
}

/// Somebody who is logged in with a browser.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    pub fingerprint: Fingerprint,
    pub name: String,
    pub role: Role,
    pub branches: Vec<String>,
    pub begun_at: Timestamp,
    /// Last request, to the minute.
    pub seen_at: Timestamp,
    /// It ends here whatever happens.
    pub ends_at: Timestamp,
    /// Where the login came from.
    pub address: String,
}

impl Session {
    /// Whether it still counts, when `idle_ms` without a request end it.
    pub fn is_alive(&self, idle_ms: i64, now: Timestamp) -> bool {
        now < self.ends_at && now.since_ms(self.seen_at) < idle_ms
    }
}

/// A program's key to the API, as it is kept. The key itself is shown once, when it is made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiToken {
    /// Short and public: what `revoke` takes.
    pub id: String,
    #[serde(skip, default = "ApiToken::nothing")]
    pub fingerprint: Fingerprint,
    /// Stands in the record for what is done with it.
    pub name: String,
    pub role: Role,
    pub branches: Vec<String>,
    /// What of the role's rights it has.
    pub scopes: Vec<Scope>,
    pub made_by: String,
    pub made_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// Last use, to the minute.
    pub used_at: Option<Timestamp>,
}

impl ApiToken {
    const fn nothing() -> Fingerprint {
        Fingerprint([0; 32])
    }

    /// Whether it opens anything.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// One line of the log of access: who did what to whose access, and from where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Deed {
    pub at: Timestamp,
    /// A principal's name, or `command line`.
    pub by: String,
    /// Closed name: `user_added`, `user_changed`, `login`, `logout`, `sessions_ended`, `token_made`, `token_revoked`.
    pub what: String,
    /// Whose access it is: a user's name, or a token's id.
    pub about: String,
    /// What else there is to say: a role, an address. Never a secret.
    pub detail: String,
}

/// Keeps people, sessions and tokens. Implementations are shared between tasks.
///
/// Each method that changes something takes the deed that it is, and writes both or neither.
#[async_trait]
pub trait AccessStore: Send + Sync + std::fmt::Debug {
    /// The user of this name, letter by letter.
    ///
    /// # Errors
    /// Here and below: when the store cannot be read or written.
    async fn user(&self, name: &str) -> Result<Option<User>, StoreError>;

    /// Every user, by name.
    async fn users(&self) -> Result<Vec<User>, StoreError>;

    /// Adds a user; `false`, and nothing written, when the name is taken.
    async fn add_user(&self, user: &User, deed: &Deed) -> Result<bool, StoreError>;

    /// Changes a user and ends all of the user's sessions, so that what was taken away is gone at once; `false` when there is
    /// no such user.
    async fn change_user(&self, user: &User, deed: &Deed) -> Result<bool, StoreError>;

    /// Begins a session.
    async fn begin_session(&self, session: &Session, deed: &Deed) -> Result<(), StoreError>;

    /// The session with this fingerprint, alive or not.
    async fn session(&self, fingerprint: &Fingerprint) -> Result<Option<Session>, StoreError>;

    /// Notes that a session was used.
    async fn touch_session(&self, fingerprint: &Fingerprint, at: Timestamp) -> Result<(), StoreError>;

    /// Ends one session; `false` when there was none.
    async fn end_session(&self, fingerprint: &Fingerprint, deed: &Deed) -> Result<bool, StoreError>;

    /// Ends every session of this name; how many there were.
    async fn end_sessions_of(&self, name: &str, deed: &Deed) -> Result<u64, StoreError>;

    /// Every session of this name, the newest first.
    async fn sessions_of(&self, name: &str) -> Result<Vec<Session>, StoreError>;

    /// Forgets sessions whose end has passed or that were last used before `idle_since`; how many.
    async fn sweep_sessions(&self, idle_since: Timestamp, now: Timestamp) -> Result<u64, StoreError>;

    /// Keeps a new token. Its id and fingerprint are random: that one is taken is an error of the store.
    async fn add_token(&self, token: &ApiToken, deed: &Deed) -> Result<(), StoreError>;

    /// The token with this fingerprint, alive or not.
    async fn token(&self, fingerprint: &Fingerprint) -> Result<Option<ApiToken>, StoreError>;

    /// Every token, the newest first.
    async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError>;

    /// Notes that a token was used.
    async fn touch_token(&self, id: &str, at: Timestamp) -> Result<(), StoreError>;

    /// Revokes a token for good; `false` when there is none with this id, or it was revoked before.
    async fn revoke_token(&self, id: &str, deed: &Deed) -> Result<bool, StoreError>;

    /// The last `limit` deeds, the newest first.
    async fn deeds(&self, limit: u32) -> Result<Vec<Deed>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_records_as_they_are() {
        for good in ["Sato", "佐藤 花子", "a", "grafana/alerting", &"x".repeat(128)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", " ", " Sato", "Sato ", "a\nb", "a\u{7f}", &"x".repeat(129), "Sa\u{200b}to", "Ｓato", "a  b"] {
            assert_eq!(check_name(bad), Err(NameError::Form), "{bad:?}");
        }
        for own in ["detector", "Detector", "CLOCK"] {
            assert_eq!(check_name(own), Err(NameError::Reserved), "{own}");
        }
    }

    #[test]
    fn a_session_ends_when_idle_and_at_its_end() {
        let at = Timestamp::from_ms;
        let session = Session {
            fingerprint: Fingerprint([1; 32]),
            name: "Sato".into(),
            role: Role::Noc,
            branches: Vec::new(),
            begun_at: at(0),
            seen_at: at(1_000),
            ends_at: at(10_000),
            address: "127.0.0.1".into(),
        };
        for (now, alive) in [(1_000, true), (5_999, true), (6_000, false), (9_999, false)] {
            assert_eq!(session.is_alive(5_000, at(now)), alive, "{now}");
        }
        let busy = Session { seen_at: at(9_999), ..session };
        assert!(busy.is_alive(5_000, at(9_999)) && !busy.is_alive(5_000, at(10_000)));
    }
}
