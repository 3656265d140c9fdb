"""The queue: two kinds of job, enqueued inside the transaction of the fact that wants them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager, NotificationCallback
from psycopg import AsyncConnection
from psycopg.errors import RaiseException
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

log = structlog.get_logger("signoff.worker")

ADVANCE = "signoff.advance"
DRAW = "signoff.draw"
THREADS = "threads"
MESSAGES = "messages"
QUEUES = (THREADS, MESSAGES)

LISTEN_AGAIN_SECONDS = 1.0


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

    One that `draws_itself` is given what is to be drawn after the commit, when it can be, and keeps these
    `drawings`, the most urgent first, until they are `handed_on`.
    """

    draws_itself: bool

    @property
    def drawings(self) -> Sequence[str]: ...

    def handed_on(self) -> None: ...

    async def enqueue(self, conn: AsyncConnection[Any], jobs: Iterable[Job]) -> None: ...


class Jobs(JobManager):
    """Procrastinate's way to its tables. A late worker is no fault to it, nor a database that was away."""

    def __init__(self, connector: PsycopgConnector) -> None:
        super().__init__(connector)
        self.ended: set[int | None] = set()

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Hear of new jobs until cancelled, again once a database that was away is back.

        Procrastinate's worker would only poll from then on: it looks after its ear no longer than until its
        deferrer of periodic tasks has ended, which without such tasks is at once.
        """
        while True:
            with suppress(ConnectorException):
                await super().listen_for_jobs(on_notification=on_notification, queues=queues)
            await asyncio.sleep(LISTEN_AGAIN_SECONDS)

    async def update_heartbeat(self, worker_id: int) -> None:
        """Say that a worker lives; where the database is away, the next beat does.

        Procrastinate's worker would give no more of them, and pass for dead while it works on.
        """
        with suppress(ConnectorException):
            await super().update_heartbeat(worker_id)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Take the next job; None where there is none."""
        row = await self.connector.execute_query_one_async(_FETCH, queues=queues, worker_id=worker_id)
        return Job.from_row(row) if row["id"] is not None else None

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """End a job that its worker has run; one that was taken over meanwhile is ended already.

        A worker that stood still for longer than its lease finds that. Raises for every other reason.
        """
        if job.id in self.ended:
            self.ended.discard(job.id)
            return
        try:
            await super().finish_job(job, status, delete_job)
        except ConnectorException as error:
            if not _is_gone(error):
                raise
            log.warning("job_taken_over", job=job.task_name, **job.task_kwargs, why=_TAKEN_OVER)


_TAKEN_OVER = (
    "This worker stood still for longer than its lease, and its job was taken over. "
    "Nothing is lost: whoever runs it again goes on from where this run came to."
)


def _is_gone(error: ConnectorException) -> bool:
    """Tell the refusal of procrastinate_finish_job_v1 that knows no such job any more."""
    why = error.__cause__
    return isinstance(why, RaiseException) and str(why).startswith("Job was not found")


class Queue:
    """Procrastinate on one of our pools.

    Neither `lock` nor `queueing_lock` is used: a thread's order is kept by its advisory lock, and a job that
    finds nothing to do costs little.
    """

    draws_itself = False
    drawings: Sequence[str] = ()

    def handed_on(self) -> None:
        """Nothing waits here: all is in the queue."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        connector = PsycopgConnector()
        self.app = App(connector=connector)
        self.app.job_manager = self._jobs = Jobs(connector)
        self._connector = connector
        self._pool = pool

    async def open(self) -> None:
        """Attach to the pool, which stays its opener's to close."""
        await self._connector.open_async(pool=self._pool)

    async def enqueue(self, conn: AsyncConnection[Any], jobs: Iterable[Job]) -> None:
        """Enqueue all in one statement of `conn`'s transaction, which in a pipeline is not waited for.

        Procrastinate's own way would wait for the jobs' ids.
        """
        rows = [
            {"queue_name": j.queue, "task_name": j.task_name, "priority": j.priority, "args": j.task_kwargs}
            for j in jobs
        ]
        await conn.execute(_ENQUEUE, {"jobs": Jsonb(rows)})

    def ended(self, job: Job) -> None:
        """Say that a job was ended by who ran it: its worker has nothing left to write."""
        self._jobs.ended.add(job.id)

    async def waiting(self) -> int:
        """Return how many jobs nobody has begun."""
        async with self._pool.connection() as conn:
            found = await conn.execute("select count(*) from procrastinate_jobs where status = 'todo'")
            row = await found.fetchone()
            return int(row["count"]) if row else 0


_ENQUEUE = """
select procrastinate_defer_jobs_v1(array_agg(job))
from jsonb_populate_recordset(null::procrastinate_job_to_defer_v1, %(jobs)s) as job
"""

# A job that was taken and is lost with the server is there to be taken again: no need to wait for the disk.
_FETCH = """
select taken.*, set_config('synchronous_commit', 'off', true)
from procrastinate_fetch_job_v2(%(queues)s::varchar[], %(worker_id)s) taken
"""
