"""An answer that came to nothing: what it was on is no longer what its pause asks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.approvals.basis import MOST_REFUSALS
from bot.approvals.decision import Decision
from bot.approvals.errors import SignoffError
from bot.facts.pauses import Pause
from bot.facts.settle import close
from bot.facts.told import tell
from bot.postgres.fact import Fact
from bot.postgres.rows import Approval


class KeepsChanging(SignoffError):
    """A workflow asks something else at every run, so that no answer to it can ever hold."""

    def __init__(self) -> None:
        super().__init__(
            f"What it asks, or its basis, had changed after each of {MOST_REFUSALS} answers in a row. "
            "Derive both from what is being decided, never from the time or chance, and retry it."
        )


class AnswerRefused(SignoffError):
    """A graph's own model refused what nobody decided who could be asked again."""

    def __init__(self, approval: Approval, decision: Decision, why: str) -> None:
        super().__init__(
            f"What {decision.by.kind} decided about “{approval.request.title[:100]}” was refused by the "
            f"workflow's own check: {why}. Fix the check and retry it, or cancel it."
        )


async def supersede(
    fact: Fact, approval: Approval, pause: Pause, at: datetime, *, refused: str | None = None
) -> None:
    """Close an approval whose pause asks something else, or asks again, and tell its deciders.

    `refused` is why its graph's model did not take the answer, where it was that. Raises like
    `refuse_to_go_round`.
    """
    refuse_to_go_round(approval, refused)
    decision = approval.decision
    await close(fact, approval, "superseded", why_anew(approval, refused), at)
    if decision and approval.request.basis != pause.asked.request.basis:
        fact.audit(approval.thread_id, "approval.stale", "signoff", _moved(approval, decision, pause))
    for vote in decision.votes if decision and decision.by.kind == "human" else ():
        tell(fact, approval, vote.user, "superseded")


def why_anew(approval: Approval, refused: str | None) -> str:
    """Say why a new card asks instead of this one, which is closed already or was answered in vain."""
    if refused is not None:
        return f"the workflow's own check refused the answer ({refused})"
    match approval.status:
        case "cancelled":
            return "the workflow had failed, and was retried"
        case "orphaned":
            return "the workflow had lost its place here, and is back"
        case _:
            return "what was asked changed after the decision"


def refuse_to_go_round(approval: Approval, refused: str | None = None) -> None:
    """Raise `KeepsChanging` where this answer is one too many that came to nothing.

    One that a model `refused` is asked of people as often as they answer; the clock and policy would only
    say the same again: `AnswerRefused`.
    """
    decision = approval.decision
    if decision and refused is None and approval.asked_again + 1 >= MOST_REFUSALS:
        raise KeepsChanging
    if decision and refused is not None and decision.by.kind != "human":
        raise AnswerRefused(approval, decision, refused)


def _moved(approval: Approval, decision: Decision, pause: Pause) -> dict[str, Any]:
    return {
        "approval_id": approval.approval_id,
        "interrupt_id": approval.interrupt_id,
        "verdict": decision.verdict,
        "decided_on": approval.request.basis,
        "basis": pause.asked.request.basis,
    }
