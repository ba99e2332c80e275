"""The environment that a container was given, as its image and its spec have it: what the way to our Python has changed in it is put back.

The starter takes variables that speak to a dynamic loader out of the way of ours (images/starter.c: KEPT). Python itself adds LC_CTYPE where
there is no locale; the kernel still has what was there before.
"""

import os
from pathlib import Path

KEPT = "OSMO_KEPT_"


def given_environment() -> dict[str, str]:
    """What a program of the user's is to get."""
    return {name.removeprefix(KEPT): value for name, value in _at_the_start().items()}


def give_back() -> None:
    """Make it the environment of this process, for programs that it will start."""
    given = given_environment()
    os.environ.clear()
    os.environ.update(given)


def _at_the_start() -> dict[str, str]:
    try:
        block = Path("/proc/self/environ").read_bytes()
    except OSError:
        return dict(os.environ)
    pairs = (entry.partition(b"=") for entry in block.split(b"\0"))
    return {os.fsdecode(name): os.fsdecode(value) for name, equals, value in pairs if name and equals}
