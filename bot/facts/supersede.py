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
    why = "what was asked changed after the decision" if decision else "it is asked again"
    if refused is not None:
        why = f"the workflow's own check refused the answer: {refused}"
    await close(fact, approval, "superseded", why, at)
    if decision and approval.request.basis != pause.asked.request.basis:
        fact.audit(approval.thread_id, "approval.stale", "signoff", _moved(approval, decision, pause))
    for vote in decision.votes if decision and decision.by.kind == "human" else ():
        tell(fact, approval, vote.user, "superseded" if refused is None else "refused", refused)


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
