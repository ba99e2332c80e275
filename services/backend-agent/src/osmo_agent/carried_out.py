"""What this agent knows about commands that it has seen: which are done, which are open, which attempts are over."""

from collections import OrderedDict

from osmo_domain.command import CreateGroup, DeleteGroup

KEPT = 16_384


class CarriedOut:
    """Positions of COMMANDS. What is done stays known for a while, so that a repeated delivery is only acknowledged."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._done: OrderedDict[int, None] = OrderedDict()
        self._highest = 0

    def start_at(self, position: int) -> None:
        """Everything up to here is done, but for what `begin` names."""
        self._highest = max(self._highest, position)

    def begin(self, position: int) -> None:
        self._open.add(position)
        self._highest = max(self._highest, position)

    def finish(self, position: int) -> None:
        self._open.discard(position)
        self._done[position] = None
        if len(self._done) > KEPT:
            self._done.popitem(last=False)

    def is_done(self, position: int) -> bool:
        return position in self._done

    @property
    def through(self) -> int:
        """The position up to which everything is carried out."""
        return min(self._open) - 1 if self._open else self._highest


class Overtaken:
    """Attempts that a delete command named. A create that comes later for one of them (given back, or left over) must not revive it."""

    def __init__(self) -> None:
        self._deleted: OrderedDict[tuple[str, str], int] = OrderedDict()

    def note(self, command: DeleteGroup) -> None:
        for task, retry_id in command.retry_ids.items():
            key = (command.workflow_uuid, task)
            self._deleted[key] = max(retry_id, self._deleted.pop(key, 0))
            if len(self._deleted) > KEPT:
                self._deleted.popitem(last=False)

    def still_wanted(self, command: CreateGroup) -> dict[str, int]:
        """The attempts of the command that no delete has named."""
        return {
            task: retry_id
            for task, retry_id in command.retry_ids.items()
            if retry_id > self._deleted.get((command.workflow_uuid, task), -1)
        }
