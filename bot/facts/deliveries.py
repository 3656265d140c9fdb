"""What came of drawing a message, as rows: it is shown, it must wait, it was lost, or given up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal, LiteralString

from psycopg import AsyncConnection

from bot.facts import strays
from bot.facts.claims import Claim
from bot.facts.deadlines import first_steps
from bot.facts.messages import to_ops
from bot.facts.strays import WITH_BUTTONS
from bot.postgres.fact import NewMessage, fact
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval, Message


async def drawn(conn: AsyncConnection[Any], queue: Queue, claimed: Claim, channel_id: str, ts: str) -> bool:
    """Note that Slack shows the message as claimed; True where more is wanted already.

    The first delivery of a card starts its SLA's clock. Where another worker took the message over
    meanwhile, our post is a stray copy.
    """
    message, approval = claimed.message, claimed.approval
    shown = {
        "id": message.message_id,
        "lease": claimed.lease,
        "drawn": message.wanted,
        "channel": channel_id,
        "ts": ts,
    }
    starts = message.kind == "card" and approval is not None and approval.delivered_at is None
    if starts and approval is not None:
        shown |= _started(approval, claimed.moment())
    statement = _FIRST_DRAWN if starts else _DRAWN
    if claimed.unknown_since is not None or _is_posted_anew(message):
        row = await _noted_with_others(conn, queue, claimed, statement, shown)
    else:
        lasts = starts or message.ts is None
        row = await (await conn.execute(statement if lasts else _REDRAWN, shown)).fetchone()
    if row is None:
        async with fact(conn, queue) as recorded:
            await strays.lost(recorded, claimed.message, channel_id, ts)
        return False
    return bool(row["again"])


async def _noted_with_others(
    conn: AsyncConnection[Any],
    queue: Queue,
    claimed: Claim,
    statement: LiteralString,
    shown: dict[str, Any],
) -> dict[str, Any] | None:
    """Note it, and draw again what may mislead now, all or nothing: nobody would come back for the rest.

    A post that was found may have been rewritten as a stray copy. What leads to a card that was posted anew
    leads to where that was before.
    """
    message = claimed.message
    async with fact(conn, queue) as recorded:
        await conn.execute(_ASKED, {"id": message.approval_id})
        row = await (await conn.execute(statement, shown)).fetchone()
        if row is not None and claimed.unknown_since is not None:
            await strays.adopted(recorded, message, shown["channel"], shown["ts"])
        if row is not None and _is_posted_anew(message):
            found = await conn.execute(_LEADING, {"id": message.approval_id, "kind": message.kind})
            for other in await found.fetchall():
                recorded.redraw(other["message_id"])
        return row


def _is_posted_anew(message: Message) -> bool:
    """Whether it is a card that was shown elsewhere before somebody deleted it."""
    return message.kind in WITH_BUTTONS and message.ts is None and message.drawn > 0


async def rewritten(conn: AsyncConnection[Any], queue: Queue, claimed: Claim) -> None:
    """Note that a stray copy points at the live one; if it became the live one meanwhile, draw that again.

    One message after the other, as in `parent_gone`: whoever redraws an approval holds several.
    """
    message = claimed.message
    async with fact(conn, queue) as recorded:
        await strays.redraw_live(recorded, message.target, message.body["ts"])
    await done(conn, claimed)


async def done(conn: AsyncConnection[Any], claimed: Claim) -> None:
    """Note that nothing is left to draw: the message is gone, and nobody misses it."""
    message = claimed.message
    await conn.execute(_DONE, {"id": message.message_id, "lease": claimed.lease, "drawn": message.wanted})


async def later(
    conn: AsyncConnection[Any],
    claimed: Claim,
    after: timedelta,
    *,
    posted: Literal["no", "unknown"],
) -> None:
    """Put the message off. `posted` says whether Slack may have taken it all the same.

    Where an earlier post may have reached Slack, that stays so: one that was found there can be refused, too.
    """
    await conn.execute(
        _LATER,
        {
            "id": claimed.message.message_id,
            "lease": claimed.lease,
            "after": after,
            "unknown": posted == "unknown",
            "before": claimed.unknown_since,
        },
    )


async def throttled(conn: AsyncConnection[Any], claimed: Claim, after: timedelta) -> None:
    """Slack said 429: keep that where all workers see it."""
    await conn.execute(_THROTTLED, {"rate": claimed.rate, "after": after})
    await later(conn, claimed, after, posted="no")


async def post_anew(conn: AsyncConnection[Any], claimed: Claim) -> None:
    """Forget where the message was, so that the next drawing posts it again."""
    await conn.execute(_ANEW, {"id": claimed.message.message_id, "lease": claimed.lease})


async def parent_gone(conn: AsyncConnection[Any], queue: Queue, claimed: Claim, after: timedelta) -> None:
    """Look after the card that this message replies to, which somebody deleted, and come back then."""
    async with fact(conn, queue) as recorded:
        if claimed.message.parent_id:
            recorded.redraw(claimed.message.parent_id)
    await later(conn, claimed, after, posted="no")


async def told_below(conn: AsyncConnection[Any], queue: Queue, claimed: Claim) -> None:
    """Slack lets nobody change the settled card any more: its thread tells the outcome."""
    message, approval = claimed.message, claimed.approval
    async with fact(conn, queue) as recorded:
        if approval is not None:
            name = approval.approval_id if message.kind == "card" else message.message_id
            recorded.post(
                NewMessage(
                    f"note:{name}:outcome",
                    "note",
                    target=message.channel_id or message.target,
                    approval_id=approval.approval_id,
                    thread_id=message.thread_id,
                    parent_id=message.message_id,
                    body={"event": approval.status},
                )
            )
        await done(conn, claimed)


async def given_up(conn: AsyncConnection[Any], queue: Queue, claimed: Claim, problem: str, mend: str) -> None:
    """Slack refuses the message for good: say so on its row, and to ops with how to mend it.

    One of which something else is wanted by now is tried as that: a card that settled meanwhile, say.
    """
    message = claimed.message
    async with fact(conn, queue) as recorded:
        if message.kind == "card" and message.ts is None:
            await conn.execute(_UNDELIVERED, {"id": message.approval_id, "error": problem})
        tried = {"id": message.message_id, "lease": claimed.lease, "shown": message.wanted, "error": problem}
        found = await conn.execute(_GIVEN_UP, tried)
        row = await found.fetchone()
        if row is None or row["again"] or not _worth_telling(claimed):
            return
        recorded.post(_report(message, problem, mend))
        if message.thread_id:
            recorded.audit(
                message.thread_id,
                "message.undeliverable",
                "signoff",
                {"message_id": message.message_id, "why": problem},
            )


def _worth_telling(claimed: Claim) -> bool:
    """Ops are told of a card once, and not again when it settles; of the rest only what nobody else tells.

    A reply that fails with its card is the same problem, and ops cannot be told that telling them failed.
    """
    message, approval = claimed.message, claimed.approval
    if message.kind in ("ops", "digest", "stray") or claimed.parent_error is not None:
        return False
    settled = approval is not None and approval.status != "pending"
    return not (settled and message.kind in WITH_BUTTONS)


def _report(message: Message, problem: str, mend: str) -> NewMessage:
    redraw = f"signoff redraw {message.approval_id}" if message.approval_id else "signoff doctor"
    what = "A card" if message.kind in WITH_BUTTONS else f"A message ({message.kind})"
    return to_ops(
        f"{message.message_id}:{message.wanted}",
        f"{what} could not be delivered{f' to {message.target}' if message.target else ''}: {problem}",
        redraw,
        thread_id=message.thread_id,
        approval_id=message.approval_id,
        detail=mend,
    )


def _started(approval: Approval, now: datetime) -> dict[str, Any]:
    """Return when the clock of a card that was first shown at `now` next strikes, and when it runs out."""
    first, due = first_steps(approval.sla, now)
    return {
        "approval": approval.approval_id,
        "revision": approval.revision,
        "now": now,
        "next": first,
        "due": due,
    }


_DRAWN = """
update messages
set drawn = greatest(drawn, %(drawn)s), channel_id = %(channel)s, ts = %(ts)s, posting_since = null,
    lease = null, lease_until = null, attempts = 0, retry_at = null
where message_id = %(id)s and lease = %(lease)s
returning wanted > drawn as again
"""

# Where this is lost with the server, the same is drawn once more: nobody has to wait for its disk.
_REDRAWN = _DRAWN.rstrip() + ", set_config('synchronous_commit', 'off', true)"

# One that was revised meanwhile starts when it is drawn again. The count has the approval locked before the
# message, as everywhere.
_FIRST_DRAWN = """
with delivered as (
    update approvals
    set delivery = 'delivered', delivered_at = %(now)s, delivery_error = null,
        next_at = case when status = 'pending' then %(next)s::timestamptz end,
        due_at = case when status = 'pending' then %(due)s::timestamptz else due_at end
    where approval_id = %(approval)s and revision = %(revision)s and delivered_at is null
    returning 1
)
update messages
set drawn = greatest(drawn, %(drawn)s), channel_id = %(channel)s, ts = %(ts)s, posting_since = null,
    lease = null, lease_until = null, attempts = 0, retry_at = null
where message_id = %(id)s and lease = %(lease)s and (select count(*) from delivered) >= 0
returning wanted > drawn as again
"""

# As everywhere, an approval is locked before its messages.
_ASKED = "select from approvals where approval_id = %(id)s for no key update"

# Stray copies lead to whichever is live beside them; copies in direct conversations, and what people and ops
# were told, to the channel's card, as does word of what that was asked instead of.
_LEADING = """
select message_id from messages
where approval_id = %(id)s and (kind in ('direct_card', 'told', 'ops') and %(kind)s = 'card'
                              or kind = 'stray' and not coalesce((body -> 'gone')::boolean, false))
union all
select m.message_id from messages m join asked_instead i using (approval_id)
where i.instead = %(id)s and m.kind = 'told' and %(kind)s = 'card'
"""

_DONE = """
update messages
set drawn = greatest(drawn, %(drawn)s), posting_since = null, lease = null, lease_until = null, attempts = 0
where message_id = %(id)s and lease = %(lease)s
"""

_LATER = """
update messages
set lease = null, lease_until = null, retry_at = signoff_now() + %(after)s,
    posting_since = case when %(unknown)s then posting_since else %(before)s::timestamptz end
where message_id = %(id)s and lease = %(lease)s
"""

_THROTTLED = """
insert into slack_rates values (%(rate)s, signoff_now() + %(after)s)
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
set error = case when wanted <= %(shown)s then %(error)s end,
    posting_since = null, lease = null, lease_until = null, digested_in = null
where message_id = %(id)s and lease = %(lease)s
returning wanted > %(shown)s as again
"""

_UNDELIVERED = """
update approvals set delivery = 'failed', delivery_error = %(error)s
where approval_id = %(id)s and delivered_at is null
"""
