"""What people may correct in the state of a waiting thread, and what of it goes along with an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from psycopg.types.json import Json

from bot.approvals.correction import Correction, landing
from bot.approvals.workflow import Workflow
from bot.engine.plain import as_plain
from bot.engine.plan import Drive, Move, Send, Snapshot
from bot.facts.pauses import Pause
from bot.postgres.fact import Fact
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
    return Correction(model.model_json_schema(by_alias=False), values)


def corrected(workflow: Workflow, snapshot: Snapshot, approvals: tuple[Approval, ...]) -> dict[str, Any]:
    """Return the fields that people have corrected, on whichever card of the thread; raises `Misfit`."""
    if workflow.corrections is None or snapshot.updated or not isinstance(snapshot.values, dict):
        return {}
    fixed: dict[str, Any] = {}
    for approval in approvals:
        if approval.correction is not None and approval.correction.by is not None:
            fixed |= landing(workflow.corrections, approval.correction, snapshot.values)
    return fixed


def closes(move: Move, approvals: Iterable[Approval]) -> Iterator[tuple[Approval, Correction | None]]:
    """Yield the cards that still wait and offer a correction that after this move could not land any more."""
    if not (isinstance(move, Send | Drive) and move.update):
        return
    for approval in approvals:
        if approval.status == "pending" and approval.correction is not None and approval.correctable:
            yield approval, approval.correction.close()


async def close(recorded: Fact, move: Move, approvals: Iterable[Approval]) -> None:
    """Take the correction from the cards that still wait; what was corrected on one is shown as before."""
    for approval, left in closes(move, approvals):
        await recorded.conn.execute(
            _CLOSE, {"id": approval.approval_id, "correction": left and Json(left.to_json())}
        )
        recorded.redraw_cards(approval.approval_id)


_CLOSE = "update approvals set correction = %(correction)s where approval_id = %(id)s"
