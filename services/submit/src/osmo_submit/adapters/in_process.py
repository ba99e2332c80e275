"""Renders here, without limits: for the simulation, whose templates are its own."""

from collections.abc import Sequence

from osmo_domain.spec.render import render_sections, trace_sections
from osmo_domain.spec.sections import Sections


class InProcessRenderer:
    async def render(
        self, sections: Sections, set_variables: Sequence[str], set_string_variables: Sequence[str]
    ) -> str:
        return render_sections(sections, set_variables, set_string_variables)

    async def trace(
        self, sections: Sections, set_variables: Sequence[str], set_string_variables: Sequence[str]
    ) -> list[int]:
        return trace_sections(sections, set_variables, set_string_variables)
