-- What happens in an incident's life stands in the event table too (kind 'case', change_key 'case/' id '/' number of the event). From
-- it is derived, in the same transaction, what follows here.

-- A case in short; `event_id` is that of the detector's event that it was opened for.
CREATE TABLE incident_case (
    event_id       TEXT    NOT NULL PRIMARY KEY,
    number         TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    declared_at_ms INTEGER NOT NULL,
    closed_at_ms   INTEGER,
    summary_json   TEXT    NOT NULL CHECK (json_valid(summary_json))
) STRICT;

CREATE INDEX incident_case_by_declaration ON incident_case (declared_at_ms);

-- Under which names a case is found: its own number and id (own = 1), and those of what proved to be part of it.
CREATE TABLE case_name (
    name     TEXT    NOT NULL,
    event_id TEXT    NOT NULL REFERENCES incident_case (event_id) ON DELETE CASCADE,
    own      INTEGER NOT NULL,
    PRIMARY KEY (name, event_id)
) STRICT, WITHOUT ROWID;

-- Devices that are or were part of a case.
CREATE TABLE case_device (
    device   TEXT NOT NULL,
    event_id TEXT NOT NULL REFERENCES incident_case (event_id) ON DELETE CASCADE,
    PRIMARY KEY (device, event_id)
) STRICT, WITHOUT ROWID;

-- Whom to call about a device. Not derived from anything, and no part of the record: name, phone and mail are deleted when
-- they are not needed any more.
CREATE TABLE contact (
    device        TEXT    NOT NULL PRIMARY KEY,
    customer      TEXT,
    branch        TEXT,
    name          TEXT,
    phone         TEXT,
    mail          TEXT,
    -- What is searched in: small letters, full-width forms as ASCII; of the phone number the digits alone.
    found_device  TEXT    NOT NULL,
    found_name    TEXT,
    found_phone   TEXT,
    updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Answers to writes, so that a write which is repeated under its key is answered alike and done once.
CREATE TABLE kept_answer (
    who        TEXT    NOT NULL,
    answer_key TEXT    NOT NULL,
    -- SHA-256 of the request, in hexadecimal.
    request    TEXT    NOT NULL,
    status     INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    PRIMARY KEY (who, answer_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX kept_answer_by_age ON kept_answer (at_ms);
