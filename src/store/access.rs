//! Who may, on either database: people, sessions, tokens, and the log of what was done to them.

use async_trait::async_trait;

use super::statement::{Database, Row, Tx, foreign, json, values};
use crate::engine::time::Timestamp;
use crate::record::StoreError;
use crate::record::access::{AccessStore, ApiToken, Deed, Fingerprint, Session, User};

const USER: &str =
    "SELECT name, role, branches_json, password, disabled, made_at_ms, changed_at_ms FROM access_user WHERE name = $1";
const USERS: &str =
    "SELECT name, role, branches_json, password, disabled, made_at_ms, changed_at_ms FROM access_user ORDER BY name";
const ADD_USER: &str = "INSERT INTO access_user (name, role, branches_json, password, disabled, made_at_ms, \
     changed_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING";
const CHANGE_USER: &str = "UPDATE access_user SET role = $2, branches_json = $3, password = $4, disabled = $5, \
     made_at_ms = $6, changed_at_ms = $7 WHERE name = $1";

const SESSION: &str = "SELECT fingerprint, name, role, branches_json, begun_at_ms, seen_at_ms, ends_at_ms, address \
     FROM access_session WHERE fingerprint = $1";
const SESSIONS_OF: &str = "SELECT fingerprint, name, role, branches_json, begun_at_ms, seen_at_ms, ends_at_ms, address \
     FROM access_session WHERE name = $1 ORDER BY begun_at_ms DESC, fingerprint";
const BEGIN_SESSION: &str = "INSERT INTO access_session (fingerprint, name, role, branches_json, begun_at_ms, \
     seen_at_ms, ends_at_ms, address) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const TOUCH_SESSION: &str = "UPDATE access_session SET seen_at_ms = $2 WHERE fingerprint = $1 AND seen_at_ms < $2";
const END_SESSION: &str = "DELETE FROM access_session WHERE fingerprint = $1";
const END_SESSIONS_OF: &str = "DELETE FROM access_session WHERE name = $1";
const SWEEP: &str = "DELETE FROM access_session WHERE seen_at_ms <= $1 OR ends_at_ms <= $2";

const TOKEN: &str = "SELECT id, fingerprint, name, role, branches_json, scopes_json, made_by, made_at_ms, \
     expires_at_ms, revoked_at_ms, used_at_ms FROM access_token WHERE fingerprint = $1";
const TOKENS: &str = "SELECT id, fingerprint, name, role, branches_json, scopes_json, made_by, made_at_ms, \
     expires_at_ms, revoked_at_ms, used_at_ms FROM access_token ORDER BY made_at_ms DESC, id";
const ADD_TOKEN: &str = "INSERT INTO access_token (id, fingerprint, name, role, branches_json, scopes_json, made_by, \
     made_at_ms, expires_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const TOUCH_TOKEN: &str =
    "UPDATE access_token SET used_at_ms = $2 WHERE id = $1 AND (used_at_ms IS NULL OR used_at_ms < $2)";
const REVOKE_TOKEN: &str = "UPDATE access_token SET revoked_at_ms = $2 WHERE id = $1 AND revoked_at_ms IS NULL";

const NOTE: &str = "INSERT INTO access_deed (at_ms, by_who, what, about, detail) VALUES ($1, $2, $3, $4, $5)";
const DEEDS: &str = "SELECT at_ms, by_who, what, about, detail FROM access_deed ORDER BY seq DESC LIMIT $1";

fn hex(fingerprint: &Fingerprint) -> String {
    fingerprint.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fingerprint_of(row: &Row) -> Result<Fingerprint, StoreError> {
    let text = row.text("fingerprint")?;
    let digits = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let bytes: Option<Vec<u8>> = digits.collect();
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(Fingerprint).ok_or_else(|| foreign("fingerprint", "it is no SHA-256"))
}

fn user_of(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        name: row.text("name")?,
        // A role that this version does not know is an error: it must not become another one.
        role: row.named("role")?,
        branches: row.json("branches_json")?,
        password: row.text("password")?,
        disabled: row.int("disabled")? != 0,
        made_at: row.at("made_at_ms")?,
        changed_at: row.at("changed_at_ms")?,
    })
}

fn session_of(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        fingerprint: fingerprint_of(row)?,
        name: row.text("name")?,
        role: row.named("role")?,
        branches: row.json("branches_json")?,
        begun_at: row.at("begun_at_ms")?,
        seen_at: row.at("seen_at_ms")?,
        ends_at: row.at("ends_at_ms")?,
        address: row.text("address")?,
    })
}

fn token_of(row: &Row) -> Result<ApiToken, StoreError> {
    Ok(ApiToken {
        id: row.text("id")?,
        fingerprint: fingerprint_of(row)?,
        name: row.text("name")?,
        role: row.named("role")?,
        branches: row.json("branches_json")?,
        scopes: row.json("scopes_json")?,
        made_by: row.text("made_by")?,
        made_at: row.at("made_at_ms")?,
        expires_at: row.at("expires_at_ms")?,
        revoked_at: row.maybe_at("revoked_at_ms")?,
        used_at: row.maybe_at("used_at_ms")?,
    })
}

fn deed_of(row: &Row) -> Result<Deed, StoreError> {
    Ok(Deed {
        at: row.at("at_ms")?,
        by: row.text("by_who")?,
        what: row.text("what")?,
        about: row.text("about")?,
        detail: row.text("detail")?,
    })
}

async fn note(tx: &mut Tx, deed: &Deed) -> Result<(), StoreError> {
    let Deed { at, by, what, about, detail } = deed;
    tx.run(NOTE, values![*at, by, what, about, detail]).await.map(drop)
}

/// Adds or changes a user; `false` when nothing was written.
async fn put_user<D: Database>(database: &D, sql: &'static str, user: &User, deed: &Deed) -> Result<bool, StoreError> {
    let User { name, role, branches, password, disabled, made_at, changed_at } = user;
    let branches = json(branches)?;
    let mut tx = database.write().await?;
    let values = values![name, role.as_str(), &branches, password, i64::from(*disabled), *made_at, *changed_at];
    if tx.run(sql, values).await? == 0 {
        return Ok(false);
    }
    tx.run(END_SESSIONS_OF, values![name]).await?;
    note(&mut *tx, deed).await?;
    tx.commit().await?;
    Ok(true)
}

/// Runs a statement, and notes the deed when it changed something; how many rows.
async fn change<D: Database>(
    database: &D,
    sql: &'static str,
    values: &[super::statement::Value<'_>],
    deed: Option<&Deed>,
) -> Result<u64, StoreError> {
    let mut tx = database.write().await?;
    let changed = tx.run(sql, values).await?;
    if let Some(deed) = deed.filter(|_| changed > 0) {
        note(&mut *tx, deed).await?;
    }
    tx.commit().await?;
    Ok(changed)
}

#[async_trait]
impl<D: Database> AccessStore for D {
    async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        self.read().await?.row(USER, values![name]).await?.as_ref().map(user_of).transpose()
    }

    async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.read().await?.rows(USERS, &[]).await?.iter().map(user_of).collect()
    }

    async fn add_user(&self, user: &User, deed: &Deed) -> Result<bool, StoreError> {
        put_user(self, ADD_USER, user, deed).await
    }

    async fn change_user(&self, user: &User, deed: &Deed) -> Result<bool, StoreError> {
        put_user(self, CHANGE_USER, user, deed).await
    }

    async fn begin_session(&self, session: &Session, deed: &Deed) -> Result<(), StoreError> {
        let Session { fingerprint, name, role, branches, begun_at, seen_at, ends_at, address } = session;
        let (print, branches) = (hex(fingerprint), json(branches)?);
        let values = values![&print, name, role.as_str(), &branches, *begun_at, *seen_at, *ends_at, address];
        change(self, BEGIN_SESSION, values, Some(deed)).await.map(drop)
    }

    async fn session(&self, fingerprint: &Fingerprint) -> Result<Option<Session>, StoreError> {
        let found = self.read().await?.row(SESSION, values![&hex(fingerprint)]).await?;
        found.as_ref().map(session_of).transpose()
    }

    async fn touch_session(&self, fingerprint: &Fingerprint, at: Timestamp) -> Result<(), StoreError> {
        change(self, TOUCH_SESSION, values![&hex(fingerprint), at], None).await.map(drop)
    }

    async fn end_session(&self, fingerprint: &Fingerprint, deed: &Deed) -> Result<bool, StoreError> {
        Ok(change(self, END_SESSION, values![&hex(fingerprint)], Some(deed)).await? > 0)
    }

    async fn end_sessions_of(&self, name: &str, deed: &Deed) -> Result<u64, StoreError> {
        change(self, END_SESSIONS_OF, values![name], Some(deed)).await
    }

    async fn sessions_of(&self, name: &str) -> Result<Vec<Session>, StoreError> {
        self.read().await?.rows(SESSIONS_OF, values![name]).await?.iter().map(session_of).collect()
    }

    async fn sweep_sessions(&self, idle_since: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        change(self, SWEEP, values![idle_since, now], None).await
    }

    async fn add_token(&self, token: &ApiToken, deed: &Deed) -> Result<(), StoreError> {
        let ApiToken { id, fingerprint, name, role, branches, scopes, made_by, made_at, expires_at, .. } = token;
        let (print, branches, scopes) = (hex(fingerprint), json(branches)?, json(scopes)?);
        let values = values![id, &print, name, role.as_str(), &branches, &scopes, made_by, *made_at, *expires_at];
        change(self, ADD_TOKEN, values, Some(deed)).await.map(drop)
    }

    async fn token(&self, fingerprint: &Fingerprint) -> Result<Option<ApiToken>, StoreError> {
        self.read().await?.row(TOKEN, values![&hex(fingerprint)]).await?.as_ref().map(token_of).transpose()
    }

    async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        self.read().await?.rows(TOKENS, &[]).await?.iter().map(token_of).collect()
    }

    async fn touch_token(&self, id: &str, at: Timestamp) -> Result<(), StoreError> {
        change(self, TOUCH_TOKEN, values![id, at], None).await.map(drop)
    }

    async fn revoke_token(&self, id: &str, deed: &Deed) -> Result<bool, StoreError> {
        Ok(change(self, REVOKE_TOKEN, values![id, deed.at], Some(deed)).await? > 0)
    }

    async fn deeds(&self, limit: u32) -> Result<Vec<Deed>, StoreError> {
        self.read().await?.rows(DEEDS, values![limit]).await?.iter().map(deed_of).collect()
    }
}
