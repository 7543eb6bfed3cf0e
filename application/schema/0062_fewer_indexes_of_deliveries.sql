-- Each claim and each outcome of a delivery writes to all its indexes. The constraint is not needed,
-- because the id is made from the event and what it causes; claims are found by deliveries_tried.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_fact_channel_kind_audience_target_key;
DROP INDEX deliveries_claimed;
