"""The rows of one run, in memory: they follow its graph by the very rules that the real ones follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from bot.approvals.decision import Decision
from bot.approvals.dialects import End
from bot.approvals.policy import Vote
from bot.approvals.states import THREAD_ENDED, ApprovalStatus, ThreadStatus
from bot.approvals.workflow import Workflow
from bot.engine.answers import answers, writes
from bot.engine.contract import fitted
from bot.engine.correcting import closes, correctable
from bot.engine.ending import VANISHED, why_called_off, why_held
from bot.engine.plan import (
    Begin,
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
from bot.engine.raised import gives_up, line
from bot.engine.result import as_json
from bot.facts.deadlines import first_steps
from bot.facts.pauses import Pause, found, revised
from bot.facts.supersede import refuse_to_go_round, why_anew
from bot.postgres.rows import Approval, Thread

UNDELIVERED = "channel_not_found"


class Rows:
    """One thread with its approvals, oldest first, and the votes on each one's revision.

    `clock` tells the time; `delivers` says whether cards arrive.
    """

    def __init__(self, thread: Thread, clock: Callable[[], datetime], delivers: Callable[[], bool]) -> None:
        self.thread = thread
        self.approvals: dict[str, Approval] = {}
        self.votes: dict[str, tuple[Vote, ...]] = {}
        self._clock = clock
        self._delivers = delivers

    async def follow(self, snapshot: Snapshot, workflow: Workflow) -> Move:
        """Make the rows follow the graph, and decide the next move; raises `Misfit` and `KeepsChanging`."""
        if self.thread.cancel_reason is not None and not snapshot.finished:
            self._apply(follow(snapshot, self._unsettled()).applied)
            return self.stop("cancelled", self.thread.cancel_reason)
        self._follow_pauses(snapshot, workflow)
        approvals = self._unsettled()
        move = fitted(next_move(snapshot, approvals), snapshot, workflow, approvals)
        match move:
            case Send():
                move = self._go(move, answers(move, workflow), "answers")
            case Step():
                move = self._go(move, writes(move, snapshot, workflow), "writes")
            case Wait():
                self._stands("waiting", attempts=0, error=None, retry_at=None)
            case Finish():
                self._end("done", result=as_json(snapshot.result))
            case Orphan():
                self.stop("orphaned", "a pause vanished without an answer")
            case Begin() | Drive():
                self._stands("running")
            case _:
                assert_never(move)
        for approval, left in closes(move, self.open):
            self.put(replace(approval, correction=left))
        return move

    def raised(
        self, error: BaseException, workflow: Workflow, snapshot: Snapshot | None, *, asks: bool = True
    ) -> None:
        """Count what was raised; it is tried again (`running`) or given up (`failed`).

        Where the pauses of `snapshot` are what cannot be dealt with, it `asks` nothing.
        """
        attempts = self.thread.attempts + 1
        ends = gives_up(error, attempts, workflow.retries)
        if snapshot is not None and asks and not ends:
            self._follow_pauses(snapshot, workflow)
        elif snapshot is not None:
            self._apply(follow(snapshot, self._unsettled()).applied)
        if ends:
            self.stop("failed", line(error))
            return
        self._stands("running", attempts=attempts, error=line(error))

    def hold(self, problem: str) -> None:
        """Leave it as it is for code that fits its state."""
        again = self._clock() + timedelta(minutes=1)
        self.thread = replace(self.thread, error=why_held(problem), retry_at=again)

    @property
    def held(self) -> bool:
        """Whether it goes on only once other code is deployed."""
        return self.thread.status not in THREAD_ENDED and self.thread.error is not None

    def settle(self, approval: Approval, decision: Decision, status: ApprovalStatus) -> None:
        """Keep what a pending approval came to; an edit that too few stood behind is dropped."""
        decided = {"decision": decision, "decided_at": decision.decided_at, "proposal": decision.proposal}
        self.put(replace(approval, status=status, next_at=None, **decided))

    def put(self, approval: Approval) -> None:
        self.approvals[approval.approval_id] = approval

    def cancels(self, why: str) -> None:
        self.thread = replace(self.thread, cancel_reason=self.thread.cancel_reason or why)

    def stop(self, status: ThreadStatus, why: str) -> Move:
        """End before the graph has: what is still open closes."""
        for approval in self._unsettled():
            if approval.status == "pending":
                self._close(approval, "cancelled", why_called_off(status, why))
        self._end(status, error=why)
        return Finish()

    @property
    def open(self) -> tuple[Approval, ...]:
        """What still waits for people."""
        return tuple(a for a in self.approvals.values() if a.status == "pending")

    def _unsettled(self) -> tuple[Approval, ...]:
        return tuple(a for a in self.approvals.values() if a.status != "superseded" and a.applied_at is None)

    def _follow_pauses(self, snapshot: Snapshot, workflow: Workflow) -> None:
        changes = follow(snapshot, self._unsettled())
        for approval, pause in changes.superseded:
            refuse_to_go_round(approval, snapshot.refused.get(pause.interrupt_id))
        self._apply(changes.applied)
        for approval in changes.vanished:
            self._close(approval, "orphaned", VANISHED)
        for approval, pause in changes.revised:
            self.put(revised(approval, pause, workflow))
            self.votes.pop(approval.approval_id, None)
        for approval, pause in changes.superseded:
            why = why_anew(approval, snapshot.refused.get(pause.interrupt_id))
            self._close(approval, "superseded", why)
        for before, pause in (*changes.superseded, *((None, pause) for pause in changes.new)):
            self._register(pause, workflow, before, snapshot)

    def _register(
        self, pause: Pause, workflow: Workflow, follows: Approval | None, snapshot: Snapshot
    ) -> None:
        now, refused = self._clock(), snapshot.refused.get(pause.interrupt_id)
        approval = found(self.thread, workflow, pause, now, follows=follows, refused=refused)
        if approval.status == "pending":
            approval = replace(approval, correction=correctable(workflow, snapshot, pause))
        if approval.status == "pending" and self._delivers():
            first, due = first_steps(approval.sla, now)
            approval = replace(approval, delivery="delivered", delivered_at=now, next_at=first, due_at=due)
        elif approval.status == "pending":
            approval = replace(approval, delivery="failed", delivery_error=UNDELIVERED)
        self.put(approval)

    def _go(self, move: Send | Step, said: Any, name: str) -> Move:
        """Mark as sent what was decided; or end where an answer must not be sent at all."""
        if isinstance(said, End):
            return self.stop("cancelled", said.reason)
        if any(approval.applying_at is None for approval, _ in move.decided):
            self._stands("running", attempts=0, error=None, retry_at=None)
        for approval, _ in move.decided:
            self.put(replace(approval, applying_at=self._clock()))
        return replace(move, **{name: said})

    def _apply(self, approvals: tuple[Approval, ...]) -> None:
        for approval in approvals:
            self.put(replace(approval, applied_at=self._clock()))

    def _close(self, approval: Approval, status: ApprovalStatus, why: str) -> None:
        at = approval.decided_at or self._clock()
        self.put(replace(approval, status=status, closed_why=why, decided_at=at, next_at=None))

    def _stands(self, status: ThreadStatus, **more: Any) -> None:
        self.thread = replace(self.thread, status=status, **more)

    def _end(self, status: ThreadStatus, *, result: Any = None, error: str | None = None) -> None:
        if self.thread.status not in THREAD_ENDED:
            now = self._clock()
            self._stands(status, result=result, error=error, attempts=0, retry_at=None, ended_at=now)
