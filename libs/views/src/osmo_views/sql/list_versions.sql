-- A page of workflows as list_workflows.sql orders it, but only which they are and what their rows' versions are: one array per column.
SELECT array_agg(workflow_id), array_agg(last_seq)
FROM (
    SELECT workflow_id, last_seq
    FROM workflows
    WHERE {conditions}
    ORDER BY submitted_at {direction}, submit_seq {direction}
    LIMIT {limit} OFFSET {offset}
) AS page
