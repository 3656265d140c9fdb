"""What the clock decides where nobody did: never shown as a person's answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.approvals.decision import By, Decision
from bot.approvals.dialects.answering import Answering
from bot.approvals.dialects.asked import End
from bot.approvals.errors import BadAnswer
from bot.approvals.policy import Vote
from bot.approvals.request import ApprovalRequest
from bot.approvals.sla import Fallback

TIMEOUT = "sla_timeout"
NEVER_DELIVERED = "never_delivered"


def timed_out(
    request: ApprovalRequest,
    fallback: Fallback,
    *,
    delivered: bool,
    at: datetime,
    answering: Answering | None = None,
    votes: tuple[Vote, ...] = (),
) -> Decision:
    """Return the decision of the fallback, with the votes that were too few; undelivered, it is rejected.

    So is what the request does not offer, or its graph does not take for an answer. A fallback that runs
    something runs what the workflow drafted: an edit that too few people stood behind is dropped.
    """
    if not delivered:
        return _decision(request, at, {"verdict": "reject", "reason": NEVER_DELIVERED})
    late: dict[str, Any] = {"reason": TIMEOUT, "votes": votes}
    decision = _decision(request, at, late | _chosen(fallback))
    if decision.rejected or (_is_offered(request, decision, answering) and _is_taken(decision, answering)):
        return decision
    return _decision(request, at, late | {"verdict": "reject"})


def silence(votes: Sequence[Vote]) -> str:
    """Say what the deadline found: "nobody answered", or "too few answered" where several must."""
    return "too few answered" if votes else "nobody answered"


def fell_short(decision: Decision, fallback: Fallback) -> bool:
    """Whether the declared fallback would run something, but was no answer to what was asked."""
    return decision.rejected and decision.reason == TIMEOUT and fallback.runs_something


def _decision(request: ApprovalRequest, at: datetime, chosen: dict[str, Any]) -> Decision:
    return Decision(by=By(kind="timeout"), proposal=request.proposal, decided_at=at, **chosen)


def _chosen(fallback: Fallback) -> dict[str, Any]:
    match fallback.kind:
        case "approve":
            return {"verdict": "approve"}
        case "as_drafted":
            return {"verdict": "approve", "forced": True}
        case "choose":
            return {"verdict": "choose", "choice": fallback.choice}
        case "reject" | "cancel":
            return {"verdict": "reject"}


def _is_offered(request: ApprovalRequest, decision: Decision, answering: Answering | None) -> bool:
    """Whether people could have decided so; of our own requests, a workflow may declare to approve any."""
    if decision.verdict == "choose":
        return any(option.id == decision.choice for option in request.options)
    own = answering is None or answering.dialect == "signoff"
    return own or not {"approve", "edit"}.isdisjoint(request.allow)


def _is_taken(decision: Decision, answering: Answering | None) -> bool:
    """Whether the graph gets it: what would end the thread instead is better told as a no."""
    try:
        return answering is None or not isinstance(answering.judge(decision), End)
    except BadAnswer:
        return False
