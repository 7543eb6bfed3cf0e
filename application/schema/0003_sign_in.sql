ALTER TABLE accounts
    ADD COLUMN time_zone text,
    ADD COLUMN password_hash text;

-- Only a hash of the cookie is stored: a leaked database signs nobody in.
CREATE TABLE sessions (
    token_sha256 bytea PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    by_link boolean NOT NULL
);
CREATE INDEX sessions_account ON sessions (account_id);
