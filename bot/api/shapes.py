"""Threads and approvals as JSON: the contract's names, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from bot.approvals.confidential import veiled_proposal
from bot.postgres.listing import Shown
from bot.postgres.rows import Thread


def thread_json(thread: Thread, approvals: Iterable[Shown]) -> dict[str, Any]:
    return {
        "thread_id": thread.thread_id,
        "workflow": thread.workflow,
        "status": thread.status,
        "autonomy": thread.autonomy,
        "result": thread.result,
        "error": thread.error,
        "approvals": [approval_json(shown) for shown in approvals],
    }


def approval_json(shown: Shown) -> dict[str, Any]:
    """Return an approval. `request` is what was asked, its proposal as it stands in this revision.

    `channel` is the card's id once it is posted, before that the name that it goes to.
    """
    approval = shown.approval
    return {
        "approval_id": approval.approval_id,
        "thread_id": approval.thread_id,
        "interrupt_id": approval.interrupt_id,
        "status": approval.status,
        "delivery": approval.delivery,
        "revision": approval.revision,
        "request": veiled_proposal({**approval.asked, "proposal": approval.proposal}, approval.confidential),
        "policy": approval.policy.model_dump(mode="json"),
        "votes": [vote.model_dump(mode="json") for vote in shown.votes],
        "decision": (decided := approval.outcome)
        and veiled_proposal(decided.answer(), approval.confidential),
        "channel": shown.channel_id or approval.channel,
        "message_ts": shown.message_ts,
        "created_at": moment(approval.created_at),
        "delivered_at": moment(approval.delivered_at),
        "due_at": moment(approval.due_at),
        "decided_at": moment(approval.decided_at),
    }


def moment(at: datetime | None) -> str | None:
    """Return a time in UTC as ISO 8601, ending in Z."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
