"""Search for a pattern that a stranger wrote: never slower than the text is long.

Python's own engine backtracks, so `(a+)+b` can hang a process. Patterns without repetition cannot, and are left to it. All others become an
automaton without backtracking whose states are made when they are first needed. What no automaton can do (back references, look-around)
is refused in words.
"""

import re
from collections.abc import Callable

from osmo_domain.errors import Rejected
from osmo_gateway.pattern.automaton import Automaton
from osmo_gateway.pattern.program import TooLarge, Unsupported, compile_program

Search = Callable[[str], bool]

_LONGEST_PATTERN = 1000


def compile_search(pattern: str) -> Search:
    """A function that says whether the pattern occurs in a line. Raises Rejected (USER) for a pattern that cannot be used."""
    if len(pattern) > _LONGEST_PATTERN:
        raise _bad(f"it is longer than {_LONGEST_PATTERN} characters")
    try:
        if not _META.search(pattern):
            return lambda line: pattern in line
        re.compile(pattern)
        automaton = Automaton(compile_program(pattern))
    except (re.error, OverflowError, RecursionError) as error:
        raise _bad(str(error)) from error
    except Unsupported as error:
        raise _bad(f"{error} cannot be used in a search of logs") from error
    except TooLarge as error:
        raise _bad("its repetitions make it too large") from error
    return automaton.found_in


_META = re.compile(r"[\\^$.|?*+()\[\]{}]")


def _bad(why: str) -> Rejected:
    return Rejected("query.bad_regex", f"The query is not a regular expression that can be searched for: {why}.")
