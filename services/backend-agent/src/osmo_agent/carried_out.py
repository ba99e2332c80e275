"""What this agent knows about commands that it has seen: which are done, and which attempts are over."""

from collections import OrderedDict

from osmo_domain.command import CreateGroup, DeleteGroup

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
