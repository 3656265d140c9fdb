"""Pools of connections: one for each kind of work, so that none starves another."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from psycopg import AsyncConnection, AsyncTransaction, IsolationLevel, OperationalError
from psycopg.abc import RV, Buffer, PQGen
from psycopg.errors import FeatureNotSupported
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg.types.datetime import TimestamptzLoader
from psycopg_pool import AsyncConnectionPool
from psycopg_pool.pool_async import ReturnConnection

from bot.patience import USUAL, Patience

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]
Limits = dict[str, float]
"""Postgres' timeouts by their names, in seconds."""

RECONNECT_SECONDS = 3.0
"""How long psycopg tries to open a connection before it gives up."""

_ASK_SECONDS = 0.1

os.environ["PGDATESTYLE"] = "ISO"
"""For libpq: psycopg reads times in no other style, and a transaction pooler keeps it for each of us."""

_SESSION = {
    # Statements are planned once, which may be while their tables hold a few rows: those plans, too, have to
    # go by the indexes. What has none seems so costly then that Postgres before 18 would compile it.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "jit": "off",
    # Whatever the role or the database has by default: who waited for a row's lock reads it anew, and
    # a run keeps its session, and its thread's lock, for as long as its graph is silent.
    "default_transaction_isolation": "read committed",
    "idle_session_timeout": "0",
    "IntervalStyle": "postgres",
}

CONNECTING: dict[str, Any] = {
    "connect_timeout": 5,
    # A machine that vanished is noticed within a minute, also in the middle of a statement.
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""What libpq is told for a connection that is to last."""


class _Lent(AsyncConnection[DictRow]):
    """A connection through a transaction pooler: ours for a transaction, whose limits it sets each time."""

    limits: Limits

    @asynccontextmanager
    async def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> AsyncIterator[AsyncTransaction]:
        outermost = self.info.transaction_status == TransactionStatus.IDLE
        async with super().transaction(savepoint_name, force_rollback) as transaction:
            if outermost and self.limits:
                await assign(self, _in_postgres_words(self.limits), local=True)
            yield transaction


class _MigratedMeanwhile(OperationalError):
    """A migration broke what a connection has prepared: to whoever holds it, a database that went away."""


class _Preparing(AsyncConnection[DictRow]):
    """A connection that is ours, with statements prepared on it."""

    async def wait(self, gen: PQGen[RV], *how: Any, **more: Any) -> RV:
        """Do as psycopg, for all that goes to the server.

        What reads all columns of a table that got another one fails for as long as its statement is kept. It
        counts as a database away from the start: a thread that met it would have failed.
        """
        try:
            return await super().wait(gen, *how, **more)
        except FeatureNotSupported as error:
            raise _MigratedMeanwhile("the database was migrated meanwhile; try again") from error


class _Kept(Pool):
    """Stays usable when somebody is cancelled as they return theirs, and when a newer Signoff migrates."""

    @asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  as psycopg has it
    ) -> AsyncIterator[AsyncConnection[DictRow]]:
        """Lend a connection; all are given up where a migration broke what is prepared on them."""
        try:
            async with super().connection(timeout) as conn:
                yield conn
        except _MigratedMeanwhile:
            await self.drain()
            raise

    async def _putconn(self, conn: AsyncConnection[DictRow], from_getconn: bool) -> None:
        # One with a deadline may be cancelled here. Psycopg's own then has one less for good, until there is
        # none, and everybody waits in vain.
        try:
            await super()._putconn(conn, from_getconn)
        except asyncio.CancelledError:
            self.run_task(ReturnConnection(self, conn, from_getconn))
            raise


class _InUtc(TimestamptzLoader):
    """Reads times in UTC, whatever zone the server tells them in.

    Python compares two times of one zone by the clock on the wall, which goes back an hour once a year.
    """

    def load(self, data: Buffer) -> datetime:
        return super().load(data).astimezone(UTC)


async def begin(connection: AsyncConnection[Any]) -> None:
    """Begin a transaction in a pipeline: `transaction()` would wait for the server several times in there."""
    await connection.execute("begin isolation level read committed")
    if isinstance(connection, _Lent) and connection.limits:
        await assign(connection, _in_postgres_words(connection.limits), local=True)


def piped(connection: AsyncConnection[Any]) -> AbstractAsyncContextManager[Any]:
    """Return a pipeline; none where there is one: another one in there would only wait for the server."""
    off = connection.info.pipeline_status == PipelineStatus.OFF
    return connection.pipeline() if off else nullcontext()


async def assign(connection: AsyncConnection[Any], settings: dict[str, str], *, local: bool) -> None:
    """Set what this server knows of these, for the transaction or for the session."""
    await connection.execute(
        "select set_config(name, value, %s) from unnest(%s::text[], %s::text[]) as given (name, value)"
        " where current_setting(name, true) is not null",
        [local, list(settings), list(settings.values())],
    )


def _in_postgres_words(limits: Limits) -> dict[str, str]:
    return {name: f"{int(seconds * 1000)}ms" for name, seconds in limits.items()}


def _pool(
    dsn: str,
    *,
    name: str,
    min_size: int,
    max_size: int,
    timeout: float = 30.0,
    limits: Limits | None = None,
    pooled: bool = False,
) -> Pool:
    """Return a pool, not yet open, of autocommit connections whose rows are dicts.

    `timeout` is what to wait for a connection, in seconds. `pooled` says that the DSN leads to a transaction
    pooler: a connection is then not ours for longer than a transaction, so nothing is prepared or set on it,
    and the limits hold in transactions only.
    """
    connecting = {**CONNECTING, "row_factory": dict_row, "application_name": f"signoff {name}"}
    # The same few statements run over and over on it: each is prepared once, and planned once.
    connecting["prepare_threshold"] = None if pooled else 1
    made: Pool = _Kept(
        dsn,
        connection_class=_Lent if pooled else _Preparing,
        name=name,
        min_size=min_size,
        max_size=max_size,
        timeout=timeout,
        open=False,
        kwargs=connecting,
        configure=partial(_configure, limits=limits or {}),
        # Without one, procrastinate's worker dies of the first stale connection.
        check=lambda connection: _check(connection, made),
        # Short, so that work goes on soon after a long outage: the time between attempts doubles.
        reconnect_timeout=RECONNECT_SECONDS,
        reconnect_failed=_for_those_who_wait,
    )
    return made


async def _configure(connection: AsyncConnection[DictRow], limits: Limits) -> None:
    # As `kwargs`, autocommit would break procrastinate, which hands them on to a connection of its own;
    # and as a start-up option, a timeout would break a session pooler.
    await connection.set_autocommit(True)
    if str(connection.info.timezone) not in ("UTC", "Etc/UTC"):
        connection.adapters.register_loader("timestamptz", _InUtc)
    if isinstance(connection, _Lent):
        connection.limits = limits
        await connection.set_isolation_level(IsolationLevel.READ_COMMITTED)  # of its transactions
    else:
        await assign(connection, _SESSION | _in_postgres_words(limits), local=False)


async def _for_those_who_wait(pool: Pool) -> None:
    """Begin attempts anew: psycopg gives up, and whoever waits already would wait for their whole timeout.

    It must not wait here, in one of the few tasks that make connections.
    """
    if pool.get_stats().get("requests_waiting"):
        asking = asyncio.create_task(_ask(pool))
        _ASKING.add(asking)
        asking.add_done_callback(_ASKING.discard)


async def _ask(pool: Pool) -> None:
    """Ask for a connection, which makes the pool try to open one."""
    with suppress(OperationalError):  # a pool that is closed or has none, too
        async with pool.connection(timeout=_ASK_SECONDS):
            pass


_ASKING: set[asyncio.Task[None]] = set()
"""Kept, or the loop might forget them before they are done."""


async def _check(connection: AsyncConnection[Any], of: Pool) -> None:
    if _is_silent(connection):
        return
    try:
        await AsyncConnectionPool.check_connection(connection)
    except OperationalError:
        # The server went, and all connections with it. One at a time, psycopg would throw them out ever more
        # slowly.
        await of.drain()
        raise


def _is_silent(connection: AsyncConnection[Any]) -> bool:
    """Whether nothing came in on an idle connection: a server that goes says so, and closes it.

    Asking the server each time would cost every use of a connection a round trip.
    """
    incoming = select.poll()
    incoming.register(connection.fileno(), select.POLLIN)
    return not incoming.poll(0)


def runs_pool(dsn: str, *, max_size: int) -> Pool:
    """Return the pool of the graph runs: each holds a connection, and its thread's lock on it, to its end."""
    return _pool(dsn, name="runs", min_size=0, max_size=max_size)  # most processes run none


def queue_pool(dsn: str, *, max_size: int = 6, pooled: bool = False) -> Pool:
    """Return the pool of the queue and of all that may wait a little."""
    return _pool(dsn, name="queue", min_size=1, max_size=max_size, pooled=pooled)


def listeners_pool(dsn: str, *, max_size: int = 10, pooled: bool = False, patience: Patience = USUAL) -> Pool:
    """Return the pool of those whom a person waits for."""
    return _pool(
        dsn,
        name="listeners",
        min_size=2,
        max_size=max_size,
        timeout=patience.connection,
        limits={"lock_timeout": patience.lock, "statement_timeout": patience.statement},
        pooled=pooled,
    )
