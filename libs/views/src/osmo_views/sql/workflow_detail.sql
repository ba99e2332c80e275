-- One workflow with its groups and attempts, in one row: a workflow's columns, then an array per column of its groups and of its attempts,
-- which is what is read fastest. {key} names the workflow; {latest} is DISTINCT ON (task) where earlier attempts are not wanted.
SELECT {workflow_columns}, all_groups.*, all_attempts.*
FROM workflows w
LEFT JOIN LATERAL (
    SELECT {group_arrays}
    FROM (SELECT * FROM groups WHERE groups.workflow_id = w.workflow_id ORDER BY ordinal) AS g
) AS all_groups ON TRUE
LEFT JOIN LATERAL (
    SELECT {attempt_arrays}
    FROM (
        SELECT {latest} * FROM attempts WHERE attempts.workflow_id = w.workflow_id ORDER BY task, retry_id DESC
    ) AS a
) AS all_attempts ON TRUE
WHERE w.{key} = $1
