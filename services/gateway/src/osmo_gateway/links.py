"""The links that answers carry. Names in them are checked names, so nothing needs quoting."""

LINES = 1000
"""What a link to logs asks for."""


class Links:
    """`base` is without a slash at its end."""

    def __init__(self, base: str) -> None:
        self._workflows = f"{base.rstrip('/')}/api/workflow/"

    def overview(self, workflow_id: str) -> str:
        return self._workflows + workflow_id

    def spec(self, workflow_id: str) -> str:
        return f"{self._workflows}{workflow_id}/spec"

    def template_spec(self, workflow_id: str) -> str:
        return f"{self._workflows}{workflow_id}/spec?use_template=true"

    def logs(self, workflow_id: str) -> str:
        return f"{self._workflows}{workflow_id}/logs"

    def last_logs(self, workflow_id: str) -> str:
        return f"{self._workflows}{workflow_id}/logs?last_n_lines={LINES}"

    def events(self, workflow_id: str) -> str:
        return f"{self._workflows}{workflow_id}/events"

    def error_logs(self, workflow_id: str) -> str:
        return f"{self._workflows}{workflow_id}/error_logs"

    def task_logs(self, workflow_id: str, task: str, retry_id: int) -> str:
        return f"{self._workflows}{workflow_id}/logs?last_n_lines={LINES}&{_attempt(task, retry_id)}"

    def task_events(self, workflow_id: str, task: str, retry_id: int) -> str:
        return f"{self._workflows}{workflow_id}/events?{_attempt(task, retry_id)}"

    def task_error_logs(self, workflow_id: str, task: str, retry_id: int) -> str:
        return f"{self._workflows}{workflow_id}/error_logs?last_n_lines={LINES}&{_attempt(task, retry_id)}"


def _attempt(task: str, retry_id: int) -> str:
    return f"task_name={task}&retry_id={retry_id}"
