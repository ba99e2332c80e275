"""The flags of the user container: those that the reference's pods pass, so that the same manifests start it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from osmo_runtime.paths import PodPaths
from osmo_runtime.user.job import Checkpoint, UserJob, parse_checkpoint

SOCKET, USER_BIN, CHECKPOINT, COMMAND, ARGUMENT = "-socketPath", "-userBinPath", "-checkpoint", "-commands", "-args"
_KNOWN = (SOCKET, USER_BIN, CHECKPOINT, COMMAND, ARGUMENT)


class BadFlags(ValueError):
    """The text says which flag, and what is wrong with it."""


def user_job(words: Sequence[str], environment: Mapping[str, str]) -> UserJob:
    """A flag's value is behind its `=`, or else the next word, whatever that looks like: arguments often begin with a dash. Raises BadFlags."""
    given = _given(words)
    command = (*given[COMMAND], *given[ARGUMENT])
    if not given[COMMAND]:
        raise BadFlags(f"{COMMAND} is missing: there is nothing to run")
    user_bin = _last(given[USER_BIN], str(PodPaths().user_bin))
    path = f"{environment.get('PATH', os.defpath)}:{user_bin}"
    return UserJob(
        argv=command,
        environment={**environment, "PATH": path},
        socket=Path(_last(given[SOCKET], str(PodPaths().socket))),
        checkpoints=tuple(map(_checkpoint, given[CHECKPOINT])),
    )


def _given(words: Sequence[str]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {flag: [] for flag in _KNOWN}
    left = iter(words)
    for word in left:
        flag, equals, value = word.partition("=")
        if flag not in given:
            raise BadFlags(f"{flag} is no flag of the user container")
        found = value if equals else next(left, None)
        if found is None:
            raise BadFlags(f"{flag} has no value")
        given[flag].append(found)
    return given


def _last(values: list[str], otherwise: str) -> str:
    return values[-1] if values else otherwise


def _checkpoint(text: str) -> Checkpoint:
    try:
        return parse_checkpoint(text)
    except ValueError as error:
        raise BadFlags(f"{CHECKPOINT} {text!r} is not <path>;<url>;<seconds>;<regex>") from error
