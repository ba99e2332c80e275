"""The volumes of a pod, and where each of its containers has them (spec 3.2-3.4; osmo_runtime.image_layout)."""

from typing import Any, Final

from osmo_runtime.image_layout import CTRL_LOGIN, USER_LOGIN, VOLUME_DIR

Mount = dict[str, Any]

EMPTY: Final = ("osmo", "osmo-data", "osmo-login", "osmo-usr-bin", "osmo-run")
SECRET_VOLUME: Final = "osmo-secret"  # noqa: S105 - a name
SECRET_DIR: Final = "/osmo/secret"  # noqa: S105 - a path
POD_JSON: Final = "pod.json"
SECRETS_JSON: Final = "secrets.json"


def mount(volume: str, path: str, sub_path: str = "", *, read_only: bool = False) -> Mount:
    made: Mount = {"name": volume, "mountPath": path}
    if sub_path:
        made["subPath"] = sub_path
    if read_only:
        made["readOnly"] = True
    return made


def init_mounts() -> list[Mount]:
    return [
        mount("osmo", VOLUME_DIR),
        mount("osmo-data", "/osmo/data"),
        mount("osmo-login", "/osmo/login"),
        mount("osmo-usr-bin", "/osmo/usr/bin"),
        mount("osmo-run", "/osmo/run"),
        mount(SECRET_VOLUME, SECRET_DIR, read_only=True),
    ]


def ctrl_mounts() -> list[Mount]:
    return [
        mount("osmo-data", "/osmo/data/socket", "socket"),
        mount("osmo-data", "/osmo/data/input", "input"),
        mount("osmo-data", "/osmo/data/output", "output", read_only=True),
        mount("osmo-data", "/osmo/data/benchmarks", "benchmarks"),
        mount("osmo-login", "/osmo/login/config", CTRL_LOGIN),
        mount(SECRET_VOLUME, SECRET_DIR, read_only=True),
    ]


def user_mounts() -> list[Mount]:
    """`/osmo/input` and `/osmo/output` a second time: no link can be made in the user's image."""
    return [
        mount("osmo", VOLUME_DIR, read_only=True),
        mount("osmo-data", "/osmo/data/socket", "socket"),
        mount("osmo-data", "/osmo/data/input", "input"),
        mount("osmo-data", "/osmo/data/output", "output"),
        mount("osmo-data", "/osmo/data/benchmarks", "benchmarks"),
        mount("osmo-data", "/osmo/input", "input"),
        mount("osmo-data", "/osmo/output", "output"),
        mount("osmo-login", "/osmo/login/config", USER_LOGIN),
        mount("osmo-usr-bin", "/osmo/usr/bin", read_only=True),
        mount("osmo-run", "/osmo/run"),
    ]
