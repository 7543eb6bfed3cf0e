-- Accounts can be disabled, keys expire, and sessions are listed and end when nobody uses them.
ALTER TABLE accounts ADD COLUMN disabled_at timestamptz;

-- Keys from before expire a year from this upgrade, as do those that an older version of the
-- service creates beside this one.
ALTER TABLE api_keys ADD COLUMN expires_at timestamptz NOT NULL DEFAULT now() + interval '1 year';

ALTER TABLE sessions
    ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    -- The browser and its system, such as Firefox on Windows; null if it did not say.
    ADD COLUMN browser text,
    ADD COLUMN last_used_at timestamptz NOT NULL DEFAULT now();
