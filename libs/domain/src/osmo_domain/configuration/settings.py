"""The WORKFLOW config and the limits that the house works with: the same things in two shapes."""

from typing import Any

import msgspec

from osmo_domain.configuration import settings_shapes as shapes
from osmo_domain.configuration.settings_shapes import WorkflowConfig, WorkflowInfo
from osmo_domain.configuration.times import length_text
from osmo_domain.durations import parse_duration
from osmo_domain.label_policy import LabelsConfig
from osmo_domain.pool import UserLimits, WorkflowSettings


def derive_settings(value: Any, base: WorkflowSettings) -> WorkflowSettings:
    """What the object says over `base`, which keeps what the object knows nothing of."""
    config = msgspec.convert(value, WorkflowConfig)
    return msgspec.structs.replace(
        base,
        max_num_tasks=config.max_num_tasks,
        max_name_length=config.workflow_info.max_name_length,
        max_spec_bytes=config.max_spec_bytes,
        max_retry_per_task=config.max_retry_per_task,
        default_exec_timeout_s=parse_duration(config.default_exec_timeout),
        default_queue_timeout_s=parse_duration(config.default_queue_timeout),
        max_exec_timeout_s=parse_duration(config.max_exec_timeout),
        max_queue_timeout_s=parse_duration(config.max_queue_timeout),
        start_timeout_s=config.default_schedule_timeout * 60,
        max_log_lines=config.max_log_lines,
        max_event_log_lines=config.max_event_log_lines,
        data_url=_data_url(config),
        base_url=config.base_url,
        tags=config.workflow_info.tags,
        labels_config=msgspec.convert(msgspec.to_builtins(config.labels_config), LabelsConfig),
        user_workflow_limits=UserLimits(
            config.user_workflow_limits.max_num_workflows, config.user_workflow_limits.max_num_tasks
        ),
    )


def _data_url(config: WorkflowConfig) -> str:
    """Ours where it lies in the place that the reference's setting has keys for, or where that names none; else that place."""
    endpoint = (config.workflow_data.credential or {}).get("endpoint", "").rstrip("/")
    return config.data_url if f"{config.data_url.rstrip('/')}/".startswith(f"{endpoint}/") or not endpoint else endpoint


def workflow_config(settings: WorkflowSettings) -> dict[str, Any]:
    """The object that gives these settings."""
    limits = settings.user_workflow_limits
    config = WorkflowConfig(
        labels_config=msgspec.convert(msgspec.to_builtins(settings.labels_config), shapes.LabelsConfig),
        user_workflow_limits=shapes.UserLimits(limits.max_num_workflows, limits.max_num_tasks),
        workflow_info=WorkflowInfo(tags=settings.tags, max_name_length=settings.max_name_length),
        max_num_tasks=settings.max_num_tasks,
        max_retry_per_task=settings.max_retry_per_task,
        default_schedule_timeout=settings.start_timeout_s / 60,
        default_exec_timeout=length_text(settings.default_exec_timeout_s),
        default_queue_timeout=length_text(settings.default_queue_timeout_s),
        max_exec_timeout=length_text(settings.max_exec_timeout_s),
        max_queue_timeout=length_text(settings.max_queue_timeout_s),
        max_log_lines=settings.max_log_lines,
        max_event_log_lines=settings.max_event_log_lines,
        data_url=settings.data_url,
        base_url=settings.base_url,
        max_spec_bytes=settings.max_spec_bytes,
    )
    plain: dict[str, Any] = msgspec.to_builtins(config)
    return plain
