"""The queue: two kinds of job, enqueued inside the transaction of the fact that wants them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from procrastinate import App, PsycopgConnector
from procrastinate.jobs import Job
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

ADVANCE = "signoff.advance"
DRAW = "signoff.draw"
THREADS = "threads"
MESSAGES = "messages"


def advance_job(thread_id: str, priority: int = 0) -> Job:
    """Bring this thread's graph to where the rows say it should be."""
    return Job(
        queue=THREADS,
        task_name=ADVANCE,
        priority=priority,
        lock=None,
        queueing_lock=None,
        task_kwargs={"thread_id": thread_id},
    )


def draw_job(message_id: str, priority: int) -> Job:
    """Bring this Slack message to what its row says."""
    return Job(
        queue=MESSAGES,
        task_name=DRAW,
        priority=priority,
        lock=None,
        queueing_lock=None,
        task_kwargs={"message_id": message_id},
    )


class Wakes(Protocol):
    """What a fact wakes its jobs with, inside its own transaction.

    One that `draws_itself` is given what is to be drawn after the commit, when it can be.
    """

    draws_itself: bool

    async def enqueue(self, conn: AsyncConnection[Any], jobs: Iterable[Job]) -> None: ...


class Queue:
    """Procrastinate on one of our pools.

    Neither `lock` nor `queueing_lock` is used: a thread's order is kept by its advisory lock, and a job that
    finds nothing to do costs little.
    """

    draws_itself = False

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        connector = PsycopgConnector()
        self.app = App(connector=connector)
        self._connector = connector
        self._pool = pool

    async def open(self) -> None:
        """Attach to the pool, which stays its opener's to close."""
        await self._connector.open_async(pool=self._pool)

    async def enqueue(self, conn: AsyncConnection[Any], jobs: Iterable[Job]) -> None:
        """Enqueue all in one statement of `conn`'s transaction."""
        await self.app.job_manager.batch_defer_jobs_async(jobs=list(jobs), connection=conn)

    async def waiting(self) -> int:
        """Return how many jobs nobody has begun."""
        async with self._pool.connection() as conn:
            found = await conn.execute("select count(*) from procrastinate_jobs where status = 'todo'")
            row = await found.fetchone()
            return int(row["count"]) if row else 0
