"""Messages that several facts want: what stands under a card, what ops are told, and a copy that misleads."""

from __future__ import annotations

from typing import Any, Literal

from bot.postgres.fact import NewMessage
from bot.postgres.rows import Approval

CARD = "card:"
"""What the id of each message begins with that shows an approval in its channel."""


def card_id(approval_id: str) -> str:
    """Return the id of the message that shows an approval in its channel."""
    return f"{CARD}{approval_id}"


def outcome_id(approval_id: str) -> str:
    """Return the id of the message that tells the requester directly how it ended."""
    return f"outcome:{approval_id}"


def under_card(
    approval: Approval, kind: Literal["note", "reminder", "escalation"], which: str, body: dict[str, Any]
) -> NewMessage:
    """Reply to the card in its channel; `which` tells the replies of a kind apart."""
    return NewMessage(
        f"{kind}:{approval.approval_id}:{which}",
        kind,
        target=approval.channel,
        approval_id=approval.approval_id,
        thread_id=approval.thread_id,
        parent_id=card_id(approval.approval_id),
        body=body,
    )


def to_ops(
    key: str,
    problem: str,
    command: str,
    *,
    thread_id: str | None,
    approval_id: str | None = None,
    detail: str | None = None,
) -> NewMessage:
    """Tell the ops channel, once for each `key`, what is wrong and the command that mends it."""
    said = {"problem": problem, "command": command} | ({"detail": detail} if detail else {})
    return NewMessage(f"ops:{key}", "ops", target="", approval_id=approval_id, thread_id=thread_id, body=said)


def stray(
    approval_id: str | None, thread_id: str | None, channel: str, ts: str, *, gone: bool = False
) -> NewMessage:
    """Rewrite a copy that nobody noted to point at the live card; or have it `gone`."""
    return NewMessage(
        f"stray:{channel}:{ts}",
        "stray",
        target=channel,
        approval_id=approval_id,
        thread_id=thread_id,
        body={"ts": ts, "gone": gone},
    )
