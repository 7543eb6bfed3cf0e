-- Who read the audit, and what; written before they get it.
CREATE TABLE audit_accesses (
    id bigserial PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- account:…, key:…, or the login of a command.
    actor text NOT NULL,
    what text NOT NULL
);

-- Attempts to book with a link that were refused, outside the log: anybody who holds a link can
-- make them. Of each link the newest are kept.
CREATE TABLE refused_attempts (
    id bigserial PRIMARY KEY,
    link_id uuid NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    -- Tells whether two came from one address, and not from which.
    address_hash bytea NOT NULL
);
CREATE INDEX refused_attempts_link ON refused_attempts (link_id, id);
CREATE INDEX refused_attempts_at ON refused_attempts (at);
