"""What happened in the demo so far: deadlines, effects and threads, in words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from bot.emulator import Json

_WORDED = {
    "payment": "Paid {vendor} {amount:,} {currency}, approved by {approved_by}",
    "transaction": "Sent {payee} {amount:,} {currency}, approved by {approved_by}",
    "commit": "Committed {commit:.10} to {branch} of {repository}, approved by {approved_by}",
    "contract": "Assembled {title}",
    "answer": "Answered “{question}” {answer}",
    "release": "{project} {version}, {step}: {told}, approved by {approved_by}",
    "publication": "Published the {kind} “{headline}”, approved by {approved_by}",
}
"""What is said of an effect, by its kind and from its data."""


async def happened(conn: Any, now: datetime) -> list[Json]:
    """Return the page's sections: `{"title", "lines"}`."""
    deadlines, effects, threads = [await _rows(conn, query) for query in (_DEADLINES, _EFFECTS, _THREADS)]
    return [
        {"title": "Nearest deadlines", "lines": [_deadline(row, now) for row in deadlines]},
        {"title": "Done by the workflows", "lines": [_effect(row) for row in effects]},
        {"title": "Threads", "lines": [_thread(row) for row in threads]},
    ]


async def _rows(conn: Any, query: str) -> list[Json]:
    found = await conn.execute(query)
    return list(await found.fetchall())


def _deadline(row: Json, now: datetime) -> str:
    minutes = int((row["due_at"] - now).total_seconds() // 60)
    if minutes < 0:
        left = "now"
    elif minutes < 60:
        left = f"in {minutes} min"
    elif minutes < 48 * 60:
        left = f"in {minutes // 60} h {minutes % 60} min"
    else:
        left = f"in {minutes // 1440} days"
    return f"{row['title']}: {left}"


def _effect(row: Json) -> str:
    data, kind = row["data"], row["kind"]
    try:
        return _worded(kind, data)
    except (ArithmeticError, LookupError, TypeError, ValueError):  # an effect of somebody else's workflow
        return _listed(kind, data)


def _worded(kind: str, data: Json) -> str:
    if kind in _WORDED:
        amounts = {"amount": Decimal(data["amount"])} if "amount" in data else {}
        return _WORDED[kind].format_map(data | amounts)
    if kind == "scaled":
        return f"Scaled {data['service']} by {data['change']:+d}"
    if kind == "reply":
        return _reply(data)
    if "service" in data:
        return f"{_words(kind)} {data['service']}: {data.get('why', '')}"
    return _listed(kind, data)


def _listed(kind: str, data: Json) -> str:
    told = [str(value) for value in data.values() if isinstance(value, str | int) and len(str(value)) < 60]
    return f"{_words(kind)}: {', '.join(told[:4])}"


def _reply(data: Json) -> str:
    if data.get("forced"):
        return f"Answered {data.get('to')} as drafted: nobody decided in time"
    return f"Answered {data.get('to')}, approved by {data.get('approved_by')}"


def _words(kind: str) -> str:
    return kind.replace("_", " ").capitalize()


def _thread(row: Json) -> str:
    return f"{row['n']} {row['workflow']} {row['status']}"


_DEADLINES = """
select request ->> 'title' as title, due_at from approvals
where status = 'pending' and due_at is not null order by due_at limit 8
"""

_EFFECTS = "select kind, data from sample_effects order by at desc, key limit 8"

_THREADS = """
select workflow, status, count(*) as n from threads group by workflow, status order by workflow, status
"""
