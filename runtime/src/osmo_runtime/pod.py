"""What one task's pod is to run: the file `pod.json` that an agent's process runtime (or an init container) is given.

Plain data, no opinion: paths are those that the task sees. The kubernetes runtime puts the same values into flags and secrets.
"""

from msgspec import Struct, field

from osmo_runtime.pod_secrets import NO_SECRETS, PodSecrets

DATA_DIR = "/osmo/data"
INPUT_DIR = "/osmo/data/input"
OUTPUT_DIR = "/osmo/data/output"
SOCKET_PATH = "/osmo/data/socket/data.sock"


class PodFile(Struct, frozen=True, omit_defaults=True):
    path: str
    contents: str
    base64: bool = False


class PodInput(Struct, frozen=True, omit_defaults=True):
    """Downloaded to `/osmo/data/input/<index>` before the command starts. `task` is the producer's name, or empty."""

    url: str
    regex: str = ""
    task: str = ""


class PodOutput(Struct, frozen=True, omit_defaults=True):
    """`intermediate`: for the tasks behind this one, in the installation's own storage."""

    url: str
    regex: str = ""
    intermediate: bool = False


class PodCheckpoint(Struct, frozen=True, omit_defaults=True):
    path: str
    url: str
    frequency_s: float
    regex: str = ""


class PodSpec(Struct, frozen=True, omit_defaults=True):
    """`router_url` is where ctrl finds log-router, e.g. `http://127.0.0.1:8010`; `token` proves to it which task this is."""

    workflow_id: str
    workflow_uuid: str
    group: str
    task: str
    task_uuid: str
    retry_id: int
    pod_name: str
    image: str
    command: tuple[str, ...]
    router_url: str
    token: str
    args: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    files: tuple[PodFile, ...] = ()
    inputs: tuple[PodInput, ...] = ()
    outputs: tuple[PodOutput, ...] = ()
    checkpoints: tuple[PodCheckpoint, ...] = ()
    barrier: str = ""
    barrier_count: int = 0
    gpu: int = 0
    user: str = ""
    """Who submitted the workflow: as whom the `osmo` inside the task speaks."""
    service_url: str = ""
    """Where that `osmo` finds the service; empty where tasks are not to reach it."""
    restarts_by_router: bool = False
    """The agent cannot reach the control container: log-router tells it to restart its command."""
    secrets: PodSecrets = NO_SECRETS
    """Never in `pod.json`: put in by who starts the containers."""
