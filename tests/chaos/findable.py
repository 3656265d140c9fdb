"""What must hold at every moment, of the rows alone: each is settled, or a sweep will come to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fixtures_house import Running
from mortal import Life
from psycopg import AsyncConnection

ONLOOKER = "onlooker"
"""The name of a connection that is no part of what it looks at."""


@asynccontextmanager
async def watching(life: Life, dsn: str) -> AsyncIterator[list[str]]:
    """Look at the rows after each step of a life that others can tell; yields what is wrong, as it comes."""
    wrong: list[str] = []
    looking = asyncio.Lock()
    async with await AsyncConnection.connect(dsn, autocommit=True, application_name=ONLOOKER) as conn:

        async def look(step: str) -> None:
            async with looking:
                rows = await (await conn.execute(FORGOTTEN)).fetchall()
            wrong.extend(f"if it died after {step}, nobody would look again at {row}" for row in rows)

        life.watched = look
        yield wrong
        life.watched = None


async def forgotten(house: Running) -> list[str]:
    """Return a line for each row that waits for something and that nothing would ever look at again.

    Jobs do not count: those of a dead worker are dropped, and the rows alone say what is left to do.
    """
    return [f"nobody looks at it again: {row}" for row in await house.rows(FORGOTTEN)]


FORGOTTEN = """
select 'thread' as what, thread_id as id, status, error as why
from threads t
where wanted <= reached and retry_at is null and status in ('running', 'waiting')
  and (status = 'running' or cancel_reason is not null
       or not exists (select from approvals a where a.thread_id = t.thread_id and a.status = 'pending')
       or (workflow <> 'handled'  -- what an error handler asks is handed on after what is asked beside it
           and exists (select from approvals a where a.thread_id = t.thread_id and a.applied_at is null
                       and a.status in ('decided', 'expired'))))
union all
select 'approval', a.approval_id, t.status, 'it has ended, its deadline is unseen, or its card lost'
from approvals a join threads t using (thread_id)
left join messages card on card.message_id = 'card:' || a.approval_id
where a.status = 'pending'
  and (t.status not in ('running', 'waiting')
       or (a.due_at is not null and a.next_at is null)
       or card.message_id is null
       or (card.error is null and card.wanted <= card.drawn and (card.ts is null or a.delivered_at is null))
       or (card.error is not null and card.ts is null and a.delivery <> 'failed'))
union all
select 'message', m.message_id, m.kind, m.error
from messages m
left join approvals a using (approval_id)
left join messages parent on parent.message_id = m.parent_id
where m.error is not null and m.kind not in ('ops', 'digest', 'stray') and parent.error is null
  and not (m.kind in ('card', 'direct_card') and coalesce(a.status, 'pending') <> 'pending')
  and not exists (select from messages told where starts_with(told.message_id, 'ops:' || m.message_id || ':'))
union all
select 'message', m.message_id, m.kind, 'what it replies to is nowhere, or its lease never ends'
from messages m left join messages parent on parent.message_id = m.parent_id
where m.wanted > m.drawn and m.error is null
  and ((m.ts is null and parent.ts is null and parent.error is null and parent.wanted <= parent.drawn)
       or (m.lease is not null and m.lease_until is null))
"""
