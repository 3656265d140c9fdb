"""The App Home: what waits for me, with its buttons, what I asked for, and what was settled lately."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from bot.postgres.inbox import Inbox, Item
from bot.slack.blocks.drawn import VIEW_BLOCKS, numbered
from bot.slack.blocks.rich import markdown, rich_text
from bot.slack.blocks.text import Block, context, count, escape, header, is_told, line, said, section, when
from bot.slack.blocks.values import Piece, facts, titles
from bot.slack.cards import asking
from bot.slack.cards.buttons import decision_buttons
from bot.slack.cards.content import other_fields, shown_now
from bot.slack.cards.outcome import aftermath, outcome
from bot.slack.cards.proposed import proposal

_WAITING = 12
_LISTED = 10
_SHOWN = 500
_TITLE = 200


def home(inbox: Inbox, groups: Mapping[str, str]) -> Block:
    """Draw the view for views.publish; more than fits is counted and left to the channels.

    `groups` knows the Slack id of each `@handle` that resolved.
    """
    now = inbox.now
    blocks = [header("Waiting for you")]
    for item in inbox.waiting[:_WAITING]:
        blocks += [*_to_decide(item, now, groups), {"type": "divider"}]
    if not inbox.waiting:
        blocks.append(section(_EMPTY))
    blocks += _more(inbox.waits - _WAITING)
    for heading, items, there_are in (
        ("You asked for", inbox.asked, inbox.asks),
        ("Settled lately", inbox.recent, len(inbox.recent)),
    ):
        if items:
            rows = (section(row(item, now, groups, own=True)) for item in items[:_LISTED])
            blocks += [header(heading), *rows, *_more(there_are - _LISTED)]
    kept = [*blocks[: VIEW_BLOCKS - 1], context(f"Updated {when(now)}")]
    return {"type": "home", "blocks": numbered(kept, f"home.{int(now.timestamp() * 1000)}")}


_EMPTY = (
    "Nothing waits for you. When a workflow needs your approval, its card comes to its channel, "
    "or to you directly, and is listed here with the same buttons. "
    "`/approvals help` says how to start a workflow."
)


def row(item: Item, now: datetime, groups: Mapping[str, str] | None = None, *, own: bool = False) -> str:
    """Tell an approval in two lines, with the link to its card.

    With `groups` it says also whom it waits for; to who asked for it (`own`) it need not say who did.
    """
    approval, thread = item.approval, item.thread
    title = said(approval.request.title, _TITLE)
    linked = f"<{item.permalink}|{title}>" if item.permalink else f"*{title}*"
    settled = outcome(approval, thread)
    if settled is None:
        votes = asking.progress(approval, item.votes)
        whose = asking.of_workflow(thread) if own else asking.asked_by(thread)
        lines = [whose, asking.deadline(approval, now), *votes[:2]]
        waits = "" if groups is None else f"\n{asking.needs(approval, groups, 10)}"
        return f"{linked}\n{' · '.join(lines)}{waits}"
    after = aftermath(approval, thread)
    return f"{linked}\n{settled.replace(chr(10), ' ')}" + (f"\n{after}" if after else "")


def _to_decide(item: Item, now: datetime, groups: Mapping[str, str]) -> Iterator[Block]:
    approval = item.approval
    request = approval.request
    yield section(row(item, now, groups if approval.policy.approvals > 1 else None))
    summary = request.summary or ""
    pieces = [
        Piece(markdown(summary, _SHOWN), is_told(summary.strip(), _SHOWN)),
        facts(other_fields(approval).items(), _SHOWN),
        proposal(shown_now(approval), _SHOWN, called=titles(request.proposal_schema)),
    ]
    elements = [element for piece in pieces for element in piece.elements]
    if elements:
        yield rich_text(*elements)
    unseen = request.links or request.options or not is_told(escape(line(request.title)), _TITLE)
    yield from decision_buttons(approval, whole=not unseen and all(piece.whole for piece in pieces))


def _more(left: int) -> list[Block]:
    return (
        [context(f"And {count(left, 'more approval')}; their cards are in their channels.")]
        if left > 0
        else []
    )
