"""The requests behind `workflow submit`, `workflow validate` and `app submit`.

One request that carries the spec as it was written, so that places in refusals are places in the file. Only a template that names local
files takes two, as in the public CLI: a first one that renders it, and one with the rendered text and the files' contents in it.
"""

import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from osmo_cli.client import Client, Param
from osmo_cli.errors import CliError, CredentialError, SubmissionError, UserError
from osmo_cli.spec_file import SpecSource, needs_two_passes, with_local_files

WORKFLOW_ID = re.compile(r".+-[0-9]+")


@dataclass(slots=True)
class Submission:
    """One spec, one pool and what the flags said. `app` are the parameters that name the app it came from.

    `sent` is the text that the server judged last, `sent_name` what to call it.
    """

    client: Client
    pool: str
    source: SpecSource
    set_variables: list[str] = field(default_factory=list)
    set_strings: list[str] = field(default_factory=list)
    env: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    priority: str | None = None
    app: dict[str, Param] = field(default_factory=dict)
    sent: str = ""
    sent_name: str = ""

    def judged(self) -> tuple[str, str]:
        """The text that the server saw last, and its name: what an error's line and column point into."""
        return self.sent, self.sent_name

    def rendered(self) -> str:
        """The spec after templating, as the server renders it; nothing is stored."""
        answer = self._post({"dry_run": True}, self.source.text, original=None)
        return str(answer["spec"])

    def submit(self) -> Any:
        """Submit for good. However often the connection breaks, one workflow comes of it."""
        return self._final({"env_vars": self.env}, key=uuid.uuid4().hex)

    def validate(self) -> Any:
        return self._final({"validation_only": True}, key=None)

    def _final(self, params: dict[str, Param], *, key: str | None) -> Any:
        body = original = self.source.text
        two_passes = needs_two_passes(original)
        if two_passes:
            body = str(
                self._post({**_only(params, "validation_only"), "dry_run": True}, original, original=None)["spec"]
            )
            params = {**params, "dry_run": False}
        body = with_local_files(body, self.source.directory)
        validating = "validation_only" in params
        uploaded = original if two_passes and not validating else None
        try:
            return self._post(params, body, original=uploaded, key=key, rendered=two_passes)
        except (SubmissionError, CredentialError, UserError) as error:
            if validating or not _refused(error):
                raise
            raise _submit_failed(error, self.source.stem) from error

    def _post(
        self,
        params: dict[str, Param],
        text: str,
        *,
        original: str | None,
        key: str | None = None,
        rendered: bool = False,
    ) -> Any:
        self.sent, self.sent_name = text, f"{self.source.name} (rendered)" if rendered else self.source.name
        body = {
            "file": text,
            "set_variables": self.set_variables,
            "set_string_variables": self.set_strings,
            "uploaded_templated_spec": original,
        }
        query = {**params, "priority": self.priority, "label": self.labels, **self.app}
        return self.client.post(f"api/pool/{self.pool}/workflow", query, body, idempotency_key=key)


def resubmit(
    client: Client, pool: str, workflow_id: str, *, priority: str | None, labels: list[str], env: list[str]
) -> Any:
    """Submit what an earlier workflow was made of once more."""
    query: dict[str, Param] = {"workflow_id": workflow_id, "priority": priority, "label": labels, "env_vars": env}
    try:
        return client.post(f"api/pool/{pool}/workflow", query, idempotency_key=uuid.uuid4().hex)
    except (SubmissionError, CredentialError, UserError) as error:
        if not _refused(error):
            raise
        raise _submit_failed(error, workflow_id) from error


def looks_like_id(text: str) -> bool:
    return WORKFLOW_ID.fullmatch(text) is not None


def _refused(error: CliError) -> bool:
    """The server understood and said no (it names the workflow then), or said that a credential is missing."""
    return (
        error.status is not None
        and error.status != 429
        and (error.workflow_id is not None or isinstance(error, SubmissionError | CredentialError))
    )


def _submit_failed(error: CliError, fallback: str) -> SubmissionError:
    return SubmissionError(
        f"Workflow {error.workflow_id or fallback} submit failed:\n{error.message}",
        status=error.status,
        workflow_id=error.workflow_id,
        place=error.place,
    )


def _only(params: dict[str, Param], *names: str) -> dict[str, Param]:
    return {name: params[name] for name in names if name in params}
