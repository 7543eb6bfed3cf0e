-- The index of deliveries by their booking leaves out those without one: PostgreSQL 15 would read all
-- of these to find the ones of a single link. While it is built, no delivery is added or sent, which
-- takes some seconds for a million.
CREATE INDEX deliveries_of_booking ON deliveries (booking_id) WHERE booking_id IS NOT NULL;
DROP INDEX deliveries_booking;
ALTER INDEX deliveries_of_booking RENAME TO deliveries_booking;
