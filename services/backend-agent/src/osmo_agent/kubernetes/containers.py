"""The three containers of a task's pod, before templates (spec 3.2-3.4). Pure."""

import re
from typing import Any, Final

from osmo_agent.kubernetes.attempt_secrets import AttemptSecrets
from osmo_agent.kubernetes.cluster_settings import ClusterSettings
from osmo_agent.kubernetes.names import CTRL, INIT, user_container
from osmo_agent.kubernetes.templates import quantity
from osmo_agent.kubernetes.volumes import (
    POD_JSON,
    SECRET_DIR,
    SECRETS_JSON,
    ctrl_mounts,
    init_mounts,
    mount,
    user_mounts,
)
from osmo_domain.plan import Resources, TaskPlan
from osmo_runtime.image_layout import CTRL_COMMAND, INIT_COMMAND, USER_COMMAND
from osmo_runtime.pod import OUTPUT_DIR, SOCKET_PATH, PodCheckpoint, PodSpec

Container = dict[str, Any]

_TWO_DOLLARS: Final = re.compile(r"\$\$(?!\()")
_CONFIG_DIR: Final = {"name": "OSMO_CONFIG_FILE_DIR", "value": "/osmo/login/config"}
_USUAL_GRACE_S: Final = 30
_INIT_MILLICPUS: Final = 250
_INIT_STORAGE: Final = 1 << 30


def user(spec: PodSpec, task: TaskPlan, secrets: AttemptSecrets, settings: ClusterSettings) -> Container:
    """The task's own image under our wrapper. Its requests are its template's; see `default_resources`."""
    made: Container = {
        "name": user_container(spec.task),
        "image": spec.image,
        "imagePullPolicy": settings.pull_policy,
        "command": list(USER_COMMAND),
        "args": _user_arguments(spec),
        "env": _user_environment(spec, secrets),
        "volumeMounts": [*user_mounts(), *file_mounts(secrets)],
    }
    if task.privileged:
        made["securityContext"] = {"privileged": True}
    return made


def _user_arguments(spec: PodSpec) -> list[str]:
    """A flag and its value are one word, since values may begin with a dash."""
    return [
        *(f"-checkpoint={_checkpoint(each)}" for each in spec.checkpoints),
        "-socketPath",
        SOCKET_PATH,
        "-userBinPath",
        "/osmo/usr/bin",
        *(f"-commands={_as_written(word)}" for word in spec.command),
        *(f"-args={_as_written(word)}" for word in spec.args),
    ]


def _checkpoint(checkpoint: PodCheckpoint) -> str:
    return f"{checkpoint.path};{checkpoint.url};{checkpoint.frequency_s:g};{checkpoint.regex}"


def _as_written(text: str) -> str:
    """Kubernetes puts values for `$(NAME)`, as is meant; it would also make one dollar of a shell's `$$`."""
    return _TWO_DOLLARS.sub("$$$$", text)


def _user_environment(spec: PodSpec, secrets: AttemptSecrets) -> list[dict[str, Any]]:
    """A credential goes before a plain variable of the same name."""
    plain = [
        {"name": name, "value": _as_written(value)}
        for name, value in spec.environment.items()
        if name not in secrets.variables
    ]
    secret = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": holder, "key": key}}}
        for name, (holder, key) in secrets.variables.items()
    ]
    no_gpus = [] if spec.gpu else [{"name": "NVIDIA_VISIBLE_DEVICES", "value": ""}]
    taken = {*spec.environment, *secrets.variables}
    return [*plain, *secret, *(each for each in [_CONFIG_DIR, *no_gpus] if each["name"] not in taken)]


def file_mounts(secrets: AttemptSecrets, below: str = "/") -> list[dict[str, Any]]:
    return [
        mount(files_volume(holder), path, key, read_only=True)
        for path, (holder, key) in secrets.files.items()
        if path.startswith(below)
    ]


def files_volume(secret: str) -> str:
    """The volume of the files in this Secret."""
    return f"files-{secret}"


def ctrl(task: TaskPlan, secrets: AttemptSecrets, image: str, settings: ClusterSettings, grace_s: object) -> Container:
    """`grace_s` is what the pod will have."""
    cpus = [{"name": "CPU_COUNT", "value": str(task.resources.cpu)}] if task.resources.cpu else []
    grace = [] if grace_s == _USUAL_GRACE_S else ["--grace", str(grace_s)]
    return {
        "name": CTRL,
        "image": image,
        "imagePullPolicy": settings.pull_policy,
        "command": list(CTRL_COMMAND),
        "args": ["--pod", f"{SECRET_DIR}/{POD_JSON}", "--secrets", f"{SECRET_DIR}/{SECRETS_JSON}", *grace],
        "env": [
            _CONFIG_DIR,
            {"name": "OSMO_NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            *cpus,
        ],
        "volumeMounts": [*ctrl_mounts(), *file_mounts(secrets, f"{OUTPUT_DIR}/")],
    }


def init(spec: PodSpec, task: TaskPlan, image: str, settings: ClusterSettings) -> Container:
    login = ["--service-url", spec.service_url, "--user", spec.user] if spec.service_url else []
    keys = ["--secrets", f"{SECRET_DIR}/{SECRETS_JSON}"] if spec.secrets.storage else []
    return {
        "name": INIT,
        "image": image,
        "imagePullPolicy": settings.pull_policy,
        "command": list(INIT_COMMAND),
        "args": [*login, *keys],
        "resources": _init_resources(task.resources),
        "volumeMounts": init_mounts(),
    }


def _init_resources(asked: Resources) -> dict[str, Any]:
    """A pod's request is never below that of its init containers, and nobody counted more for this pod than the task asks for."""
    return {
        "requests": {
            "cpu": f"{min(_INIT_MILLICPUS, asked.cpu * 1000)}m",
            "ephemeral-storage": quantity(min(_INIT_STORAGE, asked.storage_bytes)),
        },
        "limits": {"cpu": "500m", "ephemeral-storage": quantity(_INIT_STORAGE)},
    }


def default_resources(asked: Resources) -> dict[str, Any]:
    """Where no template says what the user's container requests: what the task asked for, which is what its place was chosen by."""
    amounts = {
        "cpu": str(asked.cpu) if asked.cpu else "",
        "memory": quantity(asked.memory_bytes) if asked.memory_bytes else "",
        "ephemeral-storage": quantity(asked.storage_bytes) if asked.storage_bytes else "",
        "nvidia.com/gpu": str(asked.gpu) if asked.gpu else "",
    }
    said = {name: amount for name, amount in amounts.items() if amount}
    return {"requests": said, "limits": dict(said)}
