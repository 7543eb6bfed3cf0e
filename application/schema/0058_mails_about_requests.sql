-- The mail that tells an owner of a request for a new link: one for each link, however often its
-- bearers ask.
CREATE UNIQUE INDEX deliveries_link_request ON deliveries (link_id) WHERE kind = 'link-request';
