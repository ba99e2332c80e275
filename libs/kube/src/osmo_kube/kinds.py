"""From the `apiVersion` and `kind` of an object to where such objects lie: asked of the API server once per version."""

from typing import Any

from osmo_domain.errors import Rejected
from osmo_kube.api import KubeApi
from osmo_kube.errors import NotFound
from osmo_kube.paths import Resource


class Kinds:
    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._known: dict[tuple[str, str], Resource] = {}

    async def resource(self, api_version: str, kind: str) -> Resource:
        """Refused with `kube.no_kind` where the cluster has no such kind (any more, or yet: that is asked each time)."""
        found = self._known.get((api_version, kind))
        if found is None:
            await self._learn(api_version)
            found = self._known.get((api_version, kind))
        if found is None:
            raise Rejected("kube.no_kind", f"The cluster has no kind {kind} in {api_version}.", error_code="BACKEND")
        return found

    async def _learn(self, api_version: str) -> None:
        group, _, version = api_version.rpartition("/")
        try:
            listed = await self._api.get(f"/apis/{group}/{version}" if group else f"/api/{version}")
        except NotFound:
            return
        for each in listed.get("resources", ()):
            if "/" not in each["name"]:
                self._known[api_version, each["kind"]] = _resource(each, group, version)


def _resource(listed: dict[str, Any], group: str, version: str) -> Resource:
    return Resource(listed["name"], group, version, bool(listed.get("namespaced")))
