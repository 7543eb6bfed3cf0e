-- Three group roles with the least privileges that their parts of the service need. The owner of
-- the tables (the migrator) runs this: `admitone schema apply`, then `admitone schema roles`, both
-- again after every upgrade. application/README.md says how to log in as each.
--
-- All names are qualified: nothing that somebody else has created is called by the owner.
SET LOCAL search_path = pg_catalog, pg_temp;

DO $$
DECLARE
    role text;
    planted text;
    view_table text;
BEGIN
    FOREACH role IN ARRAY ARRAY['admitone_service', 'admitone_projector', 'admitone_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
        -- Revoke everything first, so that nothing remains of what an earlier version granted.
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', role);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM %I', role);
        EXECUTE format('REVOKE ALL ON SCHEMA public FROM %I', role);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role);
        EXECUTE format(
            'GRANT SELECT ON public.schema_steps, public.projection_positions, public.log,
                public.stored_events TO %I', role);
    END LOOP;

    -- Nobody but the owner creates anything in the schema that all search: a function there may be
    -- called by others, with their rights. Nor is a schema searched because it is named like a
    -- role: the projector may create schemas.
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    IF pg_has_role((SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') THEN
        EXECUTE format('ALTER DATABASE %I SET search_path = public', current_database());
    END IF;

    IF NOT pg_has_role('admitone_projector', 'USAGE') THEN
        -- Only who has the rights of a role may take over what belongs to it.
        EXECUTE format('GRANT admitone_projector TO %I', current_user);
    END IF;
    SELECT string_agg(oid::regprocedure::text, ', ') INTO planted FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
            AND pg_get_userbyid(proowner) ~ '^admitone_(service|projector|auditor)$';
    IF planted IS NOT NULL THEN
        RAISE insufficient_privilege USING MESSAGE = format(
            'the schema public has functions of a role that may not create any there: %s', planted);
    END IF;

    -- The projector writes the rows of the views. It builds new ones in schemas of its own, and
    -- replace_view() puts them in the place of the old ones. It owns nothing that others read.
    EXECUTE format('GRANT CREATE ON DATABASE %I TO admitone_projector', current_database());
    GRANT EXECUTE ON FUNCTION public.replace_view(text, text, text), public.drop_retired(text),
        public.drop_earlier_view(text, text) TO admitone_projector;
    GRANT INSERT, UPDATE, DELETE ON public.projection_positions TO admitone_projector;
    GRANT SELECT, INSERT, UPDATE, DELETE
        ON public.parked_events, public.rebuilds, public.lag_samples TO admitone_projector;
    -- Earlier versions granted this.
    ALTER DEFAULT PRIVILEGES FOR ROLE admitone_projector
        REVOKE SELECT ON TABLES FROM admitone_service, admitone_auditor;
    FOR view_table IN
        SELECT tablename FROM pg_tables WHERE schemaname = 'public'
            AND (tablename ~ '_v[0-9]+(_|$)' OR tableowner = 'admitone_projector')
    LOOP
        EXECUTE format('ALTER TABLE public.%I OWNER TO CURRENT_USER', view_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO admitone_projector',
            view_table);
        EXECUTE format('GRANT SELECT ON public.%I TO admitone_service, admitone_auditor',
            view_table);
    END LOOP;

    -- The service appends to the log and never changes it: which position an event has and when it
    -- was recorded is for the database to say. It may delete personal data, which is how people
    -- are forgotten, but never rewrite it.
    GRANT INSERT (originator_id, originator_version, topic, state)
        ON public.stored_events TO admitone_service;
    GRANT USAGE ON SEQUENCE public.stored_events_notification_id_seq TO admitone_service;
    -- Everybody may run functions, unless the owner's default privileges say otherwise. Earlier
    -- versions of the service call the last two.
    GRANT EXECUTE ON FUNCTION public.append_events, public.erase_invitees, public.stale_places,
        public.newest_version TO admitone_service;
    GRANT EXECUTE ON FUNCTION public.folded(text), public.search_key(text), public.search_key(jsonb)
        TO admitone_service, admitone_projector;
    GRANT SELECT, INSERT, DELETE ON public.personal_data, public.sessions TO admitone_service;
    GRANT UPDATE (last_used_at, confirmed_by, confirmed_until)
        ON public.sessions TO admitone_service;
    GRANT SELECT, INSERT, DELETE ON public.passkeys TO admitone_service;
    GRANT SELECT, INSERT, UPDATE, DELETE ON public.passkey_challenges TO admitone_service;
    GRANT UPDATE (name, sign_count, last_used_at) ON public.passkeys TO admitone_service;
    GRANT SELECT, INSERT, DELETE ON public.agent_requests, public.agent_links TO admitone_service;
    GRANT SELECT, INSERT, DELETE ON public.identities TO admitone_service;
    GRANT UPDATE (last_used_at) ON public.identities TO admitone_service;
    GRANT SELECT, INSERT, UPDATE ON public.accounts, public.api_keys TO admitone_service;
    GRANT SELECT, INSERT, UPDATE, DELETE
        ON public.busy_calendars, public.webhooks TO admitone_service;
    -- The projector finds out which webhooks are to be told, but neither where nor how.
    GRANT SELECT (id, owner_id, events, since_position) ON public.webhooks TO admitone_projector;
    GRANT SELECT, INSERT, DELETE ON public.calendar_feeds, public.link_requests
        TO admitone_service;
    GRANT SELECT, INSERT ON public.answered_requests, public.erasures TO admitone_service;
    GRANT UPDATE (answered_at) ON public.answered_requests TO admitone_service;
    -- The projector lists who was forgotten, by ids.
    GRANT SELECT ON public.erasures TO admitone_projector;

    -- The projector adds what events cause to be sent, and the service sends it.
    GRANT SELECT, INSERT, UPDATE ON public.deliveries TO admitone_projector, admitone_service;
    GRANT DELETE ON public.deliveries TO admitone_service;

    -- The auditor reads personal data as well, because a commitment in the log can be checked
    -- only against its row, while that exists.
    GRANT SELECT ON public.personal_data TO admitone_auditor;
    -- And who the accounts and API keys are that the log names by their ids.
    GRANT SELECT (id, email, name, created_at) ON public.accounts TO admitone_auditor;
    GRANT SELECT (prefix, account_id, name) ON public.api_keys TO admitone_auditor;

    -- The projector checks the log and finds out whether personal data was exchanged, but not
    -- what it is. The service shows what it found.
    GRANT SELECT ON public.personal_data_commitments TO admitone_projector, admitone_auditor;
    GRANT SELECT, INSERT, UPDATE ON public.evidence_checks TO admitone_projector;
    GRANT SELECT ON public.evidence_checks TO admitone_service, admitone_auditor;

    -- The service shows operators the state of the views, and requests rebuilds.
    GRANT SELECT ON public.parked_events, public.rebuilds, public.lag_samples
        TO admitone_service, admitone_auditor;
    GRANT INSERT, UPDATE ON public.rebuilds TO admitone_service;

    -- The service records its keys, and only the owner forgets one.
    GRANT SELECT, INSERT (kind, fingerprint) ON public.service_keys TO admitone_service;
    GRANT SELECT ON public.service_keys TO admitone_projector;

    -- Whoever is asked whether people can book finds out whether writes get through.
    GRANT SELECT, INSERT, UPDATE ON public.write_probes TO admitone_service;

    GRANT SELECT, INSERT, DELETE ON public.refused_attempts TO admitone_service;
    GRANT USAGE ON SEQUENCE public.refused_attempts_id_seq TO admitone_service;
    GRANT SELECT ON public.refused_attempts TO admitone_auditor;

    GRANT SELECT, INSERT, UPDATE, DELETE ON public.rate_limits TO admitone_service;

    -- Every access to the audit is recorded, by the service or by the auditor's own commands. Its
    -- time is the database's.
    GRANT SELECT, INSERT (actor, what) ON public.audit_accesses
        TO admitone_service, admitone_auditor;
    GRANT USAGE ON SEQUENCE public.audit_accesses_id_seq TO admitone_service, admitone_auditor;

    -- The service adds to the security log. Position and time are the database's, and addresses
    -- are deleted after a while. The projector signs the log and adds to it what is done to views;
    -- it sees no address.
    GRANT SELECT ON public.security_log TO admitone_service, admitone_projector, admitone_auditor;
    GRANT INSERT (kind, actor, account_id, details, commitment) ON public.security_log
        TO admitone_service, admitone_projector;
    GRANT USAGE ON SEQUENCE public.security_log_position_seq TO admitone_service, admitone_projector;
    GRANT SELECT, DELETE ON public.security_addresses TO admitone_service;
    GRANT INSERT (position, salt, data) ON public.security_addresses TO admitone_service;
    GRANT SELECT ON public.security_addresses TO admitone_auditor;
    GRANT SELECT, INSERT, UPDATE, DELETE ON public.unrecorded_sign_ins TO admitone_service;
END
$$;
