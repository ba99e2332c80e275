"""Which nodes their conditions let be used."""

import pytest

from osmo_domain.node_conditions import usable

HEALTHY = {"Ready": "True", "MemoryPressure": "False", "GpuHealthy": "True", "GpuFabric": "Unknown"}


@pytest.mark.parametrize(
    ("rules", "yes"),
    [
        ({}, True),
        ({"Ready": "True"}, True),
        ({"MemoryPressure": "False"}, True),
        ({"MemoryPressure": "True"}, False),
        ({"Gpu": "True"}, False),
        ({"Gpu": "True|Unknown"}, True),
        ({"Gpu": "True", "GpuFabric": "Unknown|False"}, True),
        ({"Healthy": "False"}, True),
        ({"GpuHealthy": "Tru"}, False),
    ],
)
def test_a_rule_matches_types_from_their_start_and_statuses_as_a_whole(rules: dict[str, str], yes: bool) -> None:
    assert usable(HEALTHY, rules) is yes


@pytest.mark.parametrize("ready", ["False", "Unknown", None])
def test_a_node_that_is_not_ready_is_never_usable(ready: str | None) -> None:
    statuses = {"Ready": ready} if ready else {}
    assert usable(statuses, {"Ready": "True"}) is False
    assert usable(statuses, {"Ready": ".*"}) is False
