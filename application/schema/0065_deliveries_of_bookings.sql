-- What is about a booking is found by it, and nothing else. PostgreSQL 15 read all deliveries without
-- a booking by the index before, when it looked for those of one link. While the new index is built,
-- nothing is added or sent: some seconds for a million deliveries.
CREATE INDEX deliveries_of_booking ON deliveries (booking_id) WHERE booking_id IS NOT NULL;
DROP INDEX deliveries_booking;
ALTER INDEX deliveries_of_booking RENAME TO deliveries_booking;
