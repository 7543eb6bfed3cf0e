-- Who people are at an identity provider, and which account each of them signs in to.
CREATE TABLE identities (
    issuer text NOT NULL,
    -- How the issuer names them. It never names somebody else so.
    subject text NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    PRIMARY KEY (issuer, subject)
);
-- Whoever gets another's address there does not get the account with it.
CREATE UNIQUE INDEX identities_account ON identities (account_id, issuer);
