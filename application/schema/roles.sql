-- Three group roles with the least privileges that their parts of the service need. The
-- migrator, who owns the tables, runs this: `admitone schema apply`, then `admitone schema
-- roles`, both again after every upgrade. application/README.md says how to log in as each.
DO $$
DECLARE
    role text;
    view_table text;
BEGIN
    FOREACH role IN ARRAY ARRAY['admitone_service', 'admitone_projector', 'admitone_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
        -- Revoke everything first, so that nothing remains of what an earlier version granted.
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', role);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM %I', role);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role);
        EXECUTE format('GRANT SELECT ON schema_steps, projection_positions, log TO %I', role);
        EXECUTE format('GRANT SELECT ON stored_events TO %I', role);
    END LOOP;

    -- The projector owns the tables of the views: it rebuilds them in schemas of its own and
    -- then replaces the old ones. It owns nothing else.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        -- Only a member of a role may give tables to it.
        EXECUTE format('GRANT admitone_projector TO %I', current_user);
    END IF;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO admitone_projector', current_database());
    GRANT CREATE ON SCHEMA public TO admitone_projector;
    GRANT INSERT, UPDATE, DELETE ON projection_positions TO admitone_projector;
    GRANT SELECT, INSERT, UPDATE, DELETE ON parked_events, rebuilds, lag_samples
        TO admitone_projector;
    -- For tables that do not exist yet, in any schema.
    ALTER DEFAULT PRIVILEGES FOR ROLE admitone_projector
        GRANT SELECT ON TABLES TO admitone_service, admitone_auditor;
    FOR view_table IN
        SELECT tablename FROM pg_tables WHERE schemaname = 'public'
            AND (tablename ~ '_v[0-9]+(_|$)' OR tableowner = 'admitone_projector')
    LOOP
        EXECUTE format('ALTER TABLE %I OWNER TO admitone_projector', view_table);
        EXECUTE format('GRANT ALL ON %I TO admitone_projector', view_table);
        EXECUTE format('GRANT SELECT ON %I TO admitone_service, admitone_auditor', view_table);
    END LOOP;

    -- The service appends to the log and never changes it. It may delete personal data, which
    -- is how people are forgotten, but never rewrite it.
    GRANT INSERT ON stored_events TO admitone_service;
    GRANT USAGE ON SEQUENCE stored_events_notification_id_seq TO admitone_service;
    GRANT SELECT, INSERT, DELETE ON personal_data, sessions TO admitone_service;
    GRANT UPDATE (last_used_at) ON sessions TO admitone_service;
    GRANT SELECT, INSERT, UPDATE ON accounts, api_keys TO admitone_service;
    GRANT SELECT, INSERT, UPDATE, DELETE ON busy_calendars, webhooks TO admitone_service;
    -- The projector finds out which webhooks are to be told, but neither where nor how.
    GRANT SELECT (id, owner_id, events, since_position) ON webhooks TO admitone_projector;
    GRANT SELECT, INSERT, DELETE ON calendar_feeds TO admitone_service;

    -- The projector adds what events cause to be sent, and the service sends it.
    GRANT SELECT, INSERT, UPDATE ON deliveries TO admitone_projector, admitone_service;
    GRANT DELETE ON deliveries TO admitone_service;

    -- The auditor reads personal data as well, because a commitment in the log can be checked
    -- only against its row, while that exists.
    GRANT SELECT ON personal_data TO admitone_auditor;

    -- The projector checks the log and finds out whether personal data was exchanged, but not
    -- what it is. The service shows what it found.
    GRANT SELECT ON personal_data_commitments TO admitone_projector, admitone_auditor;
    GRANT SELECT, INSERT, UPDATE ON evidence_checks TO admitone_projector;
    GRANT SELECT ON evidence_checks TO admitone_service, admitone_auditor;

    -- The service shows operators the state of the views, and requests rebuilds.
    GRANT SELECT ON parked_events, rebuilds, lag_samples TO admitone_service, admitone_auditor;
    GRANT INSERT, UPDATE ON rebuilds TO admitone_service;

    -- Whoever is asked whether people can book finds out whether writes get through.
    GRANT SELECT, INSERT, UPDATE ON write_probes TO admitone_service;

    GRANT SELECT, INSERT, DELETE ON refused_attempts TO admitone_service;
    GRANT USAGE ON SEQUENCE refused_attempts_id_seq TO admitone_service;
    GRANT SELECT ON refused_attempts TO admitone_auditor;

    GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limits TO admitone_service;

    -- Every access to the audit is recorded, by the service or by the auditor's own commands.
    GRANT SELECT, INSERT ON audit_accesses TO admitone_service, admitone_auditor;
    GRANT USAGE ON SEQUENCE audit_accesses_id_seq TO admitone_service, admitone_auditor;

    -- The service adds to the security log. Position and time are the database's, and addresses
    -- are deleted after a while. The projector signs the log and adds to it what is done to views;
    -- it sees no address.
    GRANT SELECT ON security_log TO admitone_service, admitone_projector, admitone_auditor;
    GRANT INSERT (kind, actor, account_id, details, commitment) ON security_log
        TO admitone_service, admitone_projector;
    GRANT USAGE ON SEQUENCE security_log_position_seq TO admitone_service, admitone_projector;
    GRANT SELECT, DELETE ON security_addresses TO admitone_service;
    GRANT INSERT (position, salt, data) ON security_addresses TO admitone_service;
    GRANT SELECT ON security_addresses TO admitone_auditor;
    GRANT SELECT, INSERT, UPDATE, DELETE ON unrecorded_sign_ins TO admitone_service;
END
$$;
