"""The keys of the installation's own storage: what the WORKFLOW config says of `workflow_data.credential`, and the secret that it names.

The config's history is kept for ever and holds no secret: it names a file (`secret_file`), or a Kubernetes Secret (`secretName`) that is
mounted for this service. The file is read again for every question, so that keys can be changed without a restart.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from osmo_domain.config import Catalogue
from osmo_domain.configuration.kinds import ConfigType, single_name
from osmo_domain.errors import Transient

PLAIN_KEYS: Final = ("region", "override_url", "addressing_style")
SECRET_KEYS: Final = ("access_key_id", "access_key")
_KEYS: Final = ("endpoint", *PLAIN_KEYS, *SECRET_KEYS)


class OwnStorage:
    def __init__(self, catalogue: Catalogue, secrets_dir: Path) -> None:
        """Secrets are mounted below `secrets_dir`, each as a folder of its name with one file per key, or with a `cred.yaml`."""
        self._catalogue = catalogue
        self._secrets_dir = secrets_dir

    def keys(self) -> dict[str, dict[str, str]]:
        """Profile to payload; empty where the configuration names none. Transient where the secret cannot be read (yet)."""
        settings = self._catalogue.objects[ConfigType.WORKFLOW].get(single_name(ConfigType.WORKFLOW), {})
        written: Mapping[str, Any] = (settings.get("workflow_data") or {}).get("credential") or {}
        endpoint = str(written.get("endpoint", "")).rstrip("/")
        if not endpoint:
            return {}
        payload = {**_known(written), **_known(self._secret(written)), "endpoint": endpoint}
        return {endpoint: payload}

    def _secret(self, written: Mapping[str, Any]) -> Mapping[str, Any]:
        if file := written.get("secret_file"):
            return _read(self._secrets_dir / str(file))
        if name := written.get("secretName"):
            folder = self._secrets_dir / str(name)
            whole = folder / str(written.get("secretKey", "cred.yaml"))
            return _read(whole) if whole.exists() else _read_folder(folder)
        return {}


def _known(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(values[key]) for key in _KEYS if values.get(key)}


def _read(path: Path) -> Mapping[str, Any]:
    """JSON, or lines of `key: value`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path) from error
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except ValueError:
            raise _unreadable(path) from None
        return found if isinstance(found, dict) else {}
    pairs = (line.partition(":") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, colon, value in pairs if colon}


def _read_folder(folder: Path) -> Mapping[str, Any]:
    found = {key: folder / key for key in _KEYS if (folder / key).is_file()}
    if not found:
        raise _unreadable(folder)
    try:
        return {key: path.read_text(encoding="utf-8").strip() for key, path in found.items()}
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(folder) from error


def _unreadable(path: Path) -> Transient:
    return Transient(f"the keys of the installation's storage cannot be read from {path}")
