"""What config commands name: a type, an object of it, a revision (`POOL`, `POOL:7`); and what they share in asking for them."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from osmo_cli.client import Client, Params
from osmo_cli.errors import UserError
from osmo_cli.output import local_time

TYPES = (
    "SERVICE", "WORKFLOW", "BACKEND", "POOL", "POD_TEMPLATE", "GROUP_TEMPLATE", "RESOURCE_VALIDATION", "BACKEND_TEST", "ROLE",
)  # fmt: skip
SINGLE = frozenset({"SERVICE", "WORKFLOW"})
"""Types with one object."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A type, and a revision of it where one is named."""

    kind: str
    revision: int | None = None

    @property
    def path(self) -> str:
        return f"api/configs/{self.kind.lower()}"

    def __str__(self) -> str:
        return self.kind if self.revision is None else f"{self.kind}:{self.revision}"


def config_type(text: str) -> str:
    if text.upper() not in TYPES:
        raise argparse.ArgumentTypeError(f"{text} is not one of {', '.join(TYPES)}")
    return text.upper()


def reference(text: str) -> Reference:
    """`TYPE` or `TYPE:REVISION`."""
    kind, colon, revision = text.partition(":")
    if not colon:
        return Reference(config_type(kind))
    if not revision.isascii() or not revision.isdecimal() or int(revision) < 1:
        raise argparse.ArgumentTypeError(f"{revision} is not a revision: they count from 1")
    return Reference(config_type(kind), int(revision))


def revision_reference(text: str) -> Reference:
    """`TYPE:REVISION`."""
    found = reference(text)
    if found.revision is None:
        raise argparse.ArgumentTypeError(f"name a revision: {found.kind}:NUMBER")
    return found


def add_description(parser: argparse.ArgumentParser, *flags: str) -> None:
    parser.add_argument(*(flags or ("-d", "--description")), help="what the change is for; stands in the history")


def add_tags(parser: argparse.ArgumentParser, *flags: str) -> None:
    parser.add_argument(
        *(flags or ("-t", "--tags")), nargs="+", action="extend", default=[], metavar="TAG", help="tags of the revision"
    )


def said(args: argparse.Namespace) -> dict[str, Any]:
    """What a write carries beside its object."""
    return {"description": args.description, "tags": args.tags or None}


def revision_of(client: Client, kind: str, number: int) -> Any:
    """One revision with its data."""
    params: Params = {"config_types": [kind], "revision": number, "omit_data": False}
    found = client.get("api/configs/history", params)["configs"]
    if not found:
        raise UserError(f"There is no revision {kind}:{number}.")
    return found[0]


def current_revision(client: Client, kind: str) -> int:
    params: Params = {"config_types": [kind], "order": "DESC", "limit": 1, "omit_data": True}
    found = client.get("api/configs/history", params)["configs"]
    if not found:
        raise UserError(f"Nobody has written a {kind} yet.")
    return int(found[0]["revision"])


REVISION_COLUMNS = ("Config Type", "Name", "Revision", "Username", "Created At", "Description", "Tags")


def revision_cells(entry: Any, width: int | None) -> Sequence[object]:
    description = entry["description"] or "-"
    if width is not None and len(description) > width:
        description = description[: width - 3] + "..."
    return (
        entry["config_type"],
        entry["name"] or "-",
        entry["revision"],
        entry["username"],
        local_time(entry["created_at"]),
        description,
        ", ".join(entry["tags"] or ()) or "-",
    )
