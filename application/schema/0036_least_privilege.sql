-- The tables of the views belong to the owner, and the projector may only write rows: whoever owns
-- a table decides what runs when others read it. It builds new tables in schemas of its own. These
-- functions put them in the place of the live ones, with the owner's rights.

CREATE FUNCTION public.replace_view(view_table text, built_schema text, retired_schema text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    live regclass;
    built regclass;
    entry record;
BEGIN
    IF view_table !~ '^[a-z_]+_v[0-9]+(_[a-z_]+)?$'
        OR built_schema !~ '^rebuild_[0-9a-f]{16}$'
        OR retired_schema !~ '^retired_[0-9a-f]{16}$'
    THEN
        RAISE EXCEPTION '% of % does not replace a view', view_table, built_schema
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE format('LOCK TABLE public.%I, %I.%I IN ACCESS EXCLUSIVE MODE',
        view_table, built_schema, view_table);
    live := format('public.%I', view_table)::regclass;
    built := format('%I.%I', built_schema, view_table)::regclass;

    -- It may have rows of its own and nothing else: what runs by itself would run as its reader.
    IF NOT EXISTS (
            SELECT FROM pg_class WHERE oid = built AND relkind = 'r' AND relpersistence = 'p'
                AND NOT relrowsecurity AND NOT relhasrules AND NOT relhastriggers)
        OR EXISTS (SELECT FROM pg_attrdef WHERE adrelid = built)
        OR EXISTS (SELECT FROM pg_policy WHERE polrelid = built)
        OR EXISTS (SELECT FROM pg_statistic_ext WHERE stxrelid = built)
        OR EXISTS (SELECT FROM pg_inherits WHERE built IN (inhrelid, inhparent))
        OR EXISTS (
            SELECT FROM pg_constraint WHERE conrelid = built AND contype NOT IN ('p', 'n'))
        OR EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = built AND attnum > 0 AND attacl IS NOT NULL)
        OR ARRAY(
            SELECT (attname, atttypid, atttypmod, attcollation, attnotnull)::text
            FROM pg_attribute WHERE attrelid = built AND attnum > 0 AND NOT attisdropped
            ORDER BY attnum
        ) <> ARRAY(
            SELECT (attname, atttypid, atttypmod, attcollation, attnotnull)::text
            FROM pg_attribute WHERE attrelid = live AND attnum > 0 AND NOT attisdropped
            ORDER BY attnum
        )
        OR EXISTS (
            SELECT replace(pg_get_indexdef(indexrelid), format(' ON %s ', built), ' ON ')
            FROM pg_index WHERE indrelid = built
            EXCEPT
            SELECT replace(pg_get_indexdef(indexrelid), format(' ON %s ', live), ' ON ')
            FROM pg_index WHERE indrelid = live)
    THEN
        RAISE EXCEPTION '% is not made like the view that it is to replace', built
            USING ERRCODE = 'insufficient_privilege';
    END IF;

    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', retired_schema);
    EXECUTE format('ALTER TABLE %s OWNER TO CURRENT_USER', built);
    FOR entry IN
        SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS role
        FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid = built AND grantee <> relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s CASCADE', built, entry.role);
    END LOOP;
    FOR entry IN
        SELECT grantee::regrole AS role, privilege_type AS privilege
        FROM pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner)))
        WHERE pg_class.oid = live AND grantee <> 0 AND grantee <> CURRENT_USER::regrole
            AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    LOOP
        EXECUTE format('GRANT %s ON %s TO %s', entry.privilege, built, entry.role);
    END LOOP;
    EXECUTE format('ALTER TABLE %s SET SCHEMA %I', live, retired_schema);
    EXECUTE format('ALTER TABLE %s SET SCHEMA public', built);
END
$$;

-- Drops the tables that a rebuild has replaced.
CREATE FUNCTION public.drop_retired(retired_schema text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF retired_schema !~ '^retired_[0-9a-f]{16}$' THEN
        RAISE EXCEPTION '% holds no replaced tables', retired_schema
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', retired_schema);
END
$$;

-- Drops the tables of an earlier version of a view, once there is a later one.
CREATE FUNCTION public.drop_earlier_view(earlier text, later text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    view_table text;
BEGIN
    IF earlier !~ '^[a-z_]+_v[0-9]{1,9}$' OR later !~ '^[a-z_]+_v[0-9]{1,9}$'
        OR substring(earlier FROM '^(.*)_v') <> substring(later FROM '^(.*)_v')
        OR substring(earlier FROM '[0-9]+$')::int >= substring(later FROM '[0-9]+$')::int
        OR NOT EXISTS (SELECT FROM public.projection_positions WHERE name = later)
    THEN
        RAISE EXCEPTION '% is not an earlier version of %', earlier, later
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR view_table IN
        SELECT tablename FROM pg_tables WHERE schemaname = 'public'
            AND (tablename = earlier OR starts_with(tablename, earlier || '_'))
    LOOP
        EXECUTE format('DROP TABLE public.%I', view_table);
    END LOOP;
END
$$;

REVOKE EXECUTE ON FUNCTION public.replace_view(text, text, text), public.drop_retired(text),
    public.drop_earlier_view(text, text) FROM PUBLIC;
