-- Leave each attempt of the workflows $1 its newest $2 events.
DELETE FROM pod_events
USING (
    SELECT seq, ordinal, row_number() OVER (PARTITION BY workflow_id, task, retry_id ORDER BY seq DESC, ordinal DESC) AS place
    FROM pod_events
    WHERE workflow_id = ANY($1::text[])
) AS ranked
WHERE pod_events.seq = ranked.seq AND pod_events.ordinal = ranked.ordinal AND ranked.place > $2
