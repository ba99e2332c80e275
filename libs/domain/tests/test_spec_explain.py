"""Explanations come from the tables that read a spec: every key has one, and a wrong path leads to a right one."""

import pytest

from osmo_domain.errors import Rejected
from osmo_domain.spec.explain import DOCUMENT, all_paths, explain
from osmo_domain.spec.sections import KEYS


def test_the_whole_file_has_the_sections_that_are_cut_out_of_it() -> None:
    assert {key.name for key in DOCUMENT.keys} == set(KEYS)
    assert [key.name for key in explain().keys] == list(KEYS)


@pytest.mark.parametrize("path", all_paths())
def test_every_key_is_explained(path: str) -> None:
    topic = explain(path)
    assert topic.path.replace("[]", "").replace(".<name>", "") == path
    assert topic.type
    for sentence in (topic.doc, *topic.rules, *(key.doc for key in topic.keys)):
        assert sentence[0].isupper() or sentence[0] in "[0`"
        assert sentence.endswith(".")


def test_there_is_nothing_less_than_the_reference_has() -> None:
    task = {key.name for key in explain("workflow.tasks").keys}
    assert len(task) == 19
    assert {key.name for key in explain("workflow.resources").keys} >= {"nodesExcluded", "topology", "platform"}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("workflow.tasks.checkpoint", "workflow.tasks[].checkpoint[]"),
        ("workflow.tasks[0].checkpoint[3].url", "workflow.tasks[].checkpoint[].url"),
        ("tasks.image", "workflow.tasks[].image"),
        ("workflow.groups.tasks.inputs.dataset.name", "workflow.groups[].tasks[].inputs[].dataset.name"),
        ("workflow.resources.default.cpu", "workflow.resources.<name>.cpu"),
        ("workflow.resources.cpu", "workflow.resources.<name>.cpu"),
        ("workflow.labels.team", "workflow.labels.<name>"),
        ("default-values.anything", "default-values.<name>"),
    ],
)
def test_paths_may_be_written_in_several_ways(path: str, shown: str) -> None:
    assert explain(path).path == shown


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("checkpoint", "workflow.tasks.checkpoint"),
        ("workflow.tasks.checkpont", "workflow.tasks.checkpoint"),
        ("workflow.tasks.exit_actions", "workflow.tasks.exitActions"),
        ("workflow.task.image", "workflow.tasks.image"),
        ("workflow.tasks.FILES", "workflow.tasks.files"),
    ],
)
def test_a_wrong_path_leads_to_a_right_one(path: str, meant: str) -> None:
    with pytest.raises(Rejected, match=f"Did you mean `{meant}`") as refusal:
        explain(path)
    assert refusal.value.code == "explain.unknown"


@pytest.mark.parametrize("path", ["workflow.name.x", "workflow.resources.a.b.c", "workflow.labels.a.b", "xyz"])
def test_what_leads_nowhere_is_refused(path: str) -> None:
    with pytest.raises(Rejected):
        explain(path)


def test_defaults_are_those_of_the_model() -> None:
    assert explain("workflow.name").default == "required"
    assert explain("workflow.groups.barrier").default == "true"
    assert explain("workflow.tasks.resource").default == "default"
    assert explain("workflow.tasks.args").default == "none"
