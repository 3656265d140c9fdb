"""What a graph is given for what was decided: answers to its interrupts, writes where it stands still."""

from __future__ import annotations

from typing import Any

from bot.approvals.decision import OF, Decision
from bot.approvals.dialects import End, reply
from bot.approvals.workflow import Workflow
from bot.engine.plan import Send, Snapshot, Step
from bot.engine.stops import Write, written
from bot.postgres.rows import Approval


def answers(send: Send, workflow: Workflow) -> dict[str, Any] | End:
    """Return the answer to each interrupt id; or why the thread ends, where one must not be sent at all.

    Raises `BadAnswer` for a decision that does not fit what its graph asked.
    """
    made: dict[str, Any] = {}
    for approval, pause in send.decided:
        asked = pause.asked
        said = reply(_decision(approval), asked.dialect, workflow.reply, asked.original)
        if isinstance(said, End):
            return said
        made[approval.interrupt_id] = said.value if asked.of is None else {**said.value, OF: asked.of}
    return made


def writes(step: Step, snapshot: Snapshot, workflow: Workflow) -> tuple[Write, ...] | End:
    """Return what is written at each breakpoint before the graph runs past it; or why the thread ends.

    Raises `BadAnswer` like `answers`.
    """
    made: list[Write] = []
    for approval, pause in step.decided:
        stop = snapshot.stops[pause.interrupt_id]
        said = written(stop, _decision(approval), pause.asked, workflow)
        if isinstance(said, End):
            return said
        made.append(said)
    return tuple(made)


def _decision(approval: Approval) -> Decision:
    decision = approval.outcome
    if decision is None:
        raise LookupError(f"approval {approval.approval_id} is {approval.status} without a decision")
    return decision
