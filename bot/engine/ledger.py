"""What the rows say of a thread while its lock is held: pauses found, answers sent, errors, the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import structlog
from psycopg import AsyncConnection, DatabaseError

from bot.approvals.dialects import End
from bot.approvals.state import Misfit
from bot.approvals.workflow import Workflow
from bot.engine.answers import answers, writes
from bot.engine.contract import fitted
from bot.engine.correcting import close as close_corrections
from bot.engine.correcting import correctable
from bot.engine.ending import end, hold_misfit, orphan, stop, tell_ops
from bot.engine.journey import Journey
from bot.engine.plan import (
    Begin,
    Changes,
    Drive,
    Finish,
    Move,
    Orphan,
    Send,
    Snapshot,
    Step,
    Wait,
    follow,
    next_move,
)
from bot.engine.raised import declared, gives_up, line, trace
from bot.engine.result import as_result
from bot.engine.saver import ThreadSaver
from bot.engine.thread_row import RECOVERED, ThreadRow
from bot.engine.unsettled import Unsettled, goes_on, is_cancellation, mark_applied, unsettled
from bot.facts.registering import register, revise
from bot.facts.supersede import supersede
from bot.postgres.fact import Fact, fact_in_one
from bot.postgres.jobs import Wakes
from bot.postgres.rows import Approval, Thread

log = structlog.get_logger("signoff.engine")


class Ledger:
    """The rows of one thread, written only by the holder of its lock, on the lock's connection."""

    def __init__(
        self,
        conn: AsyncConnection[Any],
        queue: Wakes,
        thread: Thread,
        saver: ThreadSaver,
        known: Unsettled | None = None,
    ) -> None:
        """`known` is how the rows of a thread stand that has not asked for anything yet."""
        self._conn = conn
        self.saver = saver
        self._known = known
        self._queue = queue
        self._journey = Journey(thread.thread_id)
        self.row = ThreadRow(conn, thread)

    @property
    def thread(self) -> Thread:
        """The thread as its row says by now."""
        return self.row.thread

    @asynccontextmanager
    async def _fact(self, known: Unsettled | None = None) -> AsyncIterator[tuple[Fact, Unsettled]]:
        """Open a transaction with the thread's rows as they stand, in as few round trips as can be.

        It begins with what the graph's run has left to be stored, which the rows follow. Where no
        approvals were `known`, they are not read, and it fails if the thread is cancelled by now
        (`is_cancellation`).
        """
        self._known = None
        async with fact_in_one(self._conn, self._queue) as recorded:
            await self.saver.store()
            if known is not None and not known.approvals:
                await goes_on(self._conn, self.thread.thread_id)
            yield recorded, known or await unsettled(self._conn, self.thread.thread_id)
        self.saver.forget()

    def _still_true(self, snapshot: Snapshot) -> Unsettled | None:
        """Return how the rows were read last, where that still says all that follows from the snapshot.

        Only the holder of the lock adds approvals and sends answers. So where there were none, there are
        none; and once answers were sent, whatever was not sent is all that somebody can have changed.
        """
        known = self._known
        if known is None:
            return None
        ends = snapshot.finished and not follow(snapshot, known.approvals).vanished
        return known.aged() if ends or not known.approvals else None

    async def follow(self, snapshot: Snapshot, workflow: Workflow) -> Move:
        """Make the rows follow the graph, decide the next move, and record it before it is made."""
        await self._journey.compare(snapshot, workflow)
        if snapshot.finished:
            snapshot = replace(snapshot, result=await as_result(snapshot.result))
        try:
            async with self._fact(self._still_true(snapshot)) as (recorded, rows):
                return await self._follow(recorded, rows, snapshot, workflow)
        except DatabaseError as error:
            if not is_cancellation(error):
                raise
        async with self._fact() as (recorded, rows):
            return await self._follow(recorded, rows, snapshot, workflow)

    async def _follow(self, recorded: Fact, rows: Unsettled, snapshot: Snapshot, workflow: Workflow) -> Move:
        self._journey.arrives(recorded, snapshot)
        if rows.cancel_reason is not None and not snapshot.finished:
            await self._settle_taken(recorded, snapshot, rows)
            await stop(recorded, self.row, rows, "cancelled", rows.cancel_reason)
            return Finish()
        approvals = await self._follow_pauses(recorded, snapshot, rows, workflow)
        try:
            with declared():
                move = fitted(next_move(snapshot, approvals), snapshot, workflow, approvals)
        except Misfit as misfit:
            await hold_misfit(recorded, self.row, rows, str(misfit))
            return Wait()
        followed = replace(rows, approvals=approvals)
        move = await self._record(recorded, move, snapshot, followed, workflow)
        await close_corrections(recorded, move, approvals)
        if isinstance(move, Send):
            sent = [approval.approval_id for approval, _ in move.decided]
            self._known = followed.sent(sent)
        self._journey.departs(move, snapshot, approvals)
        return move

    async def _record(
        self, recorded: Fact, move: Move, snapshot: Snapshot, rows: Unsettled, workflow: Workflow
    ) -> Move:
        """Write down the move before it is made; returns it with what it takes along, or the end instead."""
        match move:
            case Send():
                move = await self._send(recorded, move, rows, workflow)
            case Step():
                move = await self._step(recorded, move, snapshot, rows, workflow)
            case Wait():
                await self.row.waits()
            case Finish():
                await end(recorded, self.row, "done", result=snapshot.result)
            case Orphan():
                await stop(recorded, self.row, rows, "orphaned", "a pause vanished without an answer")
            case Drive() if snapshot.died:
                await self._recover(recorded, rows)
            case Begin() | Drive():
                await self.row.runs()
        return move

    async def raised(
        self, error: BaseException, workflow: Workflow, snapshot: Snapshot | None, *, asks: bool = True
    ) -> None:
        """Something raised: keep how far `snapshot` had come, then try again later or give up.

        Where its pauses are what cannot be dealt with, it `asks` nothing.
        """
        attempts = self.thread.attempts + 1
        if snapshot is not None:
            await self._journey.compare(snapshot, workflow)
        async with self._fact() as (recorded, rows):
            if snapshot is not None:
                self._journey.arrives(recorded, snapshot)
            ends = rows.cancel_reason is not None or gives_up(error, attempts, workflow.retries)
            if snapshot is not None and asks and not ends:
                await self._follow_pauses(recorded, snapshot, rows, workflow)
            elif snapshot is not None:
                await self._settle_taken(recorded, snapshot, rows)
            if ends:
                await self._give_up(recorded, rows, error)
                return
            await self.row.tries_later(error, attempts)
            said = {"error": line(error), "attempt": attempts}
            recorded.audit(self.thread.thread_id, "thread.raised", "signoff", said)

    async def cancel(self, why: str) -> None:
        async with self._fact() as (recorded, rows):
            await stop(recorded, self.row, rows, "cancelled", why)

    async def hold(self, problem: str) -> None:
        """Leave the thread for a worker that can run it, and look again in a minute."""
        async with self._fact() as (recorded, rows):
            if self.thread.error != problem:
                for approval in rows.approvals:
                    recorded.redraw_cards(approval.approval_id)
            await self.row.held(problem)
            tell_ops(recorded, self.thread, "held", problem, "signoff doctor")

    async def hold_misfit(self, problem: str) -> None:
        """Leave the thread, of which nothing can be told but the problem, as it is."""
        async with self._fact() as (recorded, rows):
            await hold_misfit(recorded, self.row, rows, problem)

    async def _give_up(self, recorded: Fact, rows: Unsettled, error: BaseException) -> None:
        """End where it raised: its cards say so, and ops are told what to do."""
        if rows.cancel_reason is not None:
            await stop(recorded, self.row, rows, "cancelled", rows.cancel_reason)
            return
        log.warning("thread_failed", thread_id=self.thread.thread_id, error=line(error))
        await stop(recorded, self.row, rows, "failed", line(error), trace(error))

    async def _follow_pauses(
        self, recorded: Fact, snapshot: Snapshot, rows: Unsettled, workflow: Workflow
    ) -> tuple[Approval, ...]:
        changes = await self._settle_taken(recorded, snapshot, rows)
        for approval in changes.vanished:
            await orphan(recorded, self.row, approval, rows.now)
        for approval, pause in changes.revised:
            await revise(recorded, approval, pause, workflow)
        for approval, pause in changes.superseded:
            why = snapshot.refused.get(pause.interrupt_id)
            await supersede(recorded, approval, pause, rows.now, refused=why)
        asked = (*changes.superseded, *((None, pause) for pause in changes.new))
        decided = [
            await register(
                recorded,
                self.thread,
                workflow,
                pause,
                rows.now,
                follows=before,
                refused=snapshot.refused.get(pause.interrupt_id),
                correction=correctable(workflow, snapshot, pause),
            )
            for before, pause in asked
        ]
        if any(decided) or changes.vanished or changes.superseded:
            return (await unsettled(self._conn, self.thread.thread_id)).approvals
        return tuple(a for a in rows.approvals if a not in changes.applied)

    async def _settle_taken(self, recorded: Fact, snapshot: Snapshot, rows: Unsettled) -> Changes:
        """Write which answers the graph has gone on with: their cards say so. Returns what else to follow."""
        changes = follow(snapshot, rows.approvals)
        self._journey.missed(recorded, snapshot, changes.applied)
        if changes.applied:
            await mark_applied(self._conn, changes.applied, rows.now)
        for approval in changes.applied:
            recorded.redraw_cards(approval.approval_id)
        return changes

    async def _send(self, recorded: Fact, send: Send, rows: Unsettled, workflow: Workflow) -> Move:
        """Write the mark that proves an answer was sent; or end where the answer must not be sent at all."""
        said = answers(send, workflow)
        if isinstance(said, End):
            await stop(recorded, self.row, rows, "cancelled", said.reason)
            return Finish()
        if any(approval.applying_at is None for approval, _ in send.decided):
            await self.row.sends([approval.approval_id for approval, _ in send.decided])
        else:
            # LangGraph forgets an answer when its node runs out of time: sent again, it is no progress.
            await self.row.runs()
        return replace(send, answers=said)

    async def _step(
        self, recorded: Fact, step: Step, snapshot: Snapshot, rows: Unsettled, workflow: Workflow
    ) -> Move:
        """Write the mark before the state is changed and the graph run past its breakpoints; or end there."""
        with declared():
            said = writes(step, snapshot, workflow)
        if isinstance(said, End):
            await stop(recorded, self.row, rows, "cancelled", said.reason)
            return Finish()
        if any(approval.applying_at is None for approval, _ in step.decided):
            await self.row.sends([approval.approval_id for approval, _ in step.decided])
        elif snapshot.died:
            await self._recover(recorded, rows)
        else:
            await self.row.runs()
        return replace(step, writes=said)

    async def _recover(self, recorded: Fact, rows: Unsettled) -> None:
        deaths = await self.row.recovers(rows.now)
        recorded.audit(self.thread.thread_id, RECOVERED, "signoff", {"deaths": deaths})
