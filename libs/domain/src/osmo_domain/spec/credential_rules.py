"""What a spec says of credentials: where they may go, and whether the user has them. Every refusal points at its line."""

import posixpath
from collections.abc import Mapping, Sequence

from osmo_domain.credentials import directory_path, file_path
from osmo_domain.errors import Rejected
from osmo_domain.spec.model import TaskSpec, WorkflowSpec
from osmo_domain.spec.rules import all_tasks
from osmo_domain.spec.schema import nearest
from osmo_domain.spec.tree import MapNode, Node, refused


def credential_names(spec: WorkflowSpec) -> tuple[str, ...]:
    """Each once, in the order of the text."""
    return tuple(dict.fromkeys(name for task in all_tasks(spec) for name in task.credentials))


def check_credential_places(spec: WorkflowSpec) -> None:
    """Directories and variable names that no task could get, whoever submits it."""
    for task in all_tasks(spec):
        for name, use in task.credentials.items():
            if isinstance(use, str):
                _check_directory(use, _entry(_credentials(task), name)[1])
            else:
                for variable in use:
                    _check_variable(variable, _entry(_entry(_credentials(task), name)[1], variable)[0])


def check_credentials(spec: WorkflowSpec, keys: Mapping[str, Sequence[str]], others: Sequence[str] = ()) -> None:
    """`keys` are those of the user's credentials by name, `others` are names that the user has, too."""
    for task in all_tasks(spec):
        taken = {file.path: "a file of `files`" for file in task.files}
        for name, use in task.credentials.items():
            place, value = _entry(_credentials(task), name)
            if name not in keys:
                raise _refused(
                    place, "credential.missing", f"Could not find the credential: {name}.", _hint(name, others)
                )
            if isinstance(use, str):
                _check_files(name, use, keys[name], taken, value)
            else:
                _check_keys(name, use, keys[name], value)


def _check_keys(name: str, use: Mapping[str, str], keys: Sequence[str], node: Node) -> None:
    for variable, key in use.items():
        if key not in keys:
            place = _entry(node, variable)[1]
            what = f"The credential {name} has no key {key}."
            raise _refused(place, "credential.missing_key", what, f"It has {', '.join(keys)}.")


def _check_files(name: str, directory: str, keys: Sequence[str], taken: dict[str, str], node: Node) -> None:
    """`taken` says what has a path already."""
    for key in keys:
        try:
            path = file_path(directory, name, key)
        except Rejected as error:
            raise _refused(node, error.code, error.message) from error
        if path in taken:
            what = f"The key {key} of credential {name} would be put at {path}, which is {taken[path]}."
            raise _refused(node, "credential.path_taken", what)
        taken[path] = f"the key {key} of credential {name}"


def _check_directory(written: str, node: Node) -> None:
    path = directory_path(written)
    if path == "/" or ".." in written.split("/") or "\0" in written:
        raise refused(node, "spec.credential_path", f'"{written[:120]}" cannot be a directory for a credential.')
    if posixpath.commonpath([path, "/osmo"]) == "/osmo":
        raise refused(
            node, "spec.credential_path", f"{path[:120]}: a credential cannot be put below /osmo, where data lies."
        )


def _check_variable(name: str, node: Node) -> None:
    if not name or "=" in name or "\0" in name:
        raise refused(node, "spec.env_name", f'"{name[:120]}" cannot be the name of an environment variable.')


def _hint(name: str, others: Sequence[str]) -> str:
    meant = nearest(name, others)
    return f"Did you mean {meant}?" if meant else f"Set it with `osmo credential set {name}`."


def _refused(node: Node, code: str, message: str, hint: str = "") -> Rejected:
    return refused(node, code, f"{message} {hint}".rstrip(), "CREDENTIAL")


def _credentials(task: TaskSpec) -> Node:
    return task.source.at("credentials")


def _entry(node: Node, name: str) -> tuple[Node, Node]:
    """Key and value of this name; the node itself where a spec was made of a plan and not of a text."""
    if isinstance(node, MapNode):
        for key, entry in node.entries.items():
            if str(key) == name:
                return entry
    return node, node
