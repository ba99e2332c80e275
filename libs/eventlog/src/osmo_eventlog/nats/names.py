"""Any text as one token of a subject: what may not stand there becomes `=` and its bytes in hex."""

import string

_PLAIN = frozenset(string.ascii_letters + string.digits + "-_")


def as_token(name: str) -> str:
    return "".join(char if char in _PLAIN else f"={char.encode().hex()}=" for char in name)
