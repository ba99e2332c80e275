"""What people ask for and submit decides: every request goes to the front door, and its refusals come back as Rejected."""

from typing import Final

import msgspec

from osmo_api.http import CancelAnswer, SubmitAnswer
from osmo_domain.errors import ErrorCode, Rejected, Transient
from osmo_domain.requests import (
    CancelRequest,
    Done,
    FrontDoorAnswer,
    FrontDoorRequest,
    Refused,
    RestartRequest,
    SubmitRequest,
    Submitted,
    TagRequest,
)
from osmo_eventlog.enclosing import enclose, unwrap
from osmo_eventlog.ports import Blobs, Requests
from osmo_eventlog.subjects import FRONT_DOOR
from osmo_gateway.estate import Estate
from osmo_gateway.links import Links
from osmo_gateway.own_writes import OwnWrites

_ENCODER: Final = msgspec.json.Encoder()
_ANSWER: Final[msgspec.json.Decoder[FrontDoorAnswer]] = msgspec.json.Decoder(FrontDoorAnswer)
_TIMEOUT_S: Final = 50.0
"""Below the 60 s after which clients give up; validating a huge template takes its time."""


class FrontDoor:
    def __init__(self, requests: Requests, blobs: Blobs, estate: Estate, own_writes: OwnWrites, links: Links) -> None:
        self._requests = requests
        self._blobs = blobs
        self._estate = estate
        self._own_writes = own_writes
        self._links = links

    async def submit(self, request: SubmitRequest) -> SubmitAnswer:
        self._check_size(request)
        submitted = await self._submitted(request, request.user)
        if submitted.spec is not None:
            return SubmitAnswer(name=submitted.name, spec=submitted.spec, warnings=submitted.warnings)
        if request.dry_run or request.validation_only:
            return SubmitAnswer(name=submitted.name, logs=submitted.logs, warnings=submitted.warnings)
        return self._stored(submitted)

    async def restart(self, request: RestartRequest) -> SubmitAnswer:
        return self._stored(await self._submitted(request, request.user))

    async def cancel(self, request: CancelRequest) -> CancelAnswer:
        await self._done(request, request.workflow_id)
        return CancelAnswer(name=request.workflow_id)

    async def tag(self, request: TagRequest) -> None:
        await self._done(request, request.workflow_id)

    def _check_size(self, request: SubmitRequest) -> None:
        """Before anybody else has to carry it. Submit checks it again."""
        most = self._estate.catalogue.workflow.max_spec_bytes
        for text in (request.file, request.uploaded_templated_spec):
            if text is not None and len(text) > most:
                raise Rejected("spec.too_large", f"The spec has {len(text)} characters; {most} are allowed.")

    def _stored(self, submitted: Submitted) -> SubmitAnswer:
        return SubmitAnswer(
            name=submitted.name,
            overview=self._links.overview(submitted.name),
            logs=self._links.logs(submitted.name),
            warnings=submitted.warnings,
            seq=submitted.seq or None,
        )

    async def _submitted(self, request: FrontDoorRequest, user: str) -> Submitted:
        answer = await self._ask(request)
        if not isinstance(answer, Submitted):
            raise Transient(f"the front door answered {type(answer).__name__} to {type(request).__name__}")
        self._own_writes.note(answer.seq, answer.name, user)
        return answer

    async def _done(self, request: FrontDoorRequest, workflow_id: str) -> None:
        answer = await self._ask(request)
        self._own_writes.note(answer.seq, workflow_id)

    async def _ask(self, request: FrontDoorRequest) -> Submitted | Done:
        question = await enclose(_ENCODER.encode(request), self._blobs)
        data = await self._requests.ask(FRONT_DOOR, question, timeout_s=_TIMEOUT_S)
        answer = _ANSWER.decode(await unwrap(data, self._blobs))
        if isinstance(answer, Refused):
            raise _rejected(answer)
        return answer


def _rejected(refused: Refused) -> Rejected:
    error_code: ErrorCode = msgspec.convert(refused.error_code, ErrorCode)
    return Rejected(
        refused.code,
        refused.message,
        error_code=error_code,
        http_status=refused.http_status,
        line=refused.line,
        column=refused.column,
        path=refused.path,
        workflow_id=refused.workflow_id,
    )
