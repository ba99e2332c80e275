"""`config.yaml`: this person's own keys for object storage, which `osmo data` and tasks use. Keys and meaning as the public CLI's.

`auth: {data: {<endpoint>: {access_key_id, access_key, region, ...}}}`. Written as JSON, which is YAML too; whatever else stands in the file stays.
"""

import json
import os
from pathlib import Path
from typing import Any

from osmo_cli.errors import UserError

Entry = dict[str, str]


class DataConfig:
    """The file in this directory, read once (UserError where it is none of ours); `set` and `remove` write it anew, readable by its owner only."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "config.yaml"
        self._content = _read(self._path)
        self._entries()

    def __contains__(self, endpoint: str) -> bool:
        return endpoint in self._entries()

    def set(self, endpoint: str, entry: Entry) -> None:
        self._entries()[endpoint] = entry
        self._write()

    def remove(self, endpoint: str) -> None:
        """Harmless for one that is not there."""
        if self._entries().pop(endpoint, None) is not None:
            self._write()

    def _entries(self) -> dict[str, Any]:
        found = self._content
        for key in ("auth", "data"):
            inner = found.get(key)
            if inner is None:
                inner = found[key] = {}
            if not isinstance(inner, dict):
                raise UserError(f"{self._path}: `{key}` is not a map. Put it right, or move the file away.")
            found = inner
        return found

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(f".{os.getpid()}.new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(self._content, file, indent=2)
            file.write("\n")
        fresh.replace(self._path)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = _parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}). Put it right, or move it away.") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UserError(f"{path} does not hold a map. Put it right, or move it away.")
    return found


def _parse(text: str) -> Any:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            pass
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ValueError("it is not YAML") from error
