-- Apps that a user ever submitted, by jumping from app to app along the index: costs apps, not workflows.
WITH RECURSIVE used AS (
    (SELECT app_uuid FROM workflows WHERE user_name = $1 AND app_uuid <> '' ORDER BY app_uuid LIMIT 1)
    UNION ALL
    SELECT (
        SELECT w.app_uuid FROM workflows w
        WHERE w.user_name = $1 AND w.app_uuid <> '' AND w.app_uuid > used.app_uuid ORDER BY w.app_uuid LIMIT 1
    )
    FROM used
    WHERE used.app_uuid IS NOT NULL
)
SELECT app_uuid FROM used WHERE app_uuid IS NOT NULL
