-- Events that a view could not take, and those of the same story that wait behind them.
CREATE TABLE parked_events (
    -- The view, or the rebuild that is making it anew.
    generation text NOT NULL,
    position bigint NOT NULL,
    story uuid NOT NULL,
    -- Null: it waits for an earlier event of its story.
    error text,
    parked_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 1,
    PRIMARY KEY (generation, position)
);

-- Views being made anew beside the live ones, or only to be compared with them. One that failed
-- or was killed is gone on with.
CREATE TABLE rebuilds (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('rebuild', 'verify')),
    state text NOT NULL
        CHECK (state IN ('waiting', 'building', 'comparing', 'switching', 'done', 'failed')),
    -- Whether the projector is to run it; else whoever began it goes on with it.
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
-- One at a time of each view.
CREATE UNIQUE INDEX rebuilds_unfinished ON rebuilds (name)
    WHERE state <> 'done';

-- The last hour of each view's lag, for the eye.
CREATE TABLE lag_samples (
    name text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    events bigint NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (name, at)
);
