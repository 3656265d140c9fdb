"""What a request says, none of it twice."""

from __future__ import annotations

from typing import Any

from bot.approvals.confidential import veiled
from bot.postgres.rows import Approval
from bot.slack.blocks.values import shown, titles


def proposal_now(approval: Approval) -> Any:
    """Return the proposal as it was approved, or as it stands."""
    decision = approval.decision
    return decision.proposal if decision and decision.approved else approval.proposal


def shown_now(approval: Approval) -> Any:
    """Return the proposal as `proposal_now`, for everybody to read."""
    return veiled(proposal_now(approval), approval.confidential)


def other_fields(approval: Approval) -> dict[str, str]:
    """Return the request's fields but for those that its proposal says under the same name, word for word."""
    fields, value = dict(approval.request.fields), shown_now(approval)
    if not isinstance(value, dict):
        return fields
    called = titles(approval.request.proposal_schema)
    there = ((called.get(key, key), item) for key, item in value.items())
    said_there = {(name, shown(item)) for name, item in there if name in fields}
    return {name: text for name, text in fields.items() if (name, text) not in said_there}
