-- The links that were issued for requests. Who is forgotten is forgotten in both links, as far as
-- both are about the same person. Nothing here says who that was.
CREATE TABLE answered_requests (
    new_link_id uuid PRIMARY KEY,
    link_id uuid NOT NULL,
    answered_at timestamptz NOT NULL
);
CREATE INDEX answered_requests_link ON answered_requests (link_id);
