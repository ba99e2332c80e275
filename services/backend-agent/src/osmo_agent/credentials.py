"""What pods get that must be seen nowhere else: the values of the credentials that their tasks use, keys of storage, logins of registries. Asked of
data when the group is made, handed to the runtime, kept nowhere."""

import logging
from typing import Final

import msgspec

from osmo_agent.ports import GroupRefusedError
from osmo_domain.command import CreateGroup
from osmo_domain.credential_requests import AttemptProof, CredentialsFetched, FetchCredentials
from osmo_domain.credentials import files, variables
from osmo_domain.errors import Rejected, Transient
from osmo_domain.images import in_scope
from osmo_domain.plan import GroupPlan, TaskPlan
from osmo_domain.requests import DataAnswer, Refused
from osmo_eventlog.ports import Requests
from osmo_eventlog.subjects import agent_questions
from osmo_runtime.pod_secrets import NO_SECRETS, PodSecrets, SecretFile

log = logging.getLogger("osmo.agent.credentials")

_WITHIN_S: Final = 15.0
_AT_ONCE: Final = 500
"""Attempts in one question, so that it fits into a message however large the group is."""

_QUESTION: Final = msgspec.json.Encoder()
_ANSWER: Final[msgspec.json.Decoder[DataAnswer]] = msgspec.json.Decoder(DataAnswer)


class GroupCredentials:
    def __init__(self, requests: Requests, backend: str) -> None:
        self._requests = requests
        self._subject = agent_questions(backend)

    async def secrets(self, command: CreateGroup, group: GroupPlan) -> dict[str, PodSecrets]:
        """What each attempt of `retry_ids` gets, by task; tasks that need nothing are left out, and where none needs anything nobody is asked.

        Raises GroupRefusedError where there is no such credential any more, and Transient where data cannot say it now.
        """
        wanted = [task for task in group.tasks if task.name in command.retry_ids]
        in_pods = command.pods is not None
        around = [task for task in wanted if in_pods or _uses_servers(task)]
        plain = [task for task in wanted if task.credentials and task not in around]
        return {
            **await self._asked(command, around, pod_access=True),
            **await self._asked(command, plain, pod_access=False),
        }

    async def _asked(self, command: CreateGroup, tasks: list[TaskPlan], *, pod_access: bool) -> dict[str, PodSecrets]:
        found: dict[str, PodSecrets] = {}
        for start in range(0, len(tasks), _AT_ONCE):
            some = tasks[start : start + _AT_ONCE]
            answer = await self._fetch(command, some, pod_access=pod_access)
            found.update({task.name: _secrets_of(task, answer) for task in some})
        return {name: secrets for name, secrets in found.items() if secrets != NO_SECRETS}

    async def _fetch(self, command: CreateGroup, tasks: list[TaskPlan], *, pod_access: bool) -> CredentialsFetched:
        proofs = [
            AttemptProof(task.name, command.retry_ids[task.name], command.tokens.get(task.name, "")) for task in tasks
        ]
        question = FetchCredentials(command.workflow_id, tuple(proofs), pod_access)
        data = await self._requests.ask(self._subject, _QUESTION.encode(question), timeout_s=_WITHIN_S)
        answer = _ANSWER.decode(data)
        if isinstance(answer, CredentialsFetched):
            return answer
        if isinstance(answer, Refused) and answer.http_status < 500:
            raise GroupRefusedError(answer.message)
        raise Transient(answer.message if isinstance(answer, Refused) else "data gave another answer than asked for")


def _uses_servers(task: TaskPlan) -> bool:
    """Whether a URL of the task is one that keys are needed for."""
    urls = [
        *(given.url for given in task.inputs),
        *(output.url for output in task.outputs),
        *(checkpoint.url for checkpoint in task.checkpoints),
    ]
    return any(not url.startswith("file://") for url in urls)


def _secrets_of(task: TaskPlan, answer: CredentialsFetched) -> PodSecrets:
    payloads = answer.payloads
    hands_on = any(given.task for given in task.inputs) or any(output.intermediate for output in task.outputs)
    try:
        return PodSecrets(
            variables(task.credentials, payloads),
            tuple(SecretFile(path, text) for path, text in files(task.credentials, payloads).items()),
            storage=answer.storage,
            own_storage=answer.own_storage if hands_on else {},
            registries=tuple(login for login in answer.registries if in_scope(login["registry"], task.image)),
        )
    except Rejected as error:
        raise GroupRefusedError(error.message) from error
