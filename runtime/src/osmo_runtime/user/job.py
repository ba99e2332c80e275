"""What the wrapper is to run."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Checkpoint(NamedTuple):
    path: str
    url: str
    frequency_s: float
    regex: str = ""


class UserJob(NamedTuple):
    """`argv[0]` is looked for on the PATH of `environment`, which is all that the command is given."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    socket: Path
    checkpoints: tuple[Checkpoint, ...] = ()
    connect_within_s: float = 7200


def parse_checkpoint(text: str) -> Checkpoint:
    """`<path>;<url>;<seconds>;<regex>`. Raises ValueError."""
    path, url, seconds, regex = text.split(";", 3)
    return Checkpoint(path, url, float(seconds), regex)
