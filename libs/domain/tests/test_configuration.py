"""Configuration: patches, merged templates, what follows from pools, history."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo_domain.commit import Commit, UnknownEvent
from osmo_domain.config import CONFIG_CODEC, Catalogue, ConfigDeleted, ConfigRevised, ConfigSet, apply_config
from osmo_domain.configuration.book import Book
from osmo_domain.configuration.decide import Note, decide_put, decide_rollback
from osmo_domain.configuration.deriving import derive_pool, pool_config
from osmo_domain.configuration.kinds import ConfigType, no_objects
from osmo_domain.configuration.patch import merge_patch
from osmo_domain.configuration.pod_templates import control_requests, merge_templates
from osmo_domain.configuration.secrets import MASK, masked, unmasked
from osmo_domain.configuration.settings import derive_settings, workflow_config
from osmo_domain.configuration.shapes import PoolConfig
from osmo_domain.errors import Rejected
from osmo_domain.label_policy import Enforcement, LabelPolicy, LabelsConfig
from osmo_domain.pool import (
    Backend,
    ControlRequests,
    GpuQuota,
    Platform,
    Pool,
    Toleration,
    TopologyKey,
    UserLimits,
    WorkflowSettings,
)

AT = datetime(2026, 11, 20, tzinfo=UTC)
CONTAINER = "{{USER_CONTAINER_NAME}}"


@pytest.mark.parametrize(
    ("current", "patch", "merged"),
    [
        ({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}}, {"a": 1, "b": {"c": 2, "d": 3}}),
        ({"a": {"b": 1}, "c": 2}, {"a": {"$action": "delete"}}, {"c": 2}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": [{"n": 1}]}, {"a": [{"n": 2}]}, {"a": [{"n": 1}, {"n": 2}]}),
        ({"a": [{"n": 1, "m": 1}]}, {"a": [{"$index": 0, "n": 2}]}, {"a": [{"n": 2, "m": 1}]}),
        ({"a": [{"n": 1, "m": 1}]}, {"a": [{"$index": 0, "$action": "replace", "n": 2}]}, {"a": [{"n": 2}]}),
        ({"a": [{"n": 1}, {"n": 2}]}, {"a": [{"$index": 0, "$action": "delete"}]}, {"a": [{"n": 2}]}),
        ({"a": [{"n": 1}]}, {"a": []}, {"a": []}),
    ],
)
def test_a_patch_merges_as_the_reference_says(current: Any, patch: Any, merged: Any) -> None:
    before = msgspec.json.encode(current)
    assert merge_patch(current, patch) == merged
    assert msgspec.json.encode(current) == before


@pytest.mark.parametrize("item", [{"$index": 1}, {"$index": True}, {"$index": 0, "$action": "explode"}])
def test_a_patch_of_what_is_not_there_is_refused(item: Any) -> None:
    with pytest.raises(Rejected) as caught:
        merge_patch({"a": [{"n": 1}]}, {"a": [item]})
    assert caught.value.code == "config.bad_patch"


def test_templates_merge_by_names_and_append_what_has_none() -> None:
    """The reference's worked example."""
    first = {
        "spec": {
            "tolerations": [{"key": "t1"}],
            "containers": [{"name": CONTAINER, "env": [{"name": "X", "value": "1"}]}],
        }
    }
    second = {
        "spec": {
            "tolerations": [{"key": "t2"}],
            "containers": [
                {"name": CONTAINER, "env": [{"name": "X", "value": "2"}, {"name": "Y", "value": "3"}]},
                {"name": "extra", "image": "img"},
            ],
        }
    }
    assert merge_templates([first, second]) == {
        "spec": {
            "tolerations": [{"key": "t1"}, {"key": "t2"}],
            "containers": [
                {"name": CONTAINER, "env": [{"name": "X", "value": "2"}, {"name": "Y", "value": "3"}]},
                {"name": "extra", "image": "img"},
            ],
        }
    }


@pytest.mark.parametrize(
    ("resources", "asked"),
    [
        (None, ControlRequests()),
        ({"limits": {"cpu": "1"}}, ControlRequests(0, 0, 1 << 30)),
        (
            {"requests": {"cpu": "250m", "memory": "1Gi", "ephemeral-storage": "3Gi"}},
            ControlRequests(0.25, 1 << 30, 3 << 30),
        ),
        ({"requests": {"cpu": "{{USER_CPU}}", "ephemeral-storage": "{{USER_STORAGE}}"}}, ControlRequests()),
    ],
)
def test_what_the_control_container_asks_for_is_read_from_its_template(resources: Any, asked: ControlRequests) -> None:
    container = {"name": "osmo-ctrl"} if resources is None else {"name": "osmo-ctrl", "resources": resources}
    assert control_requests({"spec": {"containers": [{"name": "other"}, container]}}) == asked


_NAMES = st.sampled_from(["a", "b", "c.d"])
_TEXTS = st.text(max_size=5)
_PLATFORMS = st.builds(
    Platform,
    description=_TEXTS,
    labels=st.dictionaries(_NAMES, _TEXTS, max_size=2),
    host_network_allowed=st.booleans(),
    privileged_allowed=st.booleans(),
    allowed_mounts=st.lists(_TEXTS, max_size=2).map(tuple),
    default_mounts=st.lists(_TEXTS, max_size=2, unique=True).map(tuple),
    tolerations=st.lists(st.builds(Toleration, key=_NAMES, value=_TEXTS), max_size=2).map(tuple),
    variables=st.dictionaries(_NAMES, st.integers() | _TEXTS, max_size=2),
)
_POOLS = st.builds(
    Pool,
    name=st.just("p"),
    backend=_NAMES,
    description=_TEXTS,
    enable_maintenance=st.booleans(),
    default_platform=st.none() | _NAMES,
    platforms=st.dictionaries(_NAMES, _PLATFORMS, max_size=2),
    gpu=st.none() | st.builds(GpuQuota, st.integers(-1, 9), st.integers(-1, 9), st.integers(0, 9)),
    default_exec_timeout_s=st.none() | st.integers(1, 10**6).map(float),
    max_queue_timeout_s=st.none() | st.integers(1, 10**6).map(float),
    default_exit_actions=st.dictionaries(_NAMES, _TEXTS, max_size=1),
    topology_keys=st.lists(st.builds(TopologyKey, _NAMES, _TEXTS), max_size=2).map(tuple),
    max_num_tasks=st.none() | st.integers(1, 9),
)


@given(_POOLS)
def test_a_pool_that_was_set_as_it_is_follows_from_its_object(pool: Pool) -> None:
    assert derive_pool("p", pool_config(pool), no_objects()) == pool


def test_settings_follow_from_their_object() -> None:
    settings = WorkflowSettings(
        max_num_tasks=7,
        tags=("a",),
        start_timeout_s=90,
        labels_config=LabelsConfig((LabelPolicy("team", ("red",), Enforcement.WARN),), "x/"),
        user_workflow_limits=UserLimits(3, None),
        data_url="file:///d",
        max_event_log_lines=9,
    )
    assert derive_settings(workflow_config(settings), WorkflowSettings()) == settings


@pytest.mark.parametrize(
    ("data_url", "endpoint", "kept_at"),
    [
        ("file:///d", "", "file:///d"),
        ("", "s3://own/", "s3://own"),
        ("file:///d", "s3://own", "s3://own"),
        ("s3://own/tasks", "s3://own", "s3://own/tasks"),
        ("s3://owner/tasks", "s3://own", "s3://own"),
    ],
)
def test_data_between_tasks_is_kept_where_there_are_keys_for_it(data_url: str, endpoint: str, kept_at: str) -> None:
    credential = {"endpoint": endpoint} if endpoint else None
    value = {"data_url": data_url, "workflow_data": {"credential": credential}}
    assert derive_settings(value, WorkflowSettings()).data_url == kept_at


def test_secrets_are_shown_as_stars_and_stars_mean_what_was_there() -> None:
    stored = {"workflow_alerts": {"slack_token": "s", "host": "h"}, "list": [{"password": "p"}]}
    shown = {"workflow_alerts": {"slack_token": MASK, "host": "h"}, "list": [{"password": MASK}]}
    assert masked(stored) == shown
    assert unmasked(shown, stored) == stored
    assert unmasked({"auth": MASK}, {}) == {"auth": ""}


def put(book: Book, kind: ConfigType, **objects: Any) -> None:
    fold(book, decide_put(book, kind, objects, Note("because", ("t",)), registered=("b",)))


def fold(book: Book, *events: Any) -> None:
    commit: Commit[Any] = Commit(id="c", at=AT, actor="ann", events=list(events))
    decoded = CONFIG_CODEC.decode(msgspec.json.encode(commit))
    book.fold(decoded, book.seq + 1, revision=True)


def test_going_back_restores_every_object_of_the_type_and_is_a_revision_itself() -> None:
    book = Book()
    put(book, ConfigType.POOL, a={"backend": "b"}, c={"backend": "b"})
    put(book, ConfigType.POOL, a={"backend": "b", "description": "changed"}, d={"backend": "b"})
    before = book.data_at(ConfigType.POOL, 1)
    fold(book, decide_rollback(book, ConfigType.POOL, 1, Note(), registered=("b",)))
    assert book.objects[ConfigType.POOL] == before == book.data_at(ConfigType.POOL, 3)
    assert set(book.catalogue.pools) == {"a", "c"}
    assert book.revisions[ConfigType.POOL][2].changes.description == "Roll back to POOL:1"


def test_going_back_is_refused_where_what_it_needs_is_gone() -> None:
    book = Book()
    put(book, ConfigType.POD_TEMPLATE, t={"spec": {}})
    put(book, ConfigType.POOL, a={"backend": "b", "common_pod_template": ["t"]})
    put(book, ConfigType.POOL, a={"backend": "b"})
    fold(book, ConfigRevised("POD_TEMPLATE", deleted=("t",)))
    with pytest.raises(Rejected) as caught:
        decide_rollback(book, ConfigType.POOL, 1, Note(), registered=("b",))
    assert caught.value.code == "config.unknown_pod_template"


def test_a_write_larger_than_a_message_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        put(Book(), ConfigType.POD_TEMPLATE, t={"spec": {"x": "y" * 1_000_000}})
    assert caught.value.code == "config.too_large"


def test_first_objects_and_revisions_are_one_history_in_the_order_of_the_log() -> None:
    book = Book()
    pool = Pool("p", "b", platforms={"x": Platform(labels={"k": "v"})})
    fold(book, ConfigSet("pool", "p", msgspec.Raw(msgspec.json.encode(pool))))
    fold(book, ConfigSet("backend", "b", msgspec.Raw(msgspec.json.encode(Backend("b")))))
    put(book, ConfigType.POOL, p={**book.objects[ConfigType.POOL]["p"], "description": "now ours"})
    assert book.catalogue.pools["p"] == msgspec.structs.replace(pool, description="now ours")
    assert [one.number for one in book.revisions[ConfigType.POOL]] == [1, 2]
    assert book.data_at(ConfigType.POOL, 1)["p"]["description"] == ""
    fold(book, ConfigDeleted("pool", "p"))
    assert (book.catalogue.pools, book.newest(ConfigType.POOL)) == ({}, 3)


def test_what_a_newer_release_wrote_is_passed_over() -> None:
    catalogue = Catalogue.empty()
    apply_config(catalogue, ConfigRevised("PUMPKIN", {"p": msgspec.Raw(b"1")}))
    apply_config(catalogue, ConfigRevised("POOL", {"p": msgspec.Raw(b'{"backend": 7}')}))
    assert catalogue.pools == {}
    book = Book()
    commit: Commit[Any] = Commit(id="c", at=AT, actor="ann", events=[UnknownEvent("config.new", msgspec.Raw(b"{}"))])
    book.fold(commit, 7, revision=True)
    assert (book.seq, book.revised_seq) == (7, 7)


def test_the_catalogue_gives_merged_templates_of_pools() -> None:
    book = Book()
    put(book, ConfigType.POD_TEMPLATE, a={"spec": {"x": 1}}, b={"spec": {"y": 2}})
    group = {"apiVersion": "v1", "kind": "C", "metadata": {"name": "m"}}
    put(book, ConfigType.GROUP_TEMPLATE, g={**group, "data": {"a": "1"}}, h={**group, "data": {"b": "2"}})
    put(
        book,
        ConfigType.POOL,
        p={
            "backend": "b",
            "common_pod_template": ["a"],
            "common_group_templates": ["g", "h"],
            "platforms": {"x": {"override_pod_template": ["b"]}},
        },
    )
    assert book.catalogue.pod_template("p", "x") == {"spec": {"x": 1, "y": 2}}
    assert book.catalogue.group_templates("p") == [{**group, "data": {"a": "1", "b": "2"}}]
    assert (book.catalogue.pod_template("p", "?"), book.catalogue.group_templates("?")) == ({}, [])


def test_the_wire_shape_of_a_pool_has_the_references_defaults() -> None:
    plain = msgspec.to_builtins(PoolConfig(backend="b"))
    assert plain["resources"] == {"gpu": None}
    assert (plain["default_platform"], plain["default_exec_timeout"], plain["enable_maintenance"]) == (None, "", False)
