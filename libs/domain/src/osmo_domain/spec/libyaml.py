"""The two names of ruamel.yaml.clib that the spec needs; the extension module has no types, so they are given here."""

from collections.abc import Callable
from typing import Any, Final

from _ruamel_yaml import CEmitter, CParser  # type: ignore[import-not-found]

make_parser: Final[Callable[[str], Any]] = CParser
"""Of the text; `get_event()` gives the events of ruamel.yaml.events, one by one."""

make_emitter: Final[Callable[..., Any]] = CEmitter
"""Of a text stream; `emit(event)` writes."""
