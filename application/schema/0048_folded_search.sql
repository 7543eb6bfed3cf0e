-- Search compares texts without typographic quotes, dashes and invisible characters as well, and
-- finds a link by the name and the address that it fills in. Keys are made anew for all rows.
CREATE OR REPLACE FUNCTION public.folded(typed text)
RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN replace(replace(replace(replace(replace(replace(replace(replace(replace(
    regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        lower(normalize(typed, NFKD)),
        '[\u0300-\u036f\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]', '', 'g'),
        '[\u2018-\u201b\u2032\u02bc]', '''', 'g'),
        '[\u201c-\u201f\u00ab\u00bb]', '"', 'g'),
        '[\u2010-\u2015\u2212]', '-', 'g'),
    'ø', 'o'), 'ł', 'l'), 'đ', 'd'), 'ħ', 'h'), 'ı', 'i'), 'ŧ', 't'),
    'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe');

CREATE OR REPLACE FUNCTION public.search_key(data jsonb)
RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN public.search_key(nullif(
    coalesce(data->>'recipient' || E'\n', '') || coalesce(data->>'note' || E'\n', '')
    || coalesce(data->>'reference' || E'\n', '') || coalesce(data->>'prefill_name' || E'\n', '')
    || coalesce(data->>'prefill_email' || E'\n', '') || coalesce(data->>'name' || E'\n', '')
    || coalesce(data->>'email' || E'\n', '') || coalesce(data->>'notes' || E'\n', ''),
    ''));

ALTER TABLE public.personal_data DROP COLUMN search_key;
ALTER TABLE public.personal_data
    ADD COLUMN search_key text GENERATED ALWAYS AS (public.search_key(data)) STORED;

DO $$
BEGIN
    -- As in 0018_search.sql.
    EXECUTE format(
        'CREATE INDEX personal_data_search ON public.personal_data
            USING gin (search_key %I.gin_trgm_ops) WITH (gin_pending_list_limit = 256)',
        (SELECT nspname FROM pg_catalog.pg_extension
            JOIN pg_catalog.pg_namespace ON pg_namespace.oid = extnamespace
            WHERE extname = 'pg_trgm'));
END
$$;
