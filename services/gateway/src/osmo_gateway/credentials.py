"""People's credentials: shaped here, kept by data. The values of a request pass through and are held nowhere."""

from typing import Final

import msgspec

from osmo_api.credentials import CredentialBody, CredentialListEntry, CredentialsAnswer, RegistryCredential
from osmo_domain.credential_requests import (
    CredentialQuestion,
    CredentialsListed,
    DeleteCredential,
    ListCredentials,
    SetCredential,
)
from osmo_domain.credentials import CredentialType
from osmo_domain.errors import ErrorCode, Rejected, Transient
from osmo_domain.requests import DataAnswer, Done, Refused
from osmo_eventlog.ports import Requests
from osmo_eventlog.subjects import DATA_QUESTIONS

_WITHIN_S: Final = 15.0
_QUESTION: Final = msgspec.json.Encoder()
_ANSWER: Final[msgspec.json.Decoder[DataAnswer]] = msgspec.json.Decoder(DataAnswer)


class Credentials:
    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def listed(self, user: str) -> CredentialsAnswer:
        return _shown(await self._ask(ListCredentials(user)))

    async def set(self, user: str, name: str, body: CredentialBody) -> None:
        kind, payload = payload_of(body)
        answer = await self._ask(SetCredential(user, name, kind, payload))
        if not isinstance(answer, Done):
            raise _unexpected(answer)

    async def delete(self, user: str, name: str) -> CredentialsAnswer:
        """What was deleted."""
        return _shown(await self._ask(DeleteCredential(user, name)))

    async def _ask(self, question: CredentialQuestion) -> DataAnswer:
        data = await self._requests.ask(DATA_QUESTIONS, _QUESTION.encode(question), timeout_s=_WITHIN_S)
        answer = _ANSWER.decode(data)
        if not isinstance(answer, Refused):
            return answer
        if answer.http_status >= 500:
            raise Transient(answer.message)
        error_code: ErrorCode = msgspec.convert(answer.error_code, ErrorCode)
        raise Rejected(answer.code, answer.message, error_code=error_code, http_status=answer.http_status)


def payload_of(body: CredentialBody) -> tuple[CredentialType, dict[str, str]]:
    """The kind that the body has, and its payload without what was left out."""
    kinds = {
        CredentialType.GENERIC: body.generic_credential,
        CredentialType.REGISTRY: body.registry_credential,
        CredentialType.DATA: body.data_credential,
    }
    given = [kind for kind, value in kinds.items() if value is not None]
    if len(given) != 1:
        said = f"this one has {len(given)}" if given else "this one has none"
        raise Rejected(
            "credential.kind",
            f"A credential is exactly one of generic_credential, registry_credential and data_credential, and {said}.",
        )
    if body.generic_credential is not None:
        return CredentialType.GENERIC, body.generic_credential.credential
    if body.registry_credential is not None:
        return CredentialType.REGISTRY, _registry(body.registry_credential)
    fields: dict[str, str | None] = msgspec.structs.asdict(body.data_credential)  # type: ignore[arg-type]
    return CredentialType.DATA, {name: value for name, value in fields.items() if value is not None}


def _registry(given: RegistryCredential) -> dict[str, str]:
    secrets = [each for each in (given.auth, given.password) if each is not None]
    if len(secrets) != 1:
        raise Rejected("credential.auth", "A registry_credential needs auth, or password, which means the same.")
    return {"registry": given.registry, "username": given.username, "auth": secrets[0]}


def _shown(answer: DataAnswer) -> CredentialsAnswer:
    if not isinstance(answer, CredentialsListed):
        raise _unexpected(answer)
    return CredentialsAnswer(
        [CredentialListEntry(each.name, each.kind.value, each.profile) for each in answer.credentials]
    )


def _unexpected(answer: DataAnswer) -> Transient:
    return Transient(f"data answered {type(answer).__name__} to a question about credentials")
