"""What a spec may ask about topology."""

import pytest

from osmo_domain.errors import Rejected
from osmo_domain.plan import TopologyAsk
from osmo_domain.pool import Platform, Pool, TopologyKey, WorkflowSettings
from osmo_domain.spec.again import spec_again
from osmo_domain.spec.document import read_document, read_spec
from osmo_domain.spec.model import WorkflowSpec
from osmo_domain.spec.planning import make_draft
from osmo_domain.spec.rules import group_tasks, resolve_resources, upstream_groups
from osmo_domain.spec.topology_rules import check_topology_sets

POOL = Pool(
    name="p",
    backend="b",
    default_platform="d",
    platforms={"d": Platform()},
    topology_keys=(TopologyKey("zone", "z"), TopologyKey("rack", "r")),
)


def spec_of(*topologies: str) -> WorkflowSpec:
    resources = "".join(f"    r{n}: {{topology: [{one}]}}\n" for n, one in enumerate(topologies))
    tasks = "".join(f"  - {{name: t{n}, image: i, command: [x], resource: r{n}}}\n" for n, _ in enumerate(topologies))
    spec = read_spec(read_document(f"workflow:\n  name: w\n  resources:\n{resources}  tasks:\n{tasks}"))
    group_tasks(spec)
    return spec


def checked(*topologies: str) -> None:
    spec = spec_of(*topologies)
    check_topology_sets(spec, resolve_resources(spec, POOL))


@pytest.mark.parametrize(
    "topologies",
    [
        ["{key: rack}"],
        ["{key: rack}, {key: zone, group: all, requirementType: preferred}", "{key: zone}, {key: rack, group: b}"],
        ["{key: rack}", "", "{key: rack, group: other}"],
    ],
)
def test_the_same_levels_of_the_pool(topologies: list[str]) -> None:
    checked(*topologies)


@pytest.mark.parametrize(
    ("topologies", "code", "error_code", "said"),
    [
        (["{key: racks}"], "spec.topology_key", "SUBMISSION", "Did you mean `rack`"),
        (
            ["{key: rack}", "{key: zone}"],
            "spec.topology_mixed",
            "RESOURCE",
            "asks for the levels zone and task t0 for rack",
        ),
        (["{key: rack}", "{key: zone}, {key: rack}"], "spec.topology_mixed", "RESOURCE", "rack, zone"),
    ],
)
def test_others_are_refused(topologies: list[str], code: str, error_code: str, said: str) -> None:
    with pytest.raises(Rejected, match=said) as refusal:
        checked(*topologies)
    assert (refusal.value.code, refusal.value.error_code) == (code, error_code)
    assert refusal.value.line is not None


def test_it_is_kept_in_the_plan_and_when_that_runs_again() -> None:
    spec = spec_of("{key: zone, group: g, requirementType: preferred}")
    settings = WorkflowSettings(data_url="file:///d")
    draft = make_draft(spec, resolve_resources(spec, POOL), upstream_groups(spec), POOL, settings)
    assert draft.plan.groups[0].tasks[0].resources.topology == (TopologyAsk("zone", "g", required=False),)
    again = spec_again(draft.plan, POOL)
    assert make_draft(again, resolve_resources(again, POOL), upstream_groups(again), POOL, settings).plan == draft.plan
