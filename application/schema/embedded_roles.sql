-- The roles of the embedded database. Its superuser runs this at every start, and does nothing
-- else: tables belong to an owner who is none, and every process logs in with a role of its own.
-- In a database from before there were these roles, the owner takes over what the superuser owned.
SET LOCAL search_path = pg_catalog, pg_temp;

DO $$
DECLARE
    role text;
    kind text;
    object text;
BEGIN
    FOREACH role IN ARRAY ARRAY[
        'admitone_owner', 'admitone_service', 'admitone_projector', 'admitone_auditor'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role);
        END IF;
    END LOOP;
    IF NOT pg_has_role('admitone_owner', 'admitone_projector', 'MEMBER') THEN
        GRANT admitone_projector TO admitone_owner;
    END IF;
    IF (SELECT datdba FROM pg_database WHERE datname = current_database())
        <> 'admitone_owner'::regrole
    THEN
        EXECUTE format('ALTER DATABASE %I OWNER TO admitone_owner', current_database());
    END IF;
    FOR kind, object IN
        SELECT 'SCHEMA', format('%I', nspname) FROM pg_namespace
            WHERE nspowner = CURRENT_USER::regrole AND nspname ~ '^(rebuild|retired)_'
        UNION ALL
        SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
            pg_class.oid::regclass::text
            FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE relowner = CURRENT_USER::regrole AND relkind IN ('r', 'v', 'S')
                AND (nspname = 'public' OR nspname ~ '^(rebuild|retired)_')
                -- A sequence follows the table whose column it serves.
                AND NOT EXISTS (
                    SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('a', 'e', 'i')
                        AND classid = 'pg_class'::regclass)
        UNION ALL
        SELECT 'FUNCTION', pg_proc.oid::regprocedure::text FROM pg_proc
            WHERE proowner = CURRENT_USER::regrole AND pronamespace = 'public'::regnamespace
                AND NOT EXISTS (
                    SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e'
                        AND classid = 'pg_proc'::regclass)
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO admitone_owner', kind, object);
    END LOOP;
END
$$;
