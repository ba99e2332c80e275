"""What every installation begins with: pod templates, rules and roles that people may use, change or delete. Written once, by `system`."""

import logging
from typing import Any, Final

import msgspec
from msgspec import Raw

from osmo_domain.commit import Commit, encode_commit
from osmo_domain.config import ConfigEvent, ConfigRevised
from osmo_domain.configuration.kinds import ConfigType
from osmo_domain.configuration.normal import normal
from osmo_domain.errors import Stale
from osmo_domain.ids import derived_uuid
from osmo_eventlog.ports import EventLog
from osmo_eventlog.subjects import config_revision
from osmo_service.clock import Clock

log = logging.getLogger("osmo.gateway.seeding")

_AMOUNTS: Final = {"cpu": "{{USER_CPU}}", "memory": "{{USER_MEMORY}}", "ephemeral-storage": "{{USER_STORAGE}}"}
_GPU: Final = {"nvidia.com/gpu": "{{USER_GPU}}"}


def _container(name: str, limits: dict[str, str], requests: dict[str, str]) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": name, "resources": {"limits": limits, "requests": requests}}]}}


def _rule(operator: str, left: str, right: str, message: str) -> dict[str, str]:
    return {"operator": operator, "left_operand": left, "right_operand": right, "assert_message": message}


def _fits(what: str, word: str, operator: str) -> list[dict[str, str]]:
    user, node = "{{" + f"USER_{what}" + "}}", "{{" + f"K8_{what}" + "}}"
    least = ("GE", "not be negative") if what == "GPU" else ("GT", "be more than 0")
    return [
        _rule(operator, user, node, f"{word} {user} is more than this node has ({node})"),
        _rule(least[0], user, "0", f"{word} {user} must {least[1]}"),
    ]


def _role(description: str, *policies: tuple[list[str], list[str]], immutable: bool = True) -> dict[str, Any]:
    return {
        "description": description,
        "policies": [{"actions": actions, "resources": resources} for actions, resources in policies],
        "immutable": immutable,
    }


_USER_ACTIONS: Final = [
    "app:*", "auth:Token", "credentials:*", "mcp:Access", "pool:List", "profile:Read", "profile:Update", "resources:Read",
    "user:List", "workflow:List", "workflow:Read",
]  # fmt: skip

SHIPPED: Final[dict[ConfigType, dict[str, Any]]] = {
    ConfigType.POD_TEMPLATE: {
        "default_user": _container("{{USER_CONTAINER_NAME}}", {**_AMOUNTS, **_GPU}, {**_AMOUNTS, **_GPU}),
        "default_ctrl": _container("osmo-ctrl", _AMOUNTS, {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}),
    },
    ConfigType.RESOURCE_VALIDATION: {
        "default_cpu": _fits("CPU", "CPU", "LE"),
        "default_memory": _fits("MEMORY", "Memory", "LE"),
        "default_storage": _fits("STORAGE", "Storage", "LT"),
        "default_gpu": _fits("GPU", "GPU", "LE"),
    },
    ConfigType.ROLE: {
        "osmo-admin": _role("Everything", (["*:*"], ["*"])),
        "osmo-user": _role(
            "Runs workflows in the default pool",
            (_USER_ACTIONS, ["*"]),
            (["workflow:*"], ["pool/default"]),
            immutable=False,
        ),
        "osmo-backend": _role(
            "Agents of clusters",
            (["internal:Operator", "pool:List", "config:Read"], ["backend/*", "pool/*", "config/backend"]),
        ),
        "osmo-ctrl": _role("Control containers of tasks", (["internal:Logger", "internal:Router"], ["*"])),
        "osmo-default": _role(
            "Everybody",
            (["system:Health", "system:Version", "auth:Login", "auth:Refresh", "profile:*"], ["*"]),
        ),
    },
}


async def sow_shipped(event_log: EventLog, clock: Clock) -> None:
    """Append the first revision of each of these types, where there is none."""
    for kind, objects in SHIPPED.items():
        values = {name: Raw(msgspec.json.encode(normal(kind, name, value))) for name, value in objects.items()}
        event = ConfigRevised(kind.value, values, description="What every installation begins with")
        commit: Commit[ConfigEvent] = Commit(
            id=derived_uuid("shipped", kind), at=clock.now(), actor="system", events=[event]
        )
        try:
            await event_log.append(config_revision(kind), encode_commit(commit), message_id=commit.id, expected=0)
        except Stale:
            continue
        log.info("seeded", extra={"kind": kind.value})
