"""What a control container does, in order.

1. Open the socket for the user container and begin to connect to log-router, for ever.
2. Ask whether URLs of the user on servers may be read and written; bring the inputs, one after the other.
3. Wait for the user container and, where the task has a barrier, for log-router's go.
4. Tell the user container to start, and relay its lines until the command has ended.
5. Take away the outputs, whatever the exit code.
6. Send the end marker; wait until log-router has stored every line and report; end with 0.

Only the barrier and the end need log-router: a control plane that is away, even from before the start, delays nothing else. A failure
on the way is reported, ends the user container, and becomes the exit code. SIGTERM ends the task without an upload.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from osmo_api.ctrl import Action, Barrier
from osmo_runtime import exit_codes, messages
from osmo_runtime.ctrl.data_access import check_access
from osmo_runtime.ctrl.failure import CtrlFailure
from osmo_runtime.ctrl.link import Link, address_of
from osmo_runtime.ctrl.masking import Masker
from osmo_runtime.ctrl.outbox import Outbox
from osmo_runtime.ctrl.reports import Phase, Reports
from osmo_runtime.ctrl.spill import Spill
from osmo_runtime.ctrl.storage_keys import access
from osmo_runtime.ctrl.transfers import bring_inputs, take_outputs
from osmo_runtime.ctrl.user_link import UserLink
from osmo_runtime.paths import PodPaths
from osmo_runtime.pod import PodSpec
from osmo_runtime.restarts import wanted_restarts

CTRL_OFFSET = 2000


@dataclass(frozen=True, slots=True)
class Limits:
    """`spill_bytes` is on disk, beyond `memory_bytes`. After SIGTERM the command has `last_lines_s` for its last words.

    A user container that was told to end lets us wait `own_turn_s` for being told so, too, before we take it for the task's own end.
    """

    memory_bytes: int = 4 << 20
    spill_bytes: int = 64 << 20
    user_connects_within_s: float = 7200
    last_lines_s: float = 30
    last_ack_s: float = 5
    own_turn_s: float = 2


class Ctrl:
    """One task's control container. `notes` are said first in the task's log."""

    def __init__(
        self,
        spec: PodSpec,
        paths: PodPaths,
        *,
        now_ms: Callable[[], int],
        rng: random.Random,
        limits: Limits | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self._spec = spec
        self._paths = paths
        self._now_ms = now_ms
        self._rng = rng
        self._limits = limits or Limits()
        self._notes = notes
        self._outbox = Outbox(Spill(paths.spill, self._limits.spill_bytes), memory_bytes=self._limits.memory_bytes)
        self._reports = Reports()
        self._masker = Masker(spec.secrets.values())
        self._user = UserLink(self._relay)
        self._link = Link(
            address_of(spec),
            self._outbox,
            self._reports,
            rng,
            on_connected=self._connected,
            on_action=self._act,
        )
        self._terminated = asyncio.Event()
        self._greeted = False
        self._started = False
        self._restarts = 0
        """Asked for."""
        self._begun = 0
        """Restarts that the running command has behind it."""
        self._at_barrier = False
        self._restarting = asyncio.Lock()
        self._side_tasks: set[asyncio.Task[None]] = set()
        self.failure: CtrlFailure | None = None

    async def run(self) -> int:
        """The whole life; returns the exit code of the container."""
        for note in self._notes:
            self._say(note)
        self._restarts = wanted_restarts(self._paths.restarts)
        server = await self._user.listen(self._paths.socket)
        linking = asyncio.create_task(self._link.run())
        try:
            code = await self._guarded()
            await self._say_goodbye()
            return code
        finally:
            linking.cancel()
            await asyncio.gather(linking, *self._side_tasks, return_exceptions=True)
            server.close()
            self._user.hang_up()

    def terminate(self) -> None:
        """Asked to end now: no upload, the command's last lines are still sent. Returns at once."""
        self._terminated.set()

    def restart_command(self, number: int) -> None:
        """Kill the command and run it again, for the `number`th time; nothing where it was run again as often already. Returns at once."""
        if number <= self._restarts:
            return
        self._restarts = number
        if self._at_barrier:
            self._wait_at_barrier()
            return
        task = asyncio.create_task(self._restart(number))
        self._side_tasks.add(task)
        task.add_done_callback(self._side_tasks.discard)

    # -- the order of things ----------------------------------------------------------------------------------------

    async def _guarded(self) -> int:
        """The task's work, unless it fails, is refused by log-router or terminated."""
        work = asyncio.create_task(self._work())
        terminated = asyncio.create_task(self._terminated.wait())
        await _first_of(work, terminated, self._link.refused)
        terminated.cancel()
        try:
            if work.done():
                work.result()
                return 0
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
            if self._link.refused.done():
                raise CtrlFailure(exit_codes.BAD_TOKEN, f"log-router refused this task: {self._link.refused.result()}")
            return await self._end_early()
        except CtrlFailure as failure:
            return await self._fail(failure)

    async def _work(self) -> None:
        await self._unless_user_vanishes(self._prepare())
        exit_code = await self._execute()
        if self._user.told_to_end:
            await asyncio.sleep(self._limits.own_turn_s)
        await self._take_outputs()
        self._say(f"Task ended with exit code {exit_code}" if exit_code is not None else "The user container vanished")

    async def _prepare(self) -> None:
        await self._check_access()
        await self._bring_inputs()
        await self._user_connected()
        await self._pass_barrier()

    async def _unless_user_vanishes(self, preparing: Coroutine[Any, Any, None]) -> None:
        """Give up where there is no user container any more to start anything in, unless that is because we are told to end as well."""
        ready = asyncio.create_task(preparing)
        vanished = asyncio.create_task(self._user.hung_up.wait())
        try:
            await _first_of(ready, vanished)
            if not ready.done():
                await asyncio.sleep(self._limits.own_turn_s)
                raise CtrlFailure(exit_codes.USER_CONTAINER, "the user container ended before its command was started")
            ready.result()
        finally:
            ready.cancel()
            vanished.cancel()
            await asyncio.gather(ready, vanished, return_exceptions=True)

    async def _check_access(self) -> None:
        keys = access(self._spec.secrets, own=False)
        await check_access(self._spec.inputs, self._spec.outputs, keys, self._say, self._rng)

    async def _bring_inputs(self) -> None:
        if not self._spec.inputs:
            return
        self._report("DOWNLOADING")
        done = await bring_inputs(
            self._spec.inputs, self._paths.input, self._sayer("DOWNLOAD"), self._rng, self._spec.secrets
        )
        self._report("DOWNLOADED", bytes=done.bytes, files=done.files)

    async def _user_connected(self) -> None:
        try:
            await self._user.connected(within_s=self._limits.user_connects_within_s)
        except TimeoutError as error:
            raise CtrlFailure(exit_codes.USER_CONTAINER, "the user container did not connect") from error

    async def _pass_barrier(self) -> None:
        if not self._spec.barrier:
            return
        self._say(f"Waiting for the other tasks of group {self._spec.group}")
        self._at_barrier = True
        self._wait_at_barrier()
        await self._link.pass_barrier()
        self._at_barrier = False

    def _wait_at_barrier(self) -> None:
        """Say that we are there for the start that is due: the first one, or one more after a restart."""
        spec, restarts = self._spec, self._restarts
        self._report("AT_BARRIER", restarts=restarts)
        self._link.wait_at(Barrier(spec.barrier, spec.group, spec.barrier_count or -1, restarts))

    async def _execute(self) -> int | None:
        self._started, self._begun = True, self._restarts
        await self._user.send(messages.EXEC_START, OutputFolder=str(self._paths.output))
        self._report("EXECUTING")
        exit_code = await asyncio.shield(self._user.ended)
        self._report("EXECUTED", exit_code=exit_code)
        return exit_code

    async def _take_outputs(self) -> None:
        if not self._spec.outputs:
            return
        say = self._sayer("UPLOAD")
        if not any(self._paths.output.iterdir()):
            say("The output folder is empty: nothing to upload")
            return
        self._report("UPLOADING")
        done = await take_outputs(self._spec.outputs, self._paths.output, say, self._rng, self._spec.secrets)
        self._report("UPLOADED", bytes=done.bytes, files=done.files)

    # -- ends -------------------------------------------------------------------------------------------------------

    async def _fail(self, failure: CtrlFailure) -> int:
        self.failure = failure = CtrlFailure(failure.code, self._masker.text(failure.message))
        self._say(f"Control container failed: {failure.message}")
        self._report("FAILED", exit_code=CTRL_OFFSET + failure.code, message=failure.message)
        if not self._started:
            with suppress(TimeoutError):
                await self._user.connected(within_s=self._limits.last_ack_s)
            await self._user.send(messages.CTRL_FAILED)
        elif not self._user.ended.done():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._user.stop(), self._limits.last_ack_s)
            self._user.hang_up()
        return failure.code

    async def _end_early(self) -> int:
        """Terminated: the user container was told, too, and may still have something to say."""
        if self._started:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._user.hung_up.wait(), self._limits.last_lines_s)
        return exit_codes.TERMINATED

    async def _say_goodbye(self) -> None:
        """Everything stored: as long as it takes, unless the task was told to end or log-router does not want it."""
        for source, rest in self._masker.held_back():
            self._outbox.add(self._now_ms(), source, [rest])
        self._outbox.end()
        if self._link.refused.done():
            return
        stored = asyncio.create_task(self._link.all_stored())
        hurried = asyncio.create_task(self._hurried())
        try:
            await _first_of(stored, hurried, self._link.refused)
        finally:
            for task in (stored, hurried):
                task.cancel()

    async def _hurried(self) -> None:
        await self._terminated.wait()
        await asyncio.sleep(self._limits.last_ack_s)

    # -- what is said -----------------------------------------------------------------------------------------------

    def _relay(self, source: str, lines: list[str], goes_on: bool = False) -> None:
        """The one way by which lines leave the pod."""
        self._outbox.add(self._now_ms(), source, self._masker.lines(source, lines, goes_on=goes_on))

    def _say(self, text: str) -> None:
        self._relay("OSMO_CTRL", text.splitlines())

    def _sayer(self, source: str) -> Callable[[str], None]:
        return lambda text: self._relay(source, text.splitlines())

    def _report(
        self,
        phase: Phase,
        *,
        exit_code: int | None = None,
        message: str = "",
        bytes: int = 0,
        files: int = 0,
        restarts: int = 0,
    ) -> None:
        self._reports.add(
            phase, self._now_ms(), exit_code=exit_code, message=message, bytes=bytes, files=files, restarts=restarts
        )
        self._outbox.changed.set()

    def _connected(self) -> None:
        if not self._greeted:
            self._greeted = True
            self._report("CONNECTED")

    def _act(self, action: Action) -> None:
        if action.action == "restart":
            self.restart_command(action.restarts)
        else:
            self._say(f"This control container cannot do {action.action!r} yet")

    async def _restart(self, number: int) -> None:
        """Unless the command has not begun yet (then its first start is the one), has ended, or was begun again since."""
        async with self._restarting:
            if not self._started or self._user.ended.done() or self._begun >= number:
                return
            self._say("Stopping the command, to run it again together with the rest of the group")
            if not await self._user.stop():
                return
            await self._pass_barrier()
            self._begun = self._restarts
            self._say("Running the command again")
            await self._user.send(messages.USER_START)


async def _first_of(*waited_for: asyncio.Future[Any]) -> None:
    await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
