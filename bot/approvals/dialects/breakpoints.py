"""Static breakpoints (`interrupt_before`, `interrupt_after`): what to ask at one, and what to do then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bot.approvals.changes import changes
from bot.approvals.decision import Decision
from bot.approvals.dialects.asked import End
from bot.approvals.dialects.words import one_line, why_ended
from bot.approvals.errors import BadAnswer
from bot.approvals.request import ApprovalRequest

When = Literal["before", "after"]


@dataclass(frozen=True)
class StepOn:
    """Run on from the checkpoint as it stands."""


@dataclass(frozen=True)
class Update:
    """Write `values`, only those that changed, to the thread's state; then step on.

    A key that was emptied is None. A reducer of the graph's sees them as any update: one that adds up will.
    """

    values: dict[str, Any]


BreakpointMove = StepOn | Update | End


def breakpoint_request(
    node: str,
    when: When,
    state_part: dict[str, Any],
    schema: dict[str, Any] | None = None,
    upcoming: str = "",
) -> ApprovalRequest:
    """Ask at a breakpoint of `node`; `state_part` is the declared part of the state, as plain JSON.

    `schema` is its JSON Schema, where one is declared. `upcoming` names what is next after the node.
    """
    verb = "Run" if when == "before" else "Go on after"
    return ApprovalRequest(
        title=one_line(f"{verb} {node}", "Go on?"),
        summary=f"The workflow stops {when} this step." + (f" Next comes {upcoming}." if upcoming else ""),
        proposal=state_part or None,
        proposal_schema=schema if state_part else None,
        allow=("approve", "reject", "edit") if state_part else ("approve", "reject"),
    )


def breakpoint_move(decision: Decision, state_part: dict[str, Any]) -> BreakpointMove:
    """Turn a decision at a breakpoint into what to do; raises `BadAnswer` for one that was not on offer."""
    match decision.verdict:
        case "approve":
            return _onward(decision, state_part)
        case "reject":
            return End(why_ended(decision))
        case verdict:
            raise BadAnswer(f"A breakpoint is approved, edited or rejected; it has no “{verdict}”.")


def _onward(decision: Decision, before: dict[str, Any]) -> StepOn | Update:
    after = before if decision.proposal is None else decision.proposal
    if not isinstance(after, dict):
        raise BadAnswer("The edited state is not an object.")
    if unknown := sorted(after.keys() - before.keys()):
        raise BadAnswer(f"{unknown[0][:100]!r} is not part of the state that was shown.")
    if not decision.edited and after == before:
        return StepOn()
    changed = {key: after.get(key) for key in before if changes(before[key], after.get(key))}
    return Update(changed) if changed else StepOn()
