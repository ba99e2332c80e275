"""Where the data of tasks lives: in their containers and in the installation's storage."""

import re
from typing import Final

OUTPUT_DIRECTORY: Final = "/osmo/data/output"


def input_directory(index: int) -> str:
    return f"/osmo/data/input/{index}"


def task_data_url(data_url: str, workflow_id: str, task: str) -> str:
    """Where the output of a task is kept for other tasks."""
    return f"{data_url.rstrip('/')}/{workflow_id}/{task}"


def one_file_pattern(path: str) -> str:
    """The regular expression of exactly this file of the output directory."""
    return re.escape(path.lstrip("/")) + "$"
