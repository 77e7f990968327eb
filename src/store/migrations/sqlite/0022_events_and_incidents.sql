-- One word for one thing: an event is what the detector sees, an incident is what people work on. Until here the tables named
-- `incident...` held events, those named `case...` held incidents, and the append-only table of everything was named `event`.

-- The append-only table. Its triggers go first: the kind of what happened to an incident changes its name, too.
DROP TRIGGER event_is_append_only_update;
DROP TRIGGER event_is_append_only_delete;
DROP TRIGGER event_is_append_only_replace;
DROP INDEX event_by_event;
DROP INDEX event_gates;

ALTER TABLE event RENAME TO record_entry;

UPDATE record_entry SET kind = 'incident', change_key = 'incident/' || substr(change_key, length('case/') + 1)
    WHERE kind = 'case';

CREATE INDEX record_entry_by_event ON record_entry (event_id, at_ms, seq);
CREATE INDEX record_entry_gates ON record_entry (at_ms, seq) WHERE kind = 'gate';

CREATE TRIGGER record_entry_is_append_only_update BEFORE UPDATE ON record_entry
BEGIN
    SELECT RAISE(ABORT, 'the record is append-only');
END;

CREATE TRIGGER record_entry_is_append_only_delete BEFORE DELETE ON record_entry
BEGIN
    SELECT RAISE(ABORT, 'the record is append-only');
END;

-- REPLACE would delete the old row without asking the trigger above.
CREATE TRIGGER record_entry_is_append_only_replace BEFORE INSERT ON record_entry
WHEN EXISTS (SELECT 1 FROM record_entry WHERE change_key = NEW.change_key OR seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the record is append-only');
END;

-- The detector's events, their devices and their other names: derived from the changes among the entries.
ALTER TABLE incident RENAME TO event;
ALTER TABLE incident_device RENAME TO event_device;
ALTER TABLE incident_alias RENAME TO event_alias;

DROP INDEX incident_by_number;
DROP INDEX incident_by_impact;
DROP INDEX incident_device_by_device;
DROP INDEX incident_alias_by_event;

CREATE INDEX event_by_number ON event (number) WHERE number IS NOT NULL;
CREATE INDEX event_by_impact ON event (impact_started_at_ms);
CREATE INDEX event_device_by_device ON event_device (device);
CREATE INDEX event_alias_by_event ON event_alias (event_id);

-- The incidents that people work on, their names and their devices: derived from the entries of kind 'incident'.
ALTER TABLE incident_case RENAME TO incident;
ALTER TABLE case_name RENAME TO incident_name;
ALTER TABLE case_device RENAME TO incident_device;

DROP INDEX incident_case_by_declaration;

CREATE INDEX incident_by_declaration ON incident (declared_at_ms);
