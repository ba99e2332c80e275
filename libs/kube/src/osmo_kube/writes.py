"""Writes that may be repeated: names are decided by the caller, so doing one twice is doing it once."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from osmo_domain.errors import Rejected, Stale, Transient
from osmo_kube.api import STRATEGIC_MERGE, Json, KubeApi
from osmo_kube.errors import AlreadyThere, NotFound
from osmo_kube.paths import Resource

MANAGER: Final = {"fieldManager": "osmo"}


async def find(api: KubeApi, resource: Resource, namespace: str, name: str) -> Json | None:
    try:
        return await api.get(resource.one(namespace, name))
    except NotFound:
        return None


async def create(
    api: KubeApi, resource: Resource, namespace: str, body: Json, ours: Mapping[str, str]
) -> tuple[Json, bool]:
    """The object as it now is, and whether it is new.

    One of that name which carries the labels `ours` counts as made, by us, earlier; refused (`kube.taken`) where somebody else has the
    name. When the API server does not say how it went, it is asked what there is.
    """
    name = str(body["metadata"]["name"])
    try:
        made = msgspec.json.decode(await api.call("POST", resource.all(namespace), body, query=MANAGER))
    except AlreadyThere:
        there = await find(api, resource, namespace, name)
        if there is None:
            raise Transient(f"{resource.plural} {name} was there and is gone: trying again") from None
    except Transient:
        there = await find(api, resource, namespace, name)
        if there is None:
            raise
    else:
        return made, True
    if not carries(there, ours):
        raise Rejected(
            "kube.taken", f"The {resource.plural} {namespace}/{name} exists and is not osmo's.", error_code="BACKEND"
        )
    return there, False


def carries(there: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    has = there["metadata"].get("labels") or {}
    return all(has.get(key) == value for key, value in labels.items())


async def delete(
    api: KubeApi, resource: Resource, namespace: str, name: str, *, uid: str = "", grace_s: int | None = None
) -> None:
    """Only the object of this uid, where one is given; that it is not there any more is fine. It may take a while to go."""
    options: Json = {"propagationPolicy": "Background"}
    if uid:
        options["preconditions"] = {"uid": uid}
    if grace_s is not None:
        options["gracePeriodSeconds"] = grace_s
    try:
        await api.call("DELETE", resource.one(namespace, name), options)
    except (NotFound, Stale):
        return


async def remove_finalizer(
    api: KubeApi, resource: Resource, namespace: str, name: str, uid: str, finalizer: str
) -> None:
    """Take our finalizer off this object, whatever else it carries; that it is not there any more is fine."""
    change = {"metadata": {"uid": uid, "$deleteFromPrimitiveList/finalizers": [finalizer]}}
    try:
        await api.call("PATCH", resource.one(namespace, name), change, query=MANAGER, content=STRATEGIC_MERGE)
    except (NotFound, Stale):
        return
