"""How a transfer says how far it is."""

from collections.abc import Callable

from osmo_storage.stored import Transferred

Progress = Callable[[Transferred], None]
"""Told the running total after every file."""


def no_progress(_: Transferred) -> None:
    return None
