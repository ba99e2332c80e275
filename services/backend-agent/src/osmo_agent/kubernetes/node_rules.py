"""What the backend's configuration says about nodes: asked again at every look, so that a change needs no restart."""

import logging
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from osmo_domain.agent_requests import AskNodeRules, NodeRules, NodeRulesAnswer
from osmo_domain.errors import Transient
from osmo_eventlog.ports import Requests
from osmo_eventlog.subjects import agent_questions

log = logging.getLogger("osmo.agent.kubernetes.nodes")

_WITHIN_S: Final = 5.0
_QUESTION: Final = msgspec.json.encode(AskNodeRules())
_ANSWER: Final[msgspec.json.Decoder[NodeRulesAnswer]] = msgspec.json.Decoder(NodeRulesAnswer)


class NodeRuleBook(Protocol):
    async def current(self) -> Mapping[str, str]:
        """The rules as they are; what was known last where nobody can say."""
        ...


class AskedRules:
    """Of the data service, on the backend's own subject."""

    def __init__(self, requests: Requests, backend: str) -> None:
        self._requests = requests
        self._subject = agent_questions(backend)
        self._known: Mapping[str, str] = {}

    async def current(self) -> Mapping[str, str]:
        try:
            answer = _ANSWER.decode(await self._requests.ask(self._subject, _QUESTION, timeout_s=_WITHIN_S))
        except (Transient, msgspec.DecodeError) as error:
            log.info("the rules for nodes are not known now; the last ones hold", extra={"why": str(error)})
            return self._known
        if isinstance(answer, NodeRules):
            self._known = answer.rules
        return self._known
