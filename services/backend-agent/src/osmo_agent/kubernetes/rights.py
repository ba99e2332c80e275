"""What the agent's account must be allowed to do in the cluster: as in the README, no more."""

from collections.abc import Mapping, Sequence
from typing import Final

from osmo_kube import KubeApi, Right, missing_rights

IN_CLUSTER: Final[Mapping[str, Sequence[str]]] = {"nodes": ("list", "watch"), "pods": ("list", "watch")}
IN_NAMESPACE: Final[Mapping[str, Sequence[str]]] = {
    "pods": ("get", "list", "watch", "create", "patch", "delete"),
    "secrets": ("get", "list", "create", "delete"),
    "services": ("get", "list", "create", "delete"),
    "configmaps": ("get", "list", "create", "patch", "delete"),
    "events": ("list", "watch"),
}
IDENTITY: Final = Right("get", "namespaces", name="kube-system", namespace="kube-system")


def needed(namespace: str) -> list[Right]:
    wide = [Right(verb, resource) for resource, verbs in IN_CLUSTER.items() for verb in verbs]
    narrow = [Right(verb, resource, "", namespace) for resource, verbs in IN_NAMESPACE.items() for verb in verbs]
    return [IDENTITY, *wide, *narrow]


async def what_is_missing(api: KubeApi, namespace: str) -> str:
    """A sentence that names each missing right; empty where the account may do all that it must."""
    missing = await missing_rights(api, needed(namespace))
    return f"the agent may not {', '.join(map(str, missing))}" if missing else ""
