"""Apps: a name belongs to one app, numbers of versions are never used again, owners delete and rename, and folds agree."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo_domain.apps import (
    AppEvent,
    Apps,
    AppVersionAdded,
    VersionStatus,
    apply_app_event,
    decide_create,
    decide_delete,
    decide_rename,
    decide_update,
    parse_app,
)
from osmo_domain.errors import Rejected

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def fold(apps: Apps, uuid: str, events: list[AppEvent]) -> Apps:
    for event in events:
        apply_app_event(apps, uuid, event)
    return apps


@pytest.fixture
def apps() -> Apps:
    """`train` of ann with versions 1 and 2."""
    apps = fold(Apps(), "u1", decide_create(Apps(), "train", "Trains.", "ann", "b1", NOW))
    return fold(apps, "u1", decide_update(apps.find("train"), "bob", "b2", NOW))


def code_of(refused: pytest.ExceptionInfo[Rejected]) -> str:
    return refused.value.code


def test_a_new_app_has_its_first_version(apps: Apps) -> None:
    app = apps.find("train")
    assert (app.uuid, app.owner, app.description) == ("u1", "ann", "Trains.")
    assert [(one.version, one.created_by, one.blob, one.status) for one in app.versions] == [
        (1, "ann", "b1", VersionStatus.READY),
        (2, "bob", "b2", VersionStatus.READY),
    ]
    assert app.version().version == 2
    assert app.version(1).blob == "b1"


@pytest.mark.parametrize(
    ("name", "description", "code"),
    [
        ("train", "x", "app.exists"),
        ("a b", "x", "app.name"),
        ("", "x", "app.name"),
        ("new", "  ", "app.no_description"),
    ],
)
def test_what_cannot_be_created_is_refused(apps: Apps, name: str, description: str, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        decide_create(apps, name, description, "eve", "b", NOW)
    assert code_of(refused) == code


def test_only_the_owner_deletes_and_numbers_are_not_used_again(apps: Apps) -> None:
    app = apps.find("train")
    with pytest.raises(Rejected) as refused:
        decide_delete(app, "bob", 2, NOW, every=False)
    assert code_of(refused) == "app.not_owner"
    fold(apps, "u1", decide_delete(app, "ann", 2, NOW, every=False))
    assert app.version().version == 1
    (added,) = decide_update(app, "ann", "b3", NOW)
    assert isinstance(added, AppVersionAdded)
    assert added.version == 3
    with pytest.raises(Rejected) as refused:
        app.version(2)
    assert code_of(refused) == "app.no_version"


@pytest.mark.parametrize(("version", "every"), [(None, False), (1, True)])
def test_a_deletion_says_what(apps: Apps, version: int | None, every: bool) -> None:
    with pytest.raises(Rejected) as refused:
        decide_delete(apps.find("train"), "ann", version, NOW, every=every)
    assert code_of(refused) == "app.what"


def test_a_name_is_not_freed_by_deleting_and_is_freed_by_renaming(apps: Apps) -> None:
    app = apps.find("train")
    fold(apps, "u1", decide_delete(app, "ann", None, NOW, every=True))
    assert app.ready == []
    assert decide_delete(app, "ann", None, NOW, every=True) == []
    with pytest.raises(Rejected) as refused:
        decide_create(apps, "train", "x", "eve", "b", NOW)
    assert code_of(refused) == "app.exists"
    fold(apps, "u1", decide_rename(apps, app, "training", "ann", NOW))
    assert apps.find("training") is app
    assert decide_create(apps, "train", "x", "eve", "b", NOW)


def test_only_the_owner_renames_and_only_to_what_is_free(apps: Apps) -> None:
    app = apps.find("train")
    assert decide_rename(apps, app, "train", "ann", NOW) == []
    for name, user, code in (("x", "bob", "app.not_owner"), ("a/b", "ann", "app.name")):
        with pytest.raises(Rejected) as refused:
            decide_rename(apps, app, name, user, NOW)
        assert code_of(refused) == code


def test_references() -> None:
    assert parse_app("train") == ("train", None)
    assert parse_app("train:12") == ("train", 12)
    for text in ("", "a:b", "a:", "a:1:2", "a b", "a:-1"):
        with pytest.raises(Rejected):
            parse_app(text)


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["create", "update", "delete", "rename"]), st.integers(1, 3))
    )
)
def test_whatever_is_done_a_name_leads_to_one_app_and_versions_count_up(steps: list[tuple[str, str, int]]) -> None:
    apps = Apps()
    for number, (name, what, version) in enumerate(steps):
        uuid, events = f"u{number}", []
        try:
            if what == "create":
                events = decide_create(apps, name, "d", "ann", "b", NOW)
            else:
                app = apps.find(name)
                uuid = app.uuid
                if what == "update":
                    events = decide_update(app, "ann", "b", NOW)
                elif what == "delete":
                    events = decide_delete(app, "ann", version, NOW, every=False)
                else:
                    events = decide_rename(apps, app, "ba"["ab".index(name)], "ann", NOW)
        except Rejected:
            continue
        fold(apps, uuid, events)
        assert {app.name: app for app in apps.by_uuid.values()} == apps.by_name
        for app in apps.by_uuid.values():
            assert [one.version for one in app.versions] == list(range(1, len(app.versions) + 1))
