"""`advance`: bring a thread's graph to where the rows say it should be; twice is as good as once."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool

from bot import metrics
from bot.approvals.errors import SignoffError
from bot.approvals.states import THREAD_ENDED
from bot.engine.catalog import Catalog
from bot.engine.graph import GraphRun
from bot.engine.ledger import Ledger
from bot.engine.plan import Begin, Drive, Finish, Orphan, Send, Wait
from bot.postgres.jobs import Queue
from bot.postgres.rows import Thread


class Engine:
    """Runs the workflows of a catalog, each thread on a connection of its own."""

    def __init__(self, catalog: Catalog, runs: AsyncConnectionPool[Any], queue: Queue) -> None:
        self._catalog = catalog
        self._runs = runs
        self._queue = queue

    @metrics.job("advance")
    async def advance(self, thread_id: str) -> None:
        """Converge one thread, or leave where another worker holds it: that one looks again when it is done.

        The lock, the checkpoints and our own rows share one connection, so a worker that lost its lock
        cannot write. The connection is closed, not returned, unless the lock was given back.
        """
        async with self._runs.connection() as conn:
            released = False
            try:
                while await self._hold(conn, thread_id):
                    pass
                released = True
            finally:
                if not released:
                    with suppress(OperationalError):
                        await conn.close()

    async def _hold(self, conn: AsyncConnection[Any], thread_id: str) -> bool:
        """Take the lock if it is free, and converge; returns True where more was wanted meanwhile."""
        found = await conn.execute(_LOCK, {"thread_id": thread_id})
        row = await found.fetchone()
        if row is None or not row["locked"]:
            return False
        thread = Thread.of(row)
        if not row["backing_off"]:
            await self._converge(conn, thread)
        found = await conn.execute(_UNLOCK, {"thread_id": thread_id, "reached": thread.wanted})
        row = await found.fetchone()
        return bool(row and row["again"])

    async def _converge(self, conn: AsyncConnection[Any], thread: Thread) -> None:
        ledger = Ledger(conn, self._queue, thread)
        if thread.status in THREAD_ENDED:
            return
        if thread.cancel_reason is not None:
            await ledger.end("cancelled", why=thread.cancel_reason)
            return
        entry = self._catalog.entries.get(thread.workflow)
        if entry is None:
            await ledger.hold(f"Workflow {thread.workflow} is not in this worker's catalog")
            return
        graph = GraphRun(entry.graph, conn, thread.thread_id)
        try:
            await _run_to_rest(graph, ledger, entry.workflow)
        except OperationalError:
            raise  # the database went away, and the lock with it: the next run continues from the checkpoint
        except SignoffError as error:
            await ledger.fail(error)
        except Exception as error:  # noqa: BLE001  a node may raise anything
            await ledger.raised(error, graph, entry.workflow)


async def _run_to_rest(graph: GraphRun, ledger: Ledger, workflow: Any) -> None:
    """Move the graph until it waits or has ended, the rows following at every step."""
    snapshot = await graph.read()
    while True:
        match await ledger.follow(snapshot, workflow):
            case Begin():
                snapshot = await graph.begin(ledger.thread.input)
            case Drive():
                snapshot = await graph.drive()
            case Send() as send:
                snapshot = await graph.resume(send.answers)
            case Wait() | Finish() | Orphan():
                return


_LOCK = """
select pg_try_advisory_lock(hashtextextended(thread_id, 0)) as locked,
       coalesce(retry_at > signoff_now(), false) as backing_off, t.*
from threads t where thread_id = %(thread_id)s
"""

_UNLOCK = """
with reached as (
    update threads set reached = greatest(reached, %(reached)s) where thread_id = %(thread_id)s
    returning wanted
)
select pg_advisory_unlock(hashtextextended(%(thread_id)s, 0)), wanted > %(reached)s as again from reached
"""
