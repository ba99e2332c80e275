"""Which commands this agent has carried out in its present life."""

from collections import OrderedDict

KEPT = 16_384


class CarriedOut:
    """Positions of COMMANDS that are done. They stay known for a while, so that a repeated delivery is only acknowledged."""

    def __init__(self) -> None:
        self._done: OrderedDict[int, None] = OrderedDict()

    def __contains__(self, position: int) -> bool:
        return position in self._done

    def add(self, position: int) -> None:
        self._done[position] = None
        if len(self._done) > KEPT:
            self._done.popitem(last=False)
