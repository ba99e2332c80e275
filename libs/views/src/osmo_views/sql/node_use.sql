SELECT backend, node, sum(cpu)::bigint, sum(gpu)::bigint, sum(memory_bytes)::bigint, sum(storage_bytes)::bigint
FROM attempts
WHERE list_rank < 3 AND node <> ''
GROUP BY backend, node
ORDER BY backend, node
