"""What the clock looks for at every tick; each sweep may run anywhere, at once, and twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from psycopg import AsyncConnection, OperationalError

from bot.facts.claims import HOMES, PACED, UPDATES, approval_of
from bot.facts.deadlines import DUE, PENDING, Reach, catch_up, pending_row
from bot.postgres.fact import Fact, fact
from bot.postgres.jobs import MESSAGES, THREADS, Queue, advance_job, draw_job
from bot.postgres.rows import Approval, Thread

log = structlog.get_logger("signoff.clock")

MOST = 200
"""Rows a sweep takes at once; what is left is taken at the next tick."""

MOST_SILENT = 5
"""Messages a sweep wakes while Slack does not answer: enough to notice, and no pile of vain attempts."""

ENOUGH = 1000
"""Jobs in a queue that its workers have to get through before a sweep adds to them."""

AMONG = 5000
"""Of so many that wait, and of so many taken by chance, the cards are chosen that are looked after next."""

OPS_AGAIN = timedelta(minutes=5)
"""How soon what ops could not be told is tried again: nobody else is left to report it to."""


@dataclass(frozen=True)
class Shown:
    """A card that Slack should show."""

    message_id: str
    channel_id: str
    ts: str
    approval: Approval
    thread: Thread


async def deadlines(conn: AsyncConnection[Any], queue: Queue, reach: Reach) -> int:
    """Do what is due of pending approvals, one transaction each; returns how many were due.

    One that cannot be dealt with is put off, so that it does not stand in the way of the others.
    """
    for count in range(MOST):
        due: list[str] = []
        try:
            async with fact(conn, queue) as recorded:
                if not await _next_due(recorded, reach, due):
                    return count
        except OperationalError:
            raise
        except Exception:
            log.exception("deadline_failed", approvals=due)
            await conn.execute(_PUT_OFF, {"ids": due})
    return MOST


async def _next_due(recorded: Fact, reach: Reach, due: list[str]) -> bool:
    found = await recorded.conn.execute(DUE, {"most": 1})
    row = await found.fetchone()
    if row is None:
        return False
    due.append(row["approval_id"])
    found = await recorded.conn.execute(PENDING, {"id": row["approval_id"]})
    row = await found.fetchone()
    if row is None:
        return True
    approval, thread, votes = pending_row(row)
    await catch_up(recorded, approval, thread, votes, reach, row["now"])
    return True


async def threads_behind(conn: AsyncConnection[Any], queue: Queue) -> int:
    """Wake a worker for each thread that is behind its rows: its job died, or its time has come."""
    async with conn.transaction():
        found = await conn.execute(_THREADS_BEHIND, {"most": MOST, "queue": THREADS, "enough": ENOUGH})
        jobs = [advance_job(row["thread_id"]) for row in await found.fetchall()]
        if jobs:
            await queue.enqueue(conn, jobs)
        return len(jobs)


async def messages_behind(conn: AsyncConnection[Any], queue: Queue) -> int:
    """Wake a worker for each message that Slack does not show as wanted, the most urgent first.

    Where Slack said 429 lately, one message of that rate at a time, and only when its turn has come.
    """
    wanted = {
        "most": MOST,
        "most_silent": MOST_SILENT,
        "queue": MESSAGES,
        "enough": ENOUGH,
        "updates": UPDATES,
        "homes": HOMES,
        "paced": PACED,
    }
    async with conn.transaction():
        found = await conn.execute(_MESSAGES_BEHIND, wanted)
        jobs = [draw_job(row["message_id"], row["urgency"]) for row in await found.fetchall()]
        if jobs:
            await queue.enqueue(conn, jobs)
        return len(jobs)


async def ops_again(conn: AsyncConnection[Any], queue: Queue) -> int:
    """Try again to tell ops what they could not be told: their channel may have been mended."""
    async with fact(conn, queue) as recorded:
        found = await conn.execute(_OPS_AGAIN, {"after": OPS_AGAIN, "most": MOST})
        rows = await found.fetchall()
        for row in rows:
            recorded.redraw(row["message_id"], row["priority"])
        return len(rows)


async def cards_to_verify(conn: AsyncConnection[Any], most: int = 10) -> list[Shown]:
    """Take the cards that nobody has looked at for longest, to see whether they are still there.

    One that Slack refuses for good is left alone: ops were told, and would be at every look.
    """
    found = await conn.execute(_VERIFY, {"most": most, "among": AMONG})
    return [
        Shown(
            row["message_id"],
            row["channel_id"],
            row["ts"],
            approval_of(row["approval"]),
            Thread.of(row["thread"]),
        )
        for row in await found.fetchall()
    ]


async def card_gone(conn: AsyncConnection[Any], queue: Queue, message_id: str) -> None:
    """Somebody deleted the card: draw it, which posts it again."""
    async with fact(conn, queue) as recorded:
        recorded.redraw(message_id)


async def reach(conn: AsyncConnection[Any], grace: timedelta) -> Reach:
    """Return since when people could answer, as `slack_answered` has noted."""
    found = await conn.execute("select ok_since, checked_at, signoff_now() as now from slack_workspace")
    row = await found.fetchone()
    return Reach.noted(row, grace) if row else Reach(None, grace)


async def slack_answered(conn: AsyncConnection[Any], *, ok: bool) -> None:
    """Note whether Slack can be reached; after an outage, ours or Slack's, the grace period begins.

    It is an outage when no clock was answered for a minute; one clock that is cut off makes none.
    """
    await conn.execute(_ANSWERED if ok else _SILENT)


_PUT_OFF = """
update approvals set next_at = signoff_now() + interval '1 minute'
where approval_id = any(%(ids)s) and status = 'pending'
"""

# A planner takes a third of all that there ever was to be behind, and would read whole tables to join the few
# that are: an array it looks up one by one.
_THREADS_BEHIND = """
update threads set updated_at = signoff_now()
where thread_id = any(array(
    select thread_id from threads
    where (wanted > reached and updated_at <= signoff_now() - interval '5 seconds'
           and (retry_at is null or retry_at <= signoff_now())
           or retry_at <= signoff_now()
           and (updated_at < retry_at or updated_at <= signoff_now() - interval '5 seconds'))
      and thread_id not in (
        select args ->> 'thread_id' from procrastinate_jobs
        where status = 'todo' and queue_name = %(queue)s and args ? 'thread_id')
    order by updated_at
    limit least(%(most)s, greatest(0, %(enough)s - (
        select count(*) from procrastinate_jobs where status = 'todo' and queue_name = %(queue)s)))
    for update skip locked
))
returning thread_id
"""

# Where Slack said 429 lately, a message whose job came too early has no other job: it is woken when its turn
# comes. Elsewhere its job is given a while before it is held for lost. One that another sweep has woken since
# this one began is looked at anew as it is locked, and left.
_MESSAGES_BEHIND = """
with behind as (
    select message_id, created_at, greatest(priority, case when ts is null then 0 else 40 end) as urgency,
           case when kind = 'home' then %(homes)s
                when ts is not null or kind = 'stray' then %(updates)s else target end as rate,
           woken_at < retry_at or woken_at <= signoff_now() - interval '5 seconds' as overdue
    from messages
    where wanted > drawn and error is null
      and (lease_until is null or lease_until <= signoff_now())
      and (retry_at is null or retry_at <= signoff_now())
      and (woken_at < retry_at or woken_at <= signoff_now() - interval '1 second')
), turns as (
    select b.message_id, b.urgency, b.created_at, b.overdue, r.channel is not null as paced,
           coalesce(r.not_before, '-infinity') > signoff_now() as waits,
           row_number() over (partition by b.rate order by b.urgency desc, b.created_at) as place
    from behind b
    left join slack_rates r on r.channel = b.rate and r.not_before > signoff_now() - %(paced)s
), held as (
    select message_id from messages
    where message_id = any(array(
        select message_id from turns
        where not waits and case when paced then place = 1 else overdue end
          and message_id not in (
            select args ->> 'message_id' from procrastinate_jobs
            where status = 'todo' and queue_name = %(queue)s and args ? 'message_id')
        order by urgency desc, created_at
        limit least((select case when ok_since is null then %(most_silent)s else %(most)s end
                     from slack_workspace),
                    greatest(0, %(enough)s - (select count(*) from procrastinate_jobs
                                              where status = 'todo' and queue_name = %(queue)s)))))
      and (woken_at < retry_at or woken_at <= signoff_now() - interval '1 second')
    for update skip locked
)
update messages set woken_at = signoff_now() where message_id = any(array(select message_id from held))
returning message_id, greatest(priority, case when ts is null then 0 else 40 end) as urgency
"""

_OPS_AGAIN = """
select message_id, priority from messages
where error is not null and digested_in is null and kind in ('ops', 'digest')
  and woken_at <= signoff_now() - %(after)s
order by created_at limit %(most)s for update skip locked
"""

# From what waits to its cards: a planner would rather walk through all cards there ever were, in the order in
# which they were looked at. Where very much waits, that is what has waited longest, and a part by chance.
_VERIFY = """
with waiting as materialized (
    (select approval_id from approvals where status = 'pending' order by created_at limit %(among)s)
    union
    (select approval_id from approvals
     where status = 'pending'
       and created_at >= (select min(created_at) + random() * (max(created_at) - min(created_at))
                          from approvals where status = 'pending')
     order by created_at limit %(among)s)
), held as (
    select message_id, approval_id from messages
    where message_id = any(array(
        select m.message_id
        from waiting w
        cross join lateral (
            select message_id, verified_at from messages
            where approval_id = w.approval_id and kind = 'card' and ts is not null and error is null
              and coalesce(verified_at, created_at) <= signoff_now() - interval '5 minutes' offset 0) m
        order by m.verified_at nulls first limit %(most)s))
    for update skip locked
)
update messages v set verified_at = signoff_now()
from held h join approvals a using (approval_id) join threads t using (thread_id)
where v.message_id = h.message_id
returning v.message_id, v.channel_id, v.ts, to_json(a) as approval, to_jsonb(t) as thread
"""

_ANSWERED = """
update slack_workspace
set ok_since = case when checked_at is null then signoff_now() - interval '1 day'
                    when ok_since is null or checked_at < signoff_now() - interval '1 minute'
                    then signoff_now()
                    else ok_since end,
    checked_at = signoff_now()
"""

_SILENT = """
update slack_workspace set ok_since = null
where checked_at is null or checked_at < signoff_now() - interval '1 minute'
"""
