"""The user's keys of storage as the `osmo` in a task has them: its `config.yaml`, which osmo-init writes as JSON, and the uploads of checkpoints read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

FILE_NAME: Final = "config.yaml"

Keys = Mapping[str, Mapping[str, str]]


def write_user_keys(login: Path, keys: Keys) -> None:
    """Only its owner may read it; nothing is written where there are none."""
    if not keys:
        return
    path = login / FILE_NAME
    path.touch(0o600)
    path.chmod(0o600)
    path.write_text(json.dumps({"auth": {"data": keys}}, indent=2) + "\n", encoding="utf-8")


def read_user_keys(login: Path) -> Keys:
    """Profile to keys; none where the file is not there, or where somebody made something else of it."""
    try:
        found: Any = json.loads((login / FILE_NAME).read_bytes())
        written = found["auth"]["data"]
        return {str(profile): {key: str(value) for key, value in keys.items()} for profile, keys in written.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
