-- What is to be said, written in the transaction of what it follows from.
CREATE TABLE outbox (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dispatch_key  TEXT   COLLATE "C" NOT NULL UNIQUE,
    channel       TEXT   COLLATE "C" NOT NULL,
    target        TEXT   COLLATE "C" NOT NULL,
    -- The incident's number, as in the message: messages of one number are one thread.
    incident      TEXT   COLLATE "C",
    kind          TEXT   COLLATE "C" NOT NULL,
    message_json  TEXT   NOT NULL CHECK (message_json::json IS NOT NULL),
    created_at_ms BIGINT NOT NULL,
    due_at_ms     BIGINT NOT NULL,
    state         TEXT   COLLATE "C" NOT NULL CHECK (state IN ('pending', 'sent', 'failed')),
    attempts      BIGINT NOT NULL
);

CREATE INDEX outbox_pending ON outbox (channel, due_at_ms) WHERE state = 'pending';
CREATE INDEX outbox_by_thread ON outbox (incident, channel, target);

-- Every attempt. One of a dispatch at an instant with an outcome is one attempt, however often it is written down.
CREATE TABLE outbox_attempt (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dispatch     BIGINT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    at_ms        BIGINT NOT NULL,
    outcome      TEXT   COLLATE "C" NOT NULL,
    -- What the receiver calls it.
    reference    TEXT   COLLATE "C",
    outcome_json TEXT   NOT NULL CHECK (outcome_json::json IS NOT NULL),
    UNIQUE (dispatch, at_ms, outcome)
);
