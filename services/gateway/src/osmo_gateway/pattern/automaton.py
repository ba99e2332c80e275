"""Runs a program over a line in one pass. A state is a set of instructions; each state and each step from it is worked out once."""

import importlib
from typing import Any, Final

from osmo_gateway.pattern.program import Program, is_word

_const: Final[Any] = importlib.import_module("re._constants")

_MOST_STEPS: Final = 20_000
"""Remembered steps; beyond, everything is forgotten and learned again, so that memory stays bounded."""

_END: Final = ""
"""Stands for the end of the line."""


class _State:
    """Instructions that are waiting for the next character. `after` is the character before: it decides about `^` and word borders."""

    __slots__ = ("after_word", "at_start", "pending", "steps")

    def __init__(self, pending: frozenset[int], *, at_start: bool, after_word: bool) -> None:
        self.pending = pending
        self.at_start = at_start
        self.after_word = after_word
        self.steps: dict[str, _State | None] = {}


class Automaton:
    """`found_in(line)`: does the pattern occur anywhere in it?"""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._forget()

    def found_in(self, line: str) -> bool:
        state = self._first
        for char in line:
            try:
                step = state.steps[char]
            except KeyError:
                step = self._step(state, char)
            if step is None:
                return True
            state = step
        return self._matches_at(state, _END)

    def _forget(self) -> None:
        self._states: dict[tuple[frozenset[int], bool, bool], _State] = {}
        self._steps = 0
        self._first = self._state(frozenset({self._program.start}), at_start=True, after_word=False)

    def _state(self, pending: frozenset[int], *, at_start: bool, after_word: bool) -> _State:
        key = (pending, at_start, after_word)
        known = self._states.get(key)
        if known is None:
            known = self._states[key] = _State(pending, at_start=at_start, after_word=after_word)
        return known

    def _step(self, state: _State, char: str) -> _State | None:
        """The state after this character; None when the pattern has been found before it."""
        if self._steps >= _MOST_STEPS:
            self._forget()
        self._steps += 1
        reached = self._reached(state, char)
        if self._program.match in reached:
            state.steps[char] = None
            return None
        going_on = {
            way
            for number in reached
            if (test := self._program.instructions[number].test) is not None and test(char)
            for way in self._program.instructions[number].ways
        }
        going_on.add(self._program.start)
        step = self._state(frozenset(going_on), at_start=False, after_word=is_word(char))
        state.steps[char] = step
        return step

    def _matches_at(self, state: _State, following: str) -> bool:
        return self._program.match in self._reached(state, following)

    def _reached(self, state: _State, following: str) -> set[int]:
        """Every instruction that is reached without taking a character, given what comes next."""
        reached: set[int] = set()
        todo = list(state.pending)
        while todo:
            number = todo.pop()
            if number in reached:
                continue
            reached.add(number)
            instruction = self._program.instructions[number]
            if instruction.test is None and (instruction.at is None or _holds(instruction.at, state, following)):
                todo += instruction.ways
        return reached


def _holds(at: Any, state: _State, following: str) -> bool:
    """Is this a place that `^`, `$`, `\\b` ... name? A line is one line: both kinds of end are the end."""
    if at in (_const.AT_BEGINNING, _const.AT_BEGINNING_STRING):
        return state.at_start
    if at in (_const.AT_END, _const.AT_END_STRING):
        return following == _END
    border = state.after_word != (following != _END and is_word(following))
    return border if at is _const.AT_BOUNDARY else not border
