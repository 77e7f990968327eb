-- Who may. No secret stands here: of a password its argon2id hash, of a session's and a token's secret its SHA-256.
CREATE TABLE access_user (
    name          TEXT   COLLATE "C" PRIMARY KEY,
    role          TEXT   COLLATE "C" NOT NULL,
    branches_json TEXT   NOT NULL CHECK (branches_json::json IS NOT NULL),
    password      TEXT   NOT NULL,
    disabled      BIGINT NOT NULL CHECK (disabled IN (0, 1)),
    made_at_ms    BIGINT NOT NULL,
    changed_at_ms BIGINT NOT NULL
);

CREATE TABLE access_session (
    fingerprint   TEXT   COLLATE "C" PRIMARY KEY CHECK (length(fingerprint) = 64),
    name          TEXT   COLLATE "C" NOT NULL,
    role          TEXT   COLLATE "C" NOT NULL,
    branches_json TEXT   NOT NULL CHECK (branches_json::json IS NOT NULL),
    begun_at_ms   BIGINT NOT NULL,
    seen_at_ms    BIGINT NOT NULL,
    ends_at_ms    BIGINT NOT NULL,
    address       TEXT   NOT NULL
);

CREATE INDEX access_session_by_name ON access_session (name, begun_at_ms);

CREATE TABLE access_token (
    id            TEXT   COLLATE "C" PRIMARY KEY,
    fingerprint   TEXT   COLLATE "C" NOT NULL UNIQUE CHECK (length(fingerprint) = 64),
    name          TEXT   COLLATE "C" NOT NULL,
    role          TEXT   COLLATE "C" NOT NULL,
    branches_json TEXT   NOT NULL CHECK (branches_json::json IS NOT NULL),
    scopes_json   TEXT   NOT NULL CHECK (scopes_json::json IS NOT NULL),
    made_by       TEXT   NOT NULL,
    made_at_ms    BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    revoked_at_ms BIGINT,
    used_at_ms    BIGINT
);

-- Who changed what about access, and who came and went. Only grows.
CREATE TABLE access_deed (
    seq    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms  BIGINT NOT NULL,
    by_who TEXT   NOT NULL,
    what   TEXT   NOT NULL,
    about  TEXT   NOT NULL,
    detail TEXT   NOT NULL
);

CREATE FUNCTION access_deed_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log of access is append-only';
END
$$;

CREATE TRIGGER access_deed_is_append_only_rows BEFORE UPDATE OR DELETE ON access_deed
    FOR EACH ROW EXECUTE FUNCTION access_deed_is_append_only();

-- TRUNCATE asks no trigger of a row.
CREATE TRIGGER access_deed_is_append_only_whole BEFORE TRUNCATE ON access_deed
    FOR EACH STATEMENT EXECUTE FUNCTION access_deed_is_append_only();
