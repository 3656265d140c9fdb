"""Those who voted on what still waits: their votes are taken away once they may not decide any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection

from bot.approvals.standing import NoStanding
from bot.facts.case import Case, read_case
from bot.facts.judging import doubted, lapsed
from bot.facts.messages import under_card
from bot.postgres.fact import Fact, fact
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval

LOOKED_UP_EVERY = timedelta(minutes=5)
"""How old the clock lets what is known of a voter become: well within what a vote may be judged by."""

MOST = 20
"""Voters looked up at once: each is a call to Slack, which allows about a hundred a minute."""

NOBODY = ""
"""No user's id: who reads a case as nobody sees all who voted as others."""


@dataclass(frozen=True)
class Voter:
    """Somebody who voted on these approvals, all still open, and was not looked up lately."""

    user: str
    approvals: tuple[str, ...]


async def not_looked_up(conn: AsyncConnection[Any], most: int = MOST) -> list[Voter]:
    """Return the voters whom nobody has looked up for longest; none who was lately."""
    found = await conn.execute(_NOT_LOOKED_UP, {"every": LOOKED_UP_EVERY, "most": most})
    return [Voter(row["user_id"], tuple(row["approvals"])) for row in await found.fetchall()]


async def recheck(conn: AsyncConnection[Any], queue: Queue, approval_id: str) -> tuple[str, ...]:
    """Take away the votes of those who may not decide it any more, and tell; returns whose."""
    if not _lost(await read_case(conn, approval_id, NOBODY, timedelta(), lock=False)):
        return ()
    async with fact(conn, queue) as recorded:
        case = await read_case(recorded.conn, approval_id, NOBODY, timedelta())
        lost = _lost(case)
        if case is None or not lost:
            return ()
        await take_away(recorded, case.approval, lost)
        recorded.redraw_cards(approval_id)
        which = f"{case.approval.revision}:lapsed:{case.now.timestamp():.6f}"
        said = {"event": "lapsed", "lapsed": list(lost)}
        recorded.post(under_card(case.approval, "note", which, said))
        return tuple(lost)


async def take_away(recorded: Fact, approval: Approval, lost: Mapping[str, NoStanding]) -> None:
    """Take votes from a pending approval whose row the caller holds locked; the audit keeps them."""
    await recorded.conn.execute(_TAKE_AWAY, {"id": approval.approval_id, "users": list(lost)})
    for user, why in lost.items():
        about = {"approval_id": approval.approval_id, "revision": approval.revision, "user": user, "why": why}
        recorded.audit(approval.thread_id, "approval.vote_lapsed", "signoff", about)


def _lost(case: Case | None) -> dict[str, NoStanding]:
    return lapsed(doubted(case)) if case is not None and case.approval.status == "pending" else {}


_TAKE_AWAY = "delete from votes where approval_id = %(id)s and user_id = any(%(users)s)"

# Only what waits for several has votes while it waits; it has an index of its own (approvals_of_several). A
# planner cannot know how few they are, and would read all votes: they are read one approval at a time.
_NOT_LOOKED_UP = """
with waiting as materialized (
    select approval_id, revision from approvals
    where status = 'pending'
      and ((policy ->> 'approvals')::int > 1 or (policy ->> 'rejections')::int > 1)
)
select v.user_id, array_agg(w.approval_id order by w.approval_id) as approvals
from waiting w
cross join lateral (select user_id from votes
                    where approval_id = w.approval_id and revision = w.revision offset 0) v
left join people p using (user_id)
where p.user_id is null or p.fetched_at <= signoff_now() - %(every)s
group by v.user_id
order by min(p.fetched_at) nulls first, v.user_id
limit %(most)s
"""
