"""What JetStream writes on the wire and nats-py leaves to its user: reply subjects, status headers, raw reads. As its API pages say."""

from base64 import b64decode
from datetime import datetime
from typing import NamedTuple

import msgspec
from nats.aio.msg import Msg
from nats.js.api import Header

from osmo_eventlog.ports import Recorded, Seq

MESSAGE_ID = Header.MSG_ID.value
STATUS = Header.STATUS.value
EXPECTED_LAST = "Nats-Expected-Last-Subject-Sequence"
EXPECTED_LAST_SUBJECT = "Nats-Expected-Last-Subject-Sequence-Subject"
TIME_TO_LIVE = "Nats-TTL"
STALLED = "Nats-Consumer-Stalled"
NO_RESPONDERS = "503"


class Position(NamedTuple):
    """Where a delivered message stands: in the stream, in what this consumer sent, and how many are still to come; and when it was stored."""

    seq: Seq
    consumer_seq: int
    pending: int
    at_s: float


def position_of(reply: str) -> Position:
    """Read from the reply subject `$JS.ACK...`, with or without a domain."""
    tokens = reply.split(".")
    first = 5 if len(tokens) == 9 else 7
    return Position(int(tokens[first]), int(tokens[first + 1]), int(tokens[first + 3]), int(tokens[first + 2]) / 1e9)


def status_of(message: Msg) -> str:
    """The status of a message that the server made itself (`100`, `404`, `408`, `409`, `503`), else empty."""
    if message.data or not message.headers:
        return ""
    return message.headers.get(STATUS, "")


def recorded(stream: str, message: Msg, seq: Seq, at_s: float) -> Recorded:
    headers = message.headers
    return Recorded(stream, message.subject, seq, message.data, headers.get(MESSAGE_ID, "") if headers else "", at_s)


class StoredMessage(msgspec.Struct):
    """A message as `$JS.API.STREAM.MSG.GET` answers it."""

    subject: str
    seq: int
    data: str = ""
    hdrs: str = ""
    time: str = ""

    def payload(self) -> bytes:
        return b64decode(self.data)

    def headers(self) -> dict[str, str]:
        lines = b64decode(self.hdrs).decode().split("\r\n")[1:]
        return {name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}

    def recorded(self, stream: str) -> Recorded:
        message_id = self.headers().get(MESSAGE_ID, "")
        return Recorded(stream, self.subject, self.seq, self.payload(), message_id, self.at_s())

    def at_s(self) -> float:
        return datetime.fromisoformat(self.time).timestamp() if self.time else 0.0


class ApiError(msgspec.Struct):
    code: int
    err_code: int = 0
    description: str = ""


class GetAnswer(msgspec.Struct):
    message: StoredMessage | None = None
    error: ApiError | None = None


class PublishAnswer(msgspec.Struct):
    """`duplicate`: the message was stored before, at `seq`."""

    seq: int = 0
    duplicate: bool = False
    error: ApiError | None = None


GET_ANSWER = msgspec.json.Decoder(GetAnswer)
PUBLISH_ANSWER = msgspec.json.Decoder(PublishAnswer)
