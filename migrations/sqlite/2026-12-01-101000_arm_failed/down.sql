ALTER TABLE outcomes DROP COLUMN arm_failed;
