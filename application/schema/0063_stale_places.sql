-- Returns the places, from 1, of those aggregates whose newest version is not the given one. A
-- volatile function sees what was committed while its statement waited for the turn to append; a
-- subquery would not. It is written so that PostgreSQL can find a version only by the index.
-- Earlier versions of the service, which may run meanwhile, still call newest_version().
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
