"""Answers what other services ask about data (`osmo.rpc.data`)."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from osmo_data.access import Problem, check
from osmo_domain.requests import CheckData, DataChecked

_QUESTION: msgspec.json.Decoder[CheckData] = msgspec.json.Decoder(CheckData)
_ENCODER = msgspec.json.Encoder()


class Questions:
    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = roots

    async def answer(self, data: bytes) -> bytes:
        """Every question gets an answer, one that cannot be read too."""
        try:
            question = _QUESTION.decode(data)
        except msgspec.DecodeError as error:
            return _ENCODER.encode(DataChecked({"": f"question not understood: {error}"}, {"": "data.bad_question"}))
        return _ENCODER.encode(self.check(question))

    def check(self, question: CheckData) -> DataChecked:
        answer = DataChecked()
        for uri, direction in dict.fromkeys(question.uris):
            try:
                check(uri, direction, self._roots)
            except Problem as problem:
                answer.problems[uri], answer.codes[uri] = problem.message, problem.code
        return answer
