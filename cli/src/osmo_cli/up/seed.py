"""The configuration of a first start: a pool `default` on this machine, and one on simulated nodes where asked for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_seed(
    path: Path, *, storage: Path, base_url: str, simulated: bool, tokens: Mapping[str, str] | None = None
) -> None:
    """Write what the gateway appends to CONFIG where it is not there yet. `tokens`: backend to the digest of its agent's token."""
    names = ["default", *(["simulated"] if simulated else [])]
    seed = {
        "pools": [_pool(name) for name in names],
        "backends": [{"name": name, "description": DESCRIPTIONS[name]} for name in names],
        "backend_tokens": dict(tokens or {}),
        "workflow": {"data_url": storage.resolve().as_uri(), "base_url": base_url},
    }
    path.write_text(json.dumps(seed, indent=2), encoding="utf-8")


DESCRIPTIONS = {"default": "this machine", "simulated": "simulated nodes"}


def _pool(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "backend": name,
        "description": DESCRIPTIONS[name],
        "default_platform": name,
        "platforms": {name: {"description": DESCRIPTIONS[name]}},
    }
