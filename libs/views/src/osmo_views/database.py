"""The one way to PostgreSQL: a bounded pool, a deadline on every wait, library errors translated here and nowhere else (style P28, P29)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from osmo_domain.errors import Transient

Connection = Any
"""An asyncpg connection; asyncpg ships no types."""

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
"""Away, full, overloaded, or a transaction that lost a race: the same call may work later."""

_JSON = msgspec.json.Decoder()

_SERVER_SETTINGS = {
    "application_name": "osmo",
    "timezone": "UTC",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "synchronous_commit": "off",
    "jit": "off",
}
"""Views are folded from the log: what a crash takes from their last moments is folded again, so commits need not wait for the disk."""


class Database:
    """A pool and its deadlines. One connection per unit of work; never a second one inside."""

    def __init__(self, pool: Any, *, readers: int, acquire_timeout_s: float) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s
        self._readers = Readers(pool, readers, acquire_timeout_s)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection outside a transaction. Raises Transient for everything that may pass."""
        try:
            async with self._pool.acquire(timeout=self._acquire_timeout_s) as connection:
                yield connection
        except _AWAY as error:
            raise _translated(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def fetch(self, query: str, *args: object) -> list[Any]:
        """The rows of one question."""
        try:
            return await self._readers.fetch(query, *args)
        except _AWAY as error:
            raise _translated(error) from error

    async def fetchrow(self, query: str, *args: object) -> Any:
        """The first row, or None."""
        rows = await self.fetch(query, *args)
        return rows[0] if rows else None

    async def let_go(self) -> None:
        """Give every connection back to the pool."""
        await self._readers.let_go()


class Readers:
    """Connections for single questions, held rather than acquired each time: asyncpg's acquire and release start a task each, which together
    cost more than a small question. The slots are taken newest first, so that idle ones stay idle; a slot is None until it is needed.

    Who waits for a slot gets one in their turn: a slot that becomes free is handed to the first of them, and nobody who comes later takes it.
    """

    def __init__(self, pool: Any, count: int, acquire_timeout_s: float) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s
        self._free: list[Connection | None] = [None] * count
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()

    async def fetch(self, query: str, *args: object) -> list[Any]:
        connection = await self._slot()
        try:
            connection = await self._open(connection)
            rows: list[Any] = await connection.fetch(query, *args)
        except BaseException:
            self._hand_on(None)
            if connection is not None:
                await self._pool.release(connection)
            raise
        self._hand_on(connection)
        return rows

    async def let_go(self) -> None:
        """Give back what is held; what is in use stays."""
        held, self._free = self._free, []
        for connection in held:
            if connection is not None:
                await self._pool.release(connection)

    async def _slot(self) -> Connection | None:
        if self._free:
            return self._free.pop()
        turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._acquire_timeout_s):
                return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._hand_on(turn.result())
            raise

    def _hand_on(self, connection: Connection | None) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        self._free.append(connection)

    async def _open(self, connection: Connection | None) -> Connection:
        """The connection, or another one where there is none or it broke meanwhile."""
        if connection is not None and not connection.is_closed():
            return connection
        if connection is not None:
            await self._pool.release(connection)
        return await self._pool.acquire(timeout=self._acquire_timeout_s)


def _translated(error: Exception) -> Exception:
    """What may pass is Transient. A value that has no place in its column (a ValueError, to asyncpg an InterfaceError too) is our bug."""
    if isinstance(error, ValueError):
        return RuntimeError(f"a value does not fit its column: {error}")
    return Transient(f"database: {type(error).__name__}: {error}")


@asynccontextmanager
async def open_database(
    url: str, *, max_size: int = 8, acquire_timeout_s: float = 5.0, close_timeout_s: float = 5.0
) -> AsyncIterator[Database]:
    """Connect, or raise Transient. On leaving, connections get `close_timeout_s` to finish, then are cut."""
    try:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=max_size,
            command_timeout=60,
            server_settings=_SERVER_SETTINGS,
            init=_prepare,
            reset=_nothing_to_reset,
        )
    except _AWAY as error:
        raise _translated(error) from error
    database = Database(pool, readers=max(1, max_size // 2), acquire_timeout_s=acquire_timeout_s)
    try:
        yield database
    finally:
        await database.let_go()
        await _close(pool, close_timeout_s)


async def _prepare(connection: Connection) -> None:
    """jsonb is read and written by msgspec, in its binary form: one version byte, then the text."""
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda stored: _JSON.decode(stored[1:]),
        schema="pg_catalog",
        format="binary",
    )


async def _nothing_to_reset(_: Connection) -> None:
    """No code of ours changes a session, so the round trip of asyncpg's reset at every release is saved."""


async def _close(pool: Any, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await pool.close()
    except TimeoutError:
        pool.terminate()
