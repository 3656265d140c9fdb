"""A case: an approval with all that a verdict on it is judged by, read at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from bot.approvals.policy import Vote
from bot.approvals.standing import Group, Person
from bot.facts.deadlines import Reach
from bot.postgres.pools import piped
from bot.postgres.rows import Approval, Thread, votes_of


@dataclass(frozen=True)
class Case:
    """What a person's verdict is judged by. `team` is the workspace that the database belongs to.

    `voters` are the people behind `votes`, as far as they are known.
    `groups_at` is when Slack last told its groups. `known_place` says whether the click came from a message
    that we own, or from no message at all; `adopted` are messages that the click itself showed to be there.
    """

    approval: Approval
    thread: Thread
    votes: tuple[Vote, ...]
    person: Person | None
    groups: tuple[Group, ...]
    groups_at: datetime | None
    team: str | None
    known_place: bool
    adopted: tuple[str, ...]
    reach: Reach
    now: datetime
    voters: tuple[Person, ...] = ()

    @property
    def voted(self) -> frozenset[str]:
        return frozenset(vote.user for vote in self.votes)


async def read_case(
    conn: AsyncConnection[Any],
    approval_id: str,
    user: str,
    grace: timedelta,
    place: tuple[str | None, str | None] = (None, None),
    *,
    lock: bool = True,
) -> Case | None:
    """Read an approval with all that decides who may decide it; locks its row unless told not to.

    `place` is the channel and ts of the message that was clicked.
    """
    about = {"id": approval_id, "user": user, "channel": place[0], "ts": place[1]}
    async with piped(conn):
        if lock:
            await conn.execute(_LOCK, about)
        found = await conn.execute(_CASE, about)
    row = await found.fetchone()
    if row is None:
        return None
    adopted: list[dict[str, Any]] = []
    if lock and place[0] and place[1] and not row["known_place"]:
        async with piped(conn):
            adopting = await conn.execute(_ADOPT, about)
            found = await conn.execute(_CASE, about)
        adopted = await adopting.fetchall()
        row = await found.fetchone() or row
    approval = Approval.of(row)
    people = {person["user_id"]: _person(person) for person in row["people"] or ()}
    return Case(
        approval=approval,
        thread=Thread.of(row["thread"]),
        votes=votes_of(row["votes"], approval.revision),
        person=people.get(user),
        voters=tuple(person for voter, person in people.items() if voter != user),
        groups=tuple(_group(group) for group in row["groups"] or ()),
        groups_at=row["groups_at"],
        team=row["team_id"],
        known_place=row["known_place"],
        adopted=tuple(message["message_id"] for message in adopted),
        reach=Reach.noted(row, grace),
        now=row["now"],
    )


def _person(row: dict[str, Any]) -> Person:
    profile = row["profile"]
    return Person(
        user_id=row["user_id"],
        team_id=profile.get("team_id"),
        is_bot=profile["is_bot"],
        is_guest=profile["is_guest"],
        is_deactivated=profile["is_deactivated"],
        fetched_at=datetime.fromisoformat(row["fetched_at"]),
    )


def _group(row: dict[str, Any]) -> Group:
    return Group(
        row["group_id"], row["handle"], frozenset(row["members"]), datetime.fromisoformat(row["fetched_at"])
    )


_CASE = """
select a.*, to_jsonb(t) as thread, w.team_id, w.ok_since, w.checked_at, signoff_now() as now,
       (select jsonb_agg(to_jsonb(v)) from votes v where v.approval_id = a.approval_id) as votes,
       (select jsonb_agg(to_jsonb(p)) from people p
        where p.user_id = any(array(select user_id from votes v where v.approval_id = a.approval_id)
                              || %(user)s::text)) as people,
       (select jsonb_agg(to_jsonb(g)) from user_groups g
        where a.policy -> 'approvers' ?| array[g.group_id, '@' || g.handle]) as groups,
       (select max(fetched_at) from user_groups) as groups_at,
       %(ts)s::text is null
       or exists (select 1 from messages m
                  where m.approval_id = a.approval_id and m.kind in ('card', 'direct_card')
                  and m.channel_id = %(channel)s and m.ts = %(ts)s) as known_place
from approvals a join threads t using (thread_id) cross join slack_workspace w
where a.approval_id = %(id)s
"""

# A statement of its own: one that waits for a lock goes on with what it saw before it waited, and would miss
# the votes of whoever held it. And not `for update`: whoever inserts a message that refers to the approval
# takes a key lock on its row, maybe while it holds a message that we are about to draw again: a deadlock.
_LOCK = "select from approvals where approval_id = %(id)s for no key update"

# A card whose post is under way, or was never noted, may be clicked all the same: the click says where it is.
# Whoever is posting it loses the lease, so that what they post is the same message, or a stray copy of it.
# Where the place was known, nothing is to be adopted; where it was not, it may have been noted since, and
# the case is read once more.
_ADOPT = """
update messages m
set channel_id = %(channel)s, ts = %(ts)s, posting_since = null, lease = null, lease_until = null,
    retry_at = null
where m.approval_id = %(id)s and m.kind in ('card', 'direct_card')
  and m.ts is null and m.posting_since is not null
  and case when m.target ~ '^[UW]' then m.target = %(user)s and %(channel)s::text ~ '^D'
           else m.target = %(channel)s
                or coalesce((select c.channel_id = %(channel)s from channels c where c.name = m.target),
                            %(channel)s::text !~ '^D') end
  and not exists (select 1 from messages o where o.channel_id = %(channel)s and o.ts = %(ts)s
                                             and o.kind <> 'stray')
returning m.message_id
"""
