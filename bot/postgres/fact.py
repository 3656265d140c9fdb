"""A fact: one short transaction that also wakes, in itself, the jobs that converge to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from procrastinate.jobs import Job
from psycopg import AsyncConnection, AsyncCursor, OperationalError
from psycopg.types.json import Jsonb

from bot.postgres.jobs import Wakes, advance_job, draw_job
from bot.postgres.pools import begin, piped
from bot.postgres.rows import MessageKind

PRIORITIES: dict[MessageKind, int] = {
    "stray": 50,
    "card": 20,
    "direct_card": 20,
    "escalation": 12,
    "told": 12,
    "outcome": 10,
    "note": 10,
    "reminder": 8,
    "ops": 6,
    "digest": 5,
    "home": 4,
}
"""Which new message is posted first; a risky card comes before the others, a settled one before all."""

_APPROVAL = "approval:"

ANSWERED = 45
"""A thread that people answered goes on before others begin: they wait for what comes of it."""

SETTLE = 40
HIGH_RISK = 30


@dataclass(frozen=True)
class NewMessage:
    """A Slack message to own. The id says what it is: asking twice for one makes one."""

    message_id: str
    kind: MessageKind
    target: str
    approval_id: str | None = None
    thread_id: str | None = None
    parent_id: str | None = None
    body: dict[str, Any] | None = None
    priority: int | None = None


class Fact:
    """What a transaction implies, flushed at its end in as few statements as there are kinds of it.

    Locks are taken in one order everywhere, so that two facts cannot wait for each other: approvals first
    (by the caller), then messages, threads, and the audit's chain last.
    """

    def __init__(self, conn: AsyncConnection[Any]) -> None:
        self.conn = conn
        self._new: dict[str, NewMessage] = {}
        self._redraw: dict[str, int] = {}
        self._ended: list[str] = []
        self._advance: dict[str, int] = {}
        self._audit: list[dict[str, Any]] = []
        self._inserted: AsyncCursor[Any] | None = None
        self._bumped: AsyncCursor[Any] | None = None

    def post(self, message: NewMessage) -> None:
        """Own this message from now on, and draw it."""
        self._new.setdefault(message.message_id, message)

    def redraw(self, message_id: str, priority: int = SETTLE) -> None:
        """Draw this message again: what it shows has changed."""
        self._redraw[message_id] = priority

    def redraw_cards(self, approval_id: str, priority: int = SETTLE) -> None:
        """Draw again whatever shows this approval."""
        self._redraw[f"{_APPROVAL}{approval_id}"] = priority

    def redraw_thread(self, thread_id: str) -> None:
        """Draw again the cards of a thread, but for those that could not be delivered."""
        self._ended.append(thread_id)

    def advance(self, thread_id: str, priority: int = 0) -> None:
        """Bump the thread's wanted state and wake a worker for it."""
        self._advance[thread_id] = priority

    def audit(self, chain: str, event: str, actor: str, data: dict[str, Any]) -> None:
        """Append to the audit chain of a thread (or `system`): who (`U…`, `policy`, `clock`…) did what."""
        self._audit.append({"chain": chain, "event": event, "actor": actor, "data": data})

    async def flush(self, queue: Wakes) -> None:
        """Write it all in two round trips: the rows, then the jobs that the rows turned out to need.

        Where whoever records draws by itself, that is left to `drawings`, which needs no round trip.
        """
        if not (self._new or self._redraw or self._ended or self._advance or self._audit):
            return
        async with piped(self.conn):
            self._inserted = await self._insert_new() if self._new else None
            self._bumped = await self._bump() if self._redraw or self._ended else None
            if self._advance:
                await self.conn.execute(_WANT, {"threads": sorted(self._advance)})
            if self._audit:
                await self._append()
        jobs = [advance_job(thread_id, self._advance[thread_id]) for thread_id in sorted(self._advance)]
        if not queue.draws_itself:
            jobs += await self.drawings()
        if jobs:
            await queue.enqueue(self.conn, jobs)

    async def drawings(self) -> list[Job]:
        """Return what is to be drawn, as the rows turned out."""
        jobs: list[Job] = []
        if self._inserted:
            jobs += [draw_job(row["message_id"], row["priority"]) for row in await self._inserted.fetchall()]
        if self._bumped:
            jobs += [self._redraw_job(row) for row in await self._bumped.fetchall()]
        return jobs

    async def _insert_new(self) -> AsyncCursor[Any]:
        rows = [
            {
                "message_id": m.message_id,
                "kind": m.kind,
                "approval_id": m.approval_id,
                "thread_id": m.thread_id,
                "parent_id": m.parent_id,
                "target": m.target,
                "body": m.body or {},
                "priority": PRIORITIES[m.kind] if m.priority is None else m.priority,
            }
            for m in self._new.values()
        ]
        return await self.conn.execute(_INSERT_MESSAGES, {"rows": Jsonb(rows)})

    async def _bump(self) -> AsyncCursor[Any]:
        messages = [key for key in self._redraw if not key.startswith(_APPROVAL)]
        approvals = [key.removeprefix(_APPROVAL) for key in self._redraw if key.startswith(_APPROVAL)]
        bumped = {"messages": sorted(messages), "approvals": sorted(approvals), "threads": self._ended}
        return await self.conn.execute(_BUMP_MESSAGES if messages else _BUMP_CARDS, bumped)

    def _redraw_job(self, row: dict[str, Any]) -> Job:
        of_approval = self._redraw.get(f"{_APPROVAL}{row['approval_id']}", SETTLE)
        return draw_job(row["message_id"], self._redraw.get(row["message_id"], of_approval))

    async def _append(self) -> None:
        # One chain after the other, so that two facts cannot wait for each other's; each entry in its order.
        entries = sorted(self._audit, key=itemgetter("chain"))
        await self.conn.execute(_AUDIT, {"entries": Jsonb(entries)})


@asynccontextmanager
async def fact(conn: AsyncConnection[Any], queue: Wakes) -> AsyncIterator[Fact]:
    """Open a transaction on `conn`; what the fact implies is written just before it commits."""
    recorded = Fact(conn)
    async with conn.transaction():
        yield recorded
        await recorded.flush(queue)
    if queue.draws_itself:
        await queue.enqueue(conn, await recorded.drawings())


@asynccontextmanager
async def fact_in_one(conn: AsyncConnection[Any], queue: Wakes) -> AsyncIterator[Fact]:
    """Do as `fact`, in one pipeline: where nothing is read in between, it is one round trip in all.

    The number of rows of a statement is not known in there before something is fetched.
    """
    recorded = Fact(conn)
    try:
        async with conn.pipeline():
            await begin(conn)
            yield recorded
            await recorded.flush(queue)
            await conn.execute("commit")
    except BaseException:
        with suppress(OperationalError):
            await conn.rollback()
        raise
    if queue.draws_itself:
        await queue.enqueue(conn, await recorded.drawings())


_INSERT_MESSAGES = """
insert into messages (message_id, kind, approval_id, thread_id, parent_id, target, body, priority)
select message_id, kind, approval_id, thread_id, parent_id, target, body, priority
from jsonb_to_recordset(%(rows)s) as new (message_id text, kind text, approval_id text, thread_id text,
                                          parent_id text, target text, body jsonb, priority int)
on conflict do nothing
returning message_id, priority
"""

# Of a thread, also the card that is not delivered yet: it may be on its way, drawn from what held before.
_BUMP_MESSAGES = """
update messages set wanted = wanted + 1, error = null, woken_at = signoff_now()
where message_id = any(%(messages)s)
   or (approval_id = any(%(approvals)s || array(select approval_id from approvals
                                                where thread_id = any(%(threads)s) and delivery <> 'failed'))
       and kind in ('card', 'direct_card'))
returning message_id, approval_id
"""

_BUMP_CARDS = """
update messages set wanted = wanted + 1, error = null, woken_at = signoff_now()
where approval_id = any(%(approvals)s || array(select approval_id from approvals
                                               where thread_id = any(%(threads)s) and delivery <> 'failed'))
  and kind in ('card', 'direct_card')
returning message_id, approval_id
"""

_WANT = """
update threads set wanted = wanted + 1, updated_at = signoff_now() where thread_id = any(%(threads)s)
"""

_AUDIT = """
select signoff_audit(chain, event, actor, data)
from (
    select * from rows from (jsonb_to_recordset(%(entries)s)
                             as (chain text, event text, actor text, data jsonb)) with ordinality
    order by ordinality
) as entry
"""
