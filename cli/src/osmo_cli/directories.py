"""Where the CLI keeps its files. The environment is handed in."""

from collections.abc import Mapping
from pathlib import Path


def config_dir(environ: Mapping[str, str]) -> Path:
    """`$OSMO_CONFIG_FILE_DIR`, else `$XDG_CONFIG_HOME/osmo`, else `~/.config/osmo`."""
    if chosen := environ.get("OSMO_CONFIG_FILE_DIR"):
        return Path(chosen)
    return _home(environ, "XDG_CONFIG_HOME", ".config") / "osmo"


def state_dir(environ: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/osmo`, else `~/.local/state/osmo`."""
    return _home(environ, "XDG_STATE_HOME", ".local/state") / "osmo"


def _home(environ: Mapping[str, str], variable: str, fallback: str) -> Path:
    if chosen := environ.get(variable):
        return Path(chosen)
    return Path(environ["HOME"]) / fallback if environ.get("HOME") else Path.home() / fallback
