"""How an approval ends, whoever ended it: the row, its cards, the people who want to know, the graph."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from psycopg.types.json import Json

from bot import metrics
from bot.approvals.confidential import veiled_proposal
from bot.approvals.decision import Decision
from bot.facts.messages import outcome_id, under_card
from bot.postgres.fact import ANSWERED, SETTLE, Fact, NewMessage
from bot.postgres.rows import Approval, Thread


async def settle(
    fact: Fact,
    approval: Approval,
    thread: Thread,
    decision: Decision,
    *,
    status: Literal["decided", "expired"],
) -> None:
    """Record the decision of a pending approval whose row the caller holds locked.

    The transaction fails (psycopg's RaiseException) where it is not pending.
    """
    await fact.conn.execute(
        _SETTLE,
        {
            "id": approval.approval_id,
            "status": status,
            "decision": Json(decision.answer()),
            "at": decision.decided_at,
            "proposal": Json(decision.proposal),
            "revision": approval.revision,
            "edited_by": approval.edited_by,
            "otherwise": f"approval {approval.approval_id} is not pending, or its row was not held",
        },
    )
    metrics.decided(decision.verdict, decision.by.kind)
    fact.redraw_cards(approval.approval_id, SETTLE)
    fact.advance(thread.thread_id, ANSWERED if status == "decided" else 0)
    tell_outcome(fact, approval, thread, status)
    fact.audit(thread.thread_id, f"approval.{status}", _actor(decision), _record(approval, decision))


def tell_outcome(fact: Fact, approval: Approval, thread: Thread, event: str) -> None:
    """Tell the requester, in the card's thread and directly; everybody else has the card itself."""
    if not thread.requester:
        return
    fact.post(_reply(approval, event))
    fact.post(
        NewMessage(
            outcome_id(approval.approval_id),
            "outcome",
            target=thread.requester,
            approval_id=approval.approval_id,
            thread_id=thread.thread_id,
        )
    )


def _reply(approval: Approval, event: str) -> NewMessage:
    return under_card(approval, "note", "outcome", {"event": event})


async def call_off(fact: Fact, approval: Approval, thread: Thread, why: str, at: datetime) -> None:
    """End a pending approval with its thread, and tell who asked for it."""
    await close(fact, approval, "cancelled", why, at)
    tell_outcome(fact, approval, thread, "cancelled")


async def close(
    fact: Fact,
    approval: Approval,
    status: Literal["cancelled", "superseded", "orphaned"],
    why: str,
    at: datetime,
) -> None:
    """End an approval that no longer waits for an answer, without a decision of its own."""
    await fact.conn.execute(_CLOSE, {"id": approval.approval_id, "status": status, "why": why, "at": at})
    fact.redraw_cards(approval.approval_id, SETTLE)
    if approval.status != "pending":  # its requester was told how it ended, and that has come to nothing
        fact.redraw(_reply(approval, status).message_id)
        fact.redraw(outcome_id(approval.approval_id))
    fact.audit(
        approval.thread_id,
        f"approval.{status}",
        "signoff",
        {"approval_id": approval.approval_id, "interrupt_id": approval.interrupt_id, "why": why},
    )


def _actor(decision: Decision) -> str:
    return decision.by.user or {"policy": "policy", "timeout": "clock", "human": "human"}[decision.by.kind]


def _record(approval: Approval, decision: Decision) -> dict[str, Any]:
    return {
        "approval_id": approval.approval_id,
        "interrupt_id": approval.interrupt_id,
        "revision": approval.revision,
        "payload_hash": approval.payload_hash,
        "decision": veiled_proposal(decision.answer(), approval.confidential),
    }


_SETTLE = """
with settled as (
    update approvals
    set status = %(status)s, decision = %(decision)s, decided_at = %(at)s, proposal = %(proposal)s,
        revision = %(revision)s, edited_by = %(edited_by)s, next_at = null
    where approval_id = %(id)s and status = 'pending'
    returning approval_id
)
select signoff_insist(exists (select from settled), %(otherwise)s)
"""

_CLOSE = """
update approvals
set status = %(status)s, closed_why = %(why)s, decided_at = coalesce(decided_at, %(at)s), next_at = null
where approval_id = %(id)s
"""
