-- An event has one state, by one name, from the detector to the record: `pending` until it is declared.
UPDATE event SET state = 'pending' WHERE state = 'warned';
