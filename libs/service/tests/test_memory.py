"""Memory goes back after a burst, and only then."""

import asyncio

from osmo_service.memory import Bursts, allocator_trim, give_back_memory


def test_it_is_given_back_once_a_burst_is_over() -> None:
    bursts = Bursts(used_s=5.0)
    assert not bursts.over(5.8, 1.0), "in the middle of it"
    assert bursts.over(5.81, 1.0)
    assert not bursts.over(5.82, 1.0), "nothing has happened since"


def test_little_work_for_long_is_worth_it_too() -> None:
    bursts = Bursts(used_s=0.0)
    found = [bursts.over(0.05 * second, 1.0) for second in range(1, 9)]
    assert found.count(True) == 2


async def test_what_was_freed_leaves_the_process() -> None:
    trim = allocator_trim()
    if trim is None:  # a C library without it: nothing is promised there
        return
    used, given = iter((0.0, 0.9)), asyncio.Event()

    def give_back() -> None:
        trim()
        given.set()

    giving = asyncio.create_task(give_back_memory(give_back, lambda: next(used, 0.9)))
    async with asyncio.timeout(10):
        await given.wait()
    giving.cancel()
