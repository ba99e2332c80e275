"""Plain data as YAML text the way PyYAML's `dump` writes it: keys sorted, block style, and every word quoted that would mean something else."""

import math
from collections.abc import Iterable
from datetime import date, datetime
from io import StringIO
from typing import Any

from ruamel.yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from osmo_domain.spec.libyaml import make_emitter
from osmo_domain.spec.scalars import meaning


def dump_yaml(value: Any) -> str:
    """The YAML text of dicts, lists and scalars; parsing it gives the same value."""
    out = StringIO()
    emitter = make_emitter(out, allow_unicode=False, width=80)
    emit = emitter.emit
    emit(StreamStartEvent(encoding=None))
    emit(DocumentStartEvent(explicit=False))
    _emit(emit, value)
    emit(DocumentEndEvent(explicit=False))
    emit(StreamEndEvent())
    return out.getvalue()


def _emit(emit: Any, value: Any) -> None:
    if isinstance(value, dict):
        emit(MappingStartEvent(None, None, True, flow_style=not value))
        for key, item in _sorted(value.items()):
            _emit(emit, key)
            _emit(emit, item)
        emit(MappingEndEvent())
    elif isinstance(value, list | tuple):
        emit(SequenceStartEvent(None, None, True, flow_style=not value))
        for item in value:
            _emit(emit, item)
        emit(SequenceEndEvent())
    else:
        emit(_scalar(value))


def _sorted(items: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """By key where keys can be compared; as they are where not, as PyYAML does."""
    pairs = list(items)
    try:
        return sorted(pairs, key=lambda pair: pair[0])
    except TypeError:
        return pairs


def _scalar(value: Any) -> ScalarEvent:
    if isinstance(value, str):
        return ScalarEvent(None, None, (_means_itself(value), True), value)
    return ScalarEvent(None, None, (True, False), _written(value))


def _means_itself(text: str) -> bool:
    try:
        return isinstance(meaning(text), str) and text not in ("=", "<<")
    except (ValueError, OverflowError):
        return False


def _written(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _real(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, date) else str(value)


def _real(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    return text.replace("e", ".0e", 1) if "." not in text and "e" in text else text
