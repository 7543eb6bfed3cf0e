-- How many links of a key can be open at once. Null: as many as it likes.
ALTER TABLE api_keys ADD COLUMN links_at_once integer;

-- The links that requests under such a limit have issued, or were about to. The log knows which of
-- them exist and can still be used.
CREATE TABLE agent_links (
    prefix text NOT NULL REFERENCES api_keys,
    link_id uuid NOT NULL,
    request text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (prefix, link_id, request)
);
