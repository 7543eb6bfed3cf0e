-- The places, from 1, of those aggregates whose newest version is not the given one. Unlike a
-- subquery, a volatile function sees what was committed while its statement waited for the turn to
-- append. It replaces newest_version(), which is called for each of them and stays for earlier
-- versions of the service that run meanwhile. PostgreSQL can look up a version only by the index.
CREATE FUNCTION public.stale_places(ids uuid[], versions bigint[])
RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN ARRAY(
        SELECT place
        FROM unnest((SELECT ids), (SELECT versions)) WITH ORDINALITY AS read (id, version, place)
        WHERE (
            SELECT originator_version FROM public.stored_events WHERE originator_id = id
            ORDER BY originator_version DESC LIMIT 1
        ) IS DISTINCT FROM version
    );
END
$$;
