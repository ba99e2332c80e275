-- A page of attempts: those that hold or wait for a place first, then the newest.
SELECT {columns}
FROM attempts
WHERE {conditions}
ORDER BY list_rank, started_at DESC, submitted_at DESC, task DESC, retry_id DESC
LIMIT {limit} OFFSET {offset}
