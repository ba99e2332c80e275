"""Where a gang that must stay together could be put."""

from osmo_domain.placement.floor import Floor
from osmo_domain.placement.gang import Gang
from osmo_domain.placement.room import Room


def regions(floor: Floor, gang: Gang) -> list[list[Room]]:
    """The domains of the coarsest level that is required, or all rooms where none is, as one."""
    if gang.regions is None:
        gang.regions = _regions(floor, gang)
    return gang.regions


def _regions(floor: Floor, gang: Gang) -> list[list[Room]]:
    wanted = {each.key for resources, _ in gang.shape.asks for each in resources.topology if each.required}
    label = next((level.label for level in gang.pool.topology_keys if level.key in wanted), None)
    rooms = {room.name: room for ask, _ in gang.asks for room in floor.possible(ask)}
    by_value: dict[str, list[Room]] = {}
    for _, room in sorted(rooms.items()):
        value = "" if label is None else room.load.fact.labels.get(label)
        if value is not None:
            by_value.setdefault(value, []).append(room)
    return [by_value[value] for value in sorted(by_value)]
