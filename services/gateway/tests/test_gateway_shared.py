"""One answer for all who ask at the same time: never older than the asking, and no one's going away is another's failure."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from osmo_domain.errors import Transient
from osmo_gateway.shared import Rounds, Shared


class Question:
    """Answers with how often it was asked, once it is let; `asked` counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.let = asyncio.Semaphore(0)
        self.failing = False

    async def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        await self.let.acquire()
        if self.failing:
            raise Transient("away")
        return number


async def begun(ask: Callable[[], Awaitable[int]], count: int) -> list[asyncio.Task[int]]:
    async def one() -> int:
        return await ask()

    tasks = [asyncio.create_task(one()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_who_comes_while_a_question_is_on_its_way_shares_the_next_one() -> None:
    question = Question()
    rounds = Rounds(question)
    first = await begun(rounds.answer, 1)
    others = await begun(rounds.answer, 5)
    question.let.release()
    assert await first[0] == 1
    late = await begun(rounds.answer, 2)
    question.let.release()
    assert [await one for one in others] == [2] * 5
    question.let.release()
    assert [await one for one in late] == [3] * 2
    assert question.asked == 3


async def test_a_failure_is_that_of_everyone_who_waited_for_the_question_and_of_nobody_else() -> None:
    question = Question()
    rounds = Rounds(question)
    tasks = [*await begun(rounds.answer, 1), *await begun(rounds.answer, 3)]
    question.failing = True
    question.let.release()
    question.let.release()
    for one in tasks:
        with pytest.raises(Transient):
            await one
    question.failing = False
    question.let.release()
    assert await rounds.answer() == 3


async def test_who_goes_away_leaves_the_question_to_the_next() -> None:
    question = Question()
    rounds = Rounds(question)
    first = await begun(rounds.answer, 1)
    others = await begun(rounds.answer, 3)
    first[0].cancel()
    others_left = others[1:]
    others[0].cancel()
    question.let.release()
    assert len({await one for one in others_left}) == 1
    question.let.release()
    assert await rounds.answer() == question.asked


async def test_what_is_shared_is_asked_once() -> None:
    question = Question()
    shared: Shared[int] = Shared()
    tasks = await begun(lambda: shared.get(question), 4)
    question.let.release()
    assert [await one for one in tasks] == [1] * 4
