"""What the documents in proto/ say about an answer or a message, and whether it is so."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import nats
from jsonschema import Draft202012Validator
from nats.aio.msg import Msg
from tests.flows.person import OVER_WITHIN_S

Json = dict[str, Any]


@dataclass
class Answers:
    """Answers of one gateway, held against the document that it serves."""

    http: aiohttp.ClientSession
    document: Json

    async def ask(
        self, method: str, path: str, status: str = "200", *, body: object = None, query: Any = None, **parts: str
    ) -> bytes:
        """The body of the answer to an operation of the document, whose status, content type and schema are as it says."""
        operation = self.document["paths"][path][method.lower()]
        data = json.dumps(body) if body is not None else None
        async with self.http.request(method, path.format(**parts), params=query, data=data) as answer:
            content = await answer.read()
            said = f"{method} {path.format(**parts)}: {answer.status} {content[:300]!r}"
            assert fits(status, answer.status), said
            response = self.resolved(operation["responses"][status])
            kind = "application/json" if answer.content_type == "application/json" else answer.headers["Content-Type"]
            assert kind in response["content"], f"{said} as {kind}"
            if kind == "application/json":
                check(json.loads(content), self.schema(response["content"][kind]["schema"], path))
            return content

    def schema(self, schema: Json, path: str) -> Json:
        """With no room for fields that are not described, but in config objects, to which reads add what is worked out."""
        components = self.document["components"]
        return {**schema, "components": components if "/configs/" in path else closed(components)}

    def resolved(self, part: Json) -> Json:
        found: Any = part
        if "$ref" in part:
            found = self.document
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[step]
        return dict(found)


async def answers_of(http: aiohttp.ClientSession) -> Answers:
    async with http.get("/api/openapi.json") as answer:
        return Answers(http, await answer.json())


def fits(described: str, status: int) -> bool:
    return re.fullmatch(described.replace("X", "[0-9]"), str(status)) is not None


def check(value: object, schema: Json) -> None:
    problems = [
        f"{list(one.absolute_path)}: {one.message[:300]}" for one in Draft202012Validator(schema).iter_errors(value)
    ]
    assert not problems, problems


def closed(part: Any) -> Any:
    """The schemas with every object limited to the fields that are described."""
    if isinstance(part, list):
        return [closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    inner = {key: closed(value) for key, value in part.items()}
    return {"additionalProperties": False, **inner} if "properties" in part and part.get("type") == "object" else inner


@dataclass(frozen=True)
class Channels:
    """The channels of AsyncAPI by the subjects that they stand for, the most particular first."""

    document: Json

    def name(self, subject: str) -> str:
        named = {name: one["address"] for name, one in self.document["channels"].items() if one["address"]}
        for name in sorted(named, key=lambda one: named[one].count("{")):
            if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^.]+", re.escape(named[name])), subject):
                return name
        raise AssertionError(f"nothing is said about {subject}")

    def check(self, channel: str, data: bytes) -> None:
        """The message is one of those that may be on this channel."""
        names = self.document["channels"][channel]["messages"]
        messages = [self.document["components"]["messages"][name] for name in names]
        if all("payload" in one for one in messages):
            options = [one["payload"] for one in messages]
            check(json.loads(data), {"anyOf": options, "components": closed(self.document["components"])})


@dataclass
class Replies:
    """Questions that were overheard, and their answers."""

    asked: dict[str, str] = field(default_factory=dict)
    answered: list[tuple[str, bytes]] = field(default_factory=list)

    async def on_message(self, message: Msg) -> None:
        if message.subject.startswith("osmo.rpc."):
            self.asked[message.reply] = message.subject
        elif message.subject in self.asked and message.data:
            self.answered.append((self.asked[message.subject], message.data))


async def served_subjects(nats_url: str, at_least: set[str]) -> set[str]:
    """What the services that are there say that they answer (NATS services API), once these are among it."""
    found: set[str] = set()
    async with await nats.connect(nats_url) as asking:
        inbox = asking.new_inbox()
        answers = await asking.subscribe(inbox)
        await asking.publish("$SRV.INFO", reply=inbox)
        while not at_least <= found:
            answer = await answers.next_msg(timeout=OVER_WITHIN_S)
            found |= {endpoint["subject"] for endpoint in json.loads(answer.data)["endpoints"]}
    return found


@asynccontextmanager
async def overheard(nats_url: str) -> AsyncIterator[Replies]:
    replies = Replies()
    async with await nats.connect(nats_url) as listening:
        await listening.subscribe(">", cb=replies.on_message)
        await listening.flush()
        yield replies
