SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA retired_4b251d5c12254869;
ALTER SCHEMA retired_4b251d5c12254869 OWNER TO admitone;
CREATE SCHEMA retired_694106fe1b1b4dfb;
ALTER SCHEMA retired_694106fe1b1b4dfb OWNER TO admitone;
CREATE SCHEMA retired_914c5e5e14cf46f2;
ALTER SCHEMA retired_914c5e5e14cf46f2 OWNER TO admitone;
CREATE SCHEMA retired_fd92e37eb5ac44ec;
ALTER SCHEMA retired_fd92e37eb5ac44ec OWNER TO admitone;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
COMMENT ON EXTENSION pg_trgm IS 'text similarity measurement and index searching based on trigrams';
CREATE FUNCTION public.folded(typed text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN replace(replace(replace(translate(regexp_replace(lower(NORMALIZE(typed, NFKD)), '[\u0300-\u036f]'::text, ''::text, 'g'::text), 'øłđħıŧ'::text, 'oldhit'::text), 'ß'::text, 'ss'::text), 'æ'::text, 'ae'::text), 'œ'::text, 'oe'::text);
ALTER FUNCTION public.folded(typed text) OWNER TO admitone;
CREATE FUNCTION public.newest_version(id uuid) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN (
        SELECT originator_version FROM public.stored_events WHERE originator_id = id
        ORDER BY originator_version DESC LIMIT 1
    );
END
$$;
ALTER FUNCTION public.newest_version(id uuid) OWNER TO admitone;
CREATE FUNCTION public.refuse_to_change_the_log() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the log only grows: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
ALTER FUNCTION public.refuse_to_change_the_log() OWNER TO admitone;
CREATE FUNCTION public.search_key(typed text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN replace(encode(convert_to(public.folded(typed), 'UTF8'::name), 'escape'::text), '\'::text, ''::text);
ALTER FUNCTION public.search_key(typed text) OWNER TO admitone;
CREATE FUNCTION public.search_key(data jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN public.search_key(NULLIF((((((COALESCE(((data ->> 'recipient'::text) || '
'::text), ''::text) || COALESCE(((data ->> 'note'::text) || '
'::text), ''::text)) || COALESCE(((data ->> 'reference'::text) || '
'::text), ''::text)) || COALESCE(((data ->> 'name'::text) || '
'::text), ''::text)) || COALESCE(((data ->> 'email'::text) || '
'::text), ''::text)) || COALESCE(((data ->> 'notes'::text) || '
'::text), ''::text)), ''::text));
ALTER FUNCTION public.search_key(data jsonb) OWNER TO admitone;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.accounts (
    id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    roles text[] NOT NULL,
    sign_in_nonce uuid NOT NULL,
    signed_in_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    time_zone text,
    password_hash text,
    language text,
    disabled_at timestamp with time zone
);
ALTER TABLE public.accounts OWNER TO admitone;
CREATE TABLE public.api_keys (
    prefix text NOT NULL,
    account_id uuid NOT NULL,
    name text NOT NULL,
    secret_sha256 bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    expires_at timestamp with time zone DEFAULT (now() + '1 year'::interval) NOT NULL
);
ALTER TABLE public.api_keys OWNER TO admitone;
CREATE TABLE public.audit_accesses (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor text NOT NULL,
    what text NOT NULL
);
ALTER TABLE public.audit_accesses OWNER TO admitone;
CREATE SEQUENCE public.audit_accesses_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_accesses_id_seq OWNER TO admitone;
ALTER SEQUENCE public.audit_accesses_id_seq OWNED BY public.audit_accesses.id;
CREATE TABLE public.booking_calendar_v2 (
    booking_id uuid NOT NULL,
    link_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    calendar_id uuid NOT NULL,
    slot_start timestamp with time zone NOT NULL,
    slot_end timestamp with time zone NOT NULL,
    buffer_before_minutes integer NOT NULL,
    buffer_after_minutes integer NOT NULL,
    status text NOT NULL,
    calendar_version bigint NOT NULL,
    version bigint NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    place_version bigint,
    request_version bigint,
    cancellation_version bigint
)
WITH (fillfactor='60');
ALTER TABLE public.booking_calendar_v2 OWNER TO admitone;
CREATE TABLE public.booking_calendar_v2_terms (
    terms_id uuid NOT NULL,
    calendar_id uuid NOT NULL,
    version bigint NOT NULL,
    name text NOT NULL,
    location text NOT NULL
)
WITH (fillfactor='60');
ALTER TABLE public.booking_calendar_v2_terms OWNER TO admitone;
CREATE TABLE public.busy_calendars (
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    next_read_at timestamp with time zone NOT NULL,
    last_read_at timestamp with time zone,
    problem text,
    problem_since timestamp with time zone,
    etag text,
    last_modified text,
    computed_at timestamp with time zone,
    computed_in text,
    busy tstzmultirange DEFAULT '{}'::tstzmultirange NOT NULL
);
ALTER TABLE public.busy_calendars OWNER TO admitone;
CREATE TABLE public.calendar_feeds (
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    calendar_id uuid,
    detail text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT calendar_feeds_detail_check CHECK ((detail = ANY (ARRAY['full'::text, 'busy'::text])))
);
ALTER TABLE public.calendar_feeds OWNER TO admitone;
CREATE TABLE public.calendar_list_v2 (
    calendar_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    "position" bigint NOT NULL,
    version bigint NOT NULL,
    is_archived boolean NOT NULL,
    terms jsonb NOT NULL
)
WITH (fillfactor='60');
ALTER TABLE public.calendar_list_v2 OWNER TO admitone;
CREATE TABLE public.deliveries (
    id uuid NOT NULL,
    channel text NOT NULL,
    kind text NOT NULL,
    audience text NOT NULL,
    target text DEFAULT ''::text NOT NULL,
    owner_id uuid NOT NULL,
    booking_id uuid,
    link_id uuid,
    fact bigint,
    fact_version bigint,
    due_at timestamp with time zone NOT NULL,
    state text DEFAULT 'due'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    answer text,
    sent_at timestamp with time zone,
    subject uuid,
    CONSTRAINT deliveries_audience_check CHECK ((audience = ANY (ARRAY['invitee'::text, 'owner'::text]))),
    CONSTRAINT deliveries_state_check CHECK ((state = ANY (ARRAY['due'::text, 'sent'::text, 'parked'::text, 'ended'::text])))
);
ALTER TABLE public.deliveries OWNER TO admitone;
CREATE TABLE public.evidence_checks (
    name text NOT NULL,
    checked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    checked bigint DEFAULT 0 NOT NULL,
    failures bigint DEFAULT 0 NOT NULL,
    fault text,
    "position" bigint,
    fault_since timestamp with time zone
);
ALTER TABLE public.evidence_checks OWNER TO admitone;
CREATE TABLE public.lag_samples (
    name text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    events bigint NOT NULL,
    seconds double precision NOT NULL
);
ALTER TABLE public.lag_samples OWNER TO admitone;
CREATE TABLE public.link_list_v3 (
    link_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    calendar_id uuid NOT NULL,
    "position" bigint NOT NULL,
    version bigint NOT NULL,
    typed_version bigint NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    offer jsonb,
    redeemed_at timestamp with time zone,
    booking_id uuid,
    revoked_at timestamp with time zone,
    replaced_by uuid
)
WITH (fillfactor='60');
ALTER TABLE public.link_list_v3 OWNER TO admitone;
CREATE TABLE public.link_list_v3_bookings (
    booking_id uuid NOT NULL,
    booking_start timestamp with time zone NOT NULL,
    booking_end timestamp with time zone NOT NULL,
    booking_status text NOT NULL
)
WITH (fillfactor='60');
ALTER TABLE public.link_list_v3_bookings OWNER TO admitone;
CREATE TABLE public.stored_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    notification_id bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT stored_events_originator_version_check CHECK ((originator_version > 0))
)
WITH (autovacuum_vacuum_scale_factor='0.5', autovacuum_analyze_scale_factor='0.01');
ALTER TABLE public.stored_events OWNER TO admitone;
CREATE VIEW public.log AS
 SELECT notification_id AS "position",
    recorded_at,
    topic,
    originator_id AS id,
    originator_version AS version,
    (convert_from(state, 'UTF8'::name))::jsonb AS data
   FROM public.stored_events
  ORDER BY notification_id;
ALTER VIEW public.log OWNER TO admitone;
CREATE TABLE public.parked_events (
    generation text NOT NULL,
    "position" bigint NOT NULL,
    correlation_id uuid CONSTRAINT parked_events_story_not_null NOT NULL,
    error text,
    parked_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts integer DEFAULT 1 NOT NULL
);
ALTER TABLE public.parked_events OWNER TO admitone;
CREATE TABLE public.personal_data (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    salt bytea NOT NULL,
    data jsonb NOT NULL,
    language text,
    search_key text GENERATED ALWAYS AS (public.search_key(data)) STORED
)
WITH (autovacuum_vacuum_threshold='0', autovacuum_vacuum_scale_factor='0', toast.autovacuum_vacuum_threshold='0', toast.autovacuum_vacuum_scale_factor='0');
ALTER TABLE public.personal_data OWNER TO admitone;
CREATE VIEW public.personal_data_commitments AS
 SELECT originator_id,
    originator_version,
    encode(sha256((salt || convert_to((('{'::text || COALESCE(( SELECT string_agg((((to_json(jsonb_each.key))::text || ':'::text) || (jsonb_each.value)::text), ','::text ORDER BY (jsonb_each.key COLLATE "C")) AS string_agg
           FROM jsonb_each(personal_data.data) jsonb_each(key, value)), ''::text)) || '}'::text), 'UTF8'::name))), 'hex'::text) AS commitment
   FROM public.personal_data;
ALTER VIEW public.personal_data_commitments OWNER TO admitone;
CREATE TABLE public.projection_positions (
    name text NOT NULL,
    "position" bigint NOT NULL,
    begun_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.projection_positions OWNER TO admitone;
CREATE UNLOGGED TABLE public.rate_limits (
    kind text NOT NULL,
    subject bytea NOT NULL,
    failures integer NOT NULL,
    ends_at timestamp with time zone NOT NULL
);
ALTER TABLE public.rate_limits OWNER TO admitone;
CREATE TABLE public.rebuilds (
    id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    by_projector boolean NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    head bigint DEFAULT 0 NOT NULL,
    events bigint DEFAULT 0 NOT NULL,
    seconds double precision DEFAULT 0 NOT NULL,
    rows bigint,
    differing bigint,
    differences jsonb,
    error text,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    pruned_at timestamp with time zone,
    CONSTRAINT rebuilds_kind_check CHECK ((kind = ANY (ARRAY['rebuild'::text, 'verify'::text]))),
    CONSTRAINT rebuilds_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'building'::text, 'comparing'::text, 'switching'::text, 'done'::text, 'failed'::text])))
);
ALTER TABLE public.rebuilds OWNER TO admitone;
CREATE TABLE public.refused_attempts (
    id bigint NOT NULL,
    link_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    address_hash bytea NOT NULL
);
ALTER TABLE public.refused_attempts OWNER TO admitone;
CREATE SEQUENCE public.refused_attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.refused_attempts_id_seq OWNER TO admitone;
ALTER SEQUENCE public.refused_attempts_id_seq OWNED BY public.refused_attempts.id;
CREATE TABLE public.schema_steps (
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.schema_steps OWNER TO admitone;
CREATE TABLE public.sessions (
    token_sha256 bytea NOT NULL,
    account_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    by_link boolean NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    browser text,
    last_used_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.sessions OWNER TO admitone;
CREATE SEQUENCE public.stored_events_notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.stored_events_notification_id_seq OWNER TO admitone;
ALTER SEQUENCE public.stored_events_notification_id_seq OWNED BY public.stored_events.notification_id;
CREATE TABLE public.transparency_log_v1 (
    tile bigint NOT NULL,
    first_position bigint,
    hashes bytea NOT NULL
)
WITH (fillfactor='60');
ALTER TABLE ONLY public.transparency_log_v1 ALTER COLUMN hashes SET STORAGE EXTERNAL;
ALTER TABLE public.transparency_log_v1 OWNER TO admitone;
CREATE TABLE public.webhooks (
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    url text NOT NULL,
    events text[] NOT NULL,
    personal_data boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    since_position bigint NOT NULL,
    secret text NOT NULL,
    previous_secret text,
    previous_secret_until timestamp with time zone,
    is_active boolean DEFAULT true NOT NULL,
    problem text
);
ALTER TABLE public.webhooks OWNER TO admitone;
CREATE TABLE public.write_probes (
    id boolean DEFAULT true NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT write_probes_id_check CHECK (id)
);
ALTER TABLE public.write_probes OWNER TO admitone;
CREATE TABLE retired_4b251d5c12254869.calendar_list_v2 (
    calendar_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    "position" bigint NOT NULL,
    version bigint NOT NULL,
    is_archived boolean NOT NULL,
    terms jsonb NOT NULL
)
WITH (fillfactor='60');
ALTER TABLE retired_4b251d5c12254869.calendar_list_v2 OWNER TO admitone;
CREATE TABLE retired_694106fe1b1b4dfb.booking_calendar_v2 (
    booking_id uuid NOT NULL,
    link_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    calendar_id uuid NOT NULL,
    slot_start timestamp with time zone NOT NULL,
    slot_end timestamp with time zone NOT NULL,
    buffer_before_minutes integer NOT NULL,
    buffer_after_minutes integer NOT NULL,
    status text NOT NULL,
    calendar_version bigint NOT NULL,
    version bigint NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    place_version bigint,
    request_version bigint,
    cancellation_version bigint
)
WITH (fillfactor='60');
ALTER TABLE retired_694106fe1b1b4dfb.booking_calendar_v2 OWNER TO admitone;
CREATE TABLE retired_694106fe1b1b4dfb.booking_calendar_v2_terms (
    terms_id uuid NOT NULL,
    calendar_id uuid NOT NULL,
    version bigint NOT NULL,
    name text NOT NULL,
    location text NOT NULL
)
WITH (fillfactor='60');
ALTER TABLE retired_694106fe1b1b4dfb.booking_calendar_v2_terms OWNER TO admitone;
CREATE TABLE retired_914c5e5e14cf46f2.link_list_v3 (
    link_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    calendar_id uuid NOT NULL,
    "position" bigint NOT NULL,
    version bigint NOT NULL,
    typed_version bigint NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    offer jsonb,
    redeemed_at timestamp with time zone,
    booking_id uuid,
    revoked_at timestamp with time zone,
    replaced_by uuid
)
WITH (fillfactor='60');
ALTER TABLE retired_914c5e5e14cf46f2.link_list_v3 OWNER TO admitone;
CREATE TABLE retired_914c5e5e14cf46f2.link_list_v3_bookings (
    booking_id uuid NOT NULL,
    booking_start timestamp with time zone NOT NULL,
    booking_end timestamp with time zone NOT NULL,
    booking_status text NOT NULL
)
WITH (fillfactor='60');
ALTER TABLE retired_914c5e5e14cf46f2.link_list_v3_bookings OWNER TO admitone;
CREATE TABLE retired_fd92e37eb5ac44ec.transparency_log_v1 (
    tile bigint NOT NULL,
    first_position bigint,
    hashes bytea NOT NULL
)
WITH (fillfactor='60');
ALTER TABLE ONLY retired_fd92e37eb5ac44ec.transparency_log_v1 ALTER COLUMN hashes SET STORAGE EXTERNAL;
ALTER TABLE retired_fd92e37eb5ac44ec.transparency_log_v1 OWNER TO admitone;
ALTER TABLE ONLY public.audit_accesses ALTER COLUMN id SET DEFAULT nextval('public.audit_accesses_id_seq'::regclass);
ALTER TABLE ONLY public.refused_attempts ALTER COLUMN id SET DEFAULT nextval('public.refused_attempts_id_seq'::regclass);
ALTER TABLE ONLY public.stored_events ALTER COLUMN notification_id SET DEFAULT nextval('public.stored_events_notification_id_seq'::regclass);
INSERT INTO public.accounts VALUES ('00199437-1dc8-44ab-8926-dd2ee992910a', 'owner@localhost', 'Owner', '{owner,admin}', '8738bd7a-9032-42e0-a080-1e97b399c5b1', '2026-11-27 05:23:28.546803+00', '2026-11-27 05:23:27.063419+00', 'UTC', NULL, 'en', NULL);
INSERT INTO public.api_keys VALUES ('f3d28e27', '00199437-1dc8-44ab-8926-dd2ee992910a', '', '\x6cbbf6697a4b4299dbb142d44fd2cd21221af7850d5ea06e47f8ed3340a89fd8', '{calendars,links,bookings,audit,projections}', '2026-11-27 05:23:27.574494+00', '2026-11-27 05:23:27.638088+00', NULL, '2027-11-27 05:23:27.574494+00');
INSERT INTO public.audit_accesses VALUES (1, '2026-11-27 05:23:29.83396+00', 'command:root', 'checkpoint');
INSERT INTO public.audit_accesses VALUES (2, '2026-11-27 05:23:30.438757+00', 'command:root', 'verify against all checkpoints');
INSERT INTO public.booking_calendar_v2 VALUES ('2ac797ce-9f62-5617-afa2-4659862af6ae', 'e0f5499f-93ad-4549-8883-994affbf2644', '00199437-1dc8-44ab-8926-dd2ee992910a', '026b51aa-a840-4e28-b382-601a58730eb5', '2026-11-27 09:00:00+00', '2026-11-27 09:30:00+00', 0, 0, 'confirmed', 1, 1, '2026-11-27 05:23:27.969551+00', NULL, NULL, NULL);
INSERT INTO public.booking_calendar_v2_terms VALUES ('e3d5ad66-1091-5b17-b607-1503834a823d', '026b51aa-a840-4e28-b382-601a58730eb5', 1, 'Intro call', '');
INSERT INTO public.calendar_feeds VALUES ('d99ac6ba-4591-439f-8d86-fb791243bb51', '00199437-1dc8-44ab-8926-dd2ee992910a', NULL, 'full', '2026-11-27 05:23:28.565653+00');
INSERT INTO public.calendar_list_v2 VALUES ('026b51aa-a840-4e28-b382-601a58730eb5', '00199437-1dc8-44ab-8926-dd2ee992910a', 1, 1, false, '{"name": "Intro call", "rules": {"time_zone": "UTC", "availability": {"weekly": {"friday": [["09:00", "17:00"]], "monday": [["09:00", "17:00"]], "sunday": [["09:00", "17:00"]], "tuesday": [["09:00", "17:00"]], "saturday": [["09:00", "17:00"]], "thursday": [["09:00", "17:00"]], "wednesday": [["09:00", "17:00"]]}, "overrides": {}}, "duration_minutes": 30, "booking_window_days": 60, "buffer_after_minutes": 0, "buffer_before_minutes": 0, "minimum_notice_minutes": 0, "start_increment_minutes": 30}, "contact": "", "location": "", "description": "", "reminder_minutes": 1440, "reschedule_limit": 3, "cancel_notice_minutes": 0, "reschedule_notice_minutes": 0}');
INSERT INTO public.deliveries VALUES ('620509fc-612a-4a96-a26f-6b501e0c2c08', 'mail', 'new-key', 'owner', 'f3d28e27', '00199437-1dc8-44ab-8926-dd2ee992910a', NULL, NULL, NULL, NULL, '2026-11-27 05:23:27.574494+00', 'sent', 1, '2026-11-27 05:24:27.578106+00', 'written to /srv/admitone/mail/00199437-1dc8-44ab-8926-dd2ee992910a.620509fc-612a-4a96-a26f-6b501e0c2c08.eml', '2026-11-27 05:23:27.601445+00', NULL);
INSERT INTO public.deliveries VALUES ('7a1d3aed-591c-4938-887f-ed2f5e0c8513', 'mail', 'confirmation', 'invitee', '', '00199437-1dc8-44ab-8926-dd2ee992910a', '2ac797ce-9f62-5617-afa2-4659862af6ae', 'e0f5499f-93ad-4549-8883-994affbf2644', 5, 1, '2026-11-27 05:23:27.969551+00', 'sent', 1, '2026-11-27 05:24:27.988268+00', 'written to /srv/admitone/mail/2ac797ce-9f62-5617-afa2-4659862af6ae.7a1d3aed-591c-4938-887f-ed2f5e0c8513.eml', '2026-11-27 05:23:28.00769+00', NULL);
INSERT INTO public.deliveries VALUES ('0b62cd31-203d-4de9-95a6-4fc4c16468f0', 'mail', 'confirmation', 'owner', '', '00199437-1dc8-44ab-8926-dd2ee992910a', '2ac797ce-9f62-5617-afa2-4659862af6ae', 'e0f5499f-93ad-4549-8883-994affbf2644', 5, 1, '2026-11-27 05:23:27.969551+00', 'sent', 1, '2026-11-27 05:24:27.988268+00', 'written to /srv/admitone/mail/2ac797ce-9f62-5617-afa2-4659862af6ae.0b62cd31-203d-4de9-95a6-4fc4c16468f0.eml', '2026-11-27 05:23:28.01483+00', NULL);
INSERT INTO public.lag_samples VALUES ('calendar_list_v2', '2026-11-27 05:23:27.000109+00', 0, 0);
INSERT INTO public.lag_samples VALUES ('link_list_v3', '2026-11-27 05:23:27.000109+00', 0, 0);
INSERT INTO public.lag_samples VALUES ('booking_calendar_v2', '2026-11-27 05:23:27.000109+00', 0, 0);
INSERT INTO public.lag_samples VALUES ('transparency_log_v1', '2026-11-27 05:23:27.000109+00', 0, 0);
INSERT INTO public.lag_samples VALUES ('mail_v1', '2026-11-27 05:23:27.000109+00', 0, 0);
INSERT INTO public.lag_samples VALUES ('webhooks_v1', '2026-11-27 05:23:27.000109+00', 0, 0);
INSERT INTO public.link_list_v3 VALUES ('74f7f9e9-d544-42b5-8f5c-b604c05924c9', '00199437-1dc8-44ab-8926-dd2ee992910a', '026b51aa-a840-4e28-b382-601a58730eb5', 2, 1, 1, '2098-01-01 00:00:00+00', '2099-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.link_list_v3 VALUES ('e0f5499f-93ad-4549-8883-994affbf2644', '00199437-1dc8-44ab-8926-dd2ee992910a', '026b51aa-a840-4e28-b382-601a58730eb5', 3, 2, 1, '2026-11-27 05:23:27.944911+00', '2027-02-25 05:23:27.944911+00', NULL, '2026-11-27 05:23:27.969551+00', '2ac797ce-9f62-5617-afa2-4659862af6ae', NULL, NULL);
INSERT INTO public.link_list_v3_bookings VALUES ('2ac797ce-9f62-5617-afa2-4659862af6ae', '2026-11-27 09:00:00+00', '2026-11-27 09:30:00+00', 'confirmed');
INSERT INTO public.personal_data VALUES ('74f7f9e9-d544-42b5-8f5c-b604c05924c9', 1, '\x169b361f72ab29fd8ab1b81ce1ca42cb917a75d7a75e402ff6d199f485593dba', '{"recipient": "Zoë"}', NULL, DEFAULT);
INSERT INTO public.personal_data VALUES ('2ac797ce-9f62-5617-afa2-4659862af6ae', 1, '\x0c21cc6ec005d8f7b493e0b1690988215f00ed1a7e438c92cf504dcf5c340e46', '{"name": "Ada Lovelace", "email": "ada@example.org"}', 'en', DEFAULT);
INSERT INTO public.projection_positions VALUES ('mail_v1', 7, '2026-11-27 05:23:26.87335+00');
INSERT INTO public.projection_positions VALUES ('webhooks_v1', 7, '2026-11-27 05:23:26.87335+00');
INSERT INTO public.projection_positions VALUES ('calendar_list_v2', 7, '2026-11-27 05:23:26.87335+00');
INSERT INTO public.projection_positions VALUES ('link_list_v3', 7, '2026-11-27 05:23:26.87335+00');
INSERT INTO public.projection_positions VALUES ('booking_calendar_v2', 7, '2026-11-27 05:23:26.87335+00');
INSERT INTO public.projection_positions VALUES ('transparency_log_v1', 7, '2026-11-27 05:23:26.87335+00');
INSERT INTO public.rebuilds VALUES ('4b251d5c-1225-4869-bc9b-5633a0a7f2ad', 'calendar_list_v2', 'rebuild', 'done', false, 7, 7, 7, 0.009102514995902311, 1, 0, '[]', NULL, '2026-11-27 05:23:29.176427+00', '2026-11-27 05:23:29.285895+00', NULL);
INSERT INTO public.rebuilds VALUES ('914c5e5e-14cf-46f2-b9f6-20053f92777f', 'link_list_v3', 'rebuild', 'done', false, 7, 7, 7, 0.0114853100021719, 3, 0, '[]', NULL, '2026-11-27 05:23:29.186736+00', '2026-11-27 05:23:29.29165+00', NULL);
INSERT INTO public.rebuilds VALUES ('694106fe-1b1b-4dfb-9fda-cbdf8b978d78', 'booking_calendar_v2', 'rebuild', 'done', false, 7, 7, 7, 0.008034176993533038, 2, 0, '[]', NULL, '2026-11-27 05:23:29.194635+00', '2026-11-27 05:23:29.2951+00', NULL);
INSERT INTO public.rebuilds VALUES ('fd92e37e-b5ac-44ec-9b9a-763f73fb5cac', 'transparency_log_v1', 'rebuild', 'done', false, 7, 7, 7, 0.0071351179940393195, 1, 0, '[]', NULL, '2026-11-27 05:23:29.202779+00', '2026-11-27 05:23:29.299826+00', NULL);
INSERT INTO public.schema_steps VALUES ('0001_the_log.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0002_accounts.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0003_sign_in.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0004_append_only.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0005_views.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0006_audit.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0007_audit_search.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0008_correlation_ids.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0009_rate_limits.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0010_readiness.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0012_deliveries.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0014_busy_calendars.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0015_webhooks.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0016_calendar_feeds.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0017_newest_version.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0018_search.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0022_evidence_checks.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.schema_steps VALUES ('0024_account_life.sql', '2026-11-27 05:23:26.87335+00');
INSERT INTO public.sessions VALUES ('\x77484c8e6477830adb56df8d71fe1c0beb81a22b06749f413b40eff154917cf7', '00199437-1dc8-44ab-8926-dd2ee992910a', '2026-11-27 05:23:28.551031+00', '2026-12-27 05:23:28.551031+00', true, '4b0579d8-f409-499f-858f-e5887cbdf63c', NULL, '2026-11-27 05:23:28.551031+00');
INSERT INTO public.stored_events VALUES ('026b51aa-a840-4e28-b382-601a58730eb5', 1, 'calendar.created', '\x7b22636c6173735f76657273696f6e223a322c226163746f72223a226b65793a6633643238653237222c226f776e65725f6964223a2230303139393433372d316463382d343461622d383932362d646432656539393239313061222c227465726d73223a7b226e616d65223a22496e74726f2063616c6c222c2272756c6573223a7b2274696d655f7a6f6e65223a22555443222c226475726174696f6e5f6d696e75746573223a33302c22617661696c6162696c697479223a7b227765656b6c79223a7b226d6f6e646179223a5b5b2230393a3030222c2231373a3030225d5d2c2274756573646179223a5b5b2230393a3030222c2231373a3030225d5d2c227765646e6573646179223a5b5b2230393a3030222c2231373a3030225d5d2c227468757273646179223a5b5b2230393a3030222c2231373a3030225d5d2c22667269646179223a5b5b2230393a3030222c2231373a3030225d5d2c227361747572646179223a5b5b2230393a3030222c2231373a3030225d5d2c2273756e646179223a5b5b2230393a3030222c2231373a3030225d5d7d2c226f7665727269646573223a7b7d7d2c2273746172745f696e6372656d656e745f6d696e75746573223a33302c226275666665725f6265666f72655f6d696e75746573223a302c226275666665725f61667465725f6d696e75746573223a302c226d696e696d756d5f6e6f746963655f6d696e75746573223a302c22626f6f6b696e675f77696e646f775f64617973223a36307d2c226c6f636174696f6e223a22222c226465736372697074696f6e223a22222c2263616e63656c5f6e6f746963655f6d696e75746573223a302c2272657363686564756c655f6e6f746963655f6d696e75746573223a302c2272657363686564756c655f6c696d6974223a332c22636f6e74616374223a22222c2272656d696e6465725f6d696e75746573223a313434307d2c2274696d657374616d70223a22323032362d31312d32375430353a32333a32372e3634333335345a227d', 1, '2026-11-27 05:23:27.646344+00');
INSERT INTO public.stored_events VALUES ('74f7f9e9-d544-42b5-8f5c-b604c05924c9', 1, 'link.issued', '\x7b22636c6173735f76657273696f6e223a322c226163746f72223a226163636f756e743a78222c2263616c656e6461725f6964223a2230323662353161612d613834302d346532382d623338322d363031613538373330656235222c22657870697265735f6174223a22323039392d30312d30315430303a30303a30305a222c226f66666572223a6e756c6c2c226f776e65725f6964223a2230303139393433372d316463382d343461622d383932362d646432656539393239313061222c22706572736f6e616c5f64617461223a2265646463623430393534326136633637633330613962326466613861363139386332313233646131313165356432366339323831643962666237316239313936222c2274696d657374616d70223a22323039382d30312d30315430303a30303a30305a227d', 2, '2026-11-27 05:23:27.93506+00');
INSERT INTO public.stored_events VALUES ('e0f5499f-93ad-4549-8883-994affbf2644', 1, 'link.issued', '\x7b22636c6173735f76657273696f6e223a322c226163746f72223a226b65793a6633643238653237222c2263616c656e6461725f6964223a2230323662353161612d613834302d346532382d623338322d363031613538373330656235222c22657870697265735f6174223a22323032372d30322d32355430353a32333a32372e3934343931315a222c226f66666572223a6e756c6c2c226f776e65725f6964223a2230303139393433372d316463382d343461622d383932362d646432656539393239313061222c22706572736f6e616c5f64617461223a6e756c6c2c2274696d657374616d70223a22323032362d31312d32375430353a32333a32372e3934343931315a227d', 3, '2026-11-27 05:23:27.950876+00');
INSERT INTO public.stored_events VALUES ('e0f5499f-93ad-4549-8883-994affbf2644', 2, 'link.redeemed', '\x7b226163746f72223a22696e7669746565222c22626f6f6b696e675f6964223a2232616337393763652d396636322d353631372d616661322d343635393836326166366165222c226964656d706f74656e63795f6b6579223a6e756c6c2c22736c6f745f656e64223a22323032362d31312d32375430393a33303a30305a222c22736c6f745f7374617274223a22323032362d31312d32375430393a30303a30305a222c2274696d657374616d70223a22323032362d31312d32375430353a32333a32372e3936393535315a227d', 4, '2026-11-27 05:23:27.974416+00');
INSERT INTO public.stored_events VALUES ('2ac797ce-9f62-5617-afa2-4659862af6ae', 1, 'booking.made', '\x7b226163746f72223a22696e7669746565222c2263616c656e6461725f6964223a2230323662353161612d613834302d346532382d623338322d363031613538373330656235222c2263616c656e6461725f76657273696f6e223a312c226c696e6b5f6964223a2265306635343939662d393361642d343534392d383838332d393934616666626632363434222c226f776e65725f6964223a2230303139393433372d316463382d343461622d383932362d646432656539393239313061222c22706572736f6e616c5f64617461223a2262323839393764613937636662336561646632633633363764393637643762326431346232383030393739306634656435373365316162336162383237353639222c22736c6f745f656e64223a22323032362d31312d32375430393a33303a30305a222c22736c6f745f7374617274223a22323032362d31312d32375430393a30303a30305a222c2274696d657374616d70223a22323032362d31312d32375430353a32333a32372e3936393535315a227d', 5, '2026-11-27 05:23:27.974452+00');
INSERT INTO public.stored_events VALUES ('1b58a6cc-0978-5580-98d3-ec03fac6418b', 1, 'agenda.opened', '\x7b226163746f72223a22696e7669746565222c22646179223a22323032362d31312d3237222c226f776e65725f6964223a2230303139393433372d316463382d343461622d383932362d646432656539393239313061222c2274696d657374616d70223a22323032362d31312d32375430353a32333a32372e3936393535315a227d', 6, '2026-11-27 05:23:27.974459+00');
INSERT INTO public.stored_events VALUES ('1b58a6cc-0978-5580-98d3-ec03fac6418b', 2, 'agenda.slot_reserved', '\x7b226163746f72223a22696e7669746565222c22626f6f6b696e675f6964223a2232616337393763652d396636322d353631372d616661322d343635393836326166366165222c226275666665725f61667465725f6d696e75746573223a302c226275666665725f6265666f72655f6d696e75746573223a302c22736c6f745f656e64223a22323032362d31312d32375430393a33303a30305a222c22736c6f745f7374617274223a22323032362d31312d32375430393a30303a30305a222c2274696d657374616d70223a22323032362d31312d32375430353a32333a32372e3936393535315a227d', 7, '2026-11-27 05:23:27.974463+00');
INSERT INTO public.transparency_log_v1 VALUES (0, 1, '\x718849f1a417f520bdf9e8fbabf84462003f3382f0f9166b9bc1dcaabd0bd0caadbd977651e262ef83e275022d83bfbb768e5b2a6111862ab35cb370792a0b6ef98b45e7f29f68b3d67366f9244c5b88d644dd410dabbb2bafb2ec2c7a57669e538d320c3ddc9064ceaa103b06bd6ac7187bfa44bad4080bbb037fad831e467d86570b91ff81f499602877ed3ee02b60b61d56ef582560aa49629ca79faff552c1ad9405a313f2044ee4bcf85d1a51c8858749041ddcd5d113c65588a9066f2c6464ae05fbbc3c043bfe5a616d4c3585c041976f5c3e64458c2a677eafadc247');
INSERT INTO public.webhooks VALUES ('202274a4-9195-47cf-801a-4c8636855bd9', '00199437-1dc8-44ab-8926-dd2ee992910a', 'https://93.184.216.34/hook', '{link.issued}', false, '2026-11-27 05:23:28.555686+00', 7, 'gAAAAABrCRPQx-o6Psybvk71NBNbRPveiAZYy-J3TeenX2nZSN4TTmYZzBsefZV03tvJhi_I_msGRWLo_WSkGk2Ee65AVW7DOwSW9KoVvnWe8YpVTp5XGvKyBK0SLNlML-_OiDuNrAU9xQE1LtbihzQH10nswh2Qiw==', NULL, NULL, true, NULL);
INSERT INTO public.write_probes VALUES (true, '2026-11-27 05:23:27.040338+00');
INSERT INTO retired_4b251d5c12254869.calendar_list_v2 VALUES ('026b51aa-a840-4e28-b382-601a58730eb5', '00199437-1dc8-44ab-8926-dd2ee992910a', 1, 1, false, '{"name": "Intro call", "rules": {"time_zone": "UTC", "availability": {"weekly": {"friday": [["09:00", "17:00"]], "monday": [["09:00", "17:00"]], "sunday": [["09:00", "17:00"]], "tuesday": [["09:00", "17:00"]], "saturday": [["09:00", "17:00"]], "thursday": [["09:00", "17:00"]], "wednesday": [["09:00", "17:00"]]}, "overrides": {}}, "duration_minutes": 30, "booking_window_days": 60, "buffer_after_minutes": 0, "buffer_before_minutes": 0, "minimum_notice_minutes": 0, "start_increment_minutes": 30}, "contact": "", "location": "", "description": "", "reminder_minutes": 1440, "reschedule_limit": 3, "cancel_notice_minutes": 0, "reschedule_notice_minutes": 0}');
INSERT INTO retired_694106fe1b1b4dfb.booking_calendar_v2 VALUES ('2ac797ce-9f62-5617-afa2-4659862af6ae', 'e0f5499f-93ad-4549-8883-994affbf2644', '00199437-1dc8-44ab-8926-dd2ee992910a', '026b51aa-a840-4e28-b382-601a58730eb5', '2026-11-27 09:00:00+00', '2026-11-27 09:30:00+00', 0, 0, 'confirmed', 1, 1, '2026-11-27 05:23:27.969551+00', NULL, NULL, NULL);
INSERT INTO retired_694106fe1b1b4dfb.booking_calendar_v2_terms VALUES ('e3d5ad66-1091-5b17-b607-1503834a823d', '026b51aa-a840-4e28-b382-601a58730eb5', 1, 'Intro call', '');
INSERT INTO retired_914c5e5e14cf46f2.link_list_v3 VALUES ('74f7f9e9-d544-42b5-8f5c-b604c05924c9', '00199437-1dc8-44ab-8926-dd2ee992910a', '026b51aa-a840-4e28-b382-601a58730eb5', 2, 1, 1, '2098-01-01 00:00:00+00', '2099-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL);
INSERT INTO retired_914c5e5e14cf46f2.link_list_v3 VALUES ('e0f5499f-93ad-4549-8883-994affbf2644', '00199437-1dc8-44ab-8926-dd2ee992910a', '026b51aa-a840-4e28-b382-601a58730eb5', 3, 2, 1, '2026-11-27 05:23:27.944911+00', '2027-02-25 05:23:27.944911+00', NULL, '2026-11-27 05:23:27.969551+00', '2ac797ce-9f62-5617-afa2-4659862af6ae', NULL, NULL);
INSERT INTO retired_914c5e5e14cf46f2.link_list_v3_bookings VALUES ('2ac797ce-9f62-5617-afa2-4659862af6ae', '2026-11-27 09:00:00+00', '2026-11-27 09:30:00+00', 'confirmed');
INSERT INTO retired_fd92e37eb5ac44ec.transparency_log_v1 VALUES (0, 1, '\x718849f1a417f520bdf9e8fbabf84462003f3382f0f9166b9bc1dcaabd0bd0caadbd977651e262ef83e275022d83bfbb768e5b2a6111862ab35cb370792a0b6ef98b45e7f29f68b3d67366f9244c5b88d644dd410dabbb2bafb2ec2c7a57669e538d320c3ddc9064ceaa103b06bd6ac7187bfa44bad4080bbb037fad831e467d86570b91ff81f499602877ed3ee02b60b61d56ef582560aa49629ca79faff552c1ad9405a313f2044ee4bcf85d1a51c8858749041ddcd5d113c65588a9066f2c6464ae05fbbc3c043bfe5a616d4c3585c041976f5c3e64458c2a677eafadc247');
SELECT pg_catalog.setval('public.audit_accesses_id_seq', 2, true);
SELECT pg_catalog.setval('public.refused_attempts_id_seq', 1, false);
SELECT pg_catalog.setval('public.stored_events_notification_id_seq', 7, true);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (prefix);
ALTER TABLE ONLY public.audit_accesses
    ADD CONSTRAINT audit_accesses_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.booking_calendar_v2
    ADD CONSTRAINT booking_calendar_v2_pkey PRIMARY KEY (booking_id);
ALTER TABLE ONLY public.booking_calendar_v2_terms
    ADD CONSTRAINT booking_calendar_v2_terms_pkey PRIMARY KEY (terms_id);
ALTER TABLE ONLY public.busy_calendars
    ADD CONSTRAINT busy_calendars_owner_id_url_key UNIQUE (owner_id, url);
ALTER TABLE ONLY public.busy_calendars
    ADD CONSTRAINT busy_calendars_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.calendar_feeds
    ADD CONSTRAINT calendar_feeds_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.calendar_list_v2
    ADD CONSTRAINT calendar_list_v2_pkey PRIMARY KEY (calendar_id);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_fact_channel_kind_audience_target_key UNIQUE (fact, channel, kind, audience, target);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.evidence_checks
    ADD CONSTRAINT evidence_checks_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.lag_samples
    ADD CONSTRAINT lag_samples_pkey PRIMARY KEY (name, at);
ALTER TABLE ONLY public.link_list_v3_bookings
    ADD CONSTRAINT link_list_v3_bookings_pkey PRIMARY KEY (booking_id);
ALTER TABLE ONLY public.link_list_v3
    ADD CONSTRAINT link_list_v3_pkey PRIMARY KEY (link_id);
ALTER TABLE ONLY public.parked_events
    ADD CONSTRAINT parked_events_pkey PRIMARY KEY (generation, "position");
ALTER TABLE ONLY public.personal_data
    ADD CONSTRAINT personal_data_pkey PRIMARY KEY (originator_id, originator_version);
ALTER TABLE ONLY public.projection_positions
    ADD CONSTRAINT projection_positions_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.rate_limits
    ADD CONSTRAINT rate_limits_pkey PRIMARY KEY (kind, subject);
ALTER TABLE ONLY public.rebuilds
    ADD CONSTRAINT rebuilds_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.refused_attempts
    ADD CONSTRAINT refused_attempts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.schema_steps
    ADD CONSTRAINT schema_steps_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_id_key UNIQUE (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_sha256);
ALTER TABLE ONLY public.stored_events
    ADD CONSTRAINT stored_events_pkey PRIMARY KEY (originator_id, originator_version);
ALTER TABLE ONLY public.transparency_log_v1
    ADD CONSTRAINT transparency_log_v1_pkey PRIMARY KEY (tile);
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.write_probes
    ADD CONSTRAINT write_probes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY retired_4b251d5c12254869.calendar_list_v2
    ADD CONSTRAINT calendar_list_v2_pkey PRIMARY KEY (calendar_id);
ALTER TABLE ONLY retired_694106fe1b1b4dfb.booking_calendar_v2
    ADD CONSTRAINT booking_calendar_v2_pkey PRIMARY KEY (booking_id);
ALTER TABLE ONLY retired_694106fe1b1b4dfb.booking_calendar_v2_terms
    ADD CONSTRAINT booking_calendar_v2_terms_pkey PRIMARY KEY (terms_id);
ALTER TABLE ONLY retired_914c5e5e14cf46f2.link_list_v3_bookings
    ADD CONSTRAINT link_list_v3_bookings_pkey PRIMARY KEY (booking_id);
ALTER TABLE ONLY retired_914c5e5e14cf46f2.link_list_v3
    ADD CONSTRAINT link_list_v3_pkey PRIMARY KEY (link_id);
ALTER TABLE ONLY retired_fd92e37eb5ac44ec.transparency_log_v1
    ADD CONSTRAINT transparency_log_v1_pkey PRIMARY KEY (tile);
CREATE UNIQUE INDEX accounts_email ON public.accounts USING btree (lower(email));
CREATE INDEX api_keys_account ON public.api_keys USING btree (account_id);
CREATE INDEX booking_calendar_v2_owner ON public.booking_calendar_v2 USING btree (owner_id, slot_start, booking_id);
CREATE INDEX booking_calendar_v2_terms_version ON public.booking_calendar_v2_terms USING btree (calendar_id, version);
CREATE INDEX busy_calendars_next_read ON public.busy_calendars USING btree (next_read_at);
CREATE INDEX calendar_feeds_owner ON public.calendar_feeds USING btree (owner_id, created_at, id);
CREATE INDEX calendar_list_v2_owner ON public.calendar_list_v2 USING btree (owner_id, "position");
CREATE INDEX deliveries_booking ON public.deliveries USING btree (booking_id);
CREATE INDEX deliveries_due ON public.deliveries USING btree (channel, next_attempt_at) WHERE (state = 'due'::text);
CREATE INDEX deliveries_owner ON public.deliveries USING btree (owner_id, due_at, id);
CREATE INDEX deliveries_parked ON public.deliveries USING btree (due_at) WHERE (state = 'parked'::text);
CREATE INDEX deliveries_subject ON public.deliveries USING btree (subject, target, fact) WHERE ((state = 'due'::text) AND (subject IS NOT NULL));
CREATE INDEX deliveries_target ON public.deliveries USING btree (target, due_at, id) WHERE (channel = 'webhook'::text);
CREATE INDEX link_list_v3_booking ON public.link_list_v3 USING btree (booking_id) WHERE (booking_id IS NOT NULL);
CREATE INDEX link_list_v3_expiring ON public.link_list_v3 USING btree (owner_id, expires_at, "position") INCLUDE (link_id, calendar_id, redeemed_at, revoked_at);
CREATE INDEX link_list_v3_newest ON public.link_list_v3 USING btree (owner_id, "position" DESC) INCLUDE (link_id, calendar_id, expires_at, redeemed_at, revoked_at);
CREATE INDEX personal_data_email ON public.personal_data USING btree (lower((data ->> 'email'::text)));
CREATE INDEX personal_data_search ON public.personal_data USING gin (search_key public.gin_trgm_ops) WITH (gin_pending_list_limit='256');
CREATE INDEX rate_limits_ends_at ON public.rate_limits USING btree (ends_at);
CREATE UNIQUE INDEX rebuilds_unfinished ON public.rebuilds USING btree (name) WHERE (state <> 'done'::text);
CREATE INDEX refused_attempts_at ON public.refused_attempts USING btree (at);
CREATE INDEX refused_attempts_link ON public.refused_attempts USING btree (link_id, id);
CREATE INDEX sessions_account ON public.sessions USING btree (account_id);
CREATE INDEX stored_events_invitee_forgotten ON public.stored_events USING btree (notification_id) WHERE (topic = 'booking.invitee_forgotten'::text);
CREATE UNIQUE INDEX stored_events_position ON public.stored_events USING btree (notification_id);
CREATE INDEX webhooks_owner ON public.webhooks USING btree (owner_id, created_at);
CREATE INDEX calendar_list_v2_owner ON retired_4b251d5c12254869.calendar_list_v2 USING btree (owner_id, "position");
CREATE INDEX booking_calendar_v2_owner ON retired_694106fe1b1b4dfb.booking_calendar_v2 USING btree (owner_id, slot_start, booking_id);
CREATE INDEX booking_calendar_v2_terms_version ON retired_694106fe1b1b4dfb.booking_calendar_v2_terms USING btree (calendar_id, version);
CREATE INDEX link_list_v3_booking ON retired_914c5e5e14cf46f2.link_list_v3 USING btree (booking_id) WHERE (booking_id IS NOT NULL);
CREATE INDEX link_list_v3_expiring ON retired_914c5e5e14cf46f2.link_list_v3 USING btree (owner_id, expires_at, "position") INCLUDE (link_id, calendar_id, redeemed_at, revoked_at);
CREATE INDEX link_list_v3_newest ON retired_914c5e5e14cf46f2.link_list_v3 USING btree (owner_id, "position" DESC) INCLUDE (link_id, calendar_id, expires_at, redeemed_at, revoked_at);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.stored_events FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_to_change_the_log();
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.busy_calendars
    ADD CONSTRAINT busy_calendars_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.calendar_feeds
    ADD CONSTRAINT calendar_feeds_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.accounts(id);
