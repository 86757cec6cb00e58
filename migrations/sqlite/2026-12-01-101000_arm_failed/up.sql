-- Whether a request of an experiment's arm was answered by another model because none of the arm's own did: they failed, or
-- were left alone as they had failed before.
ALTER TABLE outcomes ADD COLUMN arm_failed BOOLEAN NOT NULL DEFAULT false;
