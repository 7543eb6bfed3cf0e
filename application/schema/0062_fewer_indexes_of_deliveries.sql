-- Each claim of a delivery, and its outcome, writes all indexes of its row. The same event never causes
-- the same twice because the id is made from both, and claims are found among what was tried.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_fact_channel_kind_audience_target_key;
DROP INDEX deliveries_claimed;
