-- Programs of owners that are told of events.
CREATE TABLE webhooks (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES accounts,
    url text NOT NULL,
    events text[] NOT NULL,
    personal_data boolean NOT NULL,
    created_at timestamptz NOT NULL,
    -- The head of the log when it was created: it is told of later events only.
    since_position bigint NOT NULL,
    -- Encrypted with the service's secret key: a signature takes the secret itself.
    secret text NOT NULL,
    -- The secret before that, with which messages are signed as well until then.
    previous_secret text,
    previous_secret_until timestamptz,
    is_active boolean NOT NULL DEFAULT true,
    -- Why the service itself has paused it.
    problem text
);
CREATE INDEX webhooks_owner ON webhooks (owner_id, created_at);

-- Deliveries to one target about the same subject are sent in the order of their facts: the next
-- one waits until the one before is no longer due.
ALTER TABLE deliveries ADD COLUMN subject uuid;
CREATE INDEX deliveries_subject ON deliveries (subject, target, fact)
    WHERE state = 'due' AND subject IS NOT NULL;
CREATE INDEX deliveries_target ON deliveries (target, due_at, id) WHERE channel = 'webhook';
