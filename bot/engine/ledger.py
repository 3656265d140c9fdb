"""What the rows say of a thread while its lock is held: pauses found, answers sent, the end."""

from __future__ import annotations

import random
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog
from langgraph.errors import is_invalid_resume
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from bot.approvals.dialects import End, reply
from bot.approvals.errors import SignoffError
from bot.approvals.states import ThreadStatus
from bot.approvals.workflow import Workflow
from bot.engine.graph import GraphRun
from bot.engine.plan import Begin, Drive, Finish, Move, Orphan, Send, Snapshot, Wait, follow, next_move
from bot.engine.result import as_json, as_text
from bot.facts.pauses import register, revise
from bot.facts.settle import close
from bot.facts.threads import moment
from bot.postgres.fact import Fact, NewMessage, fact
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval, Thread

log = structlog.get_logger("signoff.engine")

LONGEST_BACKOFF = timedelta(minutes=5)


class Ledger:
    """The rows of one thread, written only by the holder of its lock, on the lock's connection."""

    def __init__(self, conn: AsyncConnection[Any], queue: Queue, thread: Thread) -> None:
        self._conn = conn
        self._queue = queue
        self.thread = thread

    async def follow(self, snapshot: Snapshot, workflow: Workflow) -> Move:
        """Make the rows follow the graph, decide the next move, and record it before it is made."""
        async with fact(self._conn, self._queue) as recorded:
            approvals = await self._follow_pauses(recorded, snapshot, workflow)
            move = next_move(snapshot, approvals)
            match move:
                case Send():
                    return await self._mark(recorded, move, workflow)
                case Wait():
                    await self._status("waiting")
                case Finish():
                    await self._end(recorded, "done", result=snapshot.values)
                case Orphan():
                    await self._end(recorded, "orphaned", why="a pause vanished without an answer")
                case Begin() | Drive():
                    await self._status("running")
            return move

    async def raised(self, error: Exception, graph: GraphRun, workflow: Workflow) -> None:
        """A node raised: keep the pauses that its siblings reached, then try again later or give up."""
        try:
            snapshot = await graph.read()
        except SignoffError as unreadable:
            await self.fail(unreadable)
            return
        attempts = self.thread.attempts + 1
        if attempts > workflow.retries or is_invalid_resume(error):
            await self.fail(error)
            return
        async with fact(self._conn, self._queue) as recorded:
            await self._follow_pauses(recorded, snapshot, workflow)
            await self._conn.execute(
                _RETRY_LATER,
                {
                    "id": self.thread.thread_id,
                    "attempts": attempts,
                    "seconds": _backoff(attempts).total_seconds(),
                    "error": _line(error),
                    "traceback": _traceback(error),
                },
            )
            recorded.audit(
                self.thread.thread_id,
                "thread.raised",
                "signoff",
                {"error": _line(error), "attempt": attempts},
            )

    async def fail(self, error: Exception) -> None:
        """Give the thread up: its cards say so, and ops are told what to do."""
        log.warning("thread_failed", thread_id=self.thread.thread_id, error=_line(error))
        async with fact(self._conn, self._queue) as recorded:
            await self._close_open(recorded, f"the workflow failed: {_line(error)}")
            await self._end(recorded, "failed", why=_line(error), details=_traceback(error))

    async def end(self, status: Literal["cancelled"], why: str) -> None:
        async with fact(self._conn, self._queue) as recorded:
            await self._close_open(recorded, why)
            await self._end(recorded, status, why=why)

    async def hold(self, problem: str) -> None:
        """Leave the thread for a worker that can run it, and look again in a minute."""
        async with fact(self._conn, self._queue) as recorded:
            await self._conn.execute(_LATER, {"id": self.thread.thread_id})
            self._tell_ops(recorded, "held", problem, "signoff doctor")

    async def _follow_pauses(
        self, recorded: Fact, snapshot: Snapshot, workflow: Workflow
    ) -> tuple[Approval, ...]:
        approvals = await self._approvals()
        changes = follow(snapshot, approvals)
        if not (changes.new or changes.revised or changes.superseded or changes.vanished or changes.applied):
            return approvals
        now = await moment(self._conn)
        for approval in changes.applied:
            await self._conn.execute(_APPLIED, {"id": approval.approval_id, "at": now})
        for approval in changes.vanished:
            await self._orphan(recorded, approval, now)
        for approval, pause in changes.revised:
            await revise(recorded, approval, pause, workflow)
        for approval, pause in changes.superseded:
            await self._supersede(recorded, approval, now)
            await register(recorded, self.thread, workflow, pause, now)
        for pause in changes.new:
            await register(recorded, self.thread, workflow, pause, now)
        return await self._approvals()

    async def _mark(self, recorded: Fact, send: Send, workflow: Workflow) -> Move:
        """Write the mark that proves an answer was sent; or end where the answer must not be sent at all."""
        answers: dict[str, Any] = {}
        for approval in send.approvals:
            if approval.decision is None:
                raise SignoffError(
                    f"Approval {approval.approval_id} is {approval.status} without a decision."
                )
            said = reply(approval.decision, approval.dialect, workflow.reply)
            if isinstance(said, End):
                await self._close_open(recorded, said.reason)
                await self._end(recorded, "cancelled", why=said.reason)
                return Finish()
            answers[approval.interrupt_id] = said.value
        await self._conn.execute(_APPLYING, {"ids": [a.approval_id for a in send.approvals]})
        return replace(send, answers=answers)

    async def _approvals(self) -> tuple[Approval, ...]:
        found = await self._conn.execute(_APPROVALS, {"id": self.thread.thread_id})
        return tuple(Approval.of(row) for row in await found.fetchall())

    async def _orphan(self, recorded: Fact, approval: Approval, now: datetime) -> None:
        await close(recorded, approval, "orphaned", "the graph no longer has this pause", now)
        self._tell_ops(
            recorded,
            f"orphan:{approval.approval_id}",
            "A pause vanished from its graph without an answer (was a node renamed?)",
            f"signoff show {self.thread.thread_id}",
            approval,
        )

    async def _supersede(self, recorded: Fact, approval: Approval, now: datetime) -> None:
        await close(recorded, approval, "superseded", "what was asked changed after the decision", now)
        for vote in approval.decision.votes if approval.decision else ():
            recorded.post(
                NewMessage(
                    f"told:{approval.approval_id}:{vote.user}",
                    "told",
                    target=vote.user,
                    approval_id=approval.approval_id,
                    thread_id=self.thread.thread_id,
                    body={"event": "superseded"},
                )
            )

    async def _close_open(self, recorded: Fact, why: str) -> None:
        now = await moment(self._conn)
        for approval in await self._approvals():
            if approval.status == "pending":
                await close(recorded, approval, "cancelled", why, now)

    async def _status(self, status: ThreadStatus) -> None:
        if self.thread.status == status and not self.thread.attempts:
            return
        await self._conn.execute(_STATUS, {"id": self.thread.thread_id, "status": status})
        self.thread = replace(self.thread, status=status, attempts=0)

    async def _end(
        self,
        recorded: Fact,
        status: ThreadStatus,
        *,
        result: Any = None,
        why: str | None = None,
        details: str | None = None,
    ) -> None:
        ended = {
            "id": self.thread.thread_id,
            "status": status,
            "result": None if result is None else Jsonb(as_json(result)),
            "error": why,
            "traceback": details,
        }
        found = await self._conn.execute(_END, ended)
        for row in await found.fetchall():
            recorded.redraw_cards(row["approval_id"])
        recorded.audit(self.thread.thread_id, f"thread.{status}", "signoff", {"why": why} if why else {})
        if status in ("failed", "orphaned"):
            self._tell_ops(
                recorded,
                f"{status}:{self.thread.attempts}",
                f"Thread of {self.thread.workflow} {status}: {why}",
                f"signoff {'retry' if status == 'failed' else 'show'} {self.thread.thread_id}",
            )
        self.thread = replace(self.thread, status=status)

    def _tell_ops(
        self, recorded: Fact, key: str, problem: str, command: str, approval: Approval | None = None
    ) -> None:
        recorded.post(
            NewMessage(
                f"ops:{self.thread.thread_id}:{key}",
                "ops",
                target="",
                approval_id=approval.approval_id if approval else None,
                thread_id=self.thread.thread_id,
                body={"problem": problem, "command": command},
            )
        )


def _backoff(attempts: int) -> timedelta:
    return min(timedelta(seconds=2**attempts * random.uniform(0.5, 1)), LONGEST_BACKOFF)  # noqa: S311


def _line(error: BaseException) -> str:
    if isinstance(error, SignoffError):
        return as_text(str(error))
    said = str(error).strip().splitlines()
    return as_text(f"{type(error).__name__}: {said[0][:500]}" if said else type(error).__name__)


def _traceback(error: BaseException) -> str:
    lines: Sequence[str] = traceback.format_exception(error)
    return as_text("".join(lines))[-20_000:]


_APPROVALS = "select * from approvals where thread_id = %(id)s and status <> 'superseded' order by created_at"

_APPLIED = "update approvals set applied_at = %(at)s where approval_id = %(id)s"

_APPLYING = "update approvals set applying_at = signoff_now() where approval_id = any(%(ids)s)"

_STATUS = """
update threads set status = %(status)s, attempts = 0, retry_at = null, error = null, traceback = null,
                   updated_at = signoff_now()
where thread_id = %(id)s
"""

_RETRY_LATER = """
update threads set status = 'running', attempts = %(attempts)s, error = %(error)s, traceback = %(traceback)s,
                   retry_at = signoff_now() + make_interval(secs => %(seconds)s), updated_at = signoff_now()
where thread_id = %(id)s
"""

_LATER = """
update threads set retry_at = signoff_now() + interval '1 minute', updated_at = signoff_now()
where thread_id = %(id)s
"""

_END = """
with ended as (
    update threads set status = %(status)s, result = %(result)s, error = %(error)s, traceback = %(traceback)s,
                       attempts = 0, retry_at = null, updated_at = signoff_now(), ended_at = signoff_now()
    where thread_id = %(id)s returning thread_id
)
select approval_id from approvals join ended using (thread_id) where delivered_at is not null
"""
