"""Answers what other services ask about data (`osmo.rpc.data`)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from osmo_data.access import Problem, check
from osmo_data.credentials.desk import CredentialDesk
from osmo_domain.credential_requests import CredentialQuestion
from osmo_domain.errors import Poison, Rejected, Transient
from osmo_domain.requests import CheckData, DataAnswer, DataChecked, DataQuestion, Refused

log = logging.getLogger("osmo.data.questions")

_QUESTION: Final[msgspec.json.Decoder[DataQuestion]] = msgspec.json.Decoder(DataQuestion)
_ENCODER: Final = msgspec.json.Encoder()


class Questions:
    """Without a desk, questions about credentials are refused."""

    def __init__(self, roots: Sequence[Path], credentials: CredentialDesk | None = None) -> None:
        self._roots = roots
        self._credentials = credentials

    async def answer(self, data: bytes) -> bytes:
        """Every question gets an answer, one that cannot be read too."""
        try:
            question = _QUESTION.decode(data)
        except msgspec.DecodeError as error:
            return _ENCODER.encode(DataChecked({"": f"question not understood: {error}"}, {"": "data.bad_question"}))
        if isinstance(question, CheckData):
            return _ENCODER.encode(self.check(question))
        return _ENCODER.encode(await self._about_credentials(question))

    def check(self, question: CheckData) -> DataChecked:
        answer = DataChecked()
        for uri, direction in dict.fromkeys(question.uris):
            try:
                check(uri, direction, self._roots)
            except Problem as problem:
                answer.problems[uri], answer.codes[uri] = problem.message, problem.code
        return answer

    async def _about_credentials(self, question: CredentialQuestion) -> DataAnswer:
        try:
            if self._credentials is None:
                raise Rejected("credential.not_kept", "This installation keeps no credentials.")
            return await self._credentials.answer(question)
        except Rejected as error:
            log.info("a question is refused", extra={"question": repr(question), "code": error.code})
            return Refused(error.code, error.message, error.error_code, error.http_status)
        except (Transient, Poison) as error:
            log.warning("a question cannot be answered", extra={"question": repr(question), "error": str(error)})
            return Refused("data.unavailable", f"This cannot be done now, try again: {error}.", "SERVER", 503)
