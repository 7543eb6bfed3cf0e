-- The key of what is searched, from a function that PostgreSQL does not take apart. It would plan
-- the whole expression for each statement that writes a row, which takes longer than all else that
-- is done with the row. Almost all texts are ASCII: there, only the letters' case is folded.
CREATE OR REPLACE FUNCTION search_key(data jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    typed text := nullif(
        coalesce(data->>'recipient' || E'\n', '') || coalesce(data->>'note' || E'\n', '')
        || coalesce(data->>'reference' || E'\n', '') || coalesce(data->>'name' || E'\n', '')
        || coalesce(data->>'email' || E'\n', '') || coalesce(data->>'notes' || E'\n', ''),
        '');
BEGIN
    IF octet_length(typed) = length(typed) THEN
        RETURN replace(lower(typed), '\', '');
    END IF;
    RETURN public.search_key(typed);
END
$$;
