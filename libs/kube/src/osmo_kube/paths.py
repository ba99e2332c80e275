"""Where objects lie in the API."""

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object as the API's paths name it. `group` is empty for the core."""

    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True

    def all(self, namespace: str = "") -> str:
        """The path of the collection; of the whole cluster's without a namespace."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        within = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}{within}/{self.plural}"

    def one(self, namespace: str, name: str) -> str:
        return f"{self.all(namespace)}/{quote(name, safe='')}"


PODS = Resource("pods")
SECRETS = Resource("secrets")
SERVICES = Resource("services")
CONFIG_MAPS = Resource("configmaps")
EVENTS = Resource("events")
NODES = Resource("nodes", namespaced=False)
NAMESPACES = Resource("namespaces", namespaced=False)
