"""How the rows of a thread say that it ended, was held, or lost a pause; ops are told what to do."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zlib import crc32

import structlog

from bot.approvals.states import ThreadStatus
from bot.engine.plain import as_text
from bot.engine.thread_row import ThreadRow
from bot.engine.unsettled import Unsettled
from bot.facts.messages import outcome_id, to_ops
from bot.facts.settle import call_off, close, tell_outcome
from bot.postgres.fact import Fact
from bot.postgres.rows import Approval, Thread

VANISHED = "the graph no longer has this pause"

MOST_SAID = 1000
"""Characters of why a thread is held."""

log = structlog.get_logger("signoff.engine")


async def hold_misfit(recorded: Fact, row: ThreadRow, rows: Unsettled, problem: str) -> None:
    """Leave a thread whose state does not fit for code that fits it; nothing is sent, nothing fails."""
    kept = why_held(problem)
    if row.thread.error != kept:
        log.warning("thread_held", thread_id=row.thread.thread_id, why=kept)
        for approval in rows.approvals:
            recorded.redraw_cards(approval.approval_id)
        recorded.audit(row.thread.thread_id, "thread.held", "signoff", {"why": kept})
    await row.held(kept)
    tell_ops(
        recorded, row.thread, f"held:{crc32(kept.encode()):x}", kept, f"signoff retry {row.thread.thread_id}"
    )


def why_held(problem: str) -> str:
    """Return a problem as a thread's row keeps it."""
    return as_text(problem)[:MOST_SAID]


def why_called_off(status: ThreadStatus, why: str) -> str:
    """Return why what is open closes where its thread ends so: at somebody's wish, or since it broke."""
    return why if status == "cancelled" else f"the workflow failed: {why}"


async def orphan(recorded: Fact, row: ThreadRow, approval: Approval, now: datetime) -> None:
    """Close an approval whose pause vanished without an answer."""
    await close(recorded, approval, "orphaned", VANISHED, now)
    if approval.decision is None:
        tell_outcome(recorded, approval, row.thread, "orphaned")
    tell_ops(
        recorded,
        row.thread,
        f"orphan:{approval.approval_id}",
        "A pause vanished from its graph without an answer (was a node renamed?)",
        f"signoff show {row.thread.thread_id}",
        approval,
    )


async def stop(
    recorded: Fact,
    row: ThreadRow,
    rows: Unsettled,
    status: ThreadStatus,
    why: str,
    details: str | None = None,
) -> None:
    """End before the graph has: what is still open closes, and its cards say why."""
    for approval in rows.open:
        await call_off(recorded, approval, row.thread, why_called_off(status, why), rows.now)
    await end(recorded, row, status, why=why, details=details)


async def end(
    recorded: Fact,
    row: ThreadRow,
    status: ThreadStatus,
    *,
    result: Any = None,
    why: str | None = None,
    details: str | None = None,
) -> None:
    """Say that the thread has ended, on its cards too."""
    await row.ends(status, result=result, why=why, details=details)
    recorded.redraw_thread(row.thread.thread_id)
    for approval_id in await row.decided() if status != "done" else ():
        recorded.redraw(outcome_id(approval_id))  # its requester has only heard that it was approved
    recorded.audit(row.thread.thread_id, f"thread.{status}", "signoff", {"why": why} if why else {})
    if status in ("failed", "orphaned"):
        tell_ops(
            recorded,
            row.thread,
            f"{status}:{row.thread.wanted}",
            f"Thread of {row.thread.workflow} {status}: {why}",
            f"signoff {'retry' if status == 'failed' else 'show'} {row.thread.thread_id}",
        )


def tell_ops(
    recorded: Fact, thread: Thread, key: str, problem: str, command: str, approval: Approval | None = None
) -> None:
    """Tell the ops channel once for each `key` of a thread, with the command that mends it."""
    about = approval.approval_id if approval else None
    key = f"{thread.thread_id}:{key}"
    recorded.post(to_ops(key, problem, command, thread_id=thread.thread_id, approval_id=about))
