-- A page of workflows in the order of submission; {direction} is ASC or DESC.
SELECT {columns}
FROM workflows
WHERE {conditions}
ORDER BY submitted_at {direction}, submit_seq {direction}
LIMIT {limit} OFFSET {offset}
