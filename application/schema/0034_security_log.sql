-- Who signed in, and what was done to accounts, keys and personal data: a log of its own, which
-- can only grow and has its own tree of hashes and checkpoints.
CREATE TABLE security_log (
    -- Rises with the commits: a reader never passes an entry that is still to come.
    position bigserial PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    -- Who did it: account:…, key:…, command:… with the login of the system, or service.
    actor text NOT NULL,
    -- The account that it concerns; null if that is none, or none is known.
    account_id uuid,
    -- What else there is to know, without anybody's name or address.
    details jsonb NOT NULL,
    -- The commitment to the row in security_addresses; null if the entry never had one.
    commitment text
);
CREATE INDEX security_log_account ON security_log (account_id, position);
CREATE INDEX security_log_kind ON security_log (kind, position);
CREATE INDEX security_log_at ON security_log (at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON security_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_log();

-- The address from which it was done, and e-mail addresses: personal data, deleted after a while.
CREATE TABLE security_addresses (
    position bigint PRIMARY KEY REFERENCES security_log,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    salt bytea NOT NULL,
    data jsonb NOT NULL
);
CREATE INDEX security_addresses_at ON security_addresses (at);

-- Failed sign-ins that were too many to record one by one, until the next entry tells their number.
CREATE TABLE unrecorded_sign_ins (
    -- Zeros: no account had the address that was typed.
    account_id uuid PRIMARY KEY,
    times bigint NOT NULL
);

-- Who read the audit is not to be changed either.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_accesses
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_log();
