-- Devices that a person has taken out of the fleet: who, when and why. The detector knows it from its journal.
CREATE TABLE forgotten_device (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device  TEXT   NOT NULL,
    by_whom TEXT   NOT NULL,
    reason  TEXT   NOT NULL,
    at_ms   BIGINT NOT NULL
);
