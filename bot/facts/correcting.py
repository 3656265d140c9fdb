"""A person corrects the state of a waiting thread: kept with the approval, to go along with its answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Json

from bot.facts.judging import Click
from bot.facts.told import tell
from bot.facts.votes import NotRecorded, admit
from bot.postgres.fact import fact
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval


async def correct(
    conn: AsyncConnection[Any],
    queue: Queue,
    click: Click,
    values: dict[str, Any],
    grace: timedelta,
    *,
    looked_up: bool = True,
) -> Approval | NotRecorded:
    """Record what the fields should be, or say why not; whoever may decide may correct.

    What is decided is not the same any more: a new revision, and earlier votes are void. Raises `Unchecked`
    like `cast`.
    """
    async with fact(conn, queue) as recorded:
        found = await admit(recorded, click, grace, looked_up=looked_up)
        if isinstance(found, NotRecorded):
            return found
        approval = found.case.approval
        made = corrected(approval, values, click.user)
        if made is None or made.correction is None:
            return approval
        if found.by is None:
            return NotRecorded("outdated", approval, found.case.thread, found.case.votes)
        await conn.execute(
            _CORRECT, {"id": approval.approval_id, "correction": Json(made.correction.to_json())}
        )
        for vote in found.case.votes:
            if vote.user != click.user:
                tell(recorded, approval, vote.user, "revised")
        recorded.redraw_cards(approval.approval_id)
        recorded.audit(
            approval.thread_id,
            "approval.corrected",
            click.user,
            {
                "approval_id": approval.approval_id,
                "revision": made.revision,
                "changes": [change.to_json() for change in made.correction.told],
            },
        )
        return approval


def corrected(approval: Approval, values: dict[str, Any], by: str) -> Approval | None:
    """Return the approval once the fields are put right, of a new revision; None where nothing changes."""
    correction = approval.correction
    if correction is None or values == correction.now:
        return None
    return replace(approval, correction=correction.put_right(values, by), revision=approval.revision + 1)


_CORRECT = """
update approvals set correction = %(correction)s, revision = revision + 1 where approval_id = %(id)s
"""
