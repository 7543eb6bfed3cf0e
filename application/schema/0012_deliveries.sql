-- What is to be sent to people and programs, because of events, and what became of it. A row
-- says nothing about people: whom it goes to and what it says is read when it is sent.
CREATE TABLE deliveries (
    id uuid PRIMARY KEY,
    channel text NOT NULL,
    kind text NOT NULL,
    audience text NOT NULL CHECK (audience IN ('invitee', 'owner')),
    -- Which of several receivers, or what it is about: only its channel knows.
    target text NOT NULL DEFAULT '',
    -- The account that it concerns, of a booking its owner.
    owner_id uuid NOT NULL,
    booking_id uuid,
    link_id uuid,
    -- Position of the event that caused it, and the version of its aggregate. Null: no event did.
    fact bigint,
    fact_version bigint,
    due_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'sent', 'parked', 'ended')),
    attempts integer NOT NULL DEFAULT 0,
    -- When a sender may take it, next or again if the sender that took it is killed.
    next_attempt_at timestamptz NOT NULL,
    -- What the other side said last.
    answer text,
    sent_at timestamptz,
    -- The same event never causes the same twice.
    UNIQUE (fact, channel, kind, audience, target)
);
CREATE INDEX deliveries_due ON deliveries (channel, next_attempt_at) WHERE state = 'due';
CREATE INDEX deliveries_parked ON deliveries (due_at) WHERE state = 'parked';
CREATE INDEX deliveries_booking ON deliveries (booking_id);
CREATE INDEX deliveries_owner ON deliveries (owner_id, due_at, id);

-- A reaction tells nobody about events from before it began: neither after an upgrade, nor when
-- an old log is restored into a new database.
ALTER TABLE projection_positions ADD COLUMN begun_at timestamptz NOT NULL DEFAULT now();

-- The language in which a person used the service. The commitment does not cover it.
ALTER TABLE personal_data ADD COLUMN language text;
ALTER TABLE accounts ADD COLUMN language text;
