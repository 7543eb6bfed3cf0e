-- Passkeys, by which people sign in without a password, and the last proof of who is at a browser:
-- what it was, and until when it counts.
CREATE TABLE passkeys (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts,
    name text NOT NULL,
    -- How the authenticator names it. What it is, is secret to nobody.
    credential_id bytea NOT NULL UNIQUE,
    -- A COSE_Key.
    public_key bytea NOT NULL,
    -- How often the authenticator says that it has signed; 0 for those that do not count.
    sign_count bigint NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX passkeys_account ON passkeys (account_id, created_at, id);

-- What authenticators are asked to sign, each once and within minutes. A crash of the server may
-- empty this table: people try again.
CREATE UNLOGGED TABLE passkey_challenges (
    challenge_sha256 bytea PRIMARY KEY,
    purpose text NOT NULL,
    -- Null: of whoever has a passkey.
    account_id uuid,
    expires_at timestamptz NOT NULL
);
CREATE INDEX passkey_challenges_expires_at ON passkey_challenges (expires_at);

ALTER TABLE sessions
    ADD COLUMN confirmed_by text NOT NULL DEFAULT 'password',
    -- Null: an older version has started the session beside this one.
    ADD COLUMN confirmed_until timestamptz;
UPDATE sessions SET confirmed_by = 'link', confirmed_until = created_at + interval '1 hour'
    WHERE by_link;
-- Only older versions still write and read that.
ALTER TABLE sessions ALTER COLUMN by_link SET DEFAULT false;
