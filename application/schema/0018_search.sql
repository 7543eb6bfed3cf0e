-- What people typed is found in any script, whatever its accents and capitals, by an index of the
-- trigrams in it. The key that is indexed is made from the row and goes with it: of somebody who is
-- forgotten it keeps nothing.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- A text without its accents and capitals: how texts are compared.
CREATE FUNCTION folded(typed text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN replace(replace(replace(
    translate(
        regexp_replace(lower(normalize(typed, NFKD)), '[\u0300-\u036f]', '', 'g'),
        'øłđħıŧ', 'oldhit'),
    'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe');

-- A folded text in ASCII, because whether other letters make trigrams depends on the server: each
-- of their bytes becomes three digits. Texts that contain one another have keys that do, too.
CREATE FUNCTION search_key(typed text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN replace(encode(convert_to(folded(typed), 'UTF8'), 'escape'), '\', '');

-- The key of all that is searched in a row of personal_data; null if it has nothing of that.
CREATE FUNCTION search_key(data jsonb) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN search_key(nullif(
    coalesce(data->>'recipient' || E'\n', '') || coalesce(data->>'note' || E'\n', '')
    || coalesce(data->>'reference' || E'\n', '') || coalesce(data->>'name' || E'\n', '')
    || coalesce(data->>'email' || E'\n', '') || coalesce(data->>'notes' || E'\n', ''),
    ''));

ALTER TABLE personal_data
    ADD COLUMN search_key text GENERATED ALWAYS AS (search_key(data)) STORED;

DO $$
BEGIN
    -- The extension may have been put into another schema. Entries that wait in the index are put
    -- in their places by one of those who append, so only few may wait.
    EXECUTE format(
        'CREATE INDEX personal_data_search ON personal_data
            USING gin (search_key %I.gin_trgm_ops) WITH (gin_pending_list_limit = 256)',
        (SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
            WHERE extname = 'pg_trgm'));
END
$$;

-- Lists are read from indexes that hold what they are filtered by (see link_list.py).
DROP INDEX IF EXISTS link_list_v3_owner;
