"""Answers what other services ask about data (`osmo.rpc.data`), and agents (`osmo.rpc.agent.<backend>`)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from osmo_data.access import Problem, check_file, place_of
from osmo_data.credentials.desk import CredentialDesk
from osmo_data.server_access import Asked, check_servers
from osmo_domain.agent_requests import AgentQuestion, AskNodeRules, NodeRules
from osmo_domain.config import Catalogue
from osmo_domain.credential_requests import CredentialQuestion
from osmo_domain.errors import Poison, Rejected, Transient
from osmo_domain.requests import CheckData, DataAnswer, DataChecked, DataQuestion, Refused
from osmo_eventlog.subjects import parse_agent_questions
from osmo_storage import FileLocation, StorageAccess

log = logging.getLogger("osmo.data.questions")

_QUESTION: Final[msgspec.json.Decoder[DataQuestion]] = msgspec.json.Decoder(DataQuestion)
_AGENTS_QUESTION: Final[msgspec.json.Decoder[AgentQuestion]] = msgspec.json.Decoder(AgentQuestion)
_ENCODER: Final = msgspec.json.Encoder()


class Questions:
    """Without a desk, questions about credentials are refused. `ambient`: who has no keys for a place is there whoever this process is."""

    def __init__(
        self,
        roots: Sequence[Path],
        credentials: CredentialDesk | None = None,
        *,
        ambient: bool = False,
        catalogue: Catalogue | None = None,
    ) -> None:
        """`catalogue` is kept current by whoever gives it."""
        self._roots = roots
        self._catalogue = catalogue or Catalogue.empty()
        self._credentials = credentials
        self._ambient = ambient

    async def answer(self, data: bytes) -> bytes:
        """Every question gets an answer, one that cannot be read too."""
        try:
            question = _QUESTION.decode(data)
        except msgspec.DecodeError as error:
            return _ENCODER.encode(DataChecked({"": f"question not understood: {error}"}, {"": "data.bad_question"}))
        if isinstance(question, CheckData):
            return _ENCODER.encode(await self.check(question))
        return _ENCODER.encode(await self._about_credentials(question))

    async def answer_agent(self, subject: str, data: bytes) -> bytes:
        """An agent may ask for what attempts of its own backend need, and what the configuration says of its nodes; nothing else. Who asks is
        told by the subject, which the server of the log lets nobody else use."""
        try:
            question = _AGENTS_QUESTION.decode(data)
        except msgspec.DecodeError as error:
            refused = Refused("data.bad_question", f"question not understood: {error}", "USER", 400)
            return _ENCODER.encode(refused)
        backend = parse_agent_questions(subject)
        if isinstance(question, AskNodeRules):
            configured = self._catalogue.backends.get(backend)
            return _ENCODER.encode(NodeRules(dict(configured.node_conditions) if configured is not None else {}))
        return _ENCODER.encode(await self._about_credentials(question, backend))

    async def check(self, question: CheckData) -> DataChecked:
        problems: dict[str, Problem] = {}
        on_servers: dict[Asked, str] = {}
        for uri, direction in dict.fromkeys(question.uris):
            try:
                location = place_of(uri, direction)
                if isinstance(location, FileLocation):
                    check_file(uri, Path(location.path), direction, self._roots)
                else:
                    on_servers[location, "WRITE" if direction == "WRITE" else "READ"] = uri
            except Problem as problem:
                problems[uri] = problem
        if on_servers:
            access = await self._access_of(question.user)
            found = await check_servers(list(on_servers), access)
            problems.update({on_servers[asked]: problem for asked, problem in found.items()})
        return DataChecked(
            {uri: problem.message for uri, problem in problems.items()},
            {uri: problem.code for uri, problem in problems.items()},
        )

    async def _access_of(self, user: str) -> StorageAccess:
        keys = await self._credentials.storage_keys(user) if self._credentials is not None else {}
        return StorageAccess(keys, ambient=self._ambient)

    async def _about_credentials(self, question: CredentialQuestion, backend: str | None = None) -> DataAnswer:
        try:
            if self._credentials is None:
                raise Rejected("credential.not_kept", "This installation keeps no credentials.")
            return await self._credentials.answer(question, backend)
        except Rejected as error:
            log.info("a question is refused", extra={"question": repr(question), "code": error.code})
            return Refused(error.code, error.message, error.error_code, error.http_status)
        except (Transient, Poison) as error:
            log.warning("a question cannot be answered", extra={"question": repr(question), "error": str(error)})
            return Refused("data.unavailable", f"This cannot be done now, try again: {error}.", "SERVER", 503)
