"""Rooms that are being left: what will be free there, sorted, so that a place is found without looking at all of them."""

from bisect import bisect_left, insort
from collections.abc import Iterator

from osmo_domain.placement.room import ZERO, Amounts, Ask, Entry, Kind, Room, fitting, plus
from osmo_domain.plan import Resources


class Soon:
    """For one round. To be told of each room that moves."""

    def __init__(self, amounts: dict[Room, Amounts]) -> None:
        self._amounts = amounts
        self._later: dict[Room, Entry] = {}
        self._entries: dict[Kind, list[Entry]] = {}
        for room in amounts:
            self._sort_in(room)

    def __len__(self) -> int:
        return len(self._amounts)

    def later(self, room: Room) -> Entry:
        """What is free in the room when those who leave are gone."""
        return self._later.get(room) or room.entry

    def clear(self, room: Room, resources: Resources, sign: int = 1) -> None:
        """Work in this room is to leave (or, with sign -1, may stay after all)."""
        self._sort_out(room)
        amounts = plus(self._amounts.get(room, ZERO), resources, sign)
        if amounts == ZERO:
            self._amounts.pop(room, None)
            return
        self._amounts[room] = amounts
        self._sort_in(room)

    def moved(self, room: Room) -> None:
        """What is free there now has changed."""
        if room in self._amounts:
            self._sort_out(room)
            self._sort_in(room)

    def that_fit(self, ask: Ask, kind: Kind) -> Iterator[Entry]:
        """What will be free where it will fit, the tightest first."""
        return fitting(self._entries.get(kind, []), ask)

    def _sort_in(self, room: Room) -> None:
        gpu, cpu, memory, storage = self._amounts[room]
        entry = room.entry
        later = (entry[0] + gpu, entry[1] + cpu, entry[2] + memory, entry[3] + storage, entry[4], room)
        self._later[room] = later
        if room.kind is not None:
            insort(self._entries.setdefault(room.kind, []), later)

    def _sort_out(self, room: Room) -> None:
        later = self._later.pop(room, None)
        if later is not None and room.kind is not None:
            entries = self._entries[room.kind]
            del entries[bisect_left(entries, later)]
