"""What the submit service needs beside the log."""

from collections.abc import Sequence
from typing import Protocol

from osmo_domain.spec.sections import Sections


class Renderer(Protocol):
    """Carries out a user's Jinja, for as long and with as much memory as is allowed, and not more.

    Refused with `template.*`: what the template does wrong, and `template.limits` where it is too slow or too large. Transient when it
    cannot be tried at all.
    """

    async def render(
        self, sections: Sections, set_variables: Sequence[str], set_string_variables: Sequence[str]
    ) -> str:
        """The rendered `workflow` section."""
        ...

    async def trace(
        self, sections: Sections, set_variables: Sequence[str], set_string_variables: Sequence[str]
    ) -> list[int]:
        """For each line of the rendered section the line of the file that it came from; empty where that cannot be told."""
        ...
