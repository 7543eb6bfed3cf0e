-- The id that the events of one link, its booking and its reserved time share.
ALTER TABLE parked_events RENAME COLUMN story TO correlation_id;
