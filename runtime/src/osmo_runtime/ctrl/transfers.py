"""Bringing a task's inputs and taking away its outputs, with lines that say how far it is."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from osmo_runtime import exit_codes
from osmo_runtime.ctrl.failure import CtrlFailure
from osmo_runtime.ctrl.storage_keys import access
from osmo_runtime.pod import PodInput, PodOutput
from osmo_runtime.pod_secrets import NO_SECRETS, PodSecrets
from osmo_storage import Progress, StorageAccess, StorageError, StorageRefused, Transferred, download, upload

ATTEMPTS = 5
SAY_EVERY_S = 1.0

Say = Callable[[str], None]


async def bring_inputs(
    inputs: tuple[PodInput, ...], directory: Path, say: Say, rng: random.Random, secrets: PodSecrets = NO_SECRETS
) -> Transferred:
    """Download every input to `<directory>/<index>`, in order. Raises CtrlFailure (10, or 30 for a URL that names no place).

    What other tasks kept comes with the installation's keys, everything else with the user's.
    """
    total = Transferred()
    for index, wanted in enumerate(inputs):
        target = directory / str(index)
        say(f"Downloading {wanted.url} to {target}")

        keys = access(secrets, own=bool(wanted.task))

        def attempt(
            progress: Progress,
            resume: bool,
            wanted: PodInput = wanted,
            target: Path = target,
            keys: StorageAccess = keys,
        ) -> Awaitable[Transferred]:
            return download(
                wanted.url, target, regex=wanted.regex, progress=progress, access=keys, resume=resume, rng=rng
            )

        done = await _tried(attempt, say, rng, exit_codes.DOWNLOAD, f"download of {wanted.url}")
        say(f"Downloaded {_amount(done)}" if done.files else f"Nothing was found at {wanted.url}")
        total = Transferred(total.bytes + done.bytes, total.files + done.files)
    return total


async def take_outputs(
    outputs: tuple[PodOutput, ...], directory: Path, say: Say, rng: random.Random, secrets: PodSecrets = NO_SECRETS
) -> Transferred:
    """Upload the directory's content to every output, in order. Raises CtrlFailure (12, or 30 for a URL that names no place).

    What is kept for other tasks goes with the installation's keys, everything else with the user's.
    """
    total = Transferred()
    for output in outputs:
        say(f"Uploading to {output.url}")

        keys = access(secrets, own=output.intermediate)

        def attempt(
            progress: Progress, resume: bool, output: PodOutput = output, keys: StorageAccess = keys
        ) -> Awaitable[Transferred]:
            return upload(
                directory, output.url, regex=output.regex, progress=progress, access=keys, resume=resume, rng=rng
            )

        done = await _tried(attempt, say, rng, exit_codes.UPLOAD, f"upload to {output.url}")
        for key in done.skipped:
            say(f"Left behind, since it is no file: {key}")
        say(f"Uploaded {_amount(done)}")
        total = Transferred(total.bytes + done.bytes, total.files + done.files)
    return total


async def _tried(
    attempt: Callable[[Progress, bool], Awaitable[Transferred]], say: Say, rng: random.Random, code: int, what: str
) -> Transferred:
    """Make the transfer, again after a failure that may pass, ATTEMPTS times at most. What an earlier attempt moved is not moved again where a
    server can tell."""
    for number in range(1, ATTEMPTS + 1):
        try:
            return await attempt(_spoken(say), number > 1)
        except ValueError as error:
            raise CtrlFailure(exit_codes.BAD_INPUT, str(error)) from error
        except StorageError as error:
            if number == ATTEMPTS or isinstance(error, StorageRefused):
                raise CtrlFailure(code, f"{what} failed: {error}") from error
            say(f"Attempt {number} of {ATTEMPTS} failed: {error}")
            await asyncio.sleep(0.25 * 2.0**number * rng.uniform(0.5, 1))
    raise AssertionError("unreachable: the last attempt returns or raises")


def _spoken(say: Say) -> Progress:
    """A progress callback that says something at most once a second."""
    now = asyncio.get_running_loop().time
    due = now() + SAY_EVERY_S

    def progress(done: Transferred) -> None:
        nonlocal due
        if now() >= due:
            due = now() + SAY_EVERY_S
            say(f"... {_amount(done)}")

    return progress


def _amount(done: Transferred) -> str:
    return f"{done.files} {'file' if done.files == 1 else 'files'}, {done.bytes} bytes"
