-- Failed attempts, counted in windows of time for rate limits. A crash of the server may empty
-- this table, so a write to it waits for no disk.
CREATE UNLOGGED TABLE rate_limits (
    kind text NOT NULL,
    -- A keyed hash of a client's address or of the address of an account.
    subject bytea NOT NULL,
    failures integer NOT NULL,
    -- When the window is over and counting starts again.
    ends_at timestamptz NOT NULL,
    PRIMARY KEY (kind, subject)
);
CREATE INDEX rate_limits_ends_at ON rate_limits (ends_at);
