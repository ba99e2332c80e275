-- Move a checkpoint forward, never back; the row is held until the transaction ends.
INSERT INTO checkpoints VALUES ($1, $2, $3)
ON CONFLICT (projection) DO UPDATE SET seq = greatest(checkpoints.seq, excluded.seq)
