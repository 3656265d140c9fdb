"""What the clock decides where nobody did: never shown as a person's answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.approvals.decision import By, Decision
from bot.approvals.request import ApprovalRequest
from bot.approvals.sla import Fallback

TIMEOUT = "sla_timeout"
NEVER_DELIVERED = "never_delivered"


def timed_out(request: ApprovalRequest, fallback: Fallback, *, delivered: bool, at: datetime) -> Decision:
    """Return the decision of the fallback; what was never delivered, or cannot be chosen, is rejected.

    A fallback that runs something runs what the workflow drafted: an edit that too few people stood behind
    is dropped.
    """
    chosen: dict[str, Any] = {"verdict": "reject", "reason": TIMEOUT if delivered else NEVER_DELIVERED}
    if delivered:
        chosen |= _chosen(request, fallback)
    return Decision(by=By(kind="timeout"), proposal=request.proposal, decided_at=at, **chosen)


def _chosen(request: ApprovalRequest, fallback: Fallback) -> dict[str, Any]:
    match fallback.kind:
        case "approve":
            return {"verdict": "approve"}
        case "as_drafted":
            return {"verdict": "approve", "forced": True}
        case "choose" if any(option.id == fallback.choice for option in request.options):
            return {"verdict": "choose", "choice": fallback.choice}
        case _:
            return {}
