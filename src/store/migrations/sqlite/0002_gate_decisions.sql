-- Decisions about updates stand in the event table too (kind 'gate'), beside the changes of the event that they belong to; one
-- without an event has the event_id 'gate/' and the version. At a start all of them are read.
CREATE INDEX event_gates ON event (at_ms, seq) WHERE kind = 'gate';
