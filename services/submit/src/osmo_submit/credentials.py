"""Whether the user has the credentials that a spec uses. Asked of data, and only where there are any."""

from typing import Final

import msgspec

from osmo_domain.credential_requests import CheckCredentials, CredentialsChecked
from osmo_domain.errors import ErrorCode, Rejected, Transient
from osmo_domain.requests import DataAnswer, Refused
from osmo_domain.spec.credential_rules import check_credential_places, check_credentials, credential_names
from osmo_domain.spec.model import WorkflowSpec
from osmo_eventlog.ports import Requests
from osmo_eventlog.subjects import DATA_QUESTIONS

_WITHIN_S: Final = 10.0
_QUESTION: Final = msgspec.json.Encoder()
_ANSWER: Final[msgspec.json.Decoder[DataAnswer]] = msgspec.json.Decoder(DataAnswer)


async def check_users_credentials(requests: Requests, user: str, spec: WorkflowSpec) -> None:
    """Rejected with the place in the spec; Transient where data does not answer."""
    names = credential_names(spec)
    if not names:
        return
    check_credential_places(spec)
    question = _QUESTION.encode(CheckCredentials(user, names))
    answer = _ANSWER.decode(await requests.ask(DATA_QUESTIONS, question, timeout_s=_WITHIN_S))
    if isinstance(answer, Refused):
        raise _refusal(answer)
    if not isinstance(answer, CredentialsChecked):
        raise Transient(f"data answered {type(answer).__name__} to a question about credentials")
    check_credentials(spec, answer.keys, answer.others)


def _refusal(refused: Refused) -> Exception:
    if refused.http_status >= 500:
        return Transient(refused.message)
    return Rejected(
        refused.code,
        refused.message,
        error_code=msgspec.convert(refused.error_code, ErrorCode),
        http_status=refused.http_status,
    )
