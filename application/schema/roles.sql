-- Who may do what, as three group roles. The migrator is whoever owns the tables and runs
-- this: `admitone schema apply`, then `admitone schema roles`, again after every upgrade.
-- application/README.md says how to log in as each.
DO $$
DECLARE
    role text;
    view_table text;
BEGIN
    FOREACH role IN ARRAY ARRAY['admitone_service', 'admitone_projector', 'admitone_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
        -- From nothing on, so that what an earlier version granted is gone.
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', role);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM %I', role);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role);
        EXECUTE format('GRANT SELECT ON schema_steps, projection_positions, log TO %I', role);
        EXECUTE format('GRANT SELECT ON stored_events TO %I', role);
    END LOOP;

    -- The projector owns the views, as their tables are called in here: it builds them anew
    -- in schemas of its own and then puts them in place of the old ones. Nothing else is its.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        -- Only a member may hand tables over.
        EXECUTE format('GRANT admitone_projector TO %I', current_user);
    END IF;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO admitone_projector', current_database());
    GRANT CREATE ON SCHEMA public TO admitone_projector;
    GRANT INSERT, UPDATE, DELETE ON projection_positions TO admitone_projector;
    GRANT SELECT, INSERT, UPDATE, DELETE ON parked_events, rebuilds, lag_samples
        TO admitone_projector;
    -- For tables to come, in whichever schema.
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

    -- The service adds to the log and never changes it. What people typed it may delete:
    -- that is how they are forgotten; and never rewrite.
    GRANT INSERT ON stored_events TO admitone_service;
    GRANT USAGE ON SEQUENCE stored_events_notification_id_seq TO admitone_service;
    GRANT SELECT, INSERT, DELETE ON personal_data, sessions TO admitone_service;
    GRANT SELECT, INSERT, UPDATE ON accounts, api_keys TO admitone_service;

    -- The auditor reads, personal data as well: a commitment in the log can be checked only
    -- against the row that it is about, while there is one.
    GRANT SELECT ON personal_data TO admitone_auditor;

    -- The service tells operators of the views, and asks the projector for rebuilds.
    GRANT SELECT ON parked_events, rebuilds, lag_samples TO admitone_service, admitone_auditor;
    GRANT INSERT, UPDATE ON rebuilds TO admitone_service;

    GRANT SELECT, INSERT, DELETE ON refused_attempts TO admitone_service;
    GRANT USAGE ON SEQUENCE refused_attempts_id_seq TO admitone_service;
    GRANT SELECT ON refused_attempts TO admitone_auditor;

    -- Whoever reads the audit is written down, by the service or by the auditor's own commands.
    GRANT SELECT, INSERT ON audit_accesses TO admitone_service, admitone_auditor;
    GRANT USAGE ON SEQUENCE audit_accesses_id_seq TO admitone_service, admitone_auditor;
END
$$;
