"""Whether a thread's state fits the deployed workflow, looked at before anything is sent to its graph."""

from __future__ import annotations

from dataclasses import replace

from bot.approvals.state import Misfit
from bot.approvals.workflow import Workflow
from bot.engine.plan import Drive, Move, Send, Snapshot, Step

AT_A_BREAKPOINT = (
    "The thread stands at a static breakpoint, where LangGraph takes no update with the answer, so its state "
    "cannot be migrated there; deploy code that fits the state as it is."
)


def fitted(move: Move, snapshot: Snapshot, workflow: Workflow) -> Move:
    """Return the move with the fields that a migration mends; raises `Misfit` where it must not be made."""
    contract = workflow.contract
    if contract is None or not isinstance(move, Send | Drive | Step) or not isinstance(snapshot.values, dict):
        return move
    update = contract.mended(snapshot.values, snapshot.version, snapshot.older)
    if not isinstance(move, Step):
        return replace(move, update=update)
    if update:
        raise Misfit(AT_A_BREAKPOINT)
    return move
