-- What clusters said about pods: the newest events of each attempt, folded from the CLUSTERS stream.

CREATE TABLE pod_events (
    seq         bigint NOT NULL,
    ordinal     integer NOT NULL,
    workflow_id text COLLATE "C" NOT NULL,
    task        text COLLATE "C" NOT NULL,
    retry_id    integer NOT NULL,
    at          timestamptz NOT NULL,
    reason      text NOT NULL,
    message     text NOT NULL,
    PRIMARY KEY (seq, ordinal)
);

CREATE INDEX pod_events_of_workflow ON pod_events (workflow_id, seq, ordinal);
