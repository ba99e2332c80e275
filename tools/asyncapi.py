"""proto/asyncapi.json: streams, questions between services, and what control containers say to log-router."""

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from tools.channels import CHANNELS, Channel, Text
from tools.families import FAMILIES, Family, tag_of

from osmo_api.ctrl import SUBPROTOCOL
from osmo_domain.commit import Commit
from osmo_eventlog.matching import matches_any
from osmo_eventlog.streams import BUCKETS, STREAMS, StreamSpec
from osmo_log_router.server import PATH as CTRL_PATH
from osmo_log_router.settings import LogRouterSettings

Json = dict[str, Any]

ABOUT = """What the services of osmo say to each other over NATS, made from the code that says it.

A stream's message is one commit: the events of one decision (or of one look at the world), appended behind an expected position of its subject; or
one command, or one batch of lines. Questions are request/reply. A name with dots stands in a subject with `=` for each dot. Readers pass over events
and fields that they do not know; a changed meaning is a new tag. Every stored message has an id in the header `Nats-Msg-Id`, and is stored once.

Log-router's WebSocket is that of a task's control container: `send` is what log-router says, `receive` what it is told."""

ROUTER = f"localhost:{LogRouterSettings().log_router_port}"

_FAMILIES = {family.name: family for family in FAMILIES}
_PARAMETER = re.compile(r"\{(\w+)\}")


def asyncapi_text() -> str:
    return json.dumps(asyncapi(), indent=2, sort_keys=True) + "\n"


def asyncapi() -> Json:
    used = [family for family in FAMILIES if family.name in _used()]
    channels = {one.name: channel_of(one) for one in CHANNELS}
    replies = {f"{one.name}_reply": reply_channel(one) for one in CHANNELS if one.answered_with}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "osmo", "version": "1", "description": ABOUT},
        "defaultContentType": "application/json",
        "servers": {
            "nats": {"host": "{nats}", "protocol": "nats", "variables": {"nats": {"default": "localhost:4222"}}},
            "log_router": {"host": "{router}", "protocol": "ws", "variables": {"router": {"default": ROUTER}}},
        },
        "channels": {**channels, **replies, "ctrl": ctrl_channel()},
        "operations": {**dict(operations()), **ctrl_operations()},
        "components": {
            "messages": {**dict(messages(used)), **dict(text_messages())},
            "schemas": schemas(used),
        },
    }  # fmt: skip


def _used() -> set[str]:
    carried = {name for one in CHANNELS for name in (*one.carries, *one.answered_with) if isinstance(name, str)}
    return carried | {"ctrl-from", "ctrl-to"}


# Channels


def channel_of(one: Channel) -> Json:
    channel: Json = {
        "address": one.address,
        "description": one.about,
        "servers": [{"$ref": "#/servers/nats"}],
        "messages": message_refs(one.carries),
    }
    if parameters := parameters_of(one.address):
        channel["parameters"] = parameters
    if stream := stream_of(one):
        channel["x-stream"] = stream_facts(stream)
    return channel


def parameters_of(address: str) -> Json:
    return {name: {"description": "One token of the subject."} for name in _PARAMETER.findall(address)}


def stream_of(one: Channel) -> StreamSpec | None:
    """None where what is sent is kept by no stream."""
    subject = _PARAMETER.sub("_", one.address)
    return next((spec for spec in (*STREAMS, *BUCKETS) if matches_any(spec.subjects, subject)), None)


def stream_facts(spec: StreamSpec) -> Json:
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(spec).items()
    }


def reply_channel(one: Channel) -> Json:
    return {
        "address": None,
        "description": "The asker's inbox: whatever subject its question names.",
        "servers": [{"$ref": "#/servers/nats"}],
        "messages": message_refs(one.answered_with),
    }


def message_refs(carried: tuple[str | Text, ...]) -> Json:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in message_names(carried)}


def message_names(carried: tuple[str | Text, ...]) -> Iterator[str]:
    for one in carried:
        yield from [one.name] if isinstance(one, Text) else names_of(_FAMILIES[one])


def names_of(family: Family) -> list[str]:
    """One for a commit, whatever events are in it; else one for each kind of message."""
    if family.committed:
        return [family.name]
    return [f"{family.name}.{tag_of(member)}" for member in family.members()]


def ctrl_channel() -> Json:
    return {
        "address": CTRL_PATH,
        "description": f"The connection of one attempt's control container, with the subprotocol {SUBPROTOCOL}: text frames of JSON.",
        "servers": [{"$ref": "#/servers/log_router"}],
        "parameters": {name: {"description": "A part of the path."} for name in _PARAMETER.findall(CTRL_PATH)},
        "messages": message_refs(("ctrl-from", "ctrl-to")),
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {"type": "object", "properties": {"Sec-WebSocket-Protocol": {"type": "string", "const": SUBPROTOCOL}}},
                "bindingVersion": "0.1.0",
            }
        },
    }  # fmt: skip


# Operations


def operations() -> Iterator[tuple[str, Json]]:
    for one in CHANNELS:
        said, heard = ("ask", "answer") if one.answered_with else ("send", "receive")
        yield f"{said}_{one.name}", operation(one, "send", f"By {', '.join(one.sent_by)}.")
        yield f"{heard}_{one.name}", operation(one, "receive", f"By {', '.join(one.heard_by)}.")


def operation(one: Channel, action: str, summary: str) -> Json:
    made: Json = {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{one.name}"},
        "messages": channel_messages(one.name, one.carries),
    }
    if one.answered_with:
        reply = f"{one.name}_reply"
        made["reply"] = {
            "channel": {"$ref": f"#/channels/{reply}"},
            "messages": channel_messages(reply, one.answered_with),
        }
    return made


def ctrl_operations() -> Json:
    channel = {"$ref": "#/channels/ctrl"}
    return {
        "receive_ctrl": {"action": "receive", "channel": channel, "messages": channel_messages("ctrl", ("ctrl-from",))},
        "send_ctrl": {"action": "send", "channel": channel, "messages": channel_messages("ctrl", ("ctrl-to",))},
    }


def channel_messages(channel: str, carried: tuple[str | Text, ...]) -> list[Json]:
    return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in message_names(carried)]


# Messages and their schemas


def messages(used: list[Family]) -> Iterator[tuple[str, Json]]:
    for family in used:
        if family.committed:
            tags = ", ".join(f"`{tag_of(member)}`" for member in family.members())
            payload = {"$ref": f"#/components/schemas/{family.name}"}
            yield family.name, message(family, family.name, f"A commit of: {tags}.", payload)
            continue
        for name, member, payload in zip(names_of(family), family.members(), members_schemas(family), strict=True):
            yield name, message(family, name, inspect.cleandoc(member.__doc__ or ""), payload)


def message(family: Family, name: str, about: str, payload: Json) -> Json:
    made: Json = {"name": name, "contentType": family.content_type, "payload": payload}
    return {**made, "description": about} if about else made


def text_messages() -> Iterator[tuple[str, Json]]:
    for text in (each for one in CHANNELS for each in (*one.carries, *one.answered_with) if isinstance(each, Text)):
        yield text.name, {"name": text.name, "description": text.about, "contentType": text.content_type}


def members_schemas(family: Family) -> tuple[Json, ...]:
    return tuple({"$ref": ref["$ref"]} for ref in _COMPONENTS.refs[family.name])


def schemas(used: list[Family]) -> Json:
    """One for every Struct and enumeration, and one for the commits of each family."""
    commits = {family.name: commit_schema(family) for family in used if family.committed}
    return {**_COMPONENTS.schemas, **commits}


def commit_schema(family: Family) -> Json:
    commit: Json = _COMPONENTS.commit
    events = {"type": "array", "items": {"anyOf": list(members_schemas(family))}}
    return {**commit, "title": f"Commit of {family.name}", "properties": {**commit["properties"], "events": events}}


class Components:
    """The schemas of all that is used, made together so that two Structs of one name get two names."""

    def __init__(self) -> None:
        families = [family for family in FAMILIES if family.name in _used()]
        members = [(family.name, member) for family in families for member in family.members()]
        kinds = [*(member for _, member in members), Commit[Any]]
        found, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
        self.refs: dict[str, list[Json]] = {}
        for (name, _), ref in zip(members, found, strict=False):
            self.refs.setdefault(name, []).append(ref)
        self.schemas: Json = {name: plain_union(schema) for name, schema in schemas.items()}
        self.commit: Json = self.schemas.pop(found[-1]["$ref"].rpartition("/")[2])


def plain_union(schema: Any) -> Any:
    """Without OpenAPI's discriminators, which AsyncAPI does not have: each kind of a union says its tag itself."""
    if isinstance(schema, list):
        return [plain_union(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    mapped = isinstance(schema.get("discriminator"), dict) and "mapping" in schema["discriminator"]
    return {key: plain_union(value) for key, value in schema.items() if not (mapped and key == "discriminator")}


_COMPONENTS = Components()
