"""Files with a token in them: readable by their owner only, and never written over by mistake."""

import os
from pathlib import Path

from osmo_cli.errors import UserError


def check_writable(path: Path, *, force: bool) -> None:
    """Before a token is made that could then be kept nowhere."""
    if path.exists() and not force:
        raise UserError(f"{path} is there already. Choose another file, or --force.")
    if not path.parent.is_dir():
        raise UserError(f"There is no directory {path.parent}.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UserError(f"{path} cannot be written.")


def write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
