-- Distinct submitters by jumping from name to name along the index: costs users, not workflows.
WITH RECURSIVE names AS (
    (SELECT user_name FROM workflows ORDER BY user_name LIMIT 1)
    UNION ALL
    SELECT (SELECT w.user_name FROM workflows w WHERE w.user_name > names.user_name ORDER BY w.user_name LIMIT 1)
    FROM names
    WHERE names.user_name IS NOT NULL
)
SELECT user_name FROM names WHERE user_name IS NOT NULL
