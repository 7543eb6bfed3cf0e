-- The version of the newest event of an aggregate, null without one. Unlike a subquery, a volatile
-- function sees what was committed while its statement waited for the turn to append.
CREATE FUNCTION newest_version(id uuid) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (
        SELECT originator_version FROM public.stored_events WHERE originator_id = id
        ORDER BY originator_version DESC LIMIT 1
    );
END
$$;
