-- What was given up is looked up every few seconds, to be told over other channels and on the pages.
CREATE INDEX outbox_failed ON outbox (created_at_ms) WHERE state = 'failed';
