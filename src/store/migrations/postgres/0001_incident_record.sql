-- Texts are compared byte by byte (collation "C"), as the program itself does; the server's language would sort otherwise.

-- The truth: one row for each change, never changed, never deleted. Instants are milliseconds since the epoch (UTC).
CREATE TABLE event (
    seq            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- What the change is, independent of when it was written: a second delivery of the same change has the same key.
    change_key     TEXT   COLLATE "C" NOT NULL UNIQUE,
    event_id       TEXT   COLLATE "C" NOT NULL,
    kind           TEXT   COLLATE "C" NOT NULL,
    at_ms          BIGINT NOT NULL,
    recorded_at_ms BIGINT NOT NULL,
    actor          TEXT   COLLATE "C" NOT NULL,
    -- Text, not jsonb: it stays as it was written, and jsonb refuses an escaped NUL.
    change_json    TEXT   NOT NULL CHECK (change_json::json IS NOT NULL)
);

CREATE INDEX event_by_event ON event (event_id, at_ms, seq);

-- Decisions about updates stand in the event table too (kind 'gate'), beside the changes of the event that they belong to; one
-- without an event has the event_id 'gate/' and the version. At a start all of them are read.
CREATE INDEX event_gates ON event (at_ms, seq) WHERE kind = 'gate';

CREATE FUNCTION event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event table is append-only';
END
$$;

CREATE TRIGGER event_is_append_only_rows BEFORE UPDATE OR DELETE ON event
    FOR EACH ROW EXECUTE FUNCTION event_is_append_only();

-- TRUNCATE asks no trigger of a row.
CREATE TRIGGER event_is_append_only_whole BEFORE TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION event_is_append_only();

-- Derived from `event` in the same transaction, to read from. It can be emptied and derived again.
CREATE TABLE incident (
    event_id             TEXT   COLLATE "C" PRIMARY KEY,
    number               TEXT   COLLATE "C",
    state                TEXT   COLLATE "C" NOT NULL,
    severity             TEXT   COLLATE "C" NOT NULL,
    scope                TEXT   COLLATE "C" NOT NULL,
    impact_started_at_ms BIGINT NOT NULL,
    declared_at_ms       BIGINT,
    recovered_at_ms      BIGINT,
    resolved_at_ms       BIGINT,
    streak_s             BIGINT NOT NULL,
    cause_json           TEXT   CHECK (cause_json IS NULL OR cause_json::json IS NOT NULL),
    updated_at_ms        BIGINT NOT NULL,
    -- Why an event that was warned of was not declared.
    near_miss_json       TEXT   CHECK (near_miss_json IS NULL OR near_miss_json::json IS NOT NULL)
);

CREATE INDEX incident_by_number ON incident (number) WHERE number IS NOT NULL;
CREATE INDEX incident_by_impact ON incident (impact_started_at_ms);

-- Who was a member, and from when to when. Also answers: which incidents did this device have?
CREATE TABLE incident_device (
    event_id     TEXT   COLLATE "C" NOT NULL REFERENCES incident (event_id) ON DELETE CASCADE,
    device       TEXT   COLLATE "C" NOT NULL,
    joined_at_ms BIGINT NOT NULL,
    left_at_ms   BIGINT,
    PRIMARY KEY (event_id, device)
);

CREATE INDEX incident_device_by_device ON incident_device (device);

-- Numbers and event ids under which people may have heard of an event that proved to be another one. Whoever asks for
-- one of them is answered with that event.
CREATE TABLE incident_alias (
    alias    TEXT COLLATE "C" PRIMARY KEY,
    event_id TEXT COLLATE "C" NOT NULL REFERENCES incident (event_id) ON DELETE CASCADE
);

CREATE INDEX incident_alias_by_event ON incident_alias (event_id);
