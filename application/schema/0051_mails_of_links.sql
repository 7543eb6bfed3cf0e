-- The mails to invitees about a link and no booking, which are blanked when one is forgotten.
CREATE INDEX deliveries_link ON deliveries (link_id)
    WHERE audience = 'invitee' AND booking_id IS NULL;
