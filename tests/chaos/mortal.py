"""A process that dies at one exact step: a statement to Postgres, a call of Slack, an acknowledgement."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar
from weakref import WeakSet

import pytest
from aiohttp import ClientError
from fixtures_house import Running, running_house
from psycopg import AsyncConnection, OperationalError
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg_pool import AsyncConnectionPool
from slack_sdk.socket_mode.aiohttp import SocketModeClient

from bot.emulator import Emulator
from bot.slack.workspace.client import Client

Result = TypeVar("Result")


class Died(OperationalError, ClientError):
    """What calls of a dead process come to: nobody hears of them."""


class Life:
    """What one process says to others, step by step, up to its death.

    It dies just before its step `dies_at` (counted from 0) leaves it; or `after` that was done, before it
    learns so. `telling` are the steps after which others can tell: what a transaction does is undone with it.
    Of each of these `watched` hears, before anything follows: it sees what a death there would leave.
    """

    def __init__(self, dies_at: int | None = None, *, after: bool = False) -> None:
        self.steps: list[str] = []
        self.telling: set[int] = set()
        self.counts = False
        self.over = asyncio.Event()
        self.watched: Callable[[str], Coroutine[Any, Any, None]] | None = None
        self._dies_at, self._after = dies_at, after
        self._connections: WeakSet[AsyncConnection[Any]] = WeakSet()
        self._ears: WeakSet[SocketModeClient] = WeakSet()
        self._backends: set[int] = set()

    async def step(
        self, name: str, act: Callable[[], Awaitable[Result]], told: Callable[[], bool] = lambda: True
    ) -> Result:
        """Take a step, if it is lived to see; raises `Died` otherwise."""
        n = len(self.steps) if self.counts else None
        if n is not None:
            self.steps.append(name)
        if n == self._dies_at is not None and not self._after:
            self.die()
        self.lives()
        done = await act()
        if n is not None and told():
            self.telling.add(n)
            if self.watched:
                await _within(None, self.watched(f"{n} ({name})"))
        if n == self._dies_at is not None:
            self.die()
        self.lives()
        return done

    def lives(self) -> None:
        if self.over.is_set():
            raise Died("it is dead")

    def holds(self, conn: AsyncConnection[Any]) -> None:
        self._connections.add(conn)
        self._backends.add(conn.info.backend_pid)

    def hears(self, ear: SocketModeClient) -> None:
        self._ears.add(ear)

    def die(self) -> None:
        """Let go of everything at once, as the kernel does for a process that was killed."""
        self.over.set()
        for conn in self._connections:
            if not conn.closed:
                _shut(conn.pgconn.socket)
        for ear in self._ears:
            if ear.current_session and (wire := ear.current_session.get_extra_info("socket")):
                _shut(wire.fileno())

    async def buried(self, house: Running) -> None:
        """Wait until Postgres has seen the death, too."""
        await house.rows(_GONE, list(self._backends))

    async def does(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do some work in this process; raises `Died` where it dies at it."""
        doing, dying = _within(self, work), asyncio.create_task(self.over.wait())
        await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if self.over.is_set():
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)
        self.lives()
        return await doing


_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)
"""Whose everything is that is done here; what a process begins inherits it."""


def _within(life: Life | None, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    context = copy_context()
    context.run(_LIFE.set, life)
    return asyncio.create_task(work, context=context)


def _shut(fileno: int) -> None:
    """End a connection whose owner finds out for itself: what was sent arrives, and nothing after it."""
    with socket.socket(fileno=os.dup(fileno)) as wire, suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)


@asynccontextmanager
async def process(life: Life, dsn: str, slack: Emulator, **house: Any) -> AsyncIterator[Running]:
    """Open a house whose every task, pool and connection is of this life."""
    opened: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
    leaving = asyncio.Event()

    async def live() -> None:
        async with running_house(dsn, slack=slack, **house) as running:
            opened.set_result(running)
            await leaving.wait()

    living = _within(life, live())
    await asyncio.wait({living, opened}, return_when=asyncio.FIRST_COMPLETED)
    if not opened.done():
        await living
    try:
        yield opened.result()
    finally:
        life.counts = False
        leaving.set()
        with suppress(Died):
            await living


@contextmanager
def steps_counted() -> Iterator[None]:
    """Have each process in here count, and die of, what leaves it."""
    wait, get = AsyncConnection.wait, AsyncConnectionPool.getconn
    call, connect, send = Client.api_call, SocketModeClient.connect, SocketModeClient.send_message

    async def waited(conn: AsyncConnection[Any], gen: Any, *args: Any, **more: Any) -> Any:
        life = _LIFE.get()
        if life is None or _sends_nothing(conn, gen):
            return await wait(conn, gen, *args, **more)
        life.holds(conn)
        return await life.step(_name(gen), lambda: wait(conn, gen, *args, **more), lambda: _is_over(conn))

    async def got(pool: AsyncConnectionPool[Any], *args: Any, **more: Any) -> Any:
        if life := _LIFE.get():
            life.lives()
        return await get(pool, *args, **more)

    async def called(client: Client, method: str, **given: Any) -> Any:
        life = _LIFE.get() or Life()
        return await life.step(method, lambda: call(client, method, **given))

    async def connected(ear: SocketModeClient) -> None:
        (_LIFE.get() or Life()).hears(ear)
        await connect(ear)

    async def sent(ear: SocketModeClient, message: str) -> None:
        life = _LIFE.get() or Life()
        await life.step("acknowledge", lambda: send(ear, message))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AsyncConnection, "wait", waited)
        patch.setattr(AsyncConnectionPool, "getconn", got)
        patch.setattr(Client, "api_call", called)
        patch.setattr(SocketModeClient, "connect", connected)
        patch.setattr(SocketModeClient, "send_message", sent)
        yield


def _sends_nothing(conn: AsyncConnection[Any], gen: Any) -> bool:
    """Whether it begins a pipeline, or ends a transaction where there is none."""
    ends = gen.__name__ in ("_commit_gen", "_rollback_gen")
    return gen.__name__ == "_enter_gen" or (ends and conn.info.transaction_status == TransactionStatus.IDLE)


def _is_over(conn: AsyncConnection[Any]) -> bool:
    """Whether no transaction is open, now that it was sent."""
    idle = conn.info.transaction_status == TransactionStatus.IDLE
    return idle and conn.info.pipeline_status == PipelineStatus.OFF


def _name(gen: Any) -> str:
    """Name what a generator of psycopg is about to send."""
    query = gen.gi_frame.f_locals.get("query", "") if gen.gi_frame else ""
    words = " ".join((query.decode() if isinstance(query, bytes) else str(query)).split())
    return f"{gen.__name__.strip('_')} {words[:70]}".strip()


_GONE = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where pid = any(%s) and datname = current_database() and pid <> pg_backend_pid()
"""
