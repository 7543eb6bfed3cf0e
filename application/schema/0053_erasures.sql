-- What was forgotten with the invitee of a booking: the booking and the links with texts about them,
-- by ids alone. Once the texts are gone, nothing else says which links these were. The projector
-- lists them where a return of the database to an earlier moment does not reach.
CREATE TABLE erasures (
    booking_id uuid NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (booking_id, id)
);

-- Which link answers a request is stored before it is issued, so that whoever is forgotten meanwhile
-- is forgotten there as well. Null until the request has ended with it.
ALTER TABLE answered_requests ALTER answered_at DROP NOT NULL;
