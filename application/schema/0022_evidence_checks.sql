-- What the service found when it last checked its own evidence: one row for each check.
CREATE TABLE evidence_checks (
    name text PRIMARY KEY,
    -- When the check was last completed, whatever it found; before that, when it first failed.
    checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- How many events or rows that was.
    checked bigint NOT NULL DEFAULT 0,
    -- How often the check could not be completed.
    failures bigint NOT NULL DEFAULT 0,
    -- What is wrong, at which position of the log if at one, and since when.
    fault text,
    position bigint,
    fault_since timestamptz
);

-- The commitments to what is stored now, without what it is. The projector compares them with
-- those in the log and sees no personal data. It is the SHA-256 of salt and canonical JSON.
CREATE VIEW personal_data_commitments AS
SELECT originator_id, originator_version,
    encode(
        sha256(salt || convert_to('{' || coalesce((
            SELECT string_agg(to_json(key)::text || ':' || value::text, ',' ORDER BY key COLLATE "C")
            FROM jsonb_each(data)
        ), '') || '}', 'UTF8')),
        'hex'
    ) AS commitment
FROM personal_data;
