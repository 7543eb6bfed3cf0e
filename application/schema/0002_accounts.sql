CREATE TABLE accounts (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    roles text[] NOT NULL,
    -- Changes when a sign-in link is made or used, so that only the newest link works, once.
    sign_in_nonce uuid NOT NULL,
    signed_in_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX accounts_email ON accounts (lower(email));

CREATE TABLE api_keys (
    prefix text PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts,
    name text NOT NULL,
    secret_sha256 bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX api_keys_account ON api_keys (account_id);
