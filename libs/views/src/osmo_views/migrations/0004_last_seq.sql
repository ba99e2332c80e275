-- The position of the last commit that is folded into a workflow: two rows of a workflow with the same position say the same.

ALTER TABLE workflows ADD COLUMN last_seq bigint NOT NULL DEFAULT 0;
