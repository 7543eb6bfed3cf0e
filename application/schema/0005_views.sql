-- Events that a view could not apply, and later ones of the same history that wait for them.
CREATE TABLE parked_events (
    -- The view, or the rebuild that is building it.
    generation text NOT NULL,
    position bigint NOT NULL,
    -- The correlation id: the booking of a link, else the aggregate.
    story uuid NOT NULL,
    -- Null: waits for an earlier event of its history.
    error text,
    parked_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 1,
    PRIMARY KEY (generation, position)
);

-- Rebuilds of views beside the live ones, to replace them or only to be compared with them. One
-- that failed or was killed is resumed.
CREATE TABLE rebuilds (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('rebuild', 'verify')),
    state text NOT NULL
        CHECK (state IN ('waiting', 'building', 'comparing', 'switching', 'done', 'failed')),
    -- True if the projector runs and resumes it; else the command that began it.
    by_projector boolean NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    head bigint NOT NULL DEFAULT 0,
    events bigint NOT NULL DEFAULT 0,
    seconds double precision NOT NULL DEFAULT 0,
    rows bigint,
    differing bigint,
    differences jsonb,
    error text,
    requested_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    pruned_at timestamptz
);
-- One unfinished rebuild for each view.
CREATE UNIQUE INDEX rebuilds_unfinished ON rebuilds (name)
    WHERE state <> 'done';

-- The lag of each view in the last hour, for the chart.
CREATE TABLE lag_samples (
    name text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    events bigint NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (name, at)
);
