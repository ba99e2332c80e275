"""Patterns match as the server's do."""

import pytest

from osmo_eventlog import subjects as s
from osmo_eventlog.matching import matcher, matches, matches_any
from osmo_eventlog.streams import STREAMS, stream_of


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        ("a.*.c", "a.b.c", True),
        ("*.b.*", "a.b.c", True),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        ("a.*.>", "a.b", False),
        (">", "a", True),
    ],
)
def test_a_pattern_matches(pattern: str, subject: str, expected: bool) -> None:
    assert matches(pattern, subject) is expected
    assert matcher([pattern])(subject) is expected


def test_no_patterns_mean_everything() -> None:
    assert matches_any([], "a.b")
    assert matcher([])("a.b")


def test_every_subject_of_the_grammar_has_its_stream() -> None:
    assert stream_of(s.workflow(0, "w"), STREAMS) == s.WORKFLOWS
    assert stream_of(s.workflow_any_shard("w"), STREAMS) == s.WORKFLOWS
    assert stream_of(s.report(0, "w", "t"), STREAMS) == s.REPORTS
    assert stream_of(s.cluster("b", "node", "n.example"), STREAMS) == s.CLUSTERS
    assert stream_of(s.command("b"), STREAMS) == s.COMMANDS
    assert stream_of(s.log("w", "t", 0), STREAMS) == s.LOGS
    assert stream_of(s.config("pool", "p"), STREAMS) == s.CONFIG
    assert stream_of(s.name_counter("n"), STREAMS) == s.NAMES
    with pytest.raises(LookupError):
        stream_of("elsewhere", STREAMS)


def test_a_subject_is_taken_apart_as_it_was_put_together() -> None:
    assert s.parse_cluster(s.cluster("b", "node", "gpu-1.example.com")) == s.ClusterSubject(
        "b", "node", "gpu-1.example.com"
    )
    assert s.parse_workflow(s.workflow(3, "w-1")) == s.WorkflowSubject(3, "w-1")
    assert s.parse_log(s.log("w-1", "t", 2)) == s.LogSubject("w-1", "t", 2)
