-- What happens in an incident's life stands in the event table too (kind 'case', change_key 'case/' id '/' number of the event). From
-- it is derived, in the same transaction, what follows here.

-- A case in short; `event_id` is that of the detector's event that it was opened for.
CREATE TABLE incident_case (
    event_id       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    number         TEXT COLLATE "C" NOT NULL,
    state          TEXT COLLATE "C" NOT NULL,
    declared_at_ms BIGINT NOT NULL,
    closed_at_ms   BIGINT,
    summary_json   TEXT NOT NULL CHECK (summary_json::json IS NOT NULL)
);

CREATE INDEX incident_case_by_declaration ON incident_case (declared_at_ms);

-- Under which names a case is found: its own number and id (own = 1), and those of what proved to be part of it.
CREATE TABLE case_name (
    name     TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL REFERENCES incident_case (event_id) ON DELETE CASCADE,
    own      BIGINT NOT NULL,
    PRIMARY KEY (name, event_id)
);

-- Devices that are or were part of a case.
CREATE TABLE case_device (
    device   TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL REFERENCES incident_case (event_id) ON DELETE CASCADE,
    PRIMARY KEY (device, event_id)
);

-- Whom to call about a device. Not derived from anything, and no part of the record: name, phone and mail are deleted when
-- they are not needed any more.
CREATE TABLE contact (
    device        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    customer      TEXT COLLATE "C",
    branch        TEXT COLLATE "C",
    name          TEXT COLLATE "C",
    phone         TEXT COLLATE "C",
    mail          TEXT COLLATE "C",
    -- What is searched in: small letters, full-width forms as ASCII; of the phone number the digits alone.
    found_device  TEXT COLLATE "C" NOT NULL,
    found_name    TEXT COLLATE "C",
    found_phone   TEXT COLLATE "C",
    updated_at_ms BIGINT NOT NULL
);

-- Answers to writes, so that a write which is repeated under its key is answered alike and done once.
CREATE TABLE kept_answer (
    who        TEXT COLLATE "C" NOT NULL,
    answer_key TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of the request, in hexadecimal.
    request    TEXT COLLATE "C" NOT NULL,
    status     BIGINT NOT NULL,
    body       TEXT COLLATE "C" NOT NULL,
    at_ms      BIGINT NOT NULL,
    PRIMARY KEY (who, answer_key)
);

CREATE INDEX kept_answer_by_age ON kept_answer (at_ms);
