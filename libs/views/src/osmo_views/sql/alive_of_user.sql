-- What a user has that has not ended: workflows, tasks.
SELECT
    (SELECT count(*) FROM workflows WHERE user_name = $1 AND ended_at IS NULL),
    (SELECT count(*) FROM attempts WHERE user_name = $1 AND ended_at IS NULL)
