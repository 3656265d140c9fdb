"""The digest as rows: each thing is told in exactly one digest, and each digest is made once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from bot.approvals.decision import Decision
from bot.approvals.digest import Digest, Line
from bot.approvals.timeout import NEVER_DELIVERED, TIMEOUT, fell_short, silence
from bot.postgres.fact import Fact
from bot.postgres.rows import Approval, Thread

LOOK_AHEAD = timedelta(hours=8)


def slot(now: datetime, times: Sequence[time], zone: ZoneInfo) -> tuple[str, datetime]:
    """Return the latest scheduled moment that has come, as the digest's key and in UTC.

    Keyed by the date on the wall, a time that daylight saving repeats or skips is still one digest.
    """
    local = now.astimezone(zone)
    for day in (local.date(), local.date() - timedelta(days=1)):
        for at in sorted(times, reverse=True):
            came = datetime.combine(day, at, zone).astimezone(UTC)
            if came <= now:
                return f"{day.isoformat()} {at.isoformat('minutes')} {zone.key}", came
    raise ValueError("a digest needs at least one time of day")


async def make(fact: Fact, key: str, came: datetime | None = None) -> Digest | None:
    """Make the digest of a slot, once; None where it has been made, or where it is the very first slot.

    One that was made since the slot `came`, by another zone's time, is as good. The first slot only marks
    where telling begins, so that a new installation does not greet ops with one.
    """
    conn = fact.conn
    found = await conn.execute(_BEGUN, {"key": key, "came": came})
    row = await found.fetchone()
    if row is None:
        return None
    found = await conn.execute("select max(made_at) as since from digests where digest_key <> %s", (key,))
    since = (await found.fetchone() or {}).get("since")
    if since is None:
        return None
    now: datetime = row["made_at"]
    lines = [line for query, read in _TOPICS for line in await _read(conn, query, read, key, now)]
    digest = Digest(since=since, made_at=now, until=now + LOOK_AHEAD, lines=tuple(lines))
    await conn.execute(
        "update digests set summary = %s where digest_key = %s", (Jsonb(digest.model_dump(mode="json")), key)
    )
    fact.audit("system", "digest.made", "clock", {"digest": key, "lines": len(lines)})
    return digest


async def _read(conn: Any, query: str, read: Any, key: str, now: datetime) -> list[Line]:
    found = await conn.execute(query, {"key": key, "now": now, "until": now + LOOK_AHEAD})
    return [read(row) for row in await found.fetchall()]


def _expired(row: dict[str, Any]) -> Line:
    decision = Decision.model_validate(row["decision"])
    why = "never delivered" if decision.reason == NEVER_DELIVERED else silence(decision.votes)
    ran = _ran(decision, Approval.of(row), Thread.of(row["thread"]))
    return _line(row, "expired", f"{why}: {ran}", row["decided_at"])


def _ran(decision: Decision, approval: Approval, thread: Thread) -> str:
    """Say which fallback ran, or what was done where it could not."""
    fallback = approval.sla.fallback
    match decision.verdict:
        case "approve" | "choose" if approval.is_overtaken(thread):
            return "not run, since its workflow was ended first"
        case "approve" if decision.forced:
            return "went out as drafted (forced)"
        case "approve":
            return "ran unapproved, as declared"
        case "choose":
            return f"chose {decision.choice}"
        case _ if fell_short(decision, fallback):
            return "not run, since the declared fallback is not an answer"
        case _ if fallback.kind == "cancel" and decision.reason == TIMEOUT:
            return "ended the workflow"
        case _:
            return "stays unanswered" if approval.is_question else "rejected"


def _due(row: dict[str, Any]) -> Line:
    note = "overdue, and held until people could have answered" if row["held"] else ""
    return _line(row, "due", note, row["due_at"])


def _broken(row: dict[str, Any]) -> Line:
    topic, command = ("stuck", "retry") if row["status"] == "failed" else ("orphaned", "show")
    return Line(
        topic=topic,  # type: ignore[arg-type]
        title=row["workflow"],
        workflow=row["workflow"],
        thread_id=row["thread_id"],
        note=row["error"] or "",
        at=row["ended_at"],
        command=f"signoff {command} {row['thread_id']}",
    )


def _held(row: dict[str, Any]) -> Line:
    return Line(
        topic="held",
        title=row["workflow"],
        workflow=row["workflow"],
        thread_id=row["thread_id"],
        note=row["error"] or "the worker that ran it died, and another one goes on with it",
        at=row["retry_at"],
        command=f"signoff show {row['thread_id']}",
    )


def _undeliverable(row: dict[str, Any]) -> Line:
    return _line(
        row,
        "undeliverable",
        f"{row['target']}: {row['error']}",
        row["created_at"],
        f"signoff redraw {row['approval_id']}",
    )


def _line(row: dict[str, Any], topic: Any, note: str, at: datetime, command: str | None = None) -> Line:
    return Line(
        topic=topic,
        title=row["title"] or row["workflow"],
        workflow=row["workflow"],
        thread_id=row["thread_id"],
        approval_id=row["approval_id"],
        note=note,
        at=at,
        permalink=row["permalink"],
        command=command or f"signoff show {row['thread_id']}",
    )


_BEGUN = """
insert into digests
select %(key)s, signoff_now(), '{}'
where not exists (select from digests where made_at >= %(came)s::timestamptz and made_at <= signoff_now())
on conflict do nothing returning made_at
"""

EXPIRED = """
with held as (
    select approval_id from approvals where status = 'expired' and digested_in is null
    order by created_at, approval_id for no key update  -- as whoever takes a thread's, `cancel` for one
), told as (
    update approvals a set digested_in = %(key)s from held where a.approval_id = held.approval_id
    returning a.*
)
select a.*, to_jsonb(t) as thread, a.request ->> 'title' as title, t.workflow, l.permalink
from told a join threads t using (thread_id)
left join card_links l using (approval_id)
"""

_DUE = """
select a.*, a.due_at <= %(now)s and a.next_at > %(now)s as held, a.request ->> 'title' as title,
       t.workflow, l.permalink
from approvals a join threads t using (thread_id)
left join card_links l using (approval_id)
where a.status = 'pending' and a.due_at <= %(until)s
"""

_BROKEN = """
update threads set digested_in = %(key)s
where status in ('failed', 'orphaned') and digested_in is null
returning *
"""

# One that only runs may have a time, too, at which another worker looks after it if its own dies.
_HELD = """
select * from threads
where status in ('running', 'waiting') and (retry_at > %(now)s or retry_at is not null and error is not null)
"""

# One that is being redrawn is left to the next digest, if it fails again: whoever redraws holds several.
_UNDELIVERABLE = """
with held as (
    select message_id from messages
    where error is not null and digested_in is null and approval_id is not null
      and kind not in ('ops', 'digest')  -- these are tried until ops have them
    for no key update skip locked
), told as (
    update messages m set digested_in = %(key)s from held where m.message_id = held.message_id
    returning m.*
)
select a.approval_id, a.thread_id, m.target, m.error, m.created_at, a.request ->> 'title' as title,
       t.workflow, l.permalink
from told m join approvals a using (approval_id) join threads t on t.thread_id = a.thread_id
left join card_links l on l.approval_id = a.approval_id
where not exists (select from messages card where card.message_id = m.parent_id and card.error is not null)
"""

_TOPICS = (  # the rows that they mark are locked in the order of every fact: approvals, messages, threads
    (EXPIRED, _expired),
    (_DUE, _due),
    (_UNDELIVERABLE, _undeliverable),
    (_BROKEN, _broken),
    (_HELD, _held),
)
