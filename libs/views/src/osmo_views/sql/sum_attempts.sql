-- Resources of attempts summed up; {workflow} is workflow_id or ''.
SELECT
    user_name, {workflow} AS workflow, pool, priority,
    sum(cpu)::bigint, sum(gpu)::bigint, sum(memory_bytes)::bigint, sum(storage_bytes)::bigint
FROM attempts
WHERE {conditions}
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
LIMIT {limit} OFFSET {offset}
