"""The way to a control container in its pod: the agent cannot reach it, the log-router that it is connected to can."""

from typing import Final, Protocol

import msgspec

from osmo_domain.errors import Rejected, Transient
from osmo_domain.requests import CtrlAnswer, Done, RestartCommand
from osmo_eventlog.ports import Requests
from osmo_eventlog.subjects import ctrl_questions

_WITHIN_S: Final = 10.0
_QUESTION: Final = msgspec.json.Encoder()
_ANSWER: Final[msgspec.json.Decoder[CtrlAnswer]] = msgspec.json.Decoder(CtrlAnswer)


class CtrlLine(Protocol):
    async def restart(self, workflow_id: str, task: str, command: RestartCommand) -> None:
        """Returns when the control container was told; Transient where nobody is connected to it now, Rejected where it must not be."""
        ...


class RouterLine:
    """Over the questions between services."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def restart(self, workflow_id: str, task: str, command: RestartCommand) -> None:
        subject = ctrl_questions(workflow_id, task, command.retry_id)
        answer = _ANSWER.decode(await self._requests.ask(subject, _QUESTION.encode(command), timeout_s=_WITHIN_S))
        if isinstance(answer, Done):
            return
        if answer.http_status < 500:
            raise Rejected(answer.code, answer.message, http_status=answer.http_status)
        raise Transient(answer.message)
