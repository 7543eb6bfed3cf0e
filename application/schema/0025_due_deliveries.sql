-- A sender finds what is due in its order, without sorting or passing over what others have tried,
-- however much waits.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_untried ON deliveries (channel, next_attempt_at, fact, audience)
    WHERE state = 'due' AND attempts = 0;
CREATE INDEX deliveries_tried ON deliveries (channel, next_attempt_at, fact, audience)
    WHERE state = 'due' AND attempts > 0;
