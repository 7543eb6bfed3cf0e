-- The log: all events, in the order of notification_id (the position).
CREATE TABLE stored_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL CHECK (originator_version > 0),
    topic text NOT NULL,
    state bytea NOT NULL,
    notification_id bigserial NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (originator_id, originator_version)
) WITH (
    -- Rows are never updated or deleted: vacuum has little to do, but statistics matter.
    autovacuum_vacuum_scale_factor = 0.5,
    autovacuum_analyze_scale_factor = 0.01
);
CREATE UNIQUE INDEX stored_events_position ON stored_events (notification_id);

-- The log in a form that people can read with psql.
CREATE VIEW log AS
SELECT notification_id AS position, recorded_at, topic, originator_id AS id,
    originator_version AS version, convert_from(state, 'UTF8')::jsonb AS data
FROM stored_events
ORDER BY notification_id;

-- What people typed with an event; the event holds a salted commitment to it.
CREATE TABLE personal_data (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    salt bytea NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
);

-- The position that each view has reached. A row changes in the same transaction as its view.
CREATE TABLE projection_positions (
    name text PRIMARY KEY,
    position bigint NOT NULL
);
