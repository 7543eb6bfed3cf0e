-- Calendar feeds, which calendar programs read by an address with a token. Without its row, a
-- token opens nothing.
CREATE TABLE calendar_feeds (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES accounts,
    -- Null: the bookings of all calendars.
    calendar_id uuid,
    detail text NOT NULL CHECK (detail IN ('full', 'busy')),
    created_at timestamptz NOT NULL
);
CREATE INDEX calendar_feeds_owner ON calendar_feeds (owner_id, created_at, id);
