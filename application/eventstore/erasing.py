"""The parts of a statement that erase what is stored about invitees outside the log."""

ERASING = """forgotten_person AS (
            DELETE FROM personal_data
            WHERE originator_id = ANY (ARRAY(SELECT id FROM forgotten)) AND originator_version > 0
            RETURNING originator_id
        ), forgotten_attempt AS (
            DELETE FROM refused_attempts WHERE link_id = ANY (ARRAY(SELECT id FROM forgotten))
        ), forgotten_request AS (
            DELETE FROM link_requests WHERE link_id = ANY (ARRAY(SELECT id FROM forgotten))
        ), forgotten_mail AS (
            UPDATE deliveries SET answer = NULL,
                state = CASE WHEN state IN ('due', 'parked') THEN 'ended' ELSE state END
            WHERE audience = 'invitee' AND booking_id IS NULL
                AND link_id = ANY (ARRAY(SELECT id FROM forgotten))
        )"""
"""Follows a part `forgotten (id)`: the bookings and links. Mails about a booking are not here:
a reaction to the event ends them.

Versions begin with 1. That the condition names both columns of the primary key is for
PostgreSQL 15, which would plan on an empty table to read all rows.
"""
