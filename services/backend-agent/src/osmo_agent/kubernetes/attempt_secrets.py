"""What an attempt gets that is not for everybody's eyes, as Secrets: its pod file with the token, values of credentials, files. Pure."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from osmo_agent.kubernetes.names import attempt_name
from osmo_agent.kubernetes.volumes import POD_JSON, SECRETS_JSON
from osmo_runtime.pod import PodSpec
from osmo_runtime.pod_secrets import NO_SECRETS, encode_secrets

_ROOM: Final = 700 * 1024
"""Bytes of one Secret: the API server takes a megabyte, in which they count for a third more. A file too large for one is the API server's to refuse."""


@dataclass(frozen=True, slots=True)
class AttemptSecrets:
    """`objects` as they are created, the first one under the attempt's name. `variables` and `files` say where the pod finds each: Secret and key."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    variables: dict[str, tuple[str, str]] = field(default_factory=dict)
    files: dict[str, tuple[str, str]] = field(default_factory=dict)


def attempt_secrets(spec: PodSpec, labels: Mapping[str, str]) -> AttemptSecrets:
    name = attempt_name(spec.pod_name, spec.retry_id)
    contents = {POD_JSON: _encoded(_pod_file(spec)), SECRETS_JSON: _encoded(_secrets_file(spec))}
    variables: dict[str, tuple[str, str]] = {}
    for number, (variable, value) in enumerate(spec.secrets.environment.items()):
        contents[f"env-{number}"] = _encoded(value.encode())
        variables[variable] = (name, f"env-{number}")
    made = AttemptSecrets([], variables)
    for number, part in enumerate(_parts(contents, _files(spec))):
        holder = name if number == 0 else f"{name}-files-{number}"
        made.objects.append(_object(holder, labels, part.contents))
        made.files.update({path: (holder, key) for path, key in part.files.items()})
    return made


def _pod_file(spec: PodSpec) -> bytes:
    """What the control container reads: not the command, which is the user's container's."""
    kept = msgspec.structs.replace(spec, secrets=NO_SECRETS, files=(), environment={}, command=(), args=())
    return msgspec.json.encode(msgspec.structs.replace(kept, restarts_by_router=True))


def _secrets_file(spec: PodSpec) -> bytes:
    """Logins of registries are for the cluster alone."""
    return encode_secrets(msgspec.structs.replace(spec.secrets, registries=()))


def _files(spec: PodSpec) -> dict[str, str]:
    """Path to contents in base64: Kubernetes mounts nothing twice at one path, so the later of two wins."""
    plain = {each.path: each.contents if each.base64 else _encoded(each.contents.encode()) for each in spec.files}
    secret = {each.path: _encoded(each.contents.encode()) for each in spec.secrets.files}
    return {**plain, **secret}


@dataclass(slots=True)
class _Part:
    contents: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(map(len, self.contents.values())) * 3 // 4


def _parts(first: dict[str, str], files: Mapping[str, str]) -> Iterator[_Part]:
    """The first with as many files as there is room for, then as many more as it takes."""
    part = _Part(dict(first))
    for number, (path, encoded) in enumerate(files.items()):
        if part.size + len(encoded) * 3 // 4 > _ROOM:
            yield part
            part = _Part({})
        part.contents[f"file-{number}"] = encoded
        part.files[path] = f"file-{number}"
    yield part


def _object(name: str, labels: Mapping[str, str], contents: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": dict(labels)},
        "type": "Opaque",
        "immutable": True,
        "data": dict(contents),
    }


def pull_secret(name: str, labels: Mapping[str, str], logins: Iterable[Mapping[str, str]]) -> dict[str, Any] | None:
    """What the cluster pulls the group's images with; None where they need no login."""
    logged_in = {each["registry"]: _login(each) for each in logins if each.get("registry")}
    if not logged_in:
        return None
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": dict(labels)},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": _encoded(msgspec.json.encode({"auths": logged_in}))},
    }


def _login(login: Mapping[str, str]) -> dict[str, str]:
    return {"auth": _encoded(f"{login.get('username', '')}:{login.get('auth', '')}".encode())}


def _encoded(contents: bytes) -> str:
    return base64.b64encode(contents).decode("ascii")
