"""What the clock looks for at every tick; each sweep may run anywhere, at once, and twice."""

from __future__ import annotations

from typing import Any

import structlog
from psycopg import AsyncConnection

from bot.facts.deadlines import DUE, Reach, catch_up, pending_row
from bot.postgres.fact import Fact, fact
from bot.postgres.jobs import Queue, advance_job, draw_job

log = structlog.get_logger("signoff.clock")

MOST = 200
"""Rows a sweep takes at once; what is left is taken at the next tick."""


async def deadlines(conn: AsyncConnection[Any], queue: Queue, reach: Reach) -> int:
    """Do what is due of pending approvals, one transaction each; returns how many were due."""
    for count in range(MOST):
        async with fact(conn, queue) as recorded:
            if not await _next_due(recorded, reach):
                return count
    return MOST


async def _next_due(recorded: Fact, reach: Reach) -> bool:
    found = await recorded.conn.execute("select signoff_now() as now")
    row = await found.fetchone()
    now = row and row["now"]
    found = await recorded.conn.execute(DUE, {"now": now, "most": 1})
    row = await found.fetchone()
    if row is None:
        return False
    approval, thread, voted = pending_row(row)
    await catch_up(recorded, approval, thread, voted, reach, now)
    return True


async def threads_behind(conn: AsyncConnection[Any], queue: Queue) -> int:
    """Wake a worker for each thread that is behind its rows: its job died, or its time has come."""
    async with conn.transaction():
        found = await conn.execute(_THREADS_BEHIND, {"most": MOST})
        jobs = [advance_job(row["thread_id"]) for row in await found.fetchall()]
        if jobs:
            await queue.enqueue(conn, jobs)
        return len(jobs)


async def messages_behind(conn: AsyncConnection[Any], queue: Queue) -> int:
    """Wake a worker for each message that Slack does not show as wanted.

    Where Slack said 429 lately, one message of a channel at a time, the most urgent first.
    """
    async with conn.transaction():
        found = await conn.execute(_MESSAGES_BEHIND, {"most": MOST})
        jobs = [draw_job(row["message_id"], row["priority"]) for row in await found.fetchall()]
        if jobs:
            await queue.enqueue(conn, jobs)
        return len(jobs)


async def cards_to_verify(conn: AsyncConnection[Any], most: int = 5) -> list[dict[str, Any]]:
    """Take the cards that nobody has looked at for longest, to see whether they are still there."""
    found = await conn.execute(_VERIFY, {"most": most})
    return list(await found.fetchall())


async def card_gone(conn: AsyncConnection[Any], queue: Queue, message_id: str) -> None:
    """Somebody deleted the card: draw it, which posts it again."""
    async with fact(conn, queue) as recorded:
        recorded.redraw(message_id)


async def slack_answered(conn: AsyncConnection[Any], *, ok: bool) -> None:
    """Note whether Slack can be reached; after an outage, ours or Slack's, the grace period begins."""
    await conn.execute(_ANSWERED if ok else _SILENT)


async def clear_stalled(queue: Queue, seconds: float) -> int:
    """Drop jobs whose worker died: their rows are behind, so a sweep has them run again."""
    from procrastinate.jobs import Status

    manager = queue.app.job_manager
    stalled = list(await manager.get_stalled_jobs(seconds_since_heartbeat=seconds))
    for job in stalled:
        await manager.finish_job(job, Status.FAILED, delete_job=True)
    return len(stalled)


_THREADS_BEHIND = """
update threads set updated_at = signoff_now()
where thread_id in (
    select thread_id from threads
    where (wanted > reached and updated_at <= signoff_now() - interval '5 seconds'
           and (retry_at is null or retry_at <= signoff_now()))
       or (retry_at <= signoff_now()
           and (updated_at < retry_at or updated_at <= signoff_now() - interval '5 seconds'))
    order by updated_at limit %(most)s for update skip locked
)
returning thread_id
"""

_MESSAGES_BEHIND = """
with behind as (
    select message_id, row_number() over (
               partition by coalesce(channel_id, target) order by priority desc, created_at) as place,
           exists (select 1 from slack_rates r where r.channel in (target, channel_id)
                   and r.not_before > signoff_now() - interval '1 minute') as paced
    from messages
    where wanted > drawn and error is null
      and (lease_until is null or lease_until <= signoff_now())
      and ((retry_at is null and woken_at <= signoff_now() - interval '5 seconds')
           or (retry_at <= signoff_now()
               and (woken_at < retry_at or woken_at <= signoff_now() - interval '5 seconds')))
      and not exists (select 1 from slack_rates r where r.channel in (target, channel_id)
                      and r.not_before > signoff_now())
), woken as (
    select message_id from messages
    where message_id in (select message_id from behind where place = 1 or not paced)
    order by priority desc, created_at limit %(most)s for update skip locked
)
update messages m set woken_at = signoff_now() from woken where m.message_id = woken.message_id
returning m.message_id, m.priority
"""

_VERIFY = """
update messages set verified_at = signoff_now()
where message_id in (
    select m.message_id from messages m join approvals a using (approval_id)
    where m.kind = 'card' and m.ts is not null and a.status = 'pending'
      and coalesce(m.verified_at, m.created_at) <= signoff_now() - interval '5 minutes'
    order by m.verified_at nulls first limit %(most)s for update of m skip locked
)
returning message_id, channel_id, ts
"""

_ANSWERED = """
update slack_workspace
set ok_since = case when checked_at is null then signoff_now() - interval '1 day'
                    when ok_since is null or checked_at < signoff_now() - interval '1 minute'
                    then signoff_now()
                    else ok_since end,
    checked_at = signoff_now()
"""

_SILENT = "update slack_workspace set ok_since = null, checked_at = signoff_now()"
