"""Threads and approvals as lists: pages by keyset, in an order that does not change between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from bot.approvals.policy import Vote
from bot.approvals.states import ApprovalStatus, ThreadStatus
from bot.postgres.rows import Approval, Thread, votes_of

PAGE = 50


@dataclass(frozen=True)
class Mark:
    """Where a page ended: the last row's time of creation and id."""

    created_at: datetime
    last_id: str


@dataclass(frozen=True)
class Shown:
    """An approval with what surrounds it: its votes, and where its card is (None until it is posted)."""

    approval: Approval
    votes: tuple[Vote, ...]
    channel_id: str | None
    message_ts: str | None

    @property
    def mark(self) -> Mark:
        return Mark(self.approval.created_at, self.approval.approval_id)


async def threads(
    conn: AsyncConnection[Any],
    *,
    status: ThreadStatus | None = None,
    workflow: str | None = None,
    after: Mark | None = None,
    limit: int = PAGE,
) -> list[Thread]:
    """Return a page of threads, the newest first."""
    values = {
        "status": status,
        "workflow": workflow,
        "at": after and after.created_at,
        "id": after and after.last_id,
        "limit": limit,
    }
    found = await conn.execute(_THREADS, values)
    return [Thread.of(row) for row in await found.fetchall()]


async def approvals(
    conn: AsyncConnection[Any],
    *,
    status: ApprovalStatus | None = None,
    after: Mark | None = None,
    limit: int = PAGE,
) -> list[Shown]:
    """Return a page of approvals, the oldest first."""
    values = {
        "status": status,
        "at": after and after.created_at,
        "id": after and after.last_id,
        "limit": limit,
    }
    # Spelt out, so that the index of what is pending serves it.
    found = await conn.execute(_PENDING if status == "pending" else _ANY, values)
    return [_shown(row) for row in await found.fetchall()]


async def approvals_of(conn: AsyncConnection[Any], thread_ids: Sequence[str]) -> dict[str, list[Shown]]:
    """Return each thread's approvals, the oldest first."""
    found = await conn.execute(_OF_THREADS, {"ids": list(thread_ids)})
    grouped: dict[str, list[Shown]] = {thread_id: [] for thread_id in thread_ids}
    for row in await found.fetchall():
        grouped[row["thread_id"]].append(_shown(row))
    return grouped


async def approval(conn: AsyncConnection[Any], approval_id: str) -> Shown | None:
    found = await conn.execute(_ONE, {"id": approval_id})
    row = await found.fetchone()
    return row and _shown(row)


def _shown(row: dict[str, Any]) -> Shown:
    kept = Approval.of(row)
    return Shown(kept, votes_of(row["votes"], kept.revision), row["card_channel"], row["card_ts"])


_THREADS = """
select * from threads
where (%(status)s::text is null or status = %(status)s)
  and (%(workflow)s::text is null or workflow = %(workflow)s)
  and (%(at)s::timestamptz is null
       or (created_at <= %(at)s and (created_at < %(at)s or thread_id > %(id)s)))
order by created_at desc, thread_id
limit %(limit)s
"""

_SELECT = """
select a.*, m.channel_id as card_channel, m.ts as card_ts,
       (select jsonb_agg(to_jsonb(v) order by v.vote ->> 'at') from votes v
        where v.approval_id = a.approval_id) as votes
from approvals a left join messages m on m.message_id = 'card:' || a.approval_id
"""

_PAGED = """
  and (%(at)s::timestamptz is null or (a.created_at, a.approval_id) > (%(at)s, %(id)s))
order by a.created_at, a.approval_id
limit %(limit)s
"""

_PENDING = _SELECT + "where a.status = 'pending'" + _PAGED
_ANY = _SELECT + "where (%(status)s::text is null or a.status = %(status)s)" + _PAGED
_OF_THREADS = _SELECT + "where a.thread_id = any(%(ids)s) order by a.created_at, a.approval_id"
_ONE = _SELECT + "where a.approval_id = %(id)s"
