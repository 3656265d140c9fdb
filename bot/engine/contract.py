"""Whether a thread's state fits the deployed workflow, looked at before anything is sent to its graph."""

from __future__ import annotations

from dataclasses import replace

from bot.approvals.state import Misfit
from bot.approvals.workflow import Workflow
from bot.engine.correcting import corrected
from bot.engine.plan import Drive, Move, Send, Snapshot, Step
from bot.postgres.rows import Approval

AT_A_BREAKPOINT = (
    "The thread stands at a static breakpoint, where LangGraph takes no update with the answer, so its state "
    "cannot be migrated there; deploy code that fits the state as it is."
)


def fitted(move: Move, snapshot: Snapshot, workflow: Workflow, approvals: tuple[Approval, ...]) -> Move:
    """Return the move with the fields that people corrected and that a migration mends.

    Raises `Misfit` where it must not be made.
    """
    if not isinstance(move, Send | Drive | Step) or not isinstance(snapshot.values, dict):
        return move
    fixed = corrected(workflow, snapshot, approvals) if isinstance(move, Send) else {}
    contract, values = workflow.contract, {**snapshot.values, **fixed}
    mended = contract.mended(values, snapshot.version, snapshot.older) if contract else {}
    if isinstance(move, Step):
        if mended:
            raise Misfit(AT_A_BREAKPOINT)
        return move
    return replace(move, update={**mended, **fixed}) if mended or fixed else move
