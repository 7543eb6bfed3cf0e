-- Erases what is stored about invitees outside the log, by the ids of bookings and links; returns
-- the number of rows of personal data. Leaves mails about a booking alone: a reaction to the event
-- ends them. It runs rarely, so it is planned anew each time, for the tables as they are.
CREATE FUNCTION public.erase_invitees(ids uuid[])
RETURNS bigint LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    erased bigint;
BEGIN
    DELETE FROM public.personal_data WHERE originator_id = ANY (ids);
    GET DIAGNOSTICS erased = ROW_COUNT;
    DELETE FROM public.refused_attempts WHERE link_id = ANY (ids);
    DELETE FROM public.link_requests WHERE link_id = ANY (ids);
    UPDATE public.deliveries SET answer = NULL,
        state = CASE WHEN state IN ('due', 'parked') THEN 'ended' ELSE state END
    WHERE audience = 'invitee' AND booking_id IS NULL AND link_id = ANY (ids);
    RETURN erased;
END
$$;

-- Appends events to the log, with the personal data behind them, and erases what is stored about
-- people who are forgotten; returns the positions of the events in order. If a version that was read
-- is not the newest of its aggregate, records nothing and returns the places of such reads, from 1
-- on. Waits for its turn, and for each lock that others hold, at most so many milliseconds.
--
-- Each statement of a volatile function sees what was committed before that statement began. So what
-- was read is compared with all that earlier turns have recorded.
--
-- A session plans each statement only once, perhaps while the tables are empty, so each is written in
-- such a way that PostgreSQL can find a version only by the index. Rows come from
-- generate_subscripts(): PostgreSQL estimates how many rows unnest() returns, and would plan the
-- statement again for other numbers. WITH ORDINALITY tells it the order, so that it does not sort.
--
-- The number of the lock is APPEND in advisory_locks.py, and the channel CHANNEL in
-- append_statement.py. Earlier versions of the service, which may run meanwhile, use the same ones,
-- and still call stale_places().
CREATE FUNCTION public.append_events(
    milliseconds bigint,
    event_ids uuid[], event_versions bigint[], topics text[], states bytea[],
    person_ids uuid[], person_versions bigint[], salts bytea[], documents jsonb[], languages text[],
    forgotten_bookings uuid[], forgotten_ids uuid[],
    read_ids uuid[], read_versions bigint[],
    OUT positions bigint[], OUT stale bigint[]
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('lock_timeout', milliseconds::text, true);
    PERFORM pg_advisory_xact_lock(4011200119);
    IF cardinality(read_ids) > 0 THEN
        stale := ARRAY(
            SELECT n FROM generate_subscripts(read_ids, 1) AS n
            WHERE (
                SELECT originator_version FROM public.stored_events
                WHERE originator_id = read_ids[n]
                ORDER BY originator_version DESC LIMIT 1
            ) IS DISTINCT FROM read_versions[n]
        );
        IF cardinality(stale) > 0 THEN
            RETURN;
        END IF;
    END IF;

    WITH event AS (
        INSERT INTO public.stored_events (originator_id, originator_version, topic, state)
        SELECT event_ids[n], event_versions[n], topics[n], states[n]
        FROM generate_subscripts(event_ids, 1) WITH ORDINALITY AS event (n, place)
        ORDER BY place
        RETURNING notification_id
    )
    SELECT ARRAY(SELECT notification_id FROM event) INTO positions;
    -- Before the new personal data is added, because that stays.
    IF cardinality(forgotten_ids) > 0 THEN
        PERFORM public.erase_invitees(forgotten_ids);
        INSERT INTO public.erasures (booking_id, id)
        SELECT forgotten_bookings[n], forgotten_ids[n]
        FROM generate_subscripts(forgotten_ids, 1) AS n
        ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(person_ids) > 0 THEN
        INSERT INTO public.personal_data
            (originator_id, originator_version, salt, data, language)
        SELECT person_ids[n], person_versions[n], salts[n], documents[n], languages[n]
        FROM generate_subscripts(person_ids, 1) AS n;
    END IF;
    PERFORM pg_notify('stored_events', '');
END
$$;
