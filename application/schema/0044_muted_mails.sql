-- The kinds of mails about their bookings that owners do without.
ALTER TABLE accounts ADD COLUMN muted_mails text[] NOT NULL DEFAULT '{}';
