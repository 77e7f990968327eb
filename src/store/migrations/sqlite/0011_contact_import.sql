-- Which list of contacts was taken over last: the same list is not taken over again, or what was forgotten since would be back.
CREATE TABLE contact_import (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    -- SHA-256 of the list, in hexadecimal.
    digest TEXT    NOT NULL,
    at_ms  INTEGER NOT NULL
) STRICT;
