-- One word for one thing: an event is what the detector sees, an incident is what people work on. Until here the tables named
-- `incident...` held events, those named `case...` held incidents, and the append-only table of everything was named `event`.

-- The append-only table. Its triggers go first: the kind of what happened to an incident changes its name, too.
DROP TRIGGER event_is_append_only_rows ON event;
DROP TRIGGER event_is_append_only_whole ON event;
DROP FUNCTION event_is_append_only();

ALTER TABLE event RENAME TO record_entry;
ALTER SEQUENCE event_seq_seq RENAME TO record_entry_seq_seq;
ALTER INDEX event_pkey RENAME TO record_entry_pkey;
ALTER INDEX event_change_key_key RENAME TO record_entry_change_key_key;
ALTER INDEX event_by_event RENAME TO record_entry_by_event;
ALTER INDEX event_gates RENAME TO record_entry_gates;

UPDATE record_entry SET kind = 'incident', change_key = 'incident/' || substr(change_key, length('case/') + 1)
    WHERE kind = 'case';

CREATE FUNCTION record_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the record is append-only';
END
$$;

CREATE TRIGGER record_entry_is_append_only_rows BEFORE UPDATE OR DELETE ON record_entry
    FOR EACH ROW EXECUTE FUNCTION record_is_append_only();

-- TRUNCATE asks no trigger of a row.
CREATE TRIGGER record_entry_is_append_only_whole BEFORE TRUNCATE ON record_entry
    FOR EACH STATEMENT EXECUTE FUNCTION record_is_append_only();

-- The detector's events, their devices and their other names: derived from the changes among the entries.
ALTER TABLE incident RENAME TO event;
ALTER TABLE incident_device RENAME TO event_device;
ALTER TABLE incident_alias RENAME TO event_alias;

ALTER INDEX incident_pkey RENAME TO event_pkey;
ALTER INDEX incident_by_number RENAME TO event_by_number;
ALTER INDEX incident_by_impact RENAME TO event_by_impact;
ALTER INDEX incident_device_pkey RENAME TO event_device_pkey;
ALTER INDEX incident_device_by_device RENAME TO event_device_by_device;
ALTER INDEX incident_alias_pkey RENAME TO event_alias_pkey;
ALTER INDEX incident_alias_by_event RENAME TO event_alias_by_event;
ALTER TABLE event_device RENAME CONSTRAINT incident_device_event_id_fkey TO event_device_event_id_fkey;
ALTER TABLE event_alias RENAME CONSTRAINT incident_alias_event_id_fkey TO event_alias_event_id_fkey;

-- The incidents that people work on, their names and their devices: derived from the entries of kind 'incident'.
ALTER TABLE incident_case RENAME TO incident;
ALTER TABLE case_name RENAME TO incident_name;
ALTER TABLE case_device RENAME TO incident_device;

ALTER INDEX incident_case_pkey RENAME TO incident_pkey;
ALTER INDEX incident_case_by_declaration RENAME TO incident_by_declaration;
ALTER INDEX case_name_pkey RENAME TO incident_name_pkey;
ALTER INDEX case_device_pkey RENAME TO incident_device_pkey;
ALTER TABLE incident_name RENAME CONSTRAINT case_name_event_id_fkey TO incident_name_event_id_fkey;
ALTER TABLE incident_device RENAME CONSTRAINT case_device_event_id_fkey TO incident_device_event_id_fkey;
