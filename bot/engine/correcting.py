"""What people may correct in the state of a waiting thread, and what of it goes along with an answer."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from bot.approvals.correction import Correction, landing
from bot.approvals.workflow import Workflow
from bot.engine.plan import Snapshot
from bot.engine.result import as_plain
from bot.facts.pauses import Pause
from bot.postgres.rows import Approval


def correctable(workflow: Workflow, snapshot: Snapshot, pause: Pause) -> Correction | None:
    """Return what of the state may be corrected at this pause; None where nothing may, or could land.

    LangGraph takes one update of a field in a step, and none with the answer to a breakpoint.
    """
    model, state = workflow.corrections, snapshot.values
    if (
        model is None
        or snapshot.updated
        or pause.interrupt_id in snapshot.stops
        or not isinstance(state, dict)
    ):
        return None
    values = {name: as_plain(state[name]) for name in model.model_fields if name in state}
    return Correction(model.model_json_schema(), values)


def corrected(workflow: Workflow, snapshot: Snapshot, approvals: tuple[Approval, ...]) -> dict[str, Any]:
    """Return the fields that people have corrected, on whichever card of the thread; raises `Misfit`."""
    if workflow.corrections is None or snapshot.updated or not isinstance(snapshot.values, dict):
        return {}
    fixed: dict[str, Any] = {}
    for approval in approvals:
        if approval.correction is not None and approval.correction.by is not None:
            fixed |= landing(workflow.corrections, approval.correction, snapshot.values)
    return fixed


async def close(conn: AsyncConnection[Any], thread_id: str) -> None:
    """Take the correction from the cards that still wait: in this step no other could land."""
    await conn.execute(_CLOSE, {"id": thread_id})


_CLOSE = """
update approvals set correction = null
where thread_id = %(id)s and status = 'pending' and correction ->> 'by' is null
"""
