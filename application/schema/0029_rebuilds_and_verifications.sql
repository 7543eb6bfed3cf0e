-- One unfinished rebuild and one unfinished verification for each view: a verification leaves a
-- rebuild alone that was requested or interrupted.
DROP INDEX rebuilds_unfinished;
CREATE UNIQUE INDEX rebuilds_unfinished ON rebuilds (name, kind)
    WHERE state <> 'done';
