"""Who asks."""

from msgspec import Struct

DEV_USER = "testuser"


class Caller(Struct, frozen=True):
    """`named` is False for somebody who did not say who they are and acts as the dev user."""

    user: str = DEV_USER
    named: bool = False
    roles: tuple[str, ...] = ()
    allowed_pools: tuple[str, ...] = ()
    token_name: str = ""
