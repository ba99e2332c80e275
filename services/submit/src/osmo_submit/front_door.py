"""The one place where users' requests come in (`osmo.rpc.submit`): each is read, handed to who carries it out, and answered."""

import logging
from typing import Final

import msgspec

from osmo_domain.errors import Poison, Rejected, Transient
from osmo_domain.requests import (
    CancelRequest,
    FrontDoorAnswer,
    FrontDoorRequest,
    Refused,
    RestartRequest,
    SubmitRequest,
    TagRequest,
)
from osmo_eventlog.enclosing import enclose, unwrap
from osmo_eventlog.ports import Blobs
from osmo_submit.again import Again
from osmo_submit.existing import Existing
from osmo_submit.submission import Submissions

log = logging.getLogger("osmo.submit.front_door")

_REQUEST: Final[msgspec.json.Decoder[FrontDoorRequest]] = msgspec.json.Decoder(FrontDoorRequest)
_ENCODER: Final = msgspec.json.Encoder()


class FrontDoor:
    def __init__(self, submissions: Submissions, again: Again, existing: Existing, blobs: Blobs) -> None:
        self._blobs = blobs
        self._submissions = submissions
        self._again = again
        self._existing = existing

    async def answer(self, data: bytes) -> bytes:
        """Every request gets an answer, also one that cannot be read and one on which we stumble."""
        answer = _ENCODER.encode(await self._answer(data))
        try:
            return await enclose(answer, self._blobs)
        except Transient as error:
            return _ENCODER.encode(_unavailable(error))

    async def _answer(self, data: bytes) -> FrontDoorAnswer:
        try:
            return await self._carry_out(_REQUEST.decode(await unwrap(data, self._blobs)))
        except Rejected as error:
            return _refused(error)
        except msgspec.DecodeError as error:
            return Refused("request.malformed", f"The request cannot be read: {error}.", "USAGE")
        except (Transient, Poison) as error:
            return _unavailable(error)
        except Exception:
            log.exception("a request failed")
            return Refused("submit.failed", "The submit service failed; its log says why.", "SERVER", 500)

    async def _carry_out(self, request: FrontDoorRequest) -> FrontDoorAnswer:
        match request:
            case SubmitRequest():
                return await self._submit(request)
            case RestartRequest():
                return await self._again.restart(request)
            case CancelRequest():
                return await self._existing.cancel(request)
            case TagRequest():
                return await self._existing.tag(request)

    async def _submit(self, request: SubmitRequest) -> FrontDoorAnswer:
        if (request.file is None) == (not request.source_workflow_id):
            raise Rejected("submit.what", "Send either a spec or the id of an earlier workflow.", error_code="USAGE")
        if request.source_workflow_id:
            return await self._again.resubmit(request)
        return await self._submissions.submit(request)


def _unavailable(error: Transient | Poison) -> Refused:
    log.warning("a request could not be carried out", extra={"error": str(error)})
    return Refused("submit.unavailable", f"This cannot be done now, try again: {error}.", "SERVER", 503)


def _refused(error: Rejected) -> Refused:
    return Refused(
        code=error.code,
        message=error.message,
        error_code=error.error_code,
        http_status=error.http_status,
        line=error.line,
        column=error.column,
        path=error.path,
        workflow_id=error.workflow_id,
    )
