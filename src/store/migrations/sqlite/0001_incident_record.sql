-- The truth: one row for each change, never changed, never deleted. Instants are milliseconds since the epoch (UTC).
CREATE TABLE event (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What the change is, independent of when it was written: a second delivery of the same change has the same key.
    change_key     TEXT    NOT NULL UNIQUE,
    event_id       TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    at_ms          INTEGER NOT NULL,
    recorded_at_ms INTEGER NOT NULL,
    actor          TEXT    NOT NULL,
    change_json    TEXT    NOT NULL CHECK (json_valid(change_json))
) STRICT;

CREATE INDEX event_by_event ON event (event_id, at_ms, seq);

CREATE TRIGGER event_is_append_only_update BEFORE UPDATE ON event
BEGIN
    SELECT RAISE(ABORT, 'the event table is append-only');
END;

CREATE TRIGGER event_is_append_only_delete BEFORE DELETE ON event
BEGIN
    SELECT RAISE(ABORT, 'the event table is append-only');
END;

-- REPLACE would delete the old row without asking the trigger above.
CREATE TRIGGER event_is_append_only_replace BEFORE INSERT ON event
WHEN EXISTS (SELECT 1 FROM event WHERE change_key = NEW.change_key OR seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the event table is append-only');
END;

-- Derived from `event` in the same transaction, to read from. It can be emptied and derived again.
CREATE TABLE incident (
    event_id             TEXT    NOT NULL PRIMARY KEY,
    number               TEXT,
    state                TEXT    NOT NULL,
    severity             TEXT    NOT NULL,
    scope                TEXT    NOT NULL,
    impact_started_at_ms INTEGER NOT NULL,
    declared_at_ms       INTEGER,
    recovered_at_ms      INTEGER,
    resolved_at_ms       INTEGER,
    streak_s             INTEGER NOT NULL,
    cause_json           TEXT    CHECK (cause_json IS NULL OR json_valid(cause_json)),
    updated_at_ms        INTEGER NOT NULL
) STRICT;

CREATE INDEX incident_by_number ON incident (number) WHERE number IS NOT NULL;
CREATE INDEX incident_by_impact ON incident (impact_started_at_ms);

-- Who was a member, and from when to when. Also answers: which incidents did this device have?
CREATE TABLE incident_device (
    event_id     TEXT    NOT NULL REFERENCES incident (event_id) ON DELETE CASCADE,
    device       TEXT    NOT NULL,
    joined_at_ms INTEGER NOT NULL,
    left_at_ms   INTEGER,
    PRIMARY KEY (event_id, device)
) STRICT, WITHOUT ROWID;

CREATE INDEX incident_device_by_device ON incident_device (device);
