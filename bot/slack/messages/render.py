"""What a claimed message shows: the one place that knows which builder draws which kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.facts.claims import Claim
from bot.postgres.rows import Approval, MessageKind, Thread
from bot.slack.blocks.drawn import Drawn
from bot.slack.cards.card import Audience, CardView, card
from bot.slack.messages.digest import continued
from bot.slack.messages.notes import note


def render(claimed: Claim) -> Drawn:
    """Draw a message from its row and the rows it shows."""
    message = claimed.message
    permalink = _permalink(claimed)
    if message.kind in ("card", "direct_card") and claimed.approval and claimed.thread:
        return card(
            CardView(
                approval=_as_delivered(claimed.approval, message.kind, claimed.now),
                thread=claimed.thread,
                now=claimed.now,
                message_id=message.message_id,
                version=message.wanted,
                votes=claimed.votes,
                groups=claimed.groups,
                audience=_audience(claimed, claimed.approval, claimed.thread),
                permalink=permalink if message.kind == "direct_card" else None,
            )
        )
    if message.kind == "digest":
        page = Drawn(message.body["text"], message.body["blocks"], message.body.get("metadata"))
        return page if permalink is None else continued(page, permalink)
    linked = replace(message, body={"permalink": permalink, **message.body})
    return note(linked, claimed.approval, claimed.thread, groups=claimed.groups, now=claimed.now)


def _audience(claimed: Claim, approval: Approval, thread: Thread) -> Audience:
    """Say who reads a card: its channel, or one person, who may be asked no more.

    Groups change, and a request that is revised may ask fewer.
    """
    if claimed.message.kind == "card":
        return "channel"
    own = claimed.message.target in thread.own and not approval.policy.self_approval
    return "direct" if claimed.is_listed and not own else "former"


def _as_delivered(approval: Approval, kind: MessageKind, now: datetime) -> Approval:
    """Return what waits for its card as that is once it is delivered, with the deadline that this gives it.

    Where Slack refuses the card for good, copies of it show the deadline that there is.
    """
    waits = approval.status == "pending" and approval.delivered_at is None
    if waits and (kind == "card" or approval.delivery == "pending"):
        return replace(approval, due_at=approval.sla.due(now), delivery="delivered")
    return approval


def _permalink(claimed: Claim) -> str | None:
    """Return the address of the card that a message is about.

    Slack's permalinks follow from the workspace's address, the channel and the ts, as chat.getPermalink
    shows; asking for each would cost a call.
    """
    if claimed.card is None or claimed.workspace_url is None:
        return None
    return permalink(claimed.workspace_url, *claimed.card)


def permalink(workspace_url: str, channel: str, ts: str) -> str:
    return f"{workspace_url.rstrip('/')}/archives/{channel}/p{ts.replace('.', '')}"
