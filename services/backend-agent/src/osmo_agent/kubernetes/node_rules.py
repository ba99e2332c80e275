"""What the backend's configuration says about nodes: asked again now and then, so that a change needs no restart."""

import asyncio
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
GOOD_FOR_S: Final = 10.0
_QUESTION: Final = msgspec.json.encode(AskNodeRules())
_ANSWER: Final[msgspec.json.Decoder[NodeRulesAnswer]] = msgspec.json.Decoder(NodeRulesAnswer)


class NodeRuleBook(Protocol):
    async def current(self) -> Mapping[str, str]:
        """The rules as they are; what was known last where nobody can say."""
        ...


class AskedRules:
    """Of the data service, on the backend's own subject, every `GOOD_FOR_S` at most: nodes are looked at more often."""

    def __init__(self, requests: Requests, backend: str) -> None:
        self._requests = requests
        self._subject = agent_questions(backend)
        self._known: Mapping[str, str] = {}
        self._good_until = 0.0

    async def current(self) -> Mapping[str, str]:
        now = asyncio.get_running_loop().time()
        if now < self._good_until:
            return self._known
        try:
            answer = _ANSWER.decode(await self._requests.ask(self._subject, _QUESTION, timeout_s=_WITHIN_S))
        except (Transient, msgspec.DecodeError) as error:
            log.info("the rules for nodes are not known now; the last ones hold", extra={"why": str(error)})
            return self._known
        if isinstance(answer, NodeRules):
            self._known, self._good_until = answer.rules, now + GOOD_FOR_S
        return self._known
