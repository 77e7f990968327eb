-- Which record this is, made up once: whoever kept another one here, or the same one with more in it, can tell. And the last time
-- that somebody made sure that it can be written.
CREATE TABLE record_identity (
    id           INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    identity     TEXT NOT NULL,
    made_at_ms   INTEGER NOT NULL,
    probed_at_ms INTEGER NOT NULL
) STRICT;
