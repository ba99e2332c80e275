"""Logs on stderr: JSON lines when it is not a terminal, plain text when it is. The event is the message; everything else is a field."""

import json
import logging
import sys
from datetime import UTC, datetime

import msgspec

_ENCODER = msgspec.json.Encoder(enc_hook=str)

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {key: value for key, value in vars(record).items() if key not in _PLAIN}
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return _in_json(line)


def _in_json(line: dict[str, object]) -> str:
    """What is no text in UTF-8 (half a character out of somebody's path) is escaped, as json does it."""
    try:
        return _ENCODER.encode(line).decode()
    except (UnicodeEncodeError, TypeError):
        return json.dumps(line, default=str)


class PlainLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key}={value}" for key, value in vars(record).items() if key not in _PLAIN)
        text = f"{datetime.fromtimestamp(record.created, UTC):%H:%M:%S.%f} {record.levelname:7} {record.name} {record.getMessage()} {fields}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def set_up_logging(level: str = "INFO") -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainLines() if sys.stderr.isatty() else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
