"""The places in storage that a spec names: may the user read and write there? Asked of the data service, only for specs that name any."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from osmo_domain.errors import Rejected
from osmo_domain.plan import Plan
from osmo_domain.requests import CheckData, DataChecked
from osmo_eventlog.ports import Requests
from osmo_eventlog.subjects import DATA_QUESTIONS

_WITHIN_S: Final = 10.0
_QUESTION: Final = msgspec.json.Encoder()
_ANSWER: Final = msgspec.json.Decoder(DataChecked)
_OTHER_STORAGE: Final = "storage.uri.unknown_scheme"
_OUT_OF_REACH: Final = frozenset({_OTHER_STORAGE, "data.unreachable", "data.no_credential"})
"""What may be otherwise in another installation, or once the user has set a credential: a spec is not wrong for that."""


class Verdict(Struct, frozen=True):
    """`unserved`: a place cannot be reached from here and now, by its kind of storage, its server or its credential; `warnings` say so."""

    warnings: tuple[str, ...] = ()
    unserved: Rejected | None = None


async def check_places(requests: Requests, user: str, plan: Plan) -> Verdict:
    """Refused with `data.no_access`, class CREDENTIAL."""
    uris = tuple(dict.fromkeys(_uris(plan)))
    if not uris:
        return Verdict()
    question = _QUESTION.encode(CheckData(user, uris))
    answer = _ANSWER.decode(await requests.ask(DATA_QUESTIONS, question, timeout_s=_WITHIN_S))
    elsewhere = [uri for uri in answer.problems if answer.codes.get(uri) in _OUT_OF_REACH]
    for uri, problem in answer.problems.items():
        if uri not in elsewhere:
            raise Rejected("data.no_access", f"{uri}: {problem}", error_code="CREDENTIAL")
    if not elsewhere:
        return Verdict()
    messages = [f"This installation cannot reach {uri}: {answer.problems[uri]}" for uri in elsewhere]
    warnings = tuple(f"{message}: submitting would be refused." for message in messages)
    code = "data.no_storage" if answer.codes[elsewhere[0]] == _OTHER_STORAGE else "data.no_access"
    return Verdict(warnings, Rejected(code, f"{messages[0]}.", error_code="CREDENTIAL"))


def _uris(plan: Plan) -> Iterable[tuple[str, str]]:
    """The places that the user's own text names, and what is done there."""
    for group in plan.groups:
        for task in group.tasks:
            yield from ((given.url, "READ") for given in task.inputs if given.url and not given.task)
            yield from ((output.url, "WRITE") for output in task.outputs if not output.intermediate)
            yield from ((checkpoint.url, "WRITE") for checkpoint in task.checkpoints)
