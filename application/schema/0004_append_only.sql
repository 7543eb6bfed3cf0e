-- The log can only grow. (The owner of the table can drop the trigger, and a superuser can
-- bypass it: the hashes of the log show whether somebody did.)
CREATE FUNCTION refuse_to_change_the_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log only grows: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stored_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_log();

-- Rows are deleted only to forget a person, so vacuum must come for a single dead row.
ALTER TABLE personal_data SET (
    autovacuum_vacuum_threshold = 0,
    autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 0,
    toast.autovacuum_vacuum_scale_factor = 0
);

-- The recorded erasures, which are rare, for `admitone privacy reapply`.
CREATE INDEX stored_events_invitee_forgotten ON stored_events (notification_id)
    WHERE topic = 'booking.invitee_forgotten';
