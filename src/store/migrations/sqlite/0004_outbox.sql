-- What is to be said, written in the transaction of what it follows from.
CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    dispatch_key  TEXT    NOT NULL UNIQUE,
    channel       TEXT    NOT NULL,
    target        TEXT    NOT NULL,
    -- The incident's number, as in the message: messages of one number are one thread.
    incident      TEXT,
    kind          TEXT    NOT NULL,
    message_json  TEXT    NOT NULL CHECK (json_valid(message_json)),
    created_at_ms INTEGER NOT NULL,
    due_at_ms     INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('pending', 'sent', 'failed')),
    attempts      INTEGER NOT NULL
) STRICT;

CREATE INDEX outbox_pending ON outbox (channel, due_at_ms) WHERE state = 'pending';
CREATE INDEX outbox_by_thread ON outbox (incident, channel, target);

-- Every attempt. One of a dispatch at an instant with an outcome is one attempt, however often it is written down.
CREATE TABLE outbox_attempt (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    dispatch     INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    at_ms        INTEGER NOT NULL,
    outcome      TEXT    NOT NULL,
    -- What the receiver calls it.
    reference    TEXT,
    outcome_json TEXT    NOT NULL CHECK (json_valid(outcome_json)),
    UNIQUE (dispatch, at_ms, outcome)
) STRICT;
