"""Generate proto/: the wire as data, written from the code that speaks it. `--check` compares instead of writing.

proto/subjects.md       the grammar of subjects and the streams that hold them
proto/schemas/*.json    JSON Schemas of every message
proto/golden/*/*.json   one sample of every event as it was first written. A sample is made once and then never changed: it is what old logs
                        hold, and tests/contracts/test_golden.py proves that today's code still reads it.
"""

import inspect
import json
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec

from osmo_api import ctrl
from osmo_domain.agent_requests import AgentQuestion, NodeRulesAnswer
from osmo_domain.apps import AppEvent
from osmo_domain.backend_access import AccessEvent
from osmo_domain.cluster import ClusterFact
from osmo_domain.command import Command
from osmo_domain.commit import Commit
from osmo_domain.config import ConfigEvent
from osmo_domain.credentials import CredentialEvent
from osmo_domain.logs import LogBatch
from osmo_domain.plan import Plan
from osmo_domain.pool import Backend, Pool, WorkflowSettings
from osmo_domain.report import TaskReported
from osmo_domain.requests import (
    CtrlAnswer,
    DataAnswer,
    DataQuestion,
    ExplainPending,
    FrontDoorAnswer,
    FrontDoorRequest,
    PendingExplained,
    RestartCommand,
)
from osmo_domain.workflow.events import WorkflowEvent
from osmo_eventlog import subjects
from osmo_eventlog.streams import STREAMS, StreamSpec

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"


@dataclass(frozen=True)
class Family:
    """Messages of one kind. `kept`: they stay in a log, so that old ones must be readable for ever; `committed`: they travel in a Commit."""

    name: str
    union: Any
    kept: bool
    committed: bool = False

    @property
    def message(self) -> Any:
        return Commit[self.union] if self.committed else self.union  # type: ignore[name-defined]

    def members(self) -> list[type[msgspec.Struct]]:
        return list(get_args(self.union)) or [self.union]


FAMILIES = (
    Family("workflow-event", WorkflowEvent, kept=True, committed=True),
    Family("cluster-fact", ClusterFact, kept=True, committed=True),
    Family("report", TaskReported, kept=True, committed=True),
    Family("config-event", ConfigEvent, kept=True, committed=True),
    Family("credential-event", CredentialEvent, kept=True, committed=True),
    Family("app-event", AppEvent, kept=True, committed=True),
    Family("backend-access-event", AccessEvent, kept=True, committed=True),
    Family("command", Command, kept=True),
    Family("log-batch", LogBatch, kept=True),
    Family("plan", Plan, kept=True),
    Family("pool", Pool, kept=True),
    Family("backend", Backend, kept=True),
    Family("workflow-settings", WorkflowSettings, kept=True),
    Family("front-door-request", FrontDoorRequest, kept=False),
    Family("front-door-answer", FrontDoorAnswer, kept=False),
    Family("data-question", DataQuestion, kept=False),
    Family("data-answer", DataAnswer, kept=False),
    Family("scheduler-question", ExplainPending, kept=False),
    Family("scheduler-answer", PendingExplained, kept=False),
    Family("agent-question", AgentQuestion, kept=False),
    Family("node-rules-answer", NodeRulesAnswer, kept=False),
    Family("ctrl-question", RestartCommand, kept=False),
    Family("ctrl-answer", CtrlAnswer, kept=False),
    Family("ctrl-from", ctrl.FromCtrl, kept=False),
    Family("ctrl-to", ctrl.ToCtrl, kept=False),
)


def generated() -> dict[Path, str]:
    """Every file that follows from today's code."""
    files = {PROTO / "subjects.md": subjects_page()}
    for family in FAMILIES:
        files[PROTO / "schemas" / f"{family.name}.json"] = schema_of(family)
    return files


def missing_samples() -> dict[Path, str]:
    """Samples of messages that have none yet."""
    wanted = {
        PROTO / "golden" / family.name / f"{tag_of(member)}.json": member
        for family in FAMILIES
        if family.kept
        for member in family.members()
    }
    families = {family.name: family for family in FAMILIES}
    return {
        path: sample_text(families[path.parent.name], member) for path, member in wanted.items() if not path.exists()
    }


def tag_of(kind: type[msgspec.Struct]) -> str:
    tag = kind.__struct_config__.tag
    return str(tag) if tag is not None else kind.__name__


# Schemas


def schema_of(family: Family) -> str:
    return json.dumps(msgspec.json.schema(family.message), indent=2, sort_keys=True) + "\n"


# Samples: every field is set, so that a sample shows all that an old message may hold


def sample_text(family: Family, kind: type[msgspec.Struct]) -> str:
    plain = sample(msgspec.inspect.type_info(kind), tag_of(kind))
    if family.committed:
        commit = sample(msgspec.inspect.type_info(Commit[kind]), "commit")  # type: ignore[valid-type]
        plain = {**commit, "events": [plain]}
    message = Commit[kind] if family.committed else kind  # type: ignore[valid-type]
    whole = msgspec.json.decode(msgspec.json.encode(plain), type=message)
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


_PLAIN: dict[type[msgspec.inspect.Type], Any] = {
    msgspec.inspect.IntType: 7,
    msgspec.inspect.FloatType: 1.5,
    msgspec.inspect.BoolType: True,
    msgspec.inspect.DateTimeType: "2026-11-20T11:00:00Z",
    msgspec.inspect.BytesType: "c2FtcGxl",
    msgspec.inspect.RawType: {"sample": 1},
    msgspec.inspect.AnyType: {"sample": 1},
}


def sample(kind: msgspec.inspect.Type, name: str) -> Any:
    """A value of this type, the same each time. Texts are the names of their fields."""
    match kind:
        case msgspec.inspect.StrType():
            return name
        case msgspec.inspect.EnumType(cls=cls):
            return next(iter(cls)).value
        case msgspec.inspect.LiteralType(values=values):
            return values[0]
        case msgspec.inspect.UnionType(types=options):
            return sample(next(each for each in options if not isinstance(each, msgspec.inspect.NoneType)), name)
        case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item):
            return [sample(item, name)]
        case msgspec.inspect.TupleType(item_types=items):
            return [sample(item, name) for item in items]
        case msgspec.inspect.DictType(value_type=value):
            return {f"{name}-key": sample(value, name)}
        case msgspec.inspect.StructType():
            return sample_struct(kind)
        case _:
            return _PLAIN[type(kind)]


def sample_struct(kind: msgspec.inspect.StructType) -> Any:
    values = {field.encode_name: sample(field.type, field.name) for field in kind.fields}
    if kind.array_like:
        return list(values.values())
    return {str(kind.tag_field): kind.tag, **values} if kind.tag_field else values


# The grammar of subjects


def subjects_page() -> str:
    lines = [
        "# Subjects and streams",
        "",
        "Generated by `make gen` from `osmo_eventlog/subjects.py` and `streams.py`. A name with dots stands in a subject with `=` for each dot.",
        "",
        "| subject | made by | |",
        "| --- | --- | --- |",
        *[f"| `{subject}` | `{name}` | {promise} |" for name, subject, promise in grammar()],
        "",
        "| request subject | name |",
        "| --- | --- |",
        *[f"| `{value}` | `{name}` |" for name, value in sorted(vars(subjects).items()) if str(value).startswith("osmo.rpc.")],
        "",
        "| stream | subjects | kept | at its limit |",
        "| --- | --- | --- | --- |",
        *[stream_row(spec) for spec in STREAMS],
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def grammar() -> Iterator[tuple[str, str, str]]:
    """Every function of subjects.py that makes a subject, called with the names of its parameters."""
    for name, function in vars(subjects).items():
        if not isinstance(function, types.FunctionType) or function.__module__ != subjects.__name__:
            continue
        parameters = inspect.signature(function).parameters
        if inspect.signature(function).return_annotation is not str or name in ("token", "untoken"):
            continue
        if name.startswith("parse_"):
            continue
        promise = (inspect.getdoc(function) or "").split("\n")[0]
        yield name, function(*[f"<{parameter}>" for parameter in parameters]), promise


def stream_row(spec: StreamSpec) -> str:
    kept = "until acknowledged" if spec.work_queue else "for ever"
    if spec.max_age_s:
        kept = f"{spec.max_age_s / 86400:g} days"
    if spec.max_msgs_per_subject:
        kept += f", the last {spec.max_msgs_per_subject} of each subject"
    limit = "drops the oldest of the subject" if spec.discard_old else "refuses"
    return f"| {spec.name} | {' '.join(f'`{subject}`' for subject in spec.subjects)} | {kept} | {limit} |"


def main() -> None:
    files, samples = generated(), missing_samples()
    leftover = [path for path in (PROTO / "schemas").glob("*.json") if path not in files]
    if "--check" in sys.argv[1:]:
        changed = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
        stale = sorted(str(path.relative_to(ROOT)) for path in [*changed, *samples, *leftover])
        if stale:
            sys.exit("not current, run `make gen`:\n  " + "\n  ".join(stale))
        return
    for path, text in {**files, **samples}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in leftover:
        path.unlink()


if __name__ == "__main__":
    main()
