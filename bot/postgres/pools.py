"""Pools of connections: one for each kind of work, so that none starves another."""

from __future__ import annotations

import select
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

_CONNECTING: dict[str, Any] = {
    "connect_timeout": 5,
    # A machine that vanished is noticed within a minute, also in the middle of a statement.
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


def pool(
    dsn: str,
    *,
    name: str,
    min_size: int,
    max_size: int,
    timeout: float = 30.0,
    statement_timeout: float | None = None,
    lock_timeout: float | None = None,
    pooled: bool = False,
) -> Pool:
    """Return a pool, not yet open, of autocommit connections whose rows are dicts.

    All times are in seconds: `timeout` to wait for a connection, the other two as Postgres means them.
    `pooled` says that the DSN leads to a transaction pooler: nothing is then prepared or set on the
    connection, which is not ours for longer than a transaction, so a transaction that wants timeouts
    has to `set local` them.
    """
    limits = {"statement_timeout": statement_timeout, "lock_timeout": lock_timeout}
    connecting = {**_CONNECTING, "row_factory": dict_row, "application_name": f"signoff {name}"}
    if pooled:
        connecting["prepare_threshold"] = None

    async def configure(connection: AsyncConnection[DictRow]) -> None:
        # As `kwargs`, autocommit would break procrastinate, which hands them on to a connection of its own;
        # and as a start-up option, a timeout would break a session pooler.
        await connection.set_autocommit(True)
        for limit, seconds in limits.items():
            if seconds is not None and not pooled:
                await connection.execute(
                    "select set_config(%s, %s, false)", [limit, f"{int(seconds * 1000)}ms"]
                )

    async def check(connection: AsyncConnection[DictRow]) -> None:
        if _is_silent(connection):
            return
        try:
            await AsyncConnectionPool.check_connection(connection)
        except OperationalError:
            # The server went, and all connections with it. One at a time, psycopg would throw them out ever
            # more slowly.
            await made.drain()
            raise

    made: Pool = AsyncConnectionPool(
        dsn,
        name=name,
        min_size=min_size,
        max_size=max_size,
        timeout=timeout,
        open=False,
        kwargs=connecting,
        configure=configure,
        check=check,  # without one, procrastinate's worker dies of the first stale connection
        # Short, so that work goes on soon after a long outage: the time between attempts doubles.
        reconnect_timeout=3.0,
    )
    return made


def _is_silent(connection: AsyncConnection[DictRow]) -> bool:
    """Whether nothing came in on an idle connection: a server that goes says so, and closes it.

    Asking the server each time would cost every use of a connection a round trip.
    """
    incoming = select.poll()
    incoming.register(connection.fileno(), select.POLLIN)
    return not incoming.poll(0)


def runs_pool(dsn: str, *, max_size: int) -> Pool:
    """Return the pool of the graph runs: each holds a connection, and its thread's lock on it, to its end."""
    return pool(dsn, name="runs", min_size=1, max_size=max_size)


def queue_pool(dsn: str, *, max_size: int = 6) -> Pool:
    """Return the pool of the queue and of all that may wait a little."""
    return pool(dsn, name="queue", min_size=1, max_size=max_size)


def listeners_pool(dsn: str, *, max_size: int = 10, pooled: bool = False) -> Pool:
    """Return the pool of those whom a person waits for: with 0.5 s for each wait, 1.5 s at worst in all."""
    return pool(
        dsn,
        name="listeners",
        min_size=2,
        max_size=max_size,
        timeout=0.5,
        lock_timeout=0.5,
        statement_timeout=1.0,  # a wait for a lock counts towards it
        pooled=pooled,
    )
