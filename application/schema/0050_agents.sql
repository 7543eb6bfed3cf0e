-- Keys that assistants act with, and how many links each may issue in a day.
ALTER TABLE api_keys
    ADD COLUMN is_agent boolean NOT NULL DEFAULT false,
    -- Null: as many as it likes.
    ADD COLUMN links_a_day integer;

-- What assistants have asked for under such a limit, for a day. A request that is repeated is one.
CREATE TABLE agent_requests (
    prefix text NOT NULL REFERENCES api_keys,
    request text NOT NULL,
    links integer NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (prefix, request)
);
