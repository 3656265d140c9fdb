"""Whether a thread's state fits the deployed workflow, looked at before anything is sent to its graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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

    A step takes one update: where a migration has to go before any answer, what people corrected goes with
    it. Raises `Misfit` where the move must not be made.
    """
    if not isinstance(move, Send | Drive | Step) or not isinstance(snapshot.values, dict):
        return move
    if not isinstance(move, Send) and not _mended(snapshot.values, snapshot, workflow):
        return move
    if isinstance(move, Step):
        raise Misfit(AT_A_BREAKPOINT)
    fixed = corrected(workflow, snapshot, approvals)
    update = {**_mended({**snapshot.values, **fixed}, snapshot, workflow), **fixed}
    return replace(move, update=update) if update else move


def _mended(values: dict[str, Any], snapshot: Snapshot, workflow: Workflow) -> dict[str, Any]:
    contract = workflow.contract
    return contract.mended(values, snapshot.version, snapshot.older) if contract else {}
