"""How far a submission has come: what a refusal at this point says about its place, and whether it is remembered."""

from dataclasses import dataclass, field
from typing import Final

from osmo_domain.errors import Rejected
from osmo_domain.pool import Pool, Priority
from osmo_domain.spec.sections import Sections
from osmo_domain.spec.tree import MapNode, find_path

NONE: Final[frozenset[str]] = frozenset()
"""Refusals of this step leave nothing behind."""

USAGE_ONLY: Final = frozenset({"USAGE"})

ALL: Final = frozenset({"USAGE", "USER", "RESOURCE", "CREDENTIAL", "DATABASE", "SUBMISSION", "NOTFOUND"})
"""Refusals of this step are kept as a workflow FAILED_SUBMISSION."""


@dataclass(slots=True)
class Trail:
    """`remembered` are the classes of refusal that leave a workflow FAILED_SUBMISSION behind, at the step under way.

    `rendered` is the text under check, in which places of refusals count from the moment it is set; `templated` says whether it differs
    from the file. `keyed` says that `uuid` comes from an idempotency key.
    """

    user: str
    pool: Pool
    uuid: str
    keyed: bool = False
    priority: Priority = Priority.NORMAL
    remembered: frozenset[str] = NONE
    name: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    sections: Sections | None = None
    rendered: str | None = None
    templated: bool = False
    root: MapNode | None = None

    @property
    def failed_name(self) -> str:
        """What a refusal calls the workflow."""
        return self.name or f"failed-{self.uuid}"


def place_in_file(refusal: Rejected, trail: Trail, traced: list[int]) -> None:
    """Turn the refusal's place, which counts in the rendered text, into one of the file that was sent. `traced` as from Renderer.trace."""
    if refusal.line is None or trail.rendered is None or trail.sections is None:
        return
    if trail.root is not None and refusal.column is not None:
        path = find_path(trail.root, refusal.line, refusal.column)
        refusal.path = None if path is None else f"workflow.{path}".removesuffix(".")
    if not trail.templated:
        refusal.line += trail.sections.workflow.line - 1
    elif refusal.line <= len(traced):
        _place_in_template(refusal, trail.sections, trail.rendered, traced[refusal.line - 1])


def _place_in_template(refusal: Rejected, sections: Sections, rendered: str, line: int) -> None:
    """The column is told only where the line is the same in both texts."""
    assert refusal.line is not None
    written = sections.workflow.text.split("\n")[line - sections.workflow.line]
    shown = rendered.split("\n")[refusal.line - 1]
    refusal.line = line
    if written.rstrip("\r") != shown:
        refusal.column = None
