-- Calendars elsewhere, whose busy times an owner wants to keep free.
CREATE TABLE busy_calendars (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES accounts,
    name text NOT NULL,
    -- A secret of the owner: whoever has it can read the calendar.
    url text NOT NULL,
    created_at timestamptz NOT NULL,
    -- Set ahead by the process that begins to read, so that no other one reads too.
    next_read_at timestamptz NOT NULL,
    -- When it was last read without a problem.
    last_read_at timestamptz,
    problem text,
    problem_since timestamptz,
    -- What the other server named the version that `busy` was computed from, when that was, and in
    -- which time zone of the owner.
    etag text,
    last_modified text,
    computed_at timestamptz,
    computed_in text,
    busy tstzmultirange NOT NULL DEFAULT '{}',
    UNIQUE (owner_id, url)
);
CREATE INDEX busy_calendars_next_read ON busy_calendars (next_read_at);
