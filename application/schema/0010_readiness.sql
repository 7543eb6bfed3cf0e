-- When somebody last found that writes get through. At most one row. It is logged, because an
-- unlogged one would be committed without waiting for a synchronous standby.
CREATE TABLE write_probes (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    at timestamptz NOT NULL
);
