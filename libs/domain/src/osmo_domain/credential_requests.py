"""Questions about credentials, asked of data, and their answers. Their `repr` never shows a value: what is logged by mistake tells nothing."""

from msgspec import Struct, field

from osmo_domain.credentials import CredentialType


class SetCredential(Struct, frozen=True, omit_defaults=True, tag="set_credential"):
    """Keep this payload for the user, in place of that of the same name or the same profile. Answered with Done."""

    user: str
    name: str
    kind: CredentialType
    payload: dict[str, str]

    def __repr__(self) -> str:
        return f"SetCredential({self.user!r}, {self.name!r}, {self.kind.value})"


class ListCredentials(Struct, frozen=True, omit_defaults=True, tag="list_credentials"):
    user: str


class DeleteCredential(Struct, frozen=True, omit_defaults=True, tag="delete_credential"):
    """Answered with what was deleted."""

    user: str
    name: str


class CheckCredentials(Struct, frozen=True, omit_defaults=True, tag="check_credentials"):
    """Which of these credentials does the user have, and with which payload keys? Asked by submit."""

    user: str
    names: tuple[str, ...]


class AttemptProof(Struct, frozen=True, omit_defaults=True):
    """One attempt of a task with the token that only its cluster was given (osmo_domain.task_token)."""

    task: str
    retry_id: int
    token: str

    def __repr__(self) -> str:
        return f"AttemptProof({self.task!r}, {self.retry_id})"


class FetchCredentials(Struct, frozen=True, omit_defaults=True, tag="fetch_credentials"):
    """The values that these attempts need. Whose credentials, and which, follows from the workflow's own submission. Asked by an agent."""

    workflow_id: str
    attempts: tuple[AttemptProof, ...]
    pod_access: bool = False
    """Also ask for what a cluster needs around the tasks: keys of storage, logins of image registries."""

    def __repr__(self) -> str:
        return f"FetchCredentials({self.workflow_id!r}, {len(self.attempts)} attempts)"


CredentialQuestion = SetCredential | ListCredentials | DeleteCredential | CheckCredentials | FetchCredentials


class CredentialEntry(Struct, frozen=True, omit_defaults=True):
    name: str
    kind: CredentialType
    profile: str | None = None


class CredentialsListed(Struct, frozen=True, omit_defaults=True, tag="credentials_listed"):
    """In the order of the wire."""

    credentials: tuple[CredentialEntry, ...] = ()


class CredentialsChecked(Struct, frozen=True, omit_defaults=True, tag="credentials_checked"):
    """`keys` maps those that exist to the keys of their payloads. `others` are names that the user could have meant instead."""

    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    others: tuple[str, ...] = ()


class CredentialsFetched(Struct, frozen=True, omit_defaults=True, tag="credentials_fetched"):
    """Credential to payload key to value: what the attempts need together, and nothing else of it."""

    payloads: dict[str, dict[str, str]] = field(default_factory=dict)
    storage: dict[str, dict[str, str]] = field(default_factory=dict)
    """Profile (`s3://bucket`) to payload of the user's DATA credentials: for URLs that the user wrote."""
    own_storage: dict[str, dict[str, str]] = field(default_factory=dict)
    """The same of the installation's storage: for data that tasks hand to each other."""
    registries: tuple[dict[str, str], ...] = ()
    """Payloads of the user's REGISTRY credentials (`registry`, `username`, `auth`) that the images of these attempts can need."""

    def __repr__(self) -> str:
        return f"CredentialsFetched({', '.join(self.payloads)})"


CredentialAnswer = CredentialsListed | CredentialsChecked | CredentialsFetched
