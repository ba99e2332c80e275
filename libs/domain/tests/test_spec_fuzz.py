"""Whatever is done to a valid spec, it is accepted or refused with a code, a class and a place: never anything else."""

import copy
import random
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from osmo_domain.errors import ErrorCode, Rejected
from osmo_domain.pool import Platform, Pool, WorkflowSettings
from osmo_domain.spec.admission import admit
from osmo_domain.spec.document import dump_document, read_document, read_labels, read_spec
from osmo_domain.spec.dump import dump_yaml
from osmo_domain.spec.planning import decode_plan, encode_draft, make_draft, put_ids
from osmo_domain.spec.redact import redact
from osmo_domain.spec.render import render_sections
from osmo_domain.spec.rules import (
    check_name_lengths,
    check_task_count,
    group_tasks,
    resolve_resources,
    upstream_groups,
)
from osmo_domain.spec.sections import split_sections

POOL = Pool(
    name="p",
    backend="b",
    default_platform="d",
    platforms={"d": Platform(allowed_mounts=("/m",), privileged_allowed=True)},
)
SETTINGS = WorkflowSettings(data_url="file:///d")

VALID: dict[str, Any] = {
    "name": "whole",
    "labels": {"team": "robots"},
    "timeout": {"exec_timeout": "1h", "queue_timeout": 60},
    "resources": {
        "default": {"cpu": 1, "gpu": 0, "memory": "1Gi", "storage": "2Gi", "platform": "d", "nodesExcluded": ["n1"]},
    },
    "groups": [
        {
            "name": "one",
            "barrier": True,
            "ignoreNonleadStatus": False,
            "tasks": [
                {
                    "name": "a",
                    "lead": True,
                    "image": "nvcr.io/org/x:1",
                    "command": ["sh", "-c"],
                    "args": ["{{output}}", 1, 2.5],
                    "environment": {"A": "b", "C": True},
                    "credentials": {"c1": "/secrets", "c2": {"K": "v"}},
                    "inputs": [{"url": "s3://b/x", "regex": ".*"}],
                    "outputs": [{"url": "s3://b/y/{{workflow_id}}"}],
                    "files": [{"path": "/tmp/f", "contents": "hi", "base64": False}],
                    "kpis": [{"index": 1, "path": "k"}],
                    "checkpoint": [{"path": "/c", "url": "s3://b/c", "frequency": "10s", "regex": ""}],
                    "exitActions": {"COMPLETE": 0, "RESCHEDULE": "1-9,137"},
                    "volumeMounts": ["/m:/n"],
                    "privileged": True,
                    "hostNetwork": False,
                    "downloadType": "download",
                    "cacheSize": "50%",
                    "resource": "default",
                },
                {"name": "b", "image": "alpine", "command": "sleep 1"},
            ],
        },
        {"name": "two", "tasks": [{"name": "c", "image": "alpine", "command": ["x"], "inputs": [{"task": "a"}]}]},
    ],
}

ODD_SCALARS: list[Any] = [None, True, False, 0, -1, 10**30, 1.5, float("inf"), "", " ", "x", "a b", "-", "{{", "\0"]
ODD_TEXTS: list[Any] = ["{{output}}", "{{host:}}", "é" * 70, "a" * 500, "yes", "1e3", "2024-01-01", "s3://", "s3://b"]
ODD_WORDS: list[Any] = ["gs://b/c", "file:///x", "../x", "/", "/osmo/x", "1Gi", "1GB", "[", "(", "a-b", "*"]
ODD_TREES: list[Any] = [
    [],
    {},
    [[]],
    [None],
    [1],
    {"": 1},
    {"a": None},
    {"name": "a"},
    [{"task": "b"}],
    [{"task": "z-1:q"}],
]
ODD = st.sampled_from([*ODD_SCALARS, *ODD_TEXTS, *ODD_WORDS, *ODD_TREES]) | st.text(max_size=8)


def everything(text: str) -> None:
    rendered = render_sections(split_sections(text))
    root = read_document(rendered)
    labels = read_labels(root)
    dump_document(root, labels)
    redact(rendered)
    spec = read_spec(root)
    group_tasks(spec)
    upstreams = upstream_groups(spec)
    resources = resolve_resources(spec, POOL)
    check_task_count(spec, SETTINGS.max_num_tasks)
    check_name_lengths(spec, SETTINGS.max_name_length)
    admit(spec, resources, POOL, [])
    draft = make_draft(spec, resources, upstreams, POOL, SETTINGS, labels=labels)
    plan = decode_plan(put_ids(encode_draft(draft), "whole-1", "0" * 32))
    assert sum(len(group.tasks) for group in plan.groups) >= 1


def refusal_of(text: str) -> Rejected | None:
    try:
        everything(text)
    except Rejected as refusal:
        return refusal
    return None


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    found = [(node, key) for key in keys]
    for key in keys:
        found += places(node[key])
    return found


def mutate(document: Any, rng: random.Random, odd: Any) -> None:
    container, key = rng.choice(places(document))
    kind = rng.randrange(5)
    if kind == 0:
        del container[key]
    elif kind == 1 and isinstance(container, dict):
        container[f"{key}x"] = container.pop(key)
    elif kind == 2 and isinstance(container, list):
        container.append(copy.deepcopy(container[key]))
    elif kind == 3:
        container[key] = [container[key]] if rng.random() < 0.5 else {"k": container[key]}
    else:
        container[key] = odd


def test_the_valid_spec_is_valid() -> None:
    everything(dump_yaml({"workflow": VALID}))


@settings(max_examples=600, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(ODD, min_size=1, max_size=3))
def test_a_mutated_spec_is_accepted_or_refused_with_code_and_place(rng: random.Random, odds: list[Any]) -> None:
    document = copy.deepcopy(VALID)
    for odd in odds:
        mutate(document, rng, copy.deepcopy(odd))
        if not places(document):
            return
    text = dump_yaml({"workflow": document})
    refusal = refusal_of(text)
    if refusal is None:
        return
    assert refusal.code.partition(".")[2]
    assert refusal.error_code in get_args(ErrorCode)
    assert refusal.message.strip()
    if refusal.code.split(".")[0] in ("spec", "admission", "quantity", "duration", "labels"):
        assert refusal.line is not None
        assert refusal.column is not None
        assert 1 <= refusal.line <= text.count("\n") + 1


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_text_with_pieces_moved_about_raises_nothing_else(data: st.DataObject) -> None:
    text = dump_yaml({"workflow": VALID})
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(st.text("{}%#[]:-&*!|>'\"\\ \n\tab0{{", max_size=6)) + text[end:]
    refusal = refusal_of(text)
    assert refusal is None or refusal.message.strip()
