-- Every access to the audit, recorded before anything is shown.
CREATE TABLE audit_accesses (
    id bigserial PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- account:…, key:…, or the login of a command.
    actor text NOT NULL,
    what text NOT NULL
);

-- Refused attempts to book with a link, outside the log because anybody with a link can make
-- them. Only the newest of each link are stored.
CREATE TABLE refused_attempts (
    id bigserial PRIMARY KEY,
    link_id uuid NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    -- Shows whether two came from the same address, but not from which.
    address_hash bytea NOT NULL
);
CREATE INDEX refused_attempts_link ON refused_attempts (link_id, id);
CREATE INDEX refused_attempts_at ON refused_attempts (at);
