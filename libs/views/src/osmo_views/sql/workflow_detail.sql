-- One workflow with its groups and attempts, in one round trip. {key} is the column that names it.
SELECT
    {workflow_columns},
    CASE WHEN $2 THEN ARRAY(
        SELECT ROW({group_columns}) FROM groups g WHERE g.workflow_id = w.workflow_id ORDER BY g.ordinal
    ) ELSE '{{}}' END AS group_rows,
    CASE WHEN NOT $2 THEN '{{}}' WHEN $3 THEN ARRAY(
        SELECT ROW({attempt_columns}) FROM attempts a WHERE a.workflow_id = w.workflow_id
        ORDER BY a.task, a.retry_id DESC
    ) ELSE ARRAY(
        SELECT ROW({attempt_columns})
        FROM (
            SELECT DISTINCT ON (task) * FROM attempts WHERE workflow_id = w.workflow_id ORDER BY task, retry_id DESC
        ) a
        ORDER BY a.task
    ) END AS attempt_rows
FROM workflows w
WHERE w.{key} = $1
