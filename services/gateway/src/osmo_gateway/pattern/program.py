"""From a pattern to a program: a graph of small instructions (Thompson's construction). The grammar is read by Python's own parser."""

import importlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

_parser: Final[Any] = importlib.import_module("re._parser")
_const: Final[Any] = importlib.import_module("re._constants")

_MOST_INSTRUCTIONS: Final = 2_000

CharTest = Callable[[str], bool]


class Unsupported(Exception):
    """The pattern uses something that needs backtracking; the text says what."""


class TooLarge(Exception):
    """The program would have too many instructions."""


@dataclass(slots=True)
class Instruction:
    """One of: `test` a character and go on; `at` a place and go on; go on at several (`ways`); or match (none of these)."""

    test: CharTest | None = None
    at: Any = None
    ways: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Program:
    instructions: list[Instruction]
    start: int
    match: int


def compile_program(pattern: str) -> Program:
    """Raises re.error, Unsupported or TooLarge."""
    parsed = _parser.parse(pattern)
    builder = _Builder(parsed.state.flags)
    match = builder.add(Instruction())
    start = builder.sequence(parsed, match)
    return Program(builder.instructions, start, match)


class _Builder:
    """Builds from the end to the front: every method takes where to go on and gives back where to begin."""

    def __init__(self, flags: int) -> None:
        self.instructions: list[Instruction] = []
        self._ignore_case = bool(flags & re.IGNORECASE)
        self._dot_all = bool(flags & re.DOTALL)

    def add(self, instruction: Instruction) -> int:
        if len(self.instructions) >= _MOST_INSTRUCTIONS:
            raise TooLarge
        self.instructions.append(instruction)
        return len(self.instructions) - 1

    def sequence(self, nodes: Iterable[tuple[Any, Any]], then: int) -> int:
        for kind, value in reversed(list(nodes)):
            then = self._node(kind, value, then)
        return then

    def _node(self, kind: Any, value: Any, then: int) -> int:
        if kind in (_const.LITERAL, _const.NOT_LITERAL, _const.IN, _const.ANY):
            return self.add(Instruction(test=self._test(kind, value), ways=[then]))
        if kind is _const.AT:
            return self.add(Instruction(at=value, ways=[then]))
        if kind is _const.SUBPATTERN:
            _, added, removed, inner = value
            if added or removed:
                raise Unsupported("a change of flags inside the pattern")
            return self.sequence(inner, then)
        if kind is _const.BRANCH:
            return self.add(Instruction(ways=[self.sequence(branch, then) for branch in value[1]]))
        if kind in (_const.MAX_REPEAT, _const.MIN_REPEAT):
            return self._repeat(then, *value)
        raise Unsupported(_name(kind))

    def _repeat(self, then: int, least: int, most: Any, inner: Any) -> int:
        if most is _const.MAXREPEAT:
            loop = self.add(Instruction())
            self.instructions[loop].ways = [self.sequence(inner, loop), then]
            then = loop
        else:
            end = then
            for _ in range(most - least):
                then = self.add(Instruction(ways=[self.sequence(inner, then), end]))
        for _ in range(least):
            then = self.sequence(inner, then)
        return then

    def _test(self, kind: Any, value: Any) -> CharTest:
        if kind is _const.ANY:
            return (lambda _: True) if self._dot_all else (lambda char: char != "\n")
        items = value if kind is _const.IN else [(_const.LITERAL, value)]
        test = _any_of(items)
        if self._ignore_case:
            exact = test
            test = lambda char: exact(char) or exact(char.lower()) or exact(char.upper())  # noqa: E731
        return (lambda char: not test(char)) if kind is _const.NOT_LITERAL else test


def _any_of(items: Iterable[tuple[Any, Any]]) -> CharTest:
    """A set of characters as the parser gives it."""
    ranges: list[tuple[int, int]] = []
    tests: list[CharTest] = []
    negated = False
    for kind, value in items:
        if kind is _const.NEGATE:
            negated = True
        elif kind is _const.LITERAL:
            ranges.append((value, value))
        elif kind is _const.RANGE:
            ranges.append(value)
        elif kind is _const.CATEGORY:
            tests.append(_CATEGORIES[value])
        else:
            raise Unsupported(_name(kind))

    def holds(char: str) -> bool:
        code = ord(char[0])
        return any(low <= code <= high for low, high in ranges) or any(test(char) for test in tests)

    return (lambda char: not holds(char)) if negated else holds


def is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


_CATEGORIES: Final[dict[Any, CharTest]] = {
    _const.CATEGORY_DIGIT: str.isdecimal,
    _const.CATEGORY_NOT_DIGIT: lambda char: not char.isdecimal(),
    _const.CATEGORY_SPACE: str.isspace,
    _const.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    _const.CATEGORY_WORD: is_word,
    _const.CATEGORY_NOT_WORD: lambda char: not is_word(char),
}


def _name(kind: Any) -> str:
    words = {
        "ASSERT": "look-around",
        "ASSERT_NOT": "look-around",
        "GROUPREF": "a back reference",
        "GROUPREF_EXISTS": "a condition",
    }
    return words.get(str(kind), str(kind).lower().replace("_", " "))
