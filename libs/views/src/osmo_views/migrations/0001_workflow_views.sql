-- The read model of workflows. Everything here is folded from the WORKFLOWS stream and may be dropped at any time.

CREATE TABLE checkpoints (
    projection text PRIMARY KEY,
    version    integer NOT NULL,
    seq        bigint NOT NULL
);

CREATE TABLE workflows (
    workflow_id     text COLLATE "C" PRIMARY KEY,
    uuid            text NOT NULL UNIQUE,
    submit_seq      bigint NOT NULL,
    shard           integer NOT NULL,
    user_name       text COLLATE "C" NOT NULL,
    pool            text COLLATE "C" NOT NULL,
    backend         text COLLATE "C" NOT NULL,
    priority        text COLLATE "C" NOT NULL,
    submitted_at    timestamptz NOT NULL,
    exec_timeout_s  double precision,
    queue_timeout_s double precision,
    spec_blob       text NOT NULL,
    template_blob   text NOT NULL,
    parent_name     text NOT NULL,
    parent_number   integer NOT NULL,
    app_uuid        text NOT NULL,
    app_version     integer NOT NULL,
    labels          jsonb NOT NULL,
    status          text NOT NULL,
    started_at      timestamptz,
    ended_at        timestamptz,
    cancelled_by    text NOT NULL,
    message         text NOT NULL,
    tags            jsonb NOT NULL
);

-- One index per way to list in the order of submission, so that a page costs its rows at any size of the table.
CREATE INDEX workflows_in_order ON workflows (submitted_at, submit_seq);
CREATE INDEX workflows_of_user ON workflows (user_name, submitted_at, submit_seq);
CREATE INDEX workflows_of_user_in_pool ON workflows (user_name, pool, submitted_at, submit_seq);
CREATE INDEX workflows_of_pool ON workflows (pool, submitted_at, submit_seq);
CREATE INDEX workflows_of_status ON workflows (status, submitted_at, submit_seq);
CREATE INDEX workflows_alive ON workflows (submitted_at, submit_seq) WHERE ended_at IS NULL;

CREATE TABLE groups (
    workflow_id     text COLLATE "C" NOT NULL,
    name            text NOT NULL,
    ordinal         integer NOT NULL,
    upstreams       jsonb NOT NULL,
    downstreams     jsonb NOT NULL,
    status          text NOT NULL,
    message         text NOT NULL,
    processing_at   timestamptz,
    scheduling_at   timestamptz,
    initializing_at timestamptz,
    started_at      timestamptz,
    ended_at        timestamptz,
    PRIMARY KEY (workflow_id, name)
);

CREATE TABLE attempts (
    workflow_id         text COLLATE "C" NOT NULL,
    task                text COLLATE "C" NOT NULL,
    retry_id            integer NOT NULL,
    group_name          text NOT NULL,
    lead                boolean NOT NULL,
    workflow_uuid       text NOT NULL,
    user_name           text COLLATE "C" NOT NULL,
    pool                text COLLATE "C" NOT NULL,
    backend             text COLLATE "C" NOT NULL,
    priority            text COLLATE "C" NOT NULL,
    submitted_at        timestamptz NOT NULL,
    cpu                 bigint NOT NULL,
    gpu                 bigint NOT NULL,
    memory_bytes        bigint NOT NULL,
    storage_bytes       bigint NOT NULL,
    status              text NOT NULL,
    exit_code           integer,
    message             text NOT NULL,
    node                text COLLATE "C" NOT NULL,
    ip                  text NOT NULL,
    processing_at       timestamptz,
    scheduling_at       timestamptz,
    initializing_at     timestamptz,
    download_started_at timestamptz,
    download_ended_at   timestamptz,
    started_at          timestamptz,
    upload_started_at   timestamptz,
    ended_at            timestamptz,
    list_rank           smallint GENERATED ALWAYS AS (
        CASE status WHEN 'SCHEDULING' THEN 0 WHEN 'INITIALIZING' THEN 1 WHEN 'RUNNING' THEN 2 ELSE 3 END
    ) STORED,
    PRIMARY KEY (workflow_id, task, retry_id)
);

CREATE INDEX attempts_in_order ON attempts (list_rank, started_at DESC, submitted_at DESC, task DESC, retry_id DESC);
CREATE INDEX attempts_of_user ON attempts (user_name, list_rank, started_at DESC, submitted_at DESC, task DESC, retry_id DESC);
CREATE INDEX attempts_alive ON attempts (list_rank, started_at DESC, submitted_at DESC, task DESC, retry_id DESC)
    WHERE ended_at IS NULL;
CREATE INDEX attempts_placed ON attempts (backend, node) WHERE list_rank < 3;
