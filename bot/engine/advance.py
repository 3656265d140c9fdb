"""`advance`: bring a thread's graph to where the rows say it should be; twice is as good as once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from langgraph.checkpoint.base import BaseCheckpointSaver
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool

from bot import metrics
from bot.approvals.errors import SignoffError
from bot.approvals.state import Misfit
from bot.approvals.states import THREAD_ENDED
from bot.approvals.workflow import Workflow
from bot.engine.catalog import Catalog, Entry
from bot.engine.graph import GraphRun
from bot.engine.guarded import GuardedRun
from bot.engine.ledger import Ledger
from bot.engine.plan import Begin, Drive, Finish, Move, Orphan, Send, Snapshot, Step, Wait
from bot.engine.raised import NodeRaised, line
from bot.engine.saver import ThreadSaver
from bot.engine.unsettled import Unsettled
from bot.facts.threads import NoSuchThread
from bot.postgres.errands import Errands
from bot.postgres.handing_on import as_notification
from bot.postgres.jobs import Wakes
from bot.postgres.rows import Thread

Draw = Callable[[str], Awaitable[None]]


log = structlog.get_logger("signoff.engine")


class LockLost(SignoffError):
    """A run gave back a lock that it did not hold; its connection is closed."""


class Engine:
    """Runs the workflows of a catalog, each thread on a connection of its own."""

    def __init__(
        self, catalog: Catalog, runs: AsyncConnectionPool[Any], queue: Wakes, draw: Draw | None = None
    ) -> None:
        """`draw` shows what a run recorded where nobody else does; without it that goes to the queue."""
        self._catalog = catalog
        self._runs = runs
        self._queue = queue
        self._draw = draw

    @metrics.job("advance")
    async def advance(self, thread_id: str, job: int | None = None) -> bool:
        """Converge one thread, then show what that recorded; returns whether `job`, its own, was ended."""
        if self._draw is None:
            return await self.converge(thread_id, self._queue, job)
        errands = Errands(self._queue)
        ended = await self.converge(thread_id, errands, job)
        for message_id in errands.drawings:
            await self._draw(message_id)
        return ended

    async def converge(self, thread_id: str, queue: Wakes, job: int | None = None) -> bool:
        """Converge one thread, or leave where another worker holds it: that one looks again when it is done.

        A `job` of which nothing is left to do then is ended with the lock, in one statement; returns whether.

        The lock, the checkpoints and our own rows share one connection, so a worker that lost its lock
        cannot write. The connection is closed, not returned, unless the lock was given back.
        """
        async with self._runs.connection() as conn:
            try:
                while (released := await self._hold(conn, thread_id, queue, job)).more:
                    pass
            except BaseException:
                with suppress(OperationalError):
                    await conn.close()
                raise
        return released.job_ended

    async def _hold(
        self, conn: AsyncConnection[Any], thread_id: str, queue: Wakes, job: int | None
    ) -> Released:
        """Take the lock if it is free, and converge; returns what was found as it was given back."""
        row = await _locked(conn, thread_id)
        if row is None:
            return Released()
        thread = Thread.of(row)
        entry = self._catalog.entries.get(thread.workflow)
        begins = entry is not None and entry.begins_with_code
        saver = ThreadSaver(conn, thread_id, untouched=row["untouched"], begins_with_code=begins)
        asks_nothing = row["untouched"] and not thread.reached
        known = Unsettled((), thread.cancel_reason, row["now"]) if asks_nothing else None
        ledger = Ledger(conn, queue, thread, saver, known)
        try:
            if not row["backing_off"]:
                await self._converge(conn, ledger, untouched=row["untouched"])
        finally:
            saver.forget()
        await ledger.row.reach()
        return await _unlocked(conn, ledger.thread, queue, job)

    async def _converge(self, conn: AsyncConnection[Any], ledger: Ledger, *, untouched: bool) -> None:
        thread = ledger.thread
        if thread.status in THREAD_ENDED:
            return
        if thread.cancel_reason is not None:
            await ledger.cancel(thread.cancel_reason)
            return
        entry = self._catalog.entries.get(thread.workflow)
        if entry is None:
            await ledger.hold(f"Workflow {thread.workflow} is not in this worker's catalog")
            return
        saver = ledger.saver
        how: dict[str, Any] = {"settled": saver.settled, "at_rest": saver.at_rest}
        graph = graph_run(entry, saver, thread, lost=lambda: conn.closed, **how)
        try:
            try:
                await run_to_rest(graph, ledger, entry.workflow, untouched=untouched)
            except NodeRaised as raised:
                await ledger.raised(raised.error, entry.workflow, await _readable(graph))
        except Misfit as misfit:
            await ledger.hold_misfit(str(misfit))
        except OperationalError:
            # The database went away, and the lock with it: the next run continues from the checkpoint. Where
            # it did not, what the last run has left need not be run again, unless that is what it refuses.
            if (refused := await saver.left()) is None:
                raise
            await ledger.raised(refused, entry.workflow, None)
        except Exception as error:  # noqa: BLE001  a stored state, or a declared reply, may raise anything
            await ledger.raised(error, entry.workflow, await _readable(graph), asks=False)


def graph_run(entry: Entry, saver: BaseCheckpointSaver[Any], thread: Thread, **how: Any) -> GraphRun:
    """Return a thread's graph, ready to be read and run; only what can stop unasked costs another read."""
    every_step = thread.autonomy == "step_by_step"
    how["state_version"] = entry.workflow.state_version
    how["corrects"] = entry.workflow.corrections is not None
    how["context"] = lambda: entry.workflow.context_of(thread.input)
    if not (entry.guarded or every_step):
        return GraphRun(entry.graph, saver, thread.thread_id, **how)
    guards: dict[str, Any] = {"workflow": entry.workflow, "every_step": every_step}
    return GuardedRun(entry.graph, saver, thread.thread_id, **guards, **how)


class Rows(Protocol):
    """What follows a graph, and says what to do with it next."""

    @property
    def thread(self) -> Thread: ...

    async def follow(self, snapshot: Snapshot, workflow: Workflow) -> Move: ...


async def run_to_rest(graph: GraphRun, rows: Rows, workflow: Workflow, *, untouched: bool) -> None:
    """Move the graph until it waits or has ended, the rows following at every step.

    Where nothing of a thread is stored yet, there is nothing to read, and no row that could follow.
    """
    snapshot = await (graph.begin(rows.thread.input) if untouched else graph.read())
    while True:
        match await rows.follow(snapshot, workflow):
            case Begin():
                snapshot = await graph.begin(rows.thread.input)
            case Drive() as drive:
                snapshot = await graph.drive(drive.update)
            case Send() as send:
                snapshot = await graph.resume(send.answers, send.update)
            case Step() as step:
                snapshot = await graph.step(step.writes)
            case Wait() | Finish() | Orphan():
                return


async def _readable(graph: GraphRun) -> Snapshot | None:
    """Read where the graph stands, or nothing: what cannot be read must still count as an attempt."""
    try:
        return await graph.read()
    except OperationalError:
        raise
    except Exception as error:  # noqa: BLE001  what an older version of the workflow stored may raise anything
        log.warning("state_unreadable", error=line(error))
        return None


async def _locked(conn: AsyncConnection[Any], thread_id: str) -> dict[str, Any] | None:
    """Take the thread's lock and read its row; None where another worker has the lock."""
    found = await conn.execute(_HOLD, {"thread_id": thread_id})
    row: dict[str, Any] | None = await found.fetchone()
    if row is None or not row["locked"]:
        return None
    if row["thread_id"] is None:
        raise NoSuchThread(f"There is no thread {thread_id}.")
    return row


@dataclass(frozen=True)
class Released:
    """What was found as a lock was given back: `more` was wanted before that, or its job ended with it."""

    more: bool = False
    job_ended: bool = False


async def _unlocked(conn: AsyncConnection[Any], thread: Thread, queue: Wakes, job: int | None) -> Released:
    """Give the lock back, hand on what is to be drawn, and end the job where all is done then."""
    told = as_notification(queue.drawings)
    seen = {"thread_id": thread.thread_id, "wanted": thread.wanted, "drawings": told}
    ends = job if told or not queue.drawings else None  # what cannot be handed on is drawn under the job
    found = await conn.execute(_RELEASE, seen | {"job": ends})
    row = await found.fetchone()
    if not (row and row["unlocked"]):
        raise LockLost(f"The lock of thread {thread.thread_id} was not ours to give back.")
    if row["handed_on"]:
        queue.handed_on()
    return Released(row["more"], row["job_ended"])


_HOLD = """
select h.locked, h.backing_off, h.untouched, signoff_now() as now, (h.thread).*
from signoff_hold(%(thread_id)s) h
"""

_RELEASE = """
select unlocked, more, handed_on, job_ended
from signoff_release(%(thread_id)s, %(wanted)s, %(drawings)s, %(job)s)
"""
