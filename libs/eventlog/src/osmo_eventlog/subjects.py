"""The grammar of subjects (proto/subjects.md is generated from this file). Nobody else builds or takes apart a subject by hand."""

import hashlib
from dataclasses import dataclass

WORKFLOWS = "WORKFLOWS"
REPORTS = "REPORTS"
CLUSTERS = "CLUSTERS"
COMMANDS = "COMMANDS"
LOGS = "LOGS"
CONFIG = "CONFIG"
NAMES = "NAMES"

FRONT_DOOR = "osmo.rpc.submit"
DATA_QUESTIONS = "osmo.rpc.data"


def shard_of(backend: str, shards: int) -> int:
    """Which scheduler decides for this backend: stable for ever, for a given number of shards."""
    return int.from_bytes(hashlib.sha256(backend.encode()).digest()[:8], "big") % shards


def workflow(shard: int, workflow_id: str) -> str:
    return f"osmo.workflow.{shard}.{workflow_id}"


def workflow_any_shard(workflow_id: str) -> str:
    """Matches the one subject of this workflow, whichever shard it is in."""
    return f"osmo.workflow.*.{workflow_id}"


def workflows_of_shard(shard: int) -> str:
    return f"osmo.workflow.{shard}.>"


def report(shard: int, workflow_id: str, task: str) -> str:
    return f"osmo.report.{shard}.{workflow_id}.{task}"


def reports_of_workflow(shard: int, workflow_id: str) -> str:
    return f"osmo.report.{shard}.{workflow_id}.*"


def reports_of_shard(shard: int) -> str:
    return f"osmo.report.{shard}.>"


def cluster(backend: str, kind: str, name: str = "_") -> str:
    """Kinds: `node` (name = node), `pods`, `inventory`, `registered`, `heartbeat`, `refused` (name = `_`)."""
    return f"osmo.cluster.{backend}.{kind}.{token(name)}"


def cluster_of_backend(backend: str) -> str:
    return f"osmo.cluster.{backend}.>"


def command(backend: str) -> str:
    return f"osmo.command.{backend}"


def log(workflow_id: str, task: str, retry_id: int) -> str:
    return f"osmo.log.{workflow_id}.{task}.{retry_id}"


def logs_of_workflow(workflow_id: str) -> str:
    return f"osmo.log.{workflow_id}.>"


def logs_of_task(workflow_id: str, task: str) -> str:
    return f"osmo.log.{workflow_id}.{task}.*"


def config(kind: str, name: str) -> str:
    return f"osmo.config.{kind}.{token(name)}"


def config_revision(config_type: str) -> str:
    """People's writes of one type of config objects (`pool`, `pod_template` ...)."""
    return config("revision", config_type.lower())


def config_of_kind(kind: str) -> str:
    """Matches every subject of this kind."""
    return f"osmo.config.{kind}.*"


def name_counter(name: str) -> str:
    return f"osmo.name.{name}"


def submission_claim(uuid: str) -> str:
    """Which workflow a submission with an idempotency key became. In NAMES; `=` stands in no name."""
    return f"osmo.name.={uuid}"


def scheduler_questions(shard: int) -> str:
    return f"osmo.rpc.scheduler.{shard}"


def agent_questions(backend: str) -> str:
    """What the agent of this backend may ask, and nobody else: permissions are by subject."""
    return f"osmo.rpc.agent.{backend}"


AUTH_QUESTIONS = "$SYS.REQ.USER.AUTH"
"""Where nats-server asks whether a client may come in, and what it may do (auth callout)."""


def parse_agent_questions(subject: str) -> str:
    """The backend whose agent asks."""
    return subject.removeprefix(agent_questions(""))


def agent_window(backend: str) -> str:
    """What the agent of this backend may read and keep of its own records: see osmo_eventlog.window."""
    return f"osmo.rpc.window.{backend}"


def parse_agent_window(subject: str) -> str:
    return subject.rpartition(".")[2]


def ctrl_questions(workflow_id: str, task: str, retry_id: int) -> str:
    """Answered by the log-router that this attempt's control container is connected to."""
    return f"osmo.rpc.ctrl.{workflow_id}.{task}.{retry_id}"


def token(name: str) -> str:
    """A name as one subject token: dots (node names, pool names) become `=`, which no name holds."""
    return name.replace(".", "=")


def untoken(part: str) -> str:
    return part.replace("=", ".")


@dataclass(frozen=True, slots=True)
class WorkflowSubject:
    shard: int
    workflow_id: str


def parse_workflow(subject: str) -> WorkflowSubject:
    _, _, shard, workflow_id = subject.split(".", 3)
    return WorkflowSubject(int(shard), workflow_id)


@dataclass(frozen=True, slots=True)
class ClusterSubject:
    backend: str
    kind: str
    name: str


def parse_cluster(subject: str) -> ClusterSubject:
    _, _, backend, kind, name = subject.split(".", 4)
    return ClusterSubject(backend, kind, untoken(name))


@dataclass(frozen=True, slots=True)
class LogSubject:
    workflow_id: str
    task: str
    retry_id: int


def parse_log(subject: str) -> LogSubject:
    _, _, workflow_id, task, retry_id = subject.split(".", 4)
    return LogSubject(workflow_id, task, int(retry_id))
