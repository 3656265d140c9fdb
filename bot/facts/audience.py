"""Those who may decide: copies for those who do not see the card, a word to ops where they are too few."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

from psycopg import AsyncConnection

from bot.facts.messages import to_ops
from bot.postgres.fact import NewMessage, fact
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval


async def tell(
    conn: AsyncConnection[Any],
    queue: Queue,
    approval: Approval,
    people: Iterable[str],
    problem: str | None,
) -> None:
    """Give these people a copy of the card, in their own conversation with the bot; each is made once.

    `problem` is why its approvers cannot come to a decision; ops are told of each once, too. Of what was
    decided while Slack was asked who they are, nobody is told: they would read it for the first time.
    """
    async with fact(conn, queue) as recorded:
        found = await conn.execute(_WAITS, {"id": approval.approval_id})
        if await found.fetchone() is None:
            return
        for user in people:
            recorded.post(_copy(approval, user))
        if problem is not None:
            key = f"{approval.approval_id}:approvers:{crc32(problem.encode()):x}"
            recorded.post(
                to_ops(
                    key,
                    f"A request that waits for approval cannot be decided by the people it names. {problem}.",
                    "signoff doctor",
                    thread_id=approval.thread_id,
                    approval_id=approval.approval_id,
                    detail="Fix the group or the workflow's policy; escalation may also add people.",
                )
            )


async def regrouped(conn: AsyncConnection[Any], people: list[str], handles: list[str]) -> None:
    """Want drawn, of all that waits, what these changes make untrue.

    That is the copies of `people`, who may decide by now, or may no more, and the cards that name a group by
    one of these `handles`, which is another group's now. `messages_behind` wakes their workers.
    """
    await conn.execute(_REGROUPED, {"people": people, "handles": handles})


def _copy(approval: Approval, user: str) -> NewMessage:
    return NewMessage(
        f"direct:{approval.approval_id}:{user}",
        "direct_card",
        target=user,
        approval_id=approval.approval_id,
        thread_id=approval.thread_id,
    )


_WAITS = "select 1 from approvals where approval_id = %(id)s and status = 'pending' for no key update"

# The approvals are locked first, all at once, in the order of whoever takes several of a thread.
_REGROUPED = """
with asked as (
    select approval_id, policy -> 'approvers' ?| %(handles)s as renamed from approvals
    where status = 'pending' and approval_id in (
        select approval_id from messages where kind = 'direct_card' and target = any(%(people)s)
        union
        select approval_id from approvals where status = 'pending' and policy -> 'approvers' ?| %(handles)s)
    order by created_at, approval_id for no key update
)
update messages m
set wanted = m.wanted + 1, retry_at = greatest(signoff_now(), m.retry_at)
from asked
where m.approval_id = asked.approval_id
  and (m.kind = 'direct_card' and m.target = any(%(people)s) or m.kind = 'card' and asked.renamed)
"""
