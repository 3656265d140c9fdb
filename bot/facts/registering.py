"""A graph has paused, or its pause asks something else: the approval's row, and the card it wants."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.types.json import Json, Jsonb

from bot import metrics
from bot.approvals.confidential import veiled_proposal
from bot.approvals.correction import Correction
from bot.approvals.decision import Decision
from bot.approvals.workflow import Workflow
from bot.facts.messages import card_id
from bot.facts.pauses import Pause, found, revised
from bot.facts.told import tell
from bot.postgres.fact import HIGH_RISK, Fact, NewMessage
from bot.postgres.rows import Approval, Thread


async def register(
    fact: Fact,
    thread: Thread,
    workflow: Workflow,
    pause: Pause,
    now: datetime,
    *,
    follows: Approval | None = None,
    refused: str | None = None,
    correction: Correction | None = None,
) -> Decision | None:
    """Record a new pause; returns the policy's decision where it is left to that.

    `follows` is the approval of the same pause that was superseded, `refused` why its graph did not take the
    answer, `correction` what may be put right of the state.
    """
    approval = found(thread, workflow, pause, now, follows=follows, refused=refused)
    decision = approval.decision
    if decision is not None:
        correction = None
    await fact.conn.execute(
        _INSERT,
        {
            "approval_id": approval.approval_id,
            "thread_id": approval.thread_id,
            "interrupt_id": approval.interrupt_id,
            "revision": approval.revision,
            "asked_again": approval.asked_again,
            "correction": correction and Json(correction.to_json()),
            "status": approval.status,
            "channel": approval.channel,
            "next_at": approval.next_at,
            "decision": Json(decision.answer()) if decision else None,
            "decided_at": approval.decided_at,
            "escalated": list(approval.escalated),
            "now": approval.created_at,
            **_asked(approval),
        },
    )
    if decision is None:
        fact.post(_card(approval, pause))
    else:
        metrics.decided(decision.verdict, decision.by.kind)
    _audit(fact, thread, approval, pause)
    return decision


def _audit(fact: Fact, thread: Thread, approval: Approval, pause: Pause) -> None:
    decision = approval.decision
    fact.audit(
        thread.thread_id,
        "approval.decided" if decision else "approval.asked",
        "policy" if decision else thread.workflow,
        {
            "approval_id": approval.approval_id,
            "interrupt_id": pause.interrupt_id,
            "payload_hash": pause.payload_hash,
            "request": veiled_proposal(pause.payload, approval.confidential),
            "policy": approval.policy.model_dump(mode="json"),
            "refused": list(approval.notices),
            **({"decision": veiled_proposal(decision.answer(), approval.confidential)} if decision else {}),
        },
    )


async def revise(fact: Fact, approval: Approval, pause: Pause, workflow: Workflow) -> None:
    """The same pause asks something else now: a new revision, and the card drawn again with what changed.

    Earlier votes are void, and who cast them is told.
    """
    now = revised(approval, pause, workflow)
    place = {"id": now.approval_id, "done": now.steps_done, "next": now.next_at}
    await fact.conn.execute(_REVISE, place | _asked(now))
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
            "request": veiled_proposal(now.asked, now.confidential),
        },
    )


def _asked(approval: Approval) -> dict[str, Any]:
    """Return the columns of what is asked, which a revision writes anew."""
    answering = approval.answering
    return {
        "dialect": approval.dialect,
        "answering": Json(answering.to_json()) if answering else None,
        "request": Json(approval.asked),
        "hash": approval.payload_hash,
        "proposal": Json(approval.proposal),
        "policy": Jsonb(approval.policy.model_dump(mode="json")),
        "sla": Jsonb(approval.sla.model_dump(mode="json")),
        "notices": list(approval.notices),
        "changed": Json([change.to_json() for change in approval.changed]),
    }


async def _voters(fact: Fact, approval: Approval) -> list[str]:
    """Return who voted on the revision as it stands."""
    found = await fact.conn.execute(_VOTERS, {"id": approval.approval_id, "revision": approval.revision})
    return [row["user_id"] for row in await found.fetchall()]


def _card(approval: Approval, pause: Pause) -> NewMessage:
    return NewMessage(
        card_id(approval.approval_id),
        "card",
        target=approval.channel,
        approval_id=approval.approval_id,
        thread_id=approval.thread_id,
        priority=HIGH_RISK if pause.asked.request.risk == "high" else None,
    )


_INSERT = """
insert into approvals (approval_id, thread_id, interrupt_id, revision, asked_again, changed, correction,
                       status, dialect, answering, request, payload_hash, proposal, policy, sla, notices,
                       channel, next_at, due_at, decision, decided_at, escalated, created_at)
values (%(approval_id)s, %(thread_id)s, %(interrupt_id)s, %(revision)s, %(asked_again)s, %(changed)s,
        %(correction)s, %(status)s, %(dialect)s, %(answering)s, %(request)s, %(hash)s, %(proposal)s,
        %(policy)s, %(sla)s, %(notices)s, %(channel)s, %(next_at)s, %(next_at)s, %(decision)s, %(decided_at)s,
        %(escalated)s, %(now)s)
"""

_REVISE = """
update approvals
set revision = revision + 1, dialect = %(dialect)s, answering = %(answering)s, request = %(request)s,
    payload_hash = %(hash)s, proposal = %(proposal)s, policy = %(policy)s, sla = %(sla)s,
    notices = %(notices)s, changed = %(changed)s, edited_by = null, steps_done = %(done)s, next_at = %(next)s
where approval_id = %(id)s and status = 'pending'
"""

_VOTERS = "select user_id from votes where approval_id = %(id)s and revision = %(revision)s order by user_id"
