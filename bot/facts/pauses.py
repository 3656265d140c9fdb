"""A graph has paused: the approval row, its policy and SLA in force, and the card it wants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from psycopg.types.json import Json, Jsonb

from bot import metrics
from bot.approvals import sla as sla_rules
from bot.approvals.autonomy import by_policy
from bot.approvals.canonical import payload_hash
from bot.approvals.changes import Change
from bot.approvals.correction import Correction
from bot.approvals.decision import Decision
from bot.approvals.dialects import Answering, Asked, read
from bot.approvals.policy import Policy, tighten
from bot.approvals.request import ApprovalRequest
from bot.approvals.since import since
from bot.approvals.sla import Fallback, Sla
from bot.approvals.workflow import Workflow
from bot.facts.settle import card_id
from bot.facts.told import tell
from bot.postgres.fact import HIGH_RISK, Fact, NewMessage
from bot.postgres.rows import Approval, Thread


@dataclass(frozen=True)
class Pause:
    """One interrupt of a graph, read: LangGraph's id of it, and what it asks."""

    interrupt_id: str
    asked: Asked
    payload: dict[str, Any]
    digest: str

    @classmethod
    def of(cls, interrupt_id: str, value: Any, response_schema: dict[str, Any] | None = None) -> Pause:
        """Read an interrupt; raises `BadRequest` where it cannot be asked about."""
        return cls.asking(interrupt_id, read(value, response_schema))

    @classmethod
    def asking(cls, interrupt_id: str, asked: Asked) -> Pause:
        """Take what an interrupt asks; raises `BadRequest` where that cannot be shown or stored."""
        payload = asked.request.payload()
        return cls(interrupt_id, asked, payload, payload_hash(payload))


async def register(
    fact: Fact,
    thread: Thread,
    workflow: Workflow,
    pause: Pause,
    now: datetime,
    *,
    follows: Approval | None = None,
    correction: Correction | None = None,
) -> Decision | None:
    """Record a new pause; returns the policy's decision where it is left to that.

    `follows` is the approval of the same pause that was superseded, `correction` what may be put right of
    the state.
    """
    approval = found(thread, workflow, pause, now, follows=follows)
    if approval.decision is not None:
        correction = None
    decision = approval.decision
    await fact.conn.execute(
        _INSERT,
        {
            "approval_id": approval.approval_id,
            "thread_id": approval.thread_id,
            "interrupt_id": approval.interrupt_id,
            "revision": approval.revision,
            "asked_again": approval.asked_again,
            "changed": _as_json(approval.changed),
            "correction": correction and Json(correction.to_json()),
            "status": approval.status,
            "dialect": approval.dialect,
            "answering": _kept(approval),
            "request": Json(approval.asked),
            "hash": approval.payload_hash,
            "proposal": Json(approval.proposal),
            "policy": Jsonb(approval.policy.model_dump(mode="json")),
            "sla": Jsonb(approval.sla.model_dump(mode="json")),
            "notices": list(approval.notices),
            "channel": approval.channel,
            "next_at": approval.next_at,
            "decision": Json(decision.answer()) if decision else None,
            "decided_at": approval.decided_at,
            "now": approval.created_at,
        },
    )
    if decision is None:
        fact.post(_card(approval))
    else:
        metrics.decided(decision.verdict, decision.by.kind)
    _audit(fact, thread, approval, pause)
    return decision


def found(
    thread: Thread, workflow: Workflow, pause: Pause, now: datetime, *, follows: Approval | None = None
) -> Approval:
    """Return the approval of a new pause, decided already where it is left to policy.

    One that `follows` another counts its revisions on, and knows what changed since.
    """
    request = pause.asked.request
    policy, sla, notices = in_force(workflow, request)
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
        payload_hash=pause.digest,
        proposal=request.proposal,
        edited_by=None,
        policy=policy,
        sla=sla,
        notices=notices,
        channel=workflow.channel,
        delivery="pending",
        delivery_error=None,
        delivered_at=None,
        steps_done=0,
        next_at=due,
        due_at=due,
        decision=decision,
        decided_at=decision.decided_at if decision else None,
        applying_at=None,
        applied_at=None,
        created_at=now,
        changed=since(follows.request, request) if follows else (),
        asked_again=follows.asked_again + 1 if follows and follows.decision else 0,
        answering=Answering.to(pause.asked, workflow.reply),
    )


def _audit(fact: Fact, thread: Thread, approval: Approval, pause: Pause) -> None:
    decision = approval.decision
    fact.audit(
        thread.thread_id,
        "approval.decided" if decision else "approval.asked",
        "policy" if decision else thread.workflow,
        {
            "approval_id": approval.approval_id,
            "interrupt_id": pause.interrupt_id,
            "payload_hash": pause.digest,
            "request": pause.payload,
            "policy": approval.policy.model_dump(mode="json"),
            "refused": list(approval.notices),
            **({"decision": decision.answer()} if decision else {}),
        },
    )


async def revise(fact: Fact, approval: Approval, pause: Pause, workflow: Workflow) -> None:
    """The same pause asks something else now: a new revision, and the card drawn again with what changed.

    Earlier votes are void, and who cast them is told.
    """
    now = revised(approval, pause, workflow)
    await fact.conn.execute(
        _REVISE,
        {
            "id": now.approval_id,
            "dialect": now.dialect,
            "answering": _kept(now),
            "request": Json(now.asked),
            "hash": now.payload_hash,
            "proposal": Json(now.proposal),
            "policy": Jsonb(now.policy.model_dump(mode="json")),
            "sla": Jsonb(now.sla.model_dump(mode="json")),
            "notices": list(now.notices),
            "changed": _as_json(now.changed),
        },
    )
    for user in await _voters(fact, approval):
        tell(fact, approval, user, "revised")
    fact.redraw_cards(now.approval_id)
    fact.audit(
        now.thread_id,
        "approval.revised",
        "signoff",
        {
            "approval_id": now.approval_id,
            "revision": now.revision,
            "payload_hash": now.payload_hash,
            "request": now.asked,
        },
    )


def revised(approval: Approval, pause: Pause, workflow: Workflow) -> Approval:
    """Return the approval as its pause asks now; whoever was added by an escalation that came stays added."""
    request = pause.asked.request
    policy, sla, notices = in_force(workflow, request)
    return replace(
        approval,
        revision=approval.revision + 1,
        dialect=pause.asked.dialect,
        answering=Answering.to(pause.asked, workflow.reply),
        asked=pause.payload,
        payload_hash=pause.digest,
        proposal=request.proposal,
        edited_by=None,
        policy=policy.with_approvers(_escalated(approval)),
        sla=sla,
        notices=notices,
        changed=since(approval.request, request),
    )


def _kept(approval: Approval) -> Json | None:
    return Json(approval.answering.to_json()) if approval.answering else None


def in_force(workflow: Workflow, request: ApprovalRequest) -> tuple[Policy, Sla, tuple[str, ...]]:
    """Return the policy and SLA in force, and a line for each wish of the request that was refused."""
    policy, sla = workflow.policy, workflow.sla
    notices: list[str] = []
    if request.policy is not None:
        policy, refused = tighten(policy, request.policy)
        notices += refused
    if request.sla is not None:
        try:
            sla = sla_rules.tighten(sla, request.sla)
        except sla_rules.Loosens as error:
            notices.append(f"{error}; the workflow's stays in force")
            sla = _at_least_the_fallback(sla, request.sla)
    if request.auto is not None and not workflow.declared:
        notices.append("auto: a graph without a declaration may not decide by itself")
    return policy, sla, tuple(notices)


def _as_json(changed: Iterable[Change]) -> Json:
    return Json([change.to_json() for change in changed])


async def _voters(fact: Fact, approval: Approval) -> list[str]:
    """Return who voted on the revision as it stands."""
    found = await fact.conn.execute(_VOTERS, {"id": approval.approval_id, "revision": approval.revision})
    return [row["user_id"] for row in await found.fetchall()]


def _escalated(approval: Approval) -> list[str]:
    if approval.delivered_at is None:
        return []
    steps = sla_rules.timetable(approval.sla, approval.delivered_at)[: approval.steps_done]
    return [name for step in steps for name in step.approvers]


def _at_least_the_fallback(sla: Sla, wish: Sla) -> Sla:
    if "fallback" in wish.model_fields_set and not wish.fallback.runs_something:
        return sla.model_copy(update={"fallback": Fallback(kind=wish.fallback.kind)})
    return sla


def _card(approval: Approval) -> NewMessage:
    return NewMessage(
        card_id(approval.approval_id),
        "card",
        target=approval.channel,
        approval_id=approval.approval_id,
        thread_id=approval.thread_id,
        priority=HIGH_RISK if approval.request.risk == "high" else None,
    )


_INSERT = """
insert into approvals (approval_id, thread_id, interrupt_id, revision, asked_again, changed, correction,
                       status, dialect, answering, request, payload_hash, proposal, policy, sla, notices,
                       channel, next_at, due_at, decision, decided_at, created_at)
values (%(approval_id)s, %(thread_id)s, %(interrupt_id)s, %(revision)s, %(asked_again)s, %(changed)s,
        %(correction)s, %(status)s, %(dialect)s, %(answering)s, %(request)s, %(hash)s, %(proposal)s,
        %(policy)s, %(sla)s, %(notices)s, %(channel)s, %(next_at)s, %(next_at)s, %(decision)s, %(decided_at)s,
        %(now)s)
"""

_REVISE = """
update approvals
set revision = revision + 1, dialect = %(dialect)s, answering = %(answering)s, request = %(request)s,
    payload_hash = %(hash)s, proposal = %(proposal)s, policy = %(policy)s, sla = %(sla)s,
    notices = %(notices)s, changed = %(changed)s, edited_by = null
where approval_id = %(id)s and status = 'pending'
"""

_VOTERS = "select user_id from votes where approval_id = %(id)s and revision = %(revision)s order by user_id"
