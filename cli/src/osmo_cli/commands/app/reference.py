"""`name[:version]`, as apps are named on the command line."""

import argparse
import re
from dataclasses import dataclass

from osmo_cli.client import Params

REFERENCE = re.compile(r"([a-zA-Z0-9_-]+)(?::([0-9]+))?")


@dataclass(frozen=True, slots=True)
class AppReference:
    name: str
    version: int | None = None

    @property
    def path(self) -> str:
        return f"api/app/user/{self.name}"

    @property
    def params(self) -> Params:
        return {"version": self.version}


def app_reference(text: str) -> AppReference:
    """The type of an argument."""
    found = REFERENCE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is not an app: NAME or NAME:VERSION")
    return AppReference(found[1], int(found[2]) if found[2] else None)


def app_name(text: str) -> str:
    """The type of an argument that takes no version."""
    if app_reference(text).version is not None:
        raise argparse.ArgumentTypeError(f"{text} names a version: the name alone is meant")
    return text
