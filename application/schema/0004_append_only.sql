-- The log only grows, whoever asks. (The owner of the table can take the trigger off, and a
-- superuser can pass it by: that nobody did is what the hashes of the log are for.)
CREATE FUNCTION refuse_to_change_the_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log only grows: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stored_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_log();

-- Rows go only when somebody is to be forgotten: let no dead one wait for more to die.
ALTER TABLE personal_data SET (
    autovacuum_vacuum_threshold = 0,
    autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 0,
    toast.autovacuum_vacuum_scale_factor = 0
);

-- The recorded erasures, few and far between, for whoever applies them again.
CREATE INDEX stored_events_invitee_forgotten ON stored_events (notification_id)
    WHERE topic = 'booking.invitee_forgotten';
