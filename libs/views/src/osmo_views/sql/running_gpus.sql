SELECT pool, priority, sum(gpu)::bigint AS gpu
FROM attempts
WHERE list_rank < 3 AND status = 'RUNNING'
GROUP BY pool, priority
ORDER BY pool, priority
