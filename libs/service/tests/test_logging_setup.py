"""A line of the log is one line of JSON, whatever its fields are."""

import json
import logging

import pytest

from osmo_service.logging_setup import JsonLines


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1, 1),
        ("\u00e4", "\u00e4"),
        ("half \udce4", "half \udce4"),
        (ValueError("why"), "why"),
        (("a", 1), ["a", 1]),
        ({1: 2}, {"1": 2}),
    ],
)
def test_fields_of_any_kind(value: object, said: object) -> None:
    record = logging.makeLogRecord({"name": "osmo", "msg": "it happened", "levelname": "INFO", "field": value})
    text = JsonLines().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert (line["event"], line["logger"], line["field"]) == ("it happened", "osmo", said)
