"""Refusals of config writes, all of one kind: a stable code, what is wrong, and where in the object."""

from typing import TypeVar

import msgspec

from osmo_domain.configuration.kinds import ConfigType
from osmo_domain.errors import Rejected

T = TypeVar("T")


def refused(code: str, message: str, path: str | None = None) -> Rejected:
    return Rejected(f"config.{code}", message, path=path)


def words(kind: ConfigType) -> str:
    """The type in a sentence: `pod template`."""
    return kind.value.lower().replace("_", " ")


def shaped(value: object, shape: type[T], what: str) -> T:
    """The value in this shape, or `config.bad_shape` with the path to what does not fit."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$")
        where = path.rstrip("`").lstrip(".")
        raise refused(
            "bad_shape", f"{what} will not do{f' at `{where}`' if where else ''}: {said}.", where or None
        ) from error
