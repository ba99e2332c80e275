"""What travels where: subjects and the families of their messages. The addresses are made by osmo_eventlog.subjects itself.

tests/contracts/test_documents.py holds this table against the streams and subjects that are declared.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from osmo_eventlog import subjects as s

AGENT = "backend-agent"


@dataclass(frozen=True)
class Text:
    """Messages that no Struct describes."""

    name: str
    about: str
    content_type: str = "text/plain"


@dataclass(frozen=True)
class Channel:
    """`carries` and `answered_with` are names of families. What is answered is a question, and goes over request/reply."""

    name: str
    address: str
    about: str
    carries: tuple[str | Text, ...]
    sent_by: tuple[str, ...]
    heard_by: tuple[str, ...]
    answered_with: tuple[str | Text, ...] = ()


def address(make: Callable[..., str], **known: str) -> str:
    """The subject that `make` makes, with the names of what varies in braces."""
    names = inspect.signature(make).parameters
    return make(**{name: known.get(name, f"{{{name}}}") for name in names})


CATALOGUE_READERS = ("gateway", "submit", "scheduler", "data")
PIECE = Text(
    "piece", "Bytes, or one piece of them: the header Osmo-Pieces says how many there are.", "application/octet-stream"
)

CHANNELS = (
    Channel(
        "workflow", address(s.workflow), "The commits of one workflow: what is true of it.",
        ("workflow-event",), ("submit", "scheduler"), ("scheduler", "gateway", "submit", "data", "log-router"),
    ),
    Channel(
        "report", address(s.report), "What the control container of a task said.",
        ("report",), ("log-router",), ("scheduler", "log-router"),
    ),
    Channel(
        "cluster", address(s.cluster), "What an agent saw: nodes, pods, events of Kubernetes, its heartbeat.",
        ("cluster-fact",), (AGENT,), ("scheduler", "gateway", "submit"),
    ),
    Channel(
        "command", address(s.command), "What an agent is to do, in order; carrying it out twice changes nothing.",
        ("command",), ("scheduler",), (AGENT,),
    ),
    Channel(
        "log", address(s.log), "The lines of one attempt of a task, in batches.",
        ("log-batch",), ("log-router",), ("gateway",),
    ),
    Channel(
        "config_revision", address(s.config_revision), "People's writes of one type of config objects.",
        ("config-event",), ("gateway",), CATALOGUE_READERS,
    ),
    *(
        Channel(
            f"config_{kind}", address(s.config, kind=kind), f"One {kind} as the installation's seed has it.",
            ("config-event",), ("gateway",), CATALOGUE_READERS,
        )
        for kind in ("pool", "backend", "workflow")
    ),
    Channel(
        "config_profile", address(s.config, kind="profile"), "One person's own settings.",
        ("config-event",), ("gateway",), ("gateway",),
    ),
    Channel(
        "config_app", address(s.config, kind="app"), "One app and its versions.",
        ("app-event",), ("gateway",), ("gateway",),
    ),
    Channel(
        "config_credential", address(s.config, kind="credential"), "One person's credential, encrypted.",
        ("credential-event",), ("data",), ("data",),
    ),
    Channel(
        "config_backend_token", address(s.config, kind="backend_token"), "The tokens of one backend's agent, as digests.",
        ("backend-access-event",), ("gateway",), ("gateway",),
    ),
    Channel(
        "name_counter", address(s.name_counter), "The last number that was given to a workflow of this name.",
        (Text("number", "A whole number in decimal digits."),), ("submit",), ("submit",),
    ),
    Channel(
        "submission_claim", address(s.submission_claim), "Which workflow a submission with an idempotency key became.",
        ("submission-claim",), ("submit",), ("submit",),
    ),
    Channel(
        "blob", "osmo.blob.{digest}.{piece}", "Bytes named by their SHA-256: specs, plans, what is too large for a message.",
        (PIECE,), ("all",), ("all",),
    ),
    Channel(
        "lease", "osmo.lease.{name}", "Who holds the lease of this name; gone when its time is over.",
        (Text("holder", "The holder, as the adapter of NATS writes it.", "application/json"),), ("scheduler",), ("scheduler",),
    ),
    Channel(
        "snapshot", "osmo.snapshot.{name}", "Where the newest snapshot of this name is.",
        (Text("head", "The slot, as the adapter of NATS writes it.", "application/json"),), ("all",), ("all",),
    ),
    Channel(
        "snapshot_slot", "osmo.snapshot.{name}.{slot}.{piece}", "The bytes of a snapshot: a folded state, which the log can always make anew.",
        (PIECE,), ("all",), ("all",),
    ),
    Channel(
        "front_door", s.FRONT_DOOR, "What people ask for: submit, restart, cancel, tag. Large questions and answers are enclosed.",
        ("front-door-request", "enclosed"), ("gateway",), ("submit",), ("front-door-answer", "enclosed"),
    ),
    Channel(
        "data_questions", s.DATA_QUESTIONS, "Questions about credentials, and whether a user may read and write at URIs.",
        ("data-question",), ("gateway", "submit"), ("data",), ("data-answer",),
    ),
    Channel(
        "scheduler_questions", address(s.scheduler_questions), "Why a workflow waits.",
        ("scheduler-question",), ("gateway",), ("scheduler",), ("scheduler-answer",),
    ),
    Channel(
        "agent_questions", address(s.agent_questions), "What the agent of this backend may ask, and nobody else.",
        ("agent-question",), (AGENT,), ("data",), ("credential-answer", "node-rules-answer"),
    ),
    Channel(
        "agent_window", address(s.agent_window), "What the agent of this backend reads and keeps of its own records.",
        ("window-question",), (AGENT,), ("gateway",), ("window-answer",),
    ),
    Channel(
        "ctrl_questions", address(s.ctrl_questions), "To the log-router that holds the connection of this attempt.",
        ("ctrl-question",), (AGENT,), ("log-router",), ("ctrl-answer",),
    ),
    Channel(
        "auth_questions", s.AUTH_QUESTIONS, "nats-server asks whether a client may come in, and what it may do (auth callout).",
        (Text("authorization_request", "A JWT of nats-server.", "application/jwt"),), ("nats-server",), ("gateway",),
        (Text("authorization_response", "A JWT that the account's issuer signed.", "application/jwt"),),
    ),
)  # fmt: skip
