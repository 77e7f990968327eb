-- Who may. No secret stands here: of a password its argon2id hash, of a session's and a token's secret its SHA-256.
CREATE TABLE access_user (
    name          TEXT    NOT NULL PRIMARY KEY,
    role          TEXT    NOT NULL,
    branches_json TEXT    NOT NULL CHECK (json_valid(branches_json)),
    password      TEXT    NOT NULL,
    disabled      INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    made_at_ms    INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE access_session (
    fingerprint   TEXT    NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 64),
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    branches_json TEXT    NOT NULL CHECK (json_valid(branches_json)),
    begun_at_ms   INTEGER NOT NULL,
    seen_at_ms    INTEGER NOT NULL,
    ends_at_ms    INTEGER NOT NULL,
    address       TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX access_session_by_name ON access_session (name, begun_at_ms);

CREATE TABLE access_token (
    id            TEXT    NOT NULL PRIMARY KEY,
    fingerprint   TEXT    NOT NULL UNIQUE CHECK (length(fingerprint) = 64),
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    branches_json TEXT    NOT NULL CHECK (json_valid(branches_json)),
    scopes_json   TEXT    NOT NULL CHECK (json_valid(scopes_json)),
    made_by       TEXT    NOT NULL,
    made_at_ms    INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER,
    used_at_ms    INTEGER
) STRICT, WITHOUT ROWID;

-- Who changed what about access, and who came and went. Only grows.
CREATE TABLE access_deed (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms  INTEGER NOT NULL,
    by_who TEXT    NOT NULL,
    what   TEXT    NOT NULL,
    about  TEXT    NOT NULL,
    detail TEXT    NOT NULL
) STRICT;

CREATE TRIGGER access_deed_is_append_only_update BEFORE UPDATE ON access_deed
BEGIN
    SELECT RAISE(ABORT, 'the log of access is append-only');
END;

CREATE TRIGGER access_deed_is_append_only_delete BEFORE DELETE ON access_deed
BEGIN
    SELECT RAISE(ABORT, 'the log of access is append-only');
END;

-- REPLACE would delete the old row without asking the trigger above.
CREATE TRIGGER access_deed_is_append_only_replace BEFORE INSERT ON access_deed
WHEN EXISTS (SELECT 1 FROM access_deed WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the log of access is append-only');
END;
