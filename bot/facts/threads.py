"""Threads begin, are cancelled, and are tried again: facts about a run of a workflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection
from psycopg.types.json import Json

from bot.approvals.errors import SignoffError
from bot.approvals.secrets import Secrets
from bot.approvals.states import Autonomy
from bot.facts.messages import card_id, outcome_id
from bot.facts.settle import call_off
from bot.postgres.fact import fact, fact_in_one
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval, Thread

RESUMED = "thread.resumed"
"""The audit's event of a run that ended: its data say what that changed in the state."""


class NoSuchThread(SignoffError):
    """There is no thread of that id."""


class ThreadEnded(SignoffError):
    """The thread has ended; nothing is left to change."""


class NothingToRetry(SignoffError):
    """The thread has neither failed nor been orphaned, and is not held."""


@dataclass(frozen=True)
class Start:
    """What a thread starts from. `input` is plain JSON that fits the workflow's model.

    The audit keeps it with what `hides` names masked.
    """

    workflow: str
    input: dict[str, Any]
    starter: str
    requester: str | None = None
    idempotency_key: str | None = None
    autonomy: Autonomy = "on_action"
    hides: Secrets = field(default_factory=Secrets)


async def start(conn: AsyncConnection[Any], queue: Queue, begin: Start) -> str:
    """Record a new thread and wake a worker for it; the same starter and key give the same thread."""
    async with fact_in_one(conn, queue) as recorded:
        thread_id = str(uuid4())
        found = await conn.execute(
            _INSERT,
            {
                "thread_id": thread_id,
                "workflow": begin.workflow,
                "input": Json(begin.input),
                "requester": begin.requester,
                "starter": begin.starter,
                "key": begin.idempotency_key,
                "autonomy": begin.autonomy,
            },
        )
        if await found.fetchone() is None:
            return await _same(conn, begin)
        recorded.advance(thread_id)
        recorded.audit(
            thread_id,
            "thread.started",
            begin.starter,
            {
                "workflow": begin.workflow,
                "requester": begin.requester,
                "input": begin.hides.masked(begin.input),
            }
            | ({"autonomy": begin.autonomy} if begin.autonomy != "on_action" else {}),
        )
        return thread_id


async def cancel(conn: AsyncConnection[Any], queue: Queue, thread_id: str, reason: str, actor: str) -> None:
    """End a thread: its open approvals close at once, and the graph is never resumed again.

    Raises `NoSuchThread` and `ThreadEnded`.
    """
    async with fact(conn, queue) as recorded:
        approvals = await _locked_approvals(conn, thread_id)
        found = await conn.execute(_CANCEL, {"thread_id": thread_id, "reason": reason})
        row = await found.fetchone()
        if row is None:
            thread = await load(conn, thread_id)
            raise ThreadEnded(f"Thread {thread_id} is {thread.status} already; nothing was changed.")
        for approval in approvals:
            if approval.status == "pending":
                await call_off(recorded, approval, Thread.of(row), reason, row["now"])
        recorded.advance(thread_id)
        recorded.audit(thread_id, "thread.cancel", actor, {"reason": reason})


async def retry(conn: AsyncConnection[Any], queue: Queue, thread_id: str, actor: str) -> None:
    """Let a failed thread try again from where it failed, and ask again what was open then.

    One that is held, or waits for its next attempt, is looked at now.
    An orphaned one finds its pause again where the code that asked it is back. Raises `NoSuchThread` and
    `NothingToRetry`.
    """
    async with fact(conn, queue) as recorded:
        thread = await load(conn, thread_id)
        approvals = await _locked_approvals(conn, thread_id)  # a click takes them before the thread, too
        told = [outcome_id(approval.approval_id) for approval in approvals]
        await conn.execute(_HOLD_MESSAGES, {"ids": told})  # as a digest does
        revived = await conn.execute(_RETRY, {"thread_id": thread_id})
        if revived.rowcount == 0:
            thread = await load(conn, thread_id)  # as it is by now: somebody else may have retried it
            raise NothingToRetry(f"Thread {thread_id} is {thread.status}, not failed; nothing was changed.")
        await conn.execute(_COUNT_ANEW, {"thread_id": thread_id})
        for message_id in told:
            recorded.redraw(message_id)
        recorded.advance(thread_id)
        recorded.audit(thread_id, "thread.retried", actor, {"error": thread.error})


async def redraw(
    conn: AsyncConnection[Any],
    queue: Queue,
    approval_id: str,
    actor: str,
    channels: Mapping[str, str] | None = None,
) -> bool:
    """Draw an approval's messages again, those given up included; False where there is no such approval.

    A card that waits and could not be posted goes where its workflow's cards go by now: `channels`, by name.
    """
    async with fact(conn, queue) as recorded:
        moved = await _move(conn, approval_id, channels or {})
        found = await conn.execute(_REVIVE, {"id": approval_id})
        rows = await found.fetchall()
        for row in rows:
            recorded.redraw(row["message_id"])
        if rows:
            recorded.audit(
                rows[0]["thread_id"], "approval.redrawn", actor, {"approval_id": approval_id, **moved}
            )
        return bool(rows)


async def _move(conn: AsyncConnection[Any], approval_id: str, channels: Mapping[str, str]) -> dict[str, str]:
    """Return what the audit says of it: the channel that the card goes to instead, if any."""
    named = {"workflows": list(channels), "channels": list(channels.values())}
    found = await conn.execute(_MOVE, {"id": approval_id, "card": card_id(approval_id), **named})
    row = await found.fetchone()
    return {"channel": row["target"]} if row else {}


async def load(conn: AsyncConnection[Any], thread_id: str) -> Thread:
    """Read a thread; raises `NoSuchThread`."""
    found = await conn.execute("select * from threads where thread_id = %s", (thread_id,))
    row = await found.fetchone()
    if row is None:
        raise NoSuchThread(f"There is no thread {thread_id}; `signoff threads` lists them.")
    return Thread.of(row)


async def moment(conn: AsyncConnection[Any]) -> datetime:
    """Return the time by the one clock that counts."""
    found = await conn.execute("select signoff_now() as now")
    row = await found.fetchone()
    if row is None:
        raise LookupError("signoff_now")
    now: datetime = row["now"]
    return now


async def _same(conn: AsyncConnection[Any], begin: Start) -> str:
    found = await conn.execute(
        "select thread_id from threads where starter = %s and idempotency_key = %s",
        (begin.starter, begin.idempotency_key),
    )
    row = await found.fetchone()
    if row is None:
        raise NoSuchThread("The thread of this idempotency key was just deleted; send the request again.")
    return str(row["thread_id"])


async def _locked_approvals(conn: AsyncConnection[Any], thread_id: str) -> list[Approval]:
    found = await conn.execute(
        "select * from approvals where thread_id = %s order by created_at, approval_id for no key update",
        (thread_id,),
    )
    return [Approval.of(row) for row in await found.fetchall()]


_INSERT = """
insert into threads (thread_id, workflow, input, requester, starter, idempotency_key, autonomy, wanted)
values (%(thread_id)s, %(workflow)s, %(input)s, %(requester)s, %(starter)s, %(key)s, %(autonomy)s, 0)
on conflict (starter, idempotency_key) where idempotency_key is not null do nothing
returning thread_id
"""

# Of a thread that has just ended nothing is left to cancel, whatever was read before.
_CANCEL = """
update threads set cancel_reason = coalesce(cancel_reason, %(reason)s)
where thread_id = %(thread_id)s and status in ('running', 'waiting')
returning *, signoff_now() as now
"""

_HOLD_MESSAGES = "select from messages where message_id = any(%(ids)s) for no key update"

# One that only runs may have a time, too, at which another worker looks after it if its own dies.
_RETRY = """
update threads set status = case when status = 'waiting' then status else 'running' end,
                   attempts = 0, retry_at = null, error = null, traceback = null, ended_at = null,
                   digested_in = null
where thread_id = %(thread_id)s
  and (status in ('failed', 'orphaned')
       or status in ('running', 'waiting') and (retry_at > signoff_now() or error is not null))
"""

# So that a workflow which asked something else after each answer, and was mended, is not given up at once.
_COUNT_ANEW = "update approvals set asked_again = 0 where thread_id = %(thread_id)s and applied_at is null"

# Nobody is drawing what was given up. Replies go where the card went.
_MOVE = """
with named as (select * from unnest(%(workflows)s::text[], %(channels)s::text[]) as n (workflow, channel)),
asked as (
    select a.approval_id, named.channel
    from approvals a join threads t using (thread_id) join named using (workflow)
    where a.approval_id = %(id)s and a.status = 'pending' and named.channel not in ('', a.channel)
      and exists (select from messages where message_id = %(card)s and error is not null and ts is null)
    for no key update of a
),
moved as (
    update approvals a set channel = asked.channel from asked where a.approval_id = asked.approval_id
)
update messages m set target = asked.channel from asked where m.message_id = %(card)s and m.error is not null
returning m.target
"""

# The count has the approval locked before its messages, as everywhere.
_REVIVE = """
with asked as (select from approvals where approval_id = %(id)s for no key update)
update messages set error = null, attempts = 0, retry_at = null
where approval_id = %(id)s and (select count(*) from asked) > 0
returning message_id, thread_id
"""
