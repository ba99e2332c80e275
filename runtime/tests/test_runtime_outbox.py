import random
from pathlib import Path

from osmo_api.ctrl import FROM_CTRL, Lines
from osmo_runtime.ctrl.outbox import BATCH_LINES, LONGEST_LINE, Outbox
from osmo_runtime.ctrl.spill import Spill


def outbox(directory: Path, *, memory: int = 1 << 20, disk: int = 1 << 20, segment: int = 1 << 14) -> Outbox:
    return Outbox(Spill(directory, disk, segment), memory_bytes=memory)


def frames(box: Outbox) -> list[Lines]:
    found = []
    while (frame := box.next_frame()) is not None:
        lines = FROM_CTRL.decode(frame)
        assert isinstance(lines, Lines)
        found.append(lines)
    return found


def texts(lines: Lines) -> list[str]:
    return [text for _, _, text in lines.lines]


async def test_a_single_line_leaves_at_once(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.add(7, "STDOUT", ["hello"])
    assert frames(box) == [Lines(0, [(7, "STDOUT", "hello")])]
    box.add(8, "STDERR", ["again"])
    assert frames(box) == [Lines(1, [(8, "STDERR", "again")])]


async def test_many_lines_leave_in_batches(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.add(0, "STDOUT", [str(number) for number in range(2500)])
    sent = frames(box)
    assert [(each.first, len(each.lines)) for each in sent] == [(0, BATCH_LINES), (1000, BATCH_LINES), (2000, 500)]


async def test_long_lines_become_several(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.add(0, "STDOUT", ["short", "x" * (LONGEST_LINE + 1)])
    (sent,) = frames(box)
    assert [len(text) for text in texts(sent)] == [5, LONGEST_LINE, 1]


async def test_after_a_reconnect_exactly_what_is_missing_is_sent_again(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    for number in range(5):
        box.add(0, "STDOUT", [f"a{number}", f"b{number}"])
        frames(box)
    box.acked(2, ended=False)
    box.resume(5)
    again = frames(box)
    assert [each.first for each in again] == [5, 6, 8]
    assert [text for each in again for text in texts(each)] == ["b2", "a3", "b3", "a4", "b4"]


async def test_the_end_is_sent_until_it_is_acknowledged(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.add(0, "STDOUT", ["last"])
    box.end()
    assert [each.end for each in frames(box)] == [True]
    box.acked(1, ended=False)
    box.resume(1)
    (again,) = frames(box)
    assert (again.first, again.lines, again.end) == (1, [], True)
    assert not box.ended.is_set()
    box.acked(1, ended=True)
    assert box.ended.is_set()
    assert frames(box) == []


async def test_an_end_without_a_line_is_an_end_all_the_same(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.end()
    assert [(each.first, each.end) for each in frames(box)] == [(0, True)]


async def test_what_memory_does_not_hold_waits_on_disk_in_order_and_frees_it(tmp_path: Path) -> None:
    spill = Spill(tmp_path, 1 << 20, 1 << 12)
    box = Outbox(spill, memory_bytes=1 << 12)
    lines = [f"line {number}" for number in range(20_000)]
    for start in range(0, len(lines), 100):
        box.add(0, "STDOUT", lines[start : start + 100])
    assert box.unacknowledged == 20_000
    received: list[str] = []
    while len(received) < len(lines):
        for frame in frames(box):
            assert frame.first == len(received)
            received += texts(frame)
        box.acked(len(received), ended=False)
    assert received == lines
    assert box.dropped == 0
    assert spill.used_bytes == 0


async def test_beyond_every_bound_lines_are_dropped_counted_and_said(tmp_path: Path) -> None:
    box = outbox(tmp_path, memory=1 << 14, disk=1 << 15)
    for number in range(200):
        box.add(number, "STDOUT", ["x" * 90] * 100)
    assert box.dropped > 10_000
    kept = frames(box)
    received = sum(len(each.lines) for each in kept)
    box.acked(received, ended=False)
    box.add(999, "STDOUT", ["after"])
    (first,) = frames(box)
    assert first.dropped == box.dropped
    assert first.lines[0] == (
        999,
        "OSMO_CTRL",
        f"{box.dropped} lines were lost here: log-router was away or slow for longer than the buffer lasts",
    )
    assert first.first == received
    assert received + box.dropped == 20_000


async def test_any_interleaving_of_sending_losing_and_acknowledging_delivers_every_line_once(tmp_path: Path) -> None:
    for seed in range(60):
        rng = random.Random(seed)
        box = outbox(tmp_path, memory=rng.choice([1, 500, 1 << 20]), segment=rng.choice([300, 3000]))
        expected: list[str] = []
        stored: list[str] = []
        for step in range(rng.randrange(1, 80)):
            action = rng.random()
            if action < 0.5:
                lines = [f"{step}/{number}" for number in range(rng.randrange(1, 40))]
                expected += lines
                box.add(step, "STDOUT", lines)
            elif action < 0.8 and (frame := box.next_frame()) is not None:
                if rng.random() < 0.7:
                    store(stored, frame)
                    if rng.random() < 0.7:
                        box.acked(len(stored), ended=False)
                else:
                    box.resume(len(stored))
            else:
                box.resume(len(stored))
        box.end()
        box.resume(len(stored))
        while not box.ended.is_set():
            frame = box.next_frame()
            assert frame is not None, seed
            box.acked(len(stored), ended=store(stored, frame))
        assert stored == expected, seed


def store(stored: list[str], data: bytes) -> bool:
    frame = FROM_CTRL.decode(data)
    assert isinstance(frame, Lines)
    assert frame.first <= len(stored)
    stored += texts(frame)[len(stored) - frame.first :]
    return frame.end
