"""What a round found about those who got no place."""

from msgspec import Struct

from osmo_domain.pending import ReasonCode, Victim
from osmo_domain.placement.model import GroupKey


class Verdict(Struct, frozen=True):
    """What kept a class of groups (or one group) from a place in the last round. `head` is whom it would have delayed."""

    code: ReasonCode
    message: str = ""
    head: GroupKey | None = None
    victims: tuple[Victim, ...] = ()
