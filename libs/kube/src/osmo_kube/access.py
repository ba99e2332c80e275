"""What we may do, asked of the API server itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from osmo_kube.api import Json, KubeApi
from osmo_kube.errors import in_words

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Right:
    """Without a namespace: in the whole cluster. With a name: on that object alone."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        named = f" {self.name}" if self.name else ""
        return in_words(self.verb, self.resource + named, self.group, self.namespace)


async def missing_rights(api: KubeApi, rights: Sequence[Right]) -> list[Right]:
    """Those of the rights that we do not have."""
    have = await asyncio.gather(*(_have(api, right) for right in rights))
    return [right for right, yes in zip(rights, have, strict=True) if not yes]


async def _have(api: KubeApi, right: Right) -> bool:
    asked: Json = {"verb": right.verb, "resource": right.resource, "group": right.group, "namespace": right.namespace}
    if right.name:
        asked["name"] = right.name
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    answer = msgspec.json.decode(await api.call("POST", _REVIEWS, review))
    return bool(answer.get("status", {}).get("allowed"))
