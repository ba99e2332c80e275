"""Settings from the environment, decoded once into a frozen Struct.

Field `nats_url` of prefix `OSMO_` is read from `OSMO_NATS_URL`. Numbers and booleans are decoded leniently; a value that does not fit
ends the process with what was expected and where it was read.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


class BadSettings(SystemExit):
    """Ends the process with a sentence that names the variable."""


def load_settings(kind: type[T], environ: Mapping[str, str], *, prefix: str = "OSMO_") -> T:
    found: dict[str, str] = {}
    for field in msgspec.structs.fields(kind):
        variable = prefix + field.name.upper()
        if variable in environ:
            found[field.name] = environ[variable]
        elif field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT:
            raise BadSettings(f"{variable} is not set, and {kind.__name__}.{field.name} has no default")
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadSettings(f"bad settings (variables {prefix}*): {error}") from error
