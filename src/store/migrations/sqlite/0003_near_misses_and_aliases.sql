-- Derived, like the rest of the table: why an event that was warned of was not declared.
ALTER TABLE incident ADD COLUMN near_miss_json TEXT CHECK (near_miss_json IS NULL OR json_valid(near_miss_json));

-- Derived: numbers and event ids under which people may have heard of an event that proved to be another one. Whoever
-- asks for one of them is answered with that event.
CREATE TABLE incident_alias (
    alias    TEXT NOT NULL PRIMARY KEY,
    event_id TEXT NOT NULL REFERENCES incident (event_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX incident_alias_by_event ON incident_alias (event_id);
