"""What one person has to do with: what waits for them, what they asked for, what was settled lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, AsyncCursor

from bot.approvals.policy import Vote
from bot.postgres.rows import Approval, Thread, votes_of

MOST = 60
"""Approvals that a list holds at most."""


@dataclass(frozen=True)
class Item:
    """An approval in a list, with its thread, its votes and the address of its card."""

    approval: Approval
    thread: Thread
    votes: tuple[Vote, ...] = ()
    permalink: str | None = None


@dataclass(frozen=True, kw_only=True)
class Inbox:
    """A person's three lists, each in the order in which it is read, and the time they were read.

    `waits` and `asks` count all that the first two lists would hold if they were not cut.
    """

    waiting: tuple[Item, ...] = ()
    asked: tuple[Item, ...] = ()
    recent: tuple[Item, ...] = ()
    now: datetime
    waits: int
    asks: int


async def inbox(conn: AsyncConnection[Any], user: str) -> Inbox:
    """Read a person's lists; groups as last looked up."""
    about = {"user": user, "most": MOST}
    async with conn.pipeline():
        waiting = await conn.execute(_WAITING, about)
        asked = await conn.execute(_ASKED, about)
        recent = await conn.execute(_RECENT, about)
        moment = await conn.execute("select signoff_now() as now")
    row = await moment.fetchone()
    if row is None:
        raise LookupError("signoff_now")
    (mine, waits), (own, asks) = await _counted(waiting), await _counted(asked)
    settled = tuple([_item(one) async for one in recent])
    return Inbox(waiting=mine, asked=own, recent=settled, now=row["now"], waits=waits, asks=asks)


async def _counted(found: AsyncCursor[Any]) -> tuple[tuple[Item, ...], int]:
    rows = await found.fetchall()
    return tuple(_item(row) for row in rows), rows[0]["of"] if rows else 0


def _item(row: dict[str, Any]) -> Item:
    approval = Approval.of(row)
    return Item(
        approval, Thread.of(row["thread"]), votes_of(row["votes"], approval.revision), row["permalink"]
    )


# What is theirs to decide: they are listed, or in a group that is; they are none of those who never may; it
# is not their own, unless that is declared; and they have not said yet what they think of this revision.
_WAITING = """
select a.*, to_jsonb(t) as thread, l.permalink, count(*) over () as of,
       (select jsonb_agg(to_jsonb(v)) from votes v where v.approval_id = a.approval_id) as votes
from approvals a join threads t using (thread_id) left join card_links l using (approval_id)
where a.status = 'pending' and a.policy -> 'approvers' ?| (
    select array[%(user)s] || coalesce(array_agg(called), '{}')
    from user_groups g, unnest(array[g.group_id, '@' || g.handle]) as called
    where %(user)s = any(g.members))
and ((a.policy -> 'self_approval')::boolean
     or (t.requester is distinct from %(user)s and t.starter <> 'slack:' || %(user)s))
and not exists (select 1 from votes v where v.approval_id = a.approval_id and v.revision = a.revision
                and v.user_id = %(user)s)
and not exists (select 1 from people p, slack_workspace w where p.user_id = %(user)s
                and signoff_barred(p.profile, w.team_id))
order by a.due_at nulls last, a.created_at limit %(most)s
"""

_ASKED = """
select a.*, to_jsonb(t) as thread, l.permalink, count(*) over () as of,
       (select jsonb_agg(to_jsonb(v)) from votes v where v.approval_id = a.approval_id) as votes
from threads t join approvals a using (thread_id) left join card_links l using (approval_id)
where t.requester = %(user)s and t.status in ('running', 'waiting') and a.status = 'pending'
order by a.created_at desc limit %(most)s
"""

_RECENT = """
select a.*, to_jsonb(t) as thread, l.permalink,
       (select jsonb_agg(to_jsonb(v)) from votes v where v.approval_id = a.approval_id) as votes
from approvals a join threads t using (thread_id) left join card_links l using (approval_id)
where a.status <> 'pending' and a.decided_at > signoff_now() - interval '7 days'
  and (t.requester = %(user)s
       or exists (select 1 from votes v where v.approval_id = a.approval_id and v.user_id = %(user)s))
order by a.decided_at desc limit 10
"""
