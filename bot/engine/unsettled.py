"""How a thread's rows stand: what its graph has not settled yet, and whether somebody wants it to end."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection, DatabaseError

from bot.postgres.rows import Approval


@dataclass(frozen=True)
class Unsettled:
    """The approvals that are not settled with the graph, oldest first; their rows are locked."""

    approvals: tuple[Approval, ...]
    cancel_reason: str | None
    now: datetime
    read_at: float = field(default_factory=time.monotonic)

    def aged(self) -> Unsettled:
        """Return the same as it stands by now, where nothing has changed it."""
        return replace(self, now=self.now + timedelta(seconds=time.monotonic() - self.read_at))

    def sent(self, approval_ids: Collection[str]) -> Unsettled:
        """Return the same once the mark that these were sent is written."""
        marked = tuple(
            replace(a, applying_at=self.now) if a.approval_id in approval_ids else a for a in self.approvals
        )
        return replace(self, approvals=marked)

    @property
    def open(self) -> tuple[Approval, ...]:
        """What still waits for people."""
        return tuple(approval for approval in self.approvals if approval.status == "pending")


async def unsettled(conn: AsyncConnection[Any], thread_id: str) -> Unsettled:
    """Read and lock, so that no vote comes between what is read here and what follows from it."""
    await conn.execute(_LOCK, {"id": thread_id})
    found = await conn.execute(_UNSETTLED, {"id": thread_id})
    rows = await found.fetchall()
    approvals = tuple(Approval.of(row) for row in rows if row["approval_id"] is not None)
    return Unsettled(approvals, rows[0]["cancel_reason"], rows[0]["now"])


async def goes_on(conn: AsyncConnection[Any], thread_id: str) -> None:
    """Have the transaction fail where the thread is cancelled, without waiting to hear of it."""
    await conn.execute(_GOES_ON, {"id": thread_id, "code": _CANCELLED})


def is_cancellation(error: DatabaseError) -> bool:
    """Whether a transaction failed since `goes_on` did not hold."""
    return error.sqlstate == _CANCELLED


async def mark_applied(conn: AsyncConnection[Any], approvals: Iterable[Approval], at: datetime) -> None:
    """Write that the graph has gone on with these answers."""
    await conn.execute(_APPLIED, {"ids": [approval.approval_id for approval in approvals], "at": at})


# Locked in the order in which `cancel` locks them, too, and before anything is read: a statement that waits
# for a lock reads all else as it was before whoever held it, a cancellation for one, had committed.
_LOCK = """
select from approvals
where thread_id = %(id)s and status <> 'superseded' and applied_at is null
order by created_at, approval_id for no key update
"""

_UNSETTLED = """
select thread.*, a.*
from (select cancel_reason, signoff_now() as now from threads where thread_id = %(id)s) thread
left join approvals a on a.thread_id = %(id)s and a.status <> 'superseded' and a.applied_at is null
order by a.created_at, a.approval_id
"""

_CANCELLED = "SG001"
"""An SQLSTATE of our own (the standard leaves classes from I to Z to implementations)."""

_GOES_ON = """
select signoff_insist(cancel_reason is null, 'the thread is cancelled', %(code)s)
from threads where thread_id = %(id)s
"""

_APPLIED = """
with held as (
    select approval_id from approvals where approval_id = any(%(ids)s)
    order by created_at, approval_id for no key update
)
update approvals set applied_at = %(at)s from held where approvals.approval_id = held.approval_id
"""
