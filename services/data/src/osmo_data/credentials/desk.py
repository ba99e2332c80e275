"""Answers questions about credentials: users set, list and delete their own; submit and agents ask what tasks need."""

import logging
from collections.abc import Iterator
from typing import Final

from osmo_data.credentials.envelope import Envelopes, Sealed, Unreadable
from osmo_data.credentials.proofs import Proofs
from osmo_data.credentials.store import CredentialStore
from osmo_data.own_storage import OwnStorage
from osmo_domain.credential_payload import check_credential_name, check_payload, with_profile
from osmo_domain.credential_requests import (
    CheckCredentials,
    CredentialEntry,
    CredentialQuestion,
    CredentialsChecked,
    CredentialsFetched,
    CredentialsListed,
    DeleteCredential,
    FetchCredentials,
    ListCredentials,
    SetCredential,
)
from osmo_domain.credentials import CredentialBook, CredentialDeleted, CredentialSet, CredentialType, needed
from osmo_domain.errors import Rejected, Stale, Transient
from osmo_domain.images import in_scope
from osmo_domain.requests import DataAnswer, Done

log = logging.getLogger("osmo.data.credentials")

_MOST_TRIES: Final = 16


class CredentialDesk:
    """Values leave here only in the answer to FetchCredentials. Nothing here logs one, or puts one into an error."""

    def __init__(self, store: CredentialStore, envelopes: Envelopes, proofs: Proofs, own_storage: OwnStorage) -> None:
        self._store = store
        self._envelopes = envelopes
        self._proofs = proofs
        self._own_storage = own_storage

    async def answer(self, question: CredentialQuestion, backend: str | None = None) -> DataAnswer:
        """Raises Rejected and Transient. `backend` is that of the agent that asks, where it is known who does."""
        match question:
            case SetCredential():
                return await self._set(question)
            case ListCredentials(user=user):
                book = await self._store.current()
                return CredentialsListed(tuple(_entry(each) for each in book.of(user)))
            case DeleteCredential():
                return await self._delete(question)
            case CheckCredentials():
                return await self._check(question)
            case FetchCredentials():
                return await self._fetch(question, backend)

    # -- what users change ------------------------------------------------------------------------------------------

    async def _set(self, question: SetCredential) -> Done:
        user, name, kind = question.user, question.name, question.kind
        check_credential_name(name)
        check_payload(kind, question.payload)
        payload, profile = with_profile(kind, question.payload)
        sealed = self._envelopes.seal(payload, user, name)
        event = CredentialSet(
            user, name, kind, sealed.key_id, sealed.wrapped_key, sealed.nonce, sealed.ciphertext, profile
        )
        for _ in range(_MOST_TRIES):
            position = await self._store.position(user, name)
            (await self._store.current()).check_name_free(user, name, kind, profile)
            try:
                seq = await self._store.append(event, expected=position)
            except Stale:
                continue
            log.info("credential set", extra={"user": user, "credential": name, "kind": kind})
            return Done(name, seq=seq)
        raise Transient(f"credential {name} changes too fast to be set")

    async def _delete(self, question: DeleteCredential) -> CredentialsListed:
        user, name = question.user, question.name
        for _ in range(_MOST_TRIES):
            position = await self._store.position(user, name)
            there = (await self._store.current()).get(user, name)
            if there is None:
                raise Rejected("credential.unknown", f"There is no credential {name[:200]}.")
            try:
                await self._store.append(CredentialDeleted(user, name), expected=position)
            except Stale:
                continue
            log.info("credential deleted", extra={"user": user, "credential": name})
            return CredentialsListed((_entry(there),))
        raise Transient(f"credential {name} changes too fast to be deleted")

    # -- what tasks need --------------------------------------------------------------------------------------------

    async def _check(self, question: CheckCredentials) -> CredentialsChecked:
        book = await self._store.current()
        asked = dict.fromkeys(question.names)
        return CredentialsChecked(
            keys={name: tuple(self._opened(there)) for name in asked if (there := book.get(question.user, name))},
            others=tuple(each.name for each in book.of(question.user) if each.name not in asked),
        )

    async def storage_keys(self, user: str) -> dict[str, dict[str, str]]:
        """Profile to payload of the user's DATA credentials; those that cannot be opened are left out."""
        return self._storage_keys(await self._store.current(), user)

    async def _fetch(self, question: FetchCredentials, backend: str | None) -> CredentialsFetched:
        """Only after the proof is anything looked up."""
        submitted = await self._proofs.submitted(question, backend)
        book = await self._store.current()
        payloads: dict[str, dict[str, str]] = {}
        for attempt in question.attempts:
            for name, keys in needed(submitted.uses[attempt.task]):
                opened = self._needed(book, submitted.user, name)
                missing = sorted((keys or frozenset()) - opened.keys())
                if missing:
                    raise _gone(f"The credential {name} of {submitted.user} has no key {missing[0]} any more.")
                given = payloads.setdefault(name, {})
                given.update({key: value for key, value in opened.items() if keys is None or key in keys})
        log.info(
            "credentials given",
            extra={
                "workflow": question.workflow_id,
                "tasks": [attempt.task for attempt in question.attempts][:20],
                "credentials": sorted(payloads),
            },
        )
        if not question.pod_access:
            return CredentialsFetched(payloads)
        tasks = [attempt.task for attempt in question.attempts]
        return CredentialsFetched(
            payloads,
            storage=self._storage_keys(book, submitted.user),
            own_storage=self._own_storage.keys() if submitted.hands_on.intersection(tasks) else {},
            registries=tuple(self._logins(book, submitted.user, [submitted.images[task] for task in tasks])),
        )

    def _storage_keys(self, book: CredentialBook, user: str) -> dict[str, dict[str, str]]:
        return {
            each.profile: payload
            for each in book.of(user)
            if each.kind == CredentialType.DATA and each.profile and (payload := self._opened_or_none(each)) is not None
        }

    def _logins(self, book: CredentialBook, user: str, images: list[str]) -> Iterator[dict[str, str]]:
        """Those of the user's that are for one of these images, the narrowest scope first."""
        scopes = {each.profile: each for each in book.of(user) if each.kind == CredentialType.REGISTRY and each.profile}
        for scope in sorted(scopes, key=lambda scope: (-len(scope), scope)):
            if any(in_scope(scope, image) for image in images):
                payload = self._opened_or_none(scopes[scope])
                if payload is not None:
                    yield payload

    def _opened_or_none(self, credential: CredentialSet) -> dict[str, str] | None:
        """What nobody named is no reason to refuse anything: without it the transfer or the pull says what is missing."""
        try:
            return self._opened(credential)
        except Rejected as error:
            log.warning(
                "passed over", extra={"credential": credential.name, "user": credential.user, "why": error.code}
            )
            return None

    def _needed(self, book: CredentialBook, user: str, name: str) -> dict[str, str]:
        there = book.get(user, name)
        if there is None:
            raise _gone(f"The credential {name} of {user} does not exist any more.")
        return self._opened(there)

    def _opened(self, credential: CredentialSet) -> dict[str, str]:
        sealed = Sealed(credential.key_id, credential.wrapped_key, credential.nonce, credential.ciphertext)
        try:
            return self._envelopes.open(sealed, credential.user, credential.name)
        except Unreadable as error:
            raise Rejected(
                "credential.unreadable",
                f"The credential {credential.name} cannot be read: {error}. Set it again.",
                error_code="CREDENTIAL",
            ) from error


def _entry(credential: CredentialSet) -> CredentialEntry:
    return CredentialEntry(credential.name, credential.kind, credential.profile)


def _gone(message: str) -> Rejected:
    return Rejected("credential.gone", message, error_code="CREDENTIAL")
