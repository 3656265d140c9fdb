"""What a graph asks where it paused, as an approval: the policy and SLA in force, and what has changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from bot.approvals import sla as sla_rules
from bot.approvals.autonomy import by_policy
from bot.approvals.dialects import Answering, Asked, read
from bot.approvals.policy import Policy, tighten
from bot.approvals.request import ApprovalRequest
from bot.approvals.since import since
from bot.approvals.sla import Sla
from bot.approvals.workflow import Workflow
from bot.facts.deadlines import under
from bot.postgres.rows import Approval, Thread

_REFUSED = "Asked again, since the workflow's own check refused the last answer: {}"


@dataclass(frozen=True)
class Pause:
    """One interrupt of a graph, read: LangGraph's id of it, and what it asks."""

    interrupt_id: str
    asked: Asked
    payload: dict[str, Any]
    payload_hash: str

    @classmethod
    def of(cls, interrupt_id: str, value: Any, response_schema: dict[str, Any] | None = None) -> Pause:
        """Read an interrupt; raises `BadRequest` where it cannot be asked about."""
        return cls.asking(interrupt_id, read(value, response_schema))

    @classmethod
    def asking(cls, interrupt_id: str, asked: Asked) -> Pause:
        """Take what an interrupt asks; raises `BadRequest` where that cannot be shown or stored."""
        payload, of = asked.request.hashed()
        return cls(interrupt_id, asked, payload, of)


def found(
    thread: Thread,
    workflow: Workflow,
    pause: Pause,
    now: datetime,
    *,
    follows: Approval | None = None,
    refused: str | None = None,
) -> Approval:
    """Return the approval of a new pause, decided already where it is left to policy.

    One that `follows` another counts its revisions on, knows what changed since, or why the workflow's own
    model `refused` the answer, and keeps whom an escalation added: they may have given what was not used.
    """
    request = pause.asked.request
    policy, sla, notices = in_force(workflow, request)
    escalated = follows.escalated if follows else ()
    decision = by_policy(request, workflow, thread.autonomy, now)
    # Until the card is delivered the deadline counts from now: what nobody ever saw is rejected then.
    due = sla.due(now) if decision is None else None
    return Approval(
        approval_id=uuid4().hex,
        thread_id=thread.thread_id,
        interrupt_id=pause.interrupt_id,
        status="decided" if decision else "pending",
        revision=follows.revision + 1 if follows else 1,
        dialect=pause.asked.dialect,
        asked=pause.payload,
        payload_hash=pause.payload_hash,
        proposal=_filled_in(follows, pause) if follows and refused else request.proposal,
        policy=policy.with_approvers(escalated),
        sla=sla,
        notices=(_REFUSED.format(refused), *notices) if refused else notices,
        channel=workflow.channel,
        next_at=due,
        due_at=due,
        decision=decision,
        decided_at=decision.decided_at if decision else None,
        created_at=now,
        changed=since(follows.request, request) if follows else (),
        asked_again=_in_vain(follows, refused) if follows and follows.decision else 0,
        escalated=escalated,
        answering=Answering.to(pause.asked, workflow.reply),
    )


def _in_vain(follows: Approval, refused: str | None) -> int:
    """Count the answers in a row that came to nothing; what a model refuses once, as each takes a person."""
    return max(follows.asked_again, 1) if refused else follows.asked_again + 1


def _filled_in(follows: Approval, pause: Pause) -> Any:
    """Return what to start from: in a question's form all that was filled in, as its card says, and is wrong.

    A proposal that could be approved as it stands is the workflow's, and not what was just refused.
    """
    decision, request = follows.decision, pause.asked.request
    is_answer = decision is not None and decision.approved and "approve" not in request.allow
    same = follows.payload_hash == pause.payload_hash
    return decision.proposal if decision and is_answer and same else request.proposal


def revised(approval: Approval, pause: Pause, workflow: Workflow) -> Approval:
    """Return the approval as its pause asks now; whoever was added by an escalation that came stays added."""
    request = pause.asked.request
    policy, sla, notices = in_force(workflow, request)
    return replace(
        under(sla, approval),
        revision=approval.revision + 1,
        dialect=pause.asked.dialect,
        answering=Answering.to(pause.asked, workflow.reply),
        asked=pause.payload,
        payload_hash=pause.payload_hash,
        proposal=request.proposal,
        edited_by=None,
        policy=policy.with_approvers(approval.escalated),
        notices=notices,
        changed=since(approval.request, request),
    )


def in_force(workflow: Workflow, request: ApprovalRequest) -> tuple[Policy, Sla, tuple[str, ...]]:
    """Return the policy and SLA in force, and a line for each wish of the request that was refused."""
    policy, sla = workflow.policy, workflow.sla
    notices: list[str] = []
    if request.policy is not None:
        policy, refused = tighten(policy, request.policy)
        notices += refused
    if request.sla is not None:
        sla, refused = sla_rules.tighten(sla, request.sla)
        notices += refused
    if request.auto is not None and not workflow.declared:
        notices.append("auto: a graph without a declaration may not decide by itself")
    return policy, sla, tuple(notices)
