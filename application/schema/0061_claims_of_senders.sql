-- The sender that has claimed a delivery. Its session holds a lock with this number: once nobody does,
-- the sender was killed, and others need not wait until its claim expires.
ALTER TABLE deliveries ADD COLUMN claimed_by integer;
CREATE INDEX deliveries_claimed ON deliveries (channel, next_attempt_at) WHERE claimed_by IS NOT NULL;
