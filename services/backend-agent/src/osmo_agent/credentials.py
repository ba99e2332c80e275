"""The values of the credentials that a group's tasks use: asked of data when the group is made, handed to the runtime, kept nowhere."""

import logging
from collections.abc import Mapping
from typing import Final

import msgspec

from osmo_agent.ports import GroupRefusedError
from osmo_domain.command import CreateGroup
from osmo_domain.credential_requests import AttemptProof, CredentialsFetched, FetchCredentials
from osmo_domain.credentials import Payload, files, variables
from osmo_domain.errors import Rejected, Transient
from osmo_domain.plan import GroupPlan, TaskPlan
from osmo_domain.requests import DataAnswer, Refused
from osmo_eventlog.ports import Requests
from osmo_eventlog.subjects import DATA_QUESTIONS
from osmo_runtime.pod_secrets import PodSecrets, SecretFile

log = logging.getLogger("osmo.agent.credentials")

_WITHIN_S: Final = 15.0
_AT_ONCE: Final = 500
"""Attempts in one question, so that it fits into a message however large the group is."""

_QUESTION: Final = msgspec.json.Encoder()
_ANSWER: Final[msgspec.json.Decoder[DataAnswer]] = msgspec.json.Decoder(DataAnswer)


class GroupCredentials:
    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def secrets(self, command: CreateGroup, group: GroupPlan) -> dict[str, PodSecrets]:
        """What each attempt of `retry_ids` gets, by task; tasks without credentials are left out, and without such nobody is asked.

        Raises GroupRefusedError where there is no such credential any more, and Transient where data cannot say it now.
        """
        using = [task for task in group.tasks if task.credentials and task.name in command.retry_ids]
        payloads: dict[str, dict[str, str]] = {}
        for start in range(0, len(using), _AT_ONCE):
            for name, payload in (await self._fetch(command, using[start : start + _AT_ONCE])).items():
                payloads.setdefault(name, {}).update(payload)
        return {task.name: _secrets_of(task, payloads) for task in using}

    async def _fetch(self, command: CreateGroup, tasks: list[TaskPlan]) -> dict[str, dict[str, str]]:
        proofs = [
            AttemptProof(task.name, command.retry_ids[task.name], command.tokens.get(task.name, "")) for task in tasks
        ]
        question = FetchCredentials(command.workflow_id, tuple(proofs))
        data = await self._requests.ask(DATA_QUESTIONS, _QUESTION.encode(question), timeout_s=_WITHIN_S)
        answer = _ANSWER.decode(data)
        if isinstance(answer, CredentialsFetched):
            return answer.payloads
        if isinstance(answer, Refused) and answer.http_status < 500:
            raise GroupRefusedError(answer.message)
        raise Transient(answer.message if isinstance(answer, Refused) else "data gave another answer than asked for")


def _secrets_of(task: TaskPlan, payloads: Mapping[str, Payload]) -> PodSecrets:
    try:
        return PodSecrets(
            variables(task.credentials, payloads),
            tuple(SecretFile(path, text) for path, text in files(task.credentials, payloads).items()),
        )
    except Rejected as error:
        raise GroupRefusedError(error.message) from error
