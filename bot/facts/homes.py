"""App Homes as messages: one that somebody opened lately is drawn again when what it lists has changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection

from bot.postgres.fact import PRIORITIES
from bot.postgres.jobs import Queue, draw_job

OPENED = 15
"""The priority of a Home that somebody is looking at; one that changed behind their back has its row's."""

KEPT = timedelta(hours=4)
"""How long after it was opened a Home is kept up to date."""

SPACING = timedelta(seconds=5)
"""Between two drawings of one Home that nobody asked for: what changes meanwhile is drawn at once."""

LAG = timedelta(seconds=2)
"""How long ago a change must be to be looked at: its transaction has ended by then, so none is missed."""

MOST = 200
"""Homes that are kept up to date, those that were opened last; and changes that are looked at at once."""


async def opened(conn: AsyncConnection[Any], queue: Queue, user: str) -> None:
    """Draw the Home of somebody who looks at it now, and keep it up to date for a while."""
    async with conn.transaction():
        await conn.execute(_OPENED, {"id": _home_id(user), "user": user, "priority": PRIORITIES["home"]})
        await queue.enqueue(conn, [draw_job(_home_id(user), OPENED)])


async def changed(conn: AsyncConnection[Any], queue: Queue, user: str) -> None:
    """Draw a person's Home again at once, where it was opened lately: they did something themselves."""
    async with conn.transaction():
        found = await conn.execute(_CHANGED, {"id": _home_id(user), "kept": KEPT})
        if found.rowcount:
            await queue.enqueue(conn, [draw_job(_home_id(user), OPENED)])


async def behind(conn: AsyncConnection[Any]) -> int:
    """Want those Homes drawn that an approval concerns whose cards changed; returns how many.

    `messages_behind` wakes their workers. Of several clocks one looks.
    """
    found = await conn.execute(_BEHIND, {"kept": KEPT, "lag": LAG, "spacing": SPACING, "most": MOST})
    return found.rowcount


async def regrouped(conn: AsyncConnection[Any], people: list[str]) -> None:
    """Want the Homes drawn of those who may decide by now, or may no more: other things wait for them."""
    await conn.execute(_REGROUPED, {"people": people, "kept": KEPT, "spacing": SPACING})


def _home_id(user: str) -> str:
    return f"home:{user}"


# `verified_at` is when Slack last said that somebody looks at it. Nobody who looks waits for a `SPACING`;
# what Slack said about its rate holds all the same (`slack_rates`).
_OPENED = """
insert into messages (message_id, kind, target, priority, verified_at)
values (%(id)s, 'home', %(user)s, %(priority)s, signoff_now())
on conflict (message_id) do update
set wanted = messages.wanted + 1, verified_at = signoff_now(), woken_at = signoff_now(), retry_at = null,
    error = null
"""

_CHANGED = """
update messages set wanted = wanted + 1, woken_at = signoff_now(), retry_at = null
where message_id = %(id)s and verified_at > signoff_now() - %(kept)s
"""

# Whatever changes an approval, or who may decide it, draws its card again: its `woken_at` is when that was.
_BEHIND = """
with homes as (
    select message_id, target as user_id, woken_at from messages
    where kind = 'home' and verified_at > signoff_now() - %(kept)s
    order by verified_at desc limit %(most)s
), span as (
    select greatest(w.homes_swept_at, (select min(woken_at) from homes) - %(lag)s) as since,
           signoff_now() - %(lag)s as upto
    from slack_workspace w where exists (select 1 from homes)
    for update skip locked
), cards as (
    select approval_id, thread_id, woken_at from messages  -- in the order of an index, however many there are
    where kind = 'card' and woken_at > (select since from span) and woken_at <= (select upto from span)
    order by woken_at fetch first %(most)s rows with ties
), changed as (
    select c.woken_at, a.approval_id, a.policy -> 'approvers' as approvers, t.requester
    from cards c join approvals a using (approval_id) join threads t on t.thread_id = c.thread_id
), swept as (
    update slack_workspace set homes_swept_at = last.woken_at
    from (select max(woken_at) as woken_at from cards) as last where last.woken_at is not null
), concerned as (
    select distinct h.message_id from homes h join changed c on c.woken_at > h.woken_at - %(lag)s
    where c.requester = h.user_id or c.approvers ? h.user_id
       or exists (select 1 from user_groups g where h.user_id = any(g.members)
                  and c.approvers ?| array[g.group_id, '@' || g.handle])
       or exists (select 1 from votes v where v.approval_id = c.approval_id and v.user_id = h.user_id)
), held as (
    select message_id from messages where message_id in (select message_id from concerned)
    order by message_id for no key update  -- as `regrouped`, which may want the same at once
)
update messages m
set wanted = m.wanted + 1, retry_at = greatest(signoff_now(), m.woken_at + %(spacing)s, m.retry_at)
from held where m.message_id = held.message_id
"""

_REGROUPED = """
with held as (
    select message_id from messages
    where kind = 'home' and verified_at > signoff_now() - %(kept)s and target = any(%(people)s)
    order by message_id for no key update
)
update messages m
set wanted = m.wanted + 1, retry_at = greatest(signoff_now(), m.woken_at + %(spacing)s, m.retry_at)
from held where m.message_id = held.message_id
"""
