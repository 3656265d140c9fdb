"""What policy decides without asking anybody: a request that is left to it, or a whole run."""

from __future__ import annotations

from datetime import datetime

from bot.approvals.decision import By, Decision
from bot.approvals.request import ApprovalRequest
from bot.approvals.states import Autonomy
from bot.approvals.workflow import Workflow

FULL = "autonomy: full"
"""The reason of what was decided because the run was started so."""


def by_policy(
    request: ApprovalRequest, workflow: Workflow, autonomy: Autonomy, now: datetime
) -> Decision | None:
    """Return what policy decides of a request, or None where people are asked.

    In a run with full autonomy, whose workflow still allows it, that is to approve; or the option that the
    workflow's SLA falls back on. People are asked where policy has no answer, as for one in words.
    """
    if request.auto and workflow.declared and "approve" in request.allow:
        return _approved(request, request.auto, now)
    if autonomy != "full" or "full" not in workflow.autonomy:
        return None
    if "approve" in request.allow:
        return _approved(request, FULL, now)
    choice = workflow.sla.fallback.choice
    if choice is None or all(option.id != choice for option in request.options):
        return None
    return Decision(verdict="choose", by=By(kind="policy"), choice=choice, reason=FULL, decided_at=now)


def _approved(request: ApprovalRequest, why: str, now: datetime) -> Decision:
    by = By(kind="policy")
    return Decision(verdict="approve", by=by, proposal=request.proposal, reason=why, decided_at=now)
