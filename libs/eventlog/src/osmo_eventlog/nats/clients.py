"""Ending connections of agents at once, through nats-server's system account: what the services' account may ask there is `accounts.KICK`."""

import asyncio
import json
import logging

import msgspec
from nats.aio.msg import Msg

from osmo_eventlog.agent_rights import AGENTS
from osmo_eventlog.nats.accounts import CONNECTIONS, KICK
from osmo_eventlog.nats.errors import LIBRARY_ERRORS
from osmo_eventlog.nats.link import Link

log = logging.getLogger("osmo.eventlog.nats")

_GATHER_S = 0.5
"""Each server of a cluster answers for itself, and nobody says how many there are."""
_MOST = 10_000


class _Server(msgspec.Struct):
    id: str


class _Client(msgspec.Struct):
    cid: int
    authorized_user: str = ""


class _Page(msgspec.Struct):
    connections: list[_Client] = []


class _Answer(msgspec.Struct):
    server: _Server
    data: _Page | None = None


_DECODER = msgspec.json.Decoder(_Answer)


class NatsClients:
    def __init__(self, link: Link) -> None:
        self._link = link

    async def send_away(self, users: set[str]) -> int:
        """End every connection that was let in under one of these names; how many. None where the server does not let us: they end by themselves."""
        try:
            found = await self._connections(users)
            for server, client in found:
                subject = KICK.replace("*", server)
                await self._link.asking.ask(subject, json.dumps({"cid": client}).encode(), timeout_s=2)
        except LIBRARY_ERRORS as error:
            log.warning("connections of agents cannot be ended now", extra={"error": repr(error)})
            return 0
        return len(found)

    async def _connections(self, users: set[str]) -> list[tuple[str, int]]:
        """Server and number of each."""
        answers: list[Msg] = []

        async def gather(message: Msg) -> None:
            answers.append(message)

        inbox = self._link.client.new_inbox()
        subscription = await self._link.client.subscribe(inbox, cb=gather)
        try:
            question = {"acc": AGENTS, "auth": True, "limit": _MOST}
            await self._link.client.publish(CONNECTIONS, json.dumps(question).encode(), reply=inbox)
            await asyncio.sleep(_GATHER_S)
        finally:
            await subscription.unsubscribe()
        found = []
        for message in answers:
            answer = _DECODER.decode(message.data)
            page = answer.data or _Page()
            found += [(answer.server.id, one.cid) for one in page.connections if one.authorized_user in users]
        return found
