-- Who asks for a new link in the place of one that has ended, at most once for each link. Anybody
-- with a link can ask, so this is outside the log.
CREATE TABLE link_requests (
    link_id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES accounts,
    calendar_id uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    -- What was typed, until the owner answers or it is too old.
    name text NOT NULL,
    email text,
    message text,
    language text
);
CREATE INDEX link_requests_owner ON link_requests (owner_id, asked_at);
CREATE INDEX link_requests_asked_at ON link_requests (asked_at);
