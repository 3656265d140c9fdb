"""Drawing a message, as rows: who draws it now, what came of it, what a card's delivery begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from psycopg import AsyncConnection

from bot.approvals.policy import Vote
from bot.approvals.sla import timetable
from bot.postgres.fact import Fact, NewMessage, fact
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval, Message, Thread, votes_of

LEASE = timedelta(seconds=60)
"""How long a worker may take over one call to Slack before another believes it dead."""

PACED = timedelta(seconds=60)
"""After Slack said 429 for a channel, posts go there one at a time for so long."""


@dataclass(frozen=True)
class Claim:
    """The right to draw one message now, and all that it shows.

    `unknown_since` is set where an earlier post may have reached Slack without our noting it.
    """

    lease: str
    message: Message
    unknown_since: datetime | None
    approval: Approval | None
    thread: Thread | None
    votes: tuple[Vote, ...]
    groups: dict[str, str]
    parent_ts: str | None
    card: tuple[str, str] | None
    workspace_url: str | None
    now: datetime


async def claim(conn: AsyncConnection[Any], message_id: str, ops_channel: str) -> Claim | None:
    """Take a message to draw it; None where there is nothing to do, or it is not its time, or not ours.

    A post's intent is written here, before Slack is called.
    """
    lease = uuid4().hex
    found = await conn.execute(_CLAIM, {"id": message_id, "lease": lease, "held": LEASE, "ops": ops_channel})
    row = await found.fetchone()
    if row is None:
        return None
    approval = row["approval_id"] and await _approval(conn, row["approval_id"])
    thread = Thread.of(row["thread"]) if row["thread"] else None
    kept, votes = approval or (None, ())
    return Claim(
        lease=lease,
        message=Message.of(row),
        unknown_since=row["unknown_since"],
        approval=kept,
        thread=thread,
        votes=votes,
        groups=row["groups"] or {},
        parent_ts=row["parent_ts"],
        card=(row["card_channel"], row["card_ts"]) if row["card_ts"] else None,
        workspace_url=row["url"],
        now=row["now"],
    )


async def _approval(conn: AsyncConnection[Any], approval_id: str) -> tuple[Approval, tuple[Vote, ...]]:
    found = await conn.execute(_APPROVAL, {"id": approval_id})
    row = await found.fetchone()
    if row is None:
        raise LookupError(approval_id)
    approval = Approval.of(row)
    return approval, votes_of(row["votes"], approval.revision)


async def drawn(
    conn: AsyncConnection[Any],
    queue: Queue,
    claimed: Claim,
    channel_id: str,
    ts: str,
    outsiders: Iterable[str] = (),
) -> bool:
    """Note that Slack shows the message as claimed; True where more is wanted already.

    The first delivery of a card starts its SLA's clock, and its approvers outside the channel get it
    directly. Where another worker took the message over meanwhile, our post is a stray copy: it is
    rewritten to point at the live one.
    """
    message = claimed.message
    async with fact(conn, queue) as recorded:
        if message.kind == "card" and claimed.approval is not None:
            await _delivered(recorded, claimed.approval)
        found = await conn.execute(
            _DRAWN,
            {
                "id": message.message_id,
                "lease": claimed.lease,
                "drawn": message.wanted,
                "channel": channel_id,
                "ts": ts,
            },
        )
        row = await found.fetchone()
        if row is None:
            _lost(recorded, claimed, channel_id, ts)
            return False
        if claimed.approval is not None and message.kind in ("card", "escalation"):
            _direct_cards(recorded, claimed.approval, outsiders)
        return bool(row["again"])


async def later(
    conn: AsyncConnection[Any],
    claimed: Claim,
    after: timedelta,
    *,
    posted: Literal["no", "unknown"],
) -> None:
    """Put the message off. `posted` says whether Slack may have taken it all the same."""
    await conn.execute(
        _LATER,
        {
            "id": claimed.message.message_id,
            "lease": claimed.lease,
            "after": after,
            "unknown": posted == "unknown",
        },
    )


async def throttled(conn: AsyncConnection[Any], claimed: Claim, after: timedelta) -> None:
    """Slack said 429: keep that where all workers see it."""
    place = claimed.message.channel_id or claimed.message.target
    await conn.execute(_THROTTLED, {"channel": place, "after": after})
    await later(conn, claimed, after, posted="no")


async def post_anew(conn: AsyncConnection[Any], claimed: Claim) -> None:
    """Somebody deleted the message: forget where it was, so that the next drawing posts it again."""
    await conn.execute(_ANEW, {"id": claimed.message.message_id, "lease": claimed.lease})


async def given_up(conn: AsyncConnection[Any], queue: Queue, claimed: Claim, problem: str, mend: str) -> None:
    """Slack refuses the message for good: say so on its row, and to ops with how to mend it."""
    message = claimed.message
    async with fact(conn, queue) as recorded:
        if message.kind == "card" and message.approval_id and message.ts is None:
            await conn.execute(
                "update approvals set delivery = 'failed', delivery_error = %s "
                "where approval_id = %s and delivery = 'pending'",
                (problem, message.approval_id),
            )
        found = await conn.execute(
            _GIVEN_UP, {"id": message.message_id, "lease": claimed.lease, "error": problem}
        )
        if await found.fetchone() is None or message.kind == "ops":
            return
        recorded.post(_report(message, problem, mend))
        if message.thread_id:
            recorded.audit(
                message.thread_id,
                "message.undeliverable",
                "signoff",
                {"message_id": message.message_id, "why": problem},
            )


def _report(message: Message, problem: str, mend: str) -> NewMessage:
    redraw = f"signoff redraw {message.approval_id}" if message.approval_id else "signoff doctor"
    return NewMessage(
        f"ops:{message.message_id}:{message.wanted}",
        "ops",
        target="",
        approval_id=message.approval_id,
        thread_id=message.thread_id,
        body={"problem": problem, "detail": mend, "command": redraw},
    )


async def _delivered(recorded: Fact, approval: Approval) -> None:
    """Start the clock, once: the row is locked first, as everywhere."""
    found = await recorded.conn.execute(
        "select signoff_now() as now from approvals "
        "where approval_id = %s and delivered_at is null for update",
        (approval.approval_id,),
    )
    row = await found.fetchone()
    if row is None:
        return
    steps = timetable(approval.sla, row["now"])
    await recorded.conn.execute(
        _DELIVERED,
        {
            "id": approval.approval_id,
            "now": row["now"],
            "next": steps[0].at if steps else None,
            "due": approval.sla.due(row["now"]),
        },
    )


def _direct_cards(recorded: Fact, approval: Approval, outsiders: Iterable[str]) -> None:
    if approval.status != "pending":
        return
    for user in outsiders:
        recorded.post(
            NewMessage(
                f"direct:{approval.approval_id}:{user}",
                "direct_card",
                target=user,
                approval_id=approval.approval_id,
                thread_id=approval.thread_id,
            )
        )


def _lost(recorded: Fact, claimed: Claim, channel_id: str, ts: str) -> None:
    if claimed.message.ts is None and claimed.approval is not None:
        recorded.post(
            NewMessage(
                f"stray:{channel_id}:{ts}",
                "stray",
                target=channel_id,
                approval_id=claimed.approval.approval_id,
                thread_id=claimed.message.thread_id,
                body={"ts": ts},
            )
        )


_CLAIM = """
with was as (
    select message_id, posting_since from messages
    where message_id = %(id)s and wanted > drawn and error is null
      and (retry_at is null or retry_at <= signoff_now())
      and (lease_until is null or lease_until <= signoff_now())
      and not exists (select 1 from slack_rates r
                      where r.channel in (messages.target, messages.channel_id)
                        and r.not_before > signoff_now())
    for update
), claimed as (
    update messages m
    set lease = %(lease)s, lease_until = signoff_now() + %(held)s, retry_at = null,
        target = case when m.target = '' then %(ops)s else m.target end,
        posting_since = case when ts is null then coalesce(m.posting_since, signoff_now()) end,
        attempts = attempts + 1
    from was where m.message_id = was.message_id
    returning m.*, was.posting_since as unknown_since
)
select c.*, signoff_now() as now, to_jsonb(t) as thread, w.url, parent.ts as parent_ts,
       card.channel_id as card_channel, card.ts as card_ts,
       (select jsonb_object_agg('@' || handle, group_id) from user_groups) as groups
from claimed c cross join slack_workspace w
left join threads t using (thread_id)
left join messages parent on parent.message_id = c.parent_id
left join messages card on card.message_id = 'card:' || c.approval_id
"""

_APPROVAL = """
select a.*, (select jsonb_agg(to_jsonb(v)) from votes v where v.approval_id = a.approval_id) as votes
from approvals a where approval_id = %(id)s
"""

_DRAWN = """
update messages
set drawn = greatest(drawn, %(drawn)s), channel_id = %(channel)s, ts = %(ts)s, posting_since = null,
    lease = null, lease_until = null, attempts = 0, retry_at = null
where message_id = %(id)s and lease = %(lease)s
returning wanted > drawn as again
"""

_LATER = """
update messages
set lease = null, lease_until = null, retry_at = signoff_now() + %(after)s,
    posting_since = case when %(unknown)s then posting_since end
where message_id = %(id)s and lease = %(lease)s
"""

_THROTTLED = """
insert into slack_rates values (%(channel)s, signoff_now() + %(after)s)
on conflict (channel) do update set not_before = greatest(slack_rates.not_before, excluded.not_before)
"""

_ANEW = """
update messages
set channel_id = null, ts = null, posting_since = null, lease = null, lease_until = null,
    wanted = wanted + 1, retry_at = signoff_now()
where message_id = %(id)s and lease = %(lease)s
"""

_GIVEN_UP = """
update messages
set error = %(error)s, posting_since = null, lease = null, lease_until = null
where message_id = %(id)s and lease = %(lease)s
returning message_id
"""

_DELIVERED = """
update approvals
set delivery = 'delivered', delivered_at = %(now)s, delivery_error = null,
    next_at = case when status = 'pending' then %(next)s::timestamptz end, due_at = %(due)s
where approval_id = %(id)s
"""
