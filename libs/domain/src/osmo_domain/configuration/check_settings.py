"""Whether backends, backend tests, roles and the settings of the installation make sense."""

import re
from typing import Any, Final

import msgspec

from osmo_domain.configuration.kinds import ConfigType, Objects
from osmo_domain.configuration.refusals import refused, shaped
from osmo_domain.configuration.secrets import refuse_secrets
from osmo_domain.configuration.settings_shapes import ServiceConfig, WorkflowConfig
from osmo_domain.configuration.shapes import BackendConfig, BackendTest, Role
from osmo_domain.durations import parse_duration
from osmo_domain.errors import Rejected
from osmo_domain.label_policy import LabelsConfig, check_labels_config

_BACKEND_NAME: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?")
_TEST_NAME: Final = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
_ACTION: Final = re.compile(r"(\*|[a-z]+):(\*|[A-Z][a-zA-Z]*)")
_STATUS: Final = re.compile(r"(True|False|Unknown)(\|(True|False|Unknown))*")
_CRON_FIELD: Final = re.compile(r"[0-9*,\-/?LW#]+")
_CRON_RANGES: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CONDITION: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_./]{0,314}[A-Za-z0-9])?")
_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")


def check_backend(name: str, value: Any, objects: Objects) -> None:
    backend = shaped(value, BackendConfig, f"Backend {name}")
    if not _BACKEND_NAME.fullmatch(name):
        raise refused(
            "name", f'"{name[:80]}" cannot be the name of a backend: letters, digits, "-" and "_", at most 63.'
        )
    for test in backend.tests:
        if test not in objects[ConfigType.BACKEND_TEST]:
            raise refused(
                "unknown_backend_test", f"Backend {name} names the test {test}, which does not exist.", "tests"
            )
    for pattern, status in (backend.node_conditions.rules or {}).items():
        _check_rule(name, pattern, status)
    if backend.scheduler_settings.scheduler_type != "kai":
        raise refused(
            "scheduler",
            f'Backend {name} wants the scheduler "{backend.scheduler_settings.scheduler_type}"; there is kai.',
            "scheduler_settings.scheduler_type",
        )


def _check_rule(name: str, pattern: str, status: str) -> None:
    path = f"node_conditions.rules.{pattern}"
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise refused("node_condition", f'Backend {name}: "{pattern}" is no pattern: {error}.', path) from error
    if not _STATUS.fullmatch(status):
        raise refused(
            "node_condition", f'Backend {name}: "{status}" is not True, False, Unknown or several by "|".', path
        )
    if pattern == "Ready" and compiled and status != "True":
        raise refused("node_condition", f"Backend {name}: nodes must be Ready, so this rule can only be True.", path)


def check_backend_test(name: str, value: Any, objects: Objects) -> None:
    test = shaped(value, BackendTest, f"Backend test {name}")
    if not _TEST_NAME.fullmatch(name):
        raise refused(
            "name", f'"{name[:80]}" cannot be the name of a backend test (lower case letters, digits, "-", ".").'
        )
    fields = test.cron_schedule.split()
    if len(fields) != len(_CRON_RANGES) or not all(map(_is_cron, fields, _CRON_RANGES)):
        raise refused(
            "cron", f'"{test.cron_schedule}" is not a schedule of five fields like 0 3 * * 1.', "cron_schedule"
        )
    if not 30 <= _seconds(test.test_timeout, "test_timeout") <= 86_400:
        raise refused("time", "test_timeout is from 30s to 24h.", "test_timeout")
    if not test.node_conditions or not all(_CONDITION.fullmatch(one) for one in test.node_conditions):
        raise refused(
            "node_condition", f"Test {name} needs at least one node condition that it sets.", "node_conditions"
        )
    if not test.common_pod_template:
        raise refused("bad_shape", f"Test {name} needs at least one pod template.", "common_pod_template")
    for template in test.common_pod_template:
        if template not in objects[ConfigType.POD_TEMPLATE]:
            raise refused(
                "unknown_pod_template",
                f"Test {name} names the pod template {template}, which does not exist.",
                "common_pod_template",
            )


def _is_cron(text: str, bounds: tuple[int, int]) -> bool:
    if not _CRON_FIELD.fullmatch(text):
        return False
    steps = re.sub(r"/[0-9]+", "", text)
    return all(bounds[0] <= int(number) <= bounds[1] for number in re.findall(r"[0-9]+", steps.split("#")[0]))


def check_role(name: str, value: Any) -> None:
    role = shaped(value, Role, f"Role {name}")
    for number, policy in enumerate(role.policies):
        if not policy.actions:
            raise refused(
                "role_action", f"Policy {number + 1} of role {name} has no actions.", f"policies[{number}].actions"
            )
        for action in policy.actions:
            if not _ACTION.fullmatch(action):
                raise refused(
                    "role_action", f'"{action}" is not an action like workflow:Create.', f"policies[{number}].actions"
                )


def check_service(value: Any) -> None:
    service = shaped(value, ServiceConfig, "The service config")
    refuse_secrets(value)
    for key in ("latest_version", "min_supported_version"):
        version = getattr(service.cli_config, key)
        if version and not _VERSION.fullmatch(version):
            raise refused("version", f'"{version}" is not a version like 6.4.0.', f"cli_config.{key}")
    _seconds(service.max_pod_restart_limit, "max_pod_restart_limit")
    _seconds(service.service_auth.max_token_duration, "service_auth.max_token_duration")


_COUNTS: Final = (
    "max_num_tasks",
    "max_num_ports_per_task",
    "max_log_lines",
    "max_task_log_lines",
    "max_error_log_lines",
    "max_event_log_lines",
    "max_spec_bytes",
)


def check_workflow(value: Any) -> None:
    config = shaped(value, WorkflowConfig, "The workflow config")
    refuse_secrets(value)
    for key in _COUNTS:
        _at_least(getattr(config, key), 1, key)
    for key in ("max_retry_per_task", "max_retry_per_job"):
        _at_least(getattr(config, key), 0, key)
    _at_least(config.workflow_info.max_name_length, 1, "workflow_info.max_name_length")
    if config.default_schedule_timeout <= 0:
        raise refused("limit", "default_schedule_timeout is a number of minutes above 0.", "default_schedule_timeout")
    for key in ("max_num_workflows", "max_num_tasks"):
        limit = getattr(config.user_workflow_limits, key)
        if limit is not None:
            _at_least(limit, 1, f"user_workflow_limits.{key}")
    for kind in ("exec", "queue"):
        _check_timeouts(config, kind)
    for key in ("force_cleanup_delay", "task_heartbeat_frequency"):
        _seconds(getattr(config, key), key)
    check_labels_config(msgspec.convert(msgspec.to_builtins(config.labels_config), LabelsConfig))


def _check_timeouts(config: WorkflowConfig, kind: str) -> None:
    default, most = f"default_{kind}_timeout", f"max_{kind}_timeout"
    if _seconds(getattr(config, default), default) > _seconds(getattr(config, most), most):
        raise refused("time", f"{default} is longer than {most}.", default)


def _at_least(amount: int, least: int, path: str) -> None:
    if not least <= amount < 2**53:
        raise refused("limit", f"{path} is {amount}; it is at least {least}.", path)


def _seconds(text: str, path: str) -> float:
    try:
        return parse_duration(text)
    except Rejected as error:
        raise refused("time", f"{path}: {error.message}", path) from error
