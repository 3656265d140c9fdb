"""What deciding is called: a proposal is approved, a question answered, several actions are decided each."""

from __future__ import annotations

from typing import Literal

from bot.postgres.rows import Approval

Manner = Literal["approve", "answer", "each"]


def manner(approval: Approval) -> Manner:
    """Tell how people decide it in its form, or by its options."""
    if approval.dialect == "schema" and "approve" not in approval.request.allow:
        return "answer"
    return "each" if approval.answering is not None and approval.answering.several else "approve"


def ending(approval: Approval) -> str | None:
    """Say what ends the workflow, since its graph has no word for it; None where every answer goes on."""
    if approval.answering is None:
        return None
    ends = approval.answering.ends
    rejecting = "reject" in approval.request.allow and ends("reject")
    answering = "respond" in approval.request.allow and ends("respond")
    if rejecting and answering:
        return "Rejecting it, or answering in words, ends the workflow."
    return "Rejecting it ends the workflow." if rejecting else None
