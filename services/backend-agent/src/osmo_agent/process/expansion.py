"""`$(NAME)` in commands, arguments and environment values, as Kubernetes expands it, but for one thing: it would also make one dollar of a shell's
`$$`, where nobody means that.
"""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"(\$?)\$\(([^()]*)\)")


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Put values for known names. An unknown name stays as written, and `$$(NAME)` becomes `$(NAME)`."""

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return found[0][1:]
        return environment.get(found[2], found[0])

    return _REFERENCE.sub(value, text)


def expand_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Each value may name those before it."""
    expanded: dict[str, str] = {}
    for name, text in environment.items():
        expanded[name] = expand(text, expanded)
    return expanded
