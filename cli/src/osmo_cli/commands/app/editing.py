"""The text of an app: from a file, or written in the person's editor; and kept when the server does not take it."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from osmo_cli.errors import CliError, UserError
from osmo_cli.output import say
from osmo_cli.spec_file import read_spec

T = TypeVar("T")

EDITOR = "vi"


def file_or_editor(file: Path | None, initial: str, environ: Mapping[str, str]) -> str:
    """The text of the file; without one, what the person makes of `initial` in $VISUAL or $EDITOR."""
    return read_spec(file).text if file is not None else edit(initial, environ)


def edit(initial: str, environ: Mapping[str, str]) -> str:
    command = shlex.split(environ.get("VISUAL") or environ.get("EDITOR") or EDITOR)
    with tempfile.TemporaryDirectory(prefix="osmo-app-") as directory:
        path = Path(directory) / "app.yaml"
        path.write_text(initial, encoding="utf-8")
        try:
            ended = subprocess.run([*command, str(path)], env={**os.environ, **environ}, check=False)
        except OSError as error:
            raise UserError(
                f"The editor {command[0]} cannot be started: {error.strerror}. Name one in $EDITOR, or use --file."
            ) from error
        if ended.returncode != 0:
            raise UserError(f"The editor {command[0]} ended with exit code {ended.returncode}: nothing was sent.")
        return read_spec(path).text


def sent_or_kept(text: str, name: str, file: Path | None, send: Callable[[], T]) -> T:
    """What `send` gives. When it fails the text is kept in a file here, so that no work is lost; one that came from a file is in it already."""
    try:
        return send()
    except CliError:
        if file is not None and file.is_file():
            raise
        path = Path(f"{name}.yaml")
        number = 1
        while path.exists():
            path = Path(f"{name}-{number}.yaml")
            number += 1
        path.write_text(text, encoding="utf-8")
        say(f"What you wrote is kept in {path}.")
        raise
