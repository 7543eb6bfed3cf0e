-- What a request takes of a day's limit is kept for each attempt, and counted once: whoever is refused
-- gives back what that attempt took, and leaves what others of the same request have taken.
ALTER TABLE agent_requests
    ADD COLUMN attempt text NOT NULL DEFAULT '',
    DROP CONSTRAINT agent_requests_pkey,
    ADD PRIMARY KEY (prefix, request, attempt);
