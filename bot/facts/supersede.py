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
            f"What it asks, or its basis, was another one after each of {MOST_REFUSALS} answers in a row. "
            "Take both from what the decision is about, never from the time or chance, and retry it."
        )


async def supersede(fact: Fact, approval: Approval, pause: Pause, at: datetime) -> None:
    """Close an approval whose pause asks something else, or asks again, and tell its deciders.

    Raises `KeepsChanging` where too many answers in a row came to nothing.
    """
    refuse_to_go_round(approval)
    decision = approval.decision
    why = "what was asked changed after the decision" if decision else "it is asked again"
    await close(fact, approval, "superseded", why, at)
    if decision and approval.request.basis != pause.asked.request.basis:
        fact.audit(approval.thread_id, "approval.stale", "signoff", _moved(approval, decision, pause))
    for vote in decision.votes if decision and decision.by.kind == "human" else ():
        tell(fact, approval, vote.user, "superseded")


def refuse_to_go_round(approval: Approval) -> None:
    """Raise `KeepsChanging` where this answer is one too many that came to nothing."""
    if approval.decision and approval.asked_again + 1 >= MOST_REFUSALS:
        raise KeepsChanging


def _moved(approval: Approval, decision: Decision, pause: Pause) -> dict[str, Any]:
    return {
        "approval_id": approval.approval_id,
        "interrupt_id": approval.interrupt_id,
        "verdict": decision.verdict,
        "decided_on": approval.request.basis,
        "basis": pause.asked.request.basis,
    }
