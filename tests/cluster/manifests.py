"""What k8s/ and compose.yaml make, read as their tools read them, and what our programs know of it: modules, settings, health endpoints."""

import importlib
import importlib.util
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from osmo_service.health import HealthSettings

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ("dev", "ha", "agent")
NAMESPACE = "osmo"
Object = dict[str, Any]

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "osmo_gateway": ("osmo_gateway.settings:Settings",),
    "osmo_gateway.streams": ("osmo_gateway.streams:StreamSettings",),
    "osmo_submit": ("osmo_submit.settings:SubmitSettings",),
    "osmo_scheduler": ("osmo_scheduler.settings:SchedulerSettings",),
    "osmo_log_router": ("osmo_log_router.settings:LogRouterSettings",),
    "osmo_data": ("osmo_data.settings:DataSettings",),
    "osmo_agent": ("osmo_agent.settings:AgentSettings",),
}
"""Which Structs the program of a module reads its variables into; all but `streams` also read HealthSettings."""


def build(kubectl: Path, overlay: str) -> list[Object]:
    """The objects of k8s/overlays/<overlay>, as `kubectl apply -k` would send them."""
    command = [str(kubectl), "kustomize", str(ROOT / "k8s" / "overlays" / overlay)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, f"kustomize warns: {done.stderr}"
    return load_all(done.stdout)


def load_all(text: str) -> list[Object]:
    """As Kubernetes reads YAML: version 1.1, where 0440 is a number to the base of eight."""
    return list(yaml.safe_load_all(text))


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    return [found for found in objects if found["kind"] in kinds]


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The one of this kind and name; a name that kustomize has put a hash behind counts."""
    found = [one for one in of_kind(objects, kind) if unhashed(one) == name]
    assert len(found) == 1, f"{len(found)} {kind} {name}"
    return found[0]


def unhashed(one: Object) -> str:
    name = str(one["metadata"]["name"])
    return name.rpartition("-")[0] if one["kind"] == "ConfigMap" else name


@dataclass(frozen=True)
class Container:
    """One container of a workload. `environment` is as it will be there; what comes from a Secret or from the pod itself is in angle brackets."""

    workload: str
    spec: Object
    environment: Mapping[str, str]
    shared: frozenset[str]
    """The variables that a ConfigMap gives to several programs, each of which may leave some aside."""

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def image(self) -> tuple[str, str]:
        name, _, tag = self.spec["image"].rpartition(":")
        return name, tag

    @property
    def module(self) -> str | None:
        return module_of(self.spec.get("command") or [])

    def port(self, name: str) -> int:
        return next(int(port["containerPort"]) for port in self.spec["ports"] if port["name"] == name)


def containers(objects: list[Object]) -> list[Container]:
    return [one for workload in of_kind(objects, "Deployment", "StatefulSet") for one in _containers(objects, workload)]


def _containers(objects: list[Object], workload: Object) -> Iterator[Container]:
    pod = workload["spec"]["template"]["spec"]
    for spec in [*pod.get("initContainers", ()), *pod["containers"]]:
        shared = _shared(objects, spec)
        own = {entry["name"]: _value(entry) for entry in spec.get("env", ())}
        environment = {**shared, **_expanded(own)}
        yield Container(workload["metadata"]["name"], spec, environment, frozenset(shared))


def _shared(objects: list[Object], spec: Object) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in spec.get("envFrom", ()):
        name = source["configMapRef"]["name"]
        found.update(next(one for one in of_kind(objects, "ConfigMap") if one["metadata"]["name"] == name)["data"])
    return found


def _value(entry: Object) -> str:
    if "value" in entry:
        return str(entry["value"])
    source = entry["valueFrom"]
    secret = source.get("secretKeyRef")
    return f"<{secret['name']}/{secret['key']}>" if secret else f"<{source['fieldRef']['fieldPath']}>"


def _expanded(environment: Mapping[str, str]) -> dict[str, str]:
    """As the kubelet does it: $(NAME) of what stands before."""
    done: dict[str, str] = {}
    for name, value in environment.items():
        done[name] = re.sub(r"\$\(([A-Z_]+)\)", lambda found: done.get(found[1], found[0]), value)
    return done


def module_of(command: list[str]) -> str | None:
    """What `python -m` runs, where that is what the command does."""
    return command[2] if command[:2] == ["python", "-m"] else None


def settings_of(module: str) -> tuple[type[Struct], ...]:
    own = tuple(_struct(path) for path in SETTINGS[module])
    return own if module == "osmo_gateway.streams" else (*own, HealthSettings)


def known_variables(module: str) -> set[str]:
    return {f"OSMO_{name.upper()}" for kind in settings_of(module) for name in kind.__struct_fields__}


def runs(module: str) -> bool:
    """Whether `python -m` finds something to run."""
    found = importlib.util.find_spec(module)
    if found is not None and found.submodule_search_locations is not None:
        return importlib.util.find_spec(f"{module}.__main__") is not None
    return found is not None


def _struct(path: str) -> type[Struct]:
    module, _, name = path.partition(":")
    kind: type[Struct] = getattr(importlib.import_module(module), name)
    return kind
