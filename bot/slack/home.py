"""The App Home: what waits for me, with its buttons, what I asked for, and what was settled lately."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.approvals.policy import Vote
from bot.postgres.rows import Approval, Thread
from bot.slack import asking
from bot.slack.buttons import decision_buttons
from bot.slack.content import other_fields
from bot.slack.drawn import VIEW_BLOCKS, numbered
from bot.slack.outcome import aftermath, outcome
from bot.slack.rich import markdown, rich_text
from bot.slack.text import Block, context, count, plain, said, section, units, when
from bot.slack.values import Piece, facts, proposal, titles

_WAITING = 12
_LISTED = 10
_SHOWN = 500


@dataclass(frozen=True)
class Entry:
    """An approval with what a list tells of it; `permalink` leads to its card."""

    approval: Approval
    thread: Thread
    votes: tuple[Vote, ...] = ()
    permalink: str | None = None


@dataclass(frozen=True, kw_only=True)
class HomeView:
    """What one person's Home shows; each list in the order in which it is shown.

    `waits` and `asks` count what there is of the first two, where that is more than the lists hold.
    """

    waiting: tuple[Entry, ...] = ()
    asked: tuple[Entry, ...] = ()
    recent: tuple[Entry, ...] = ()
    waits: int = 0
    asks: int = 0
    now: datetime
    groups: Mapping[str, str] = field(default_factory=dict)


def home(view: HomeView) -> Block:
    """Draw the view for views.publish; more than fits is counted and left to the channels."""
    blocks = [_header("Waiting for you")]
    for entry in view.waiting[:_WAITING]:
        blocks += [*_to_decide(entry, view), {"type": "divider"}]
    if not view.waiting:
        blocks.append(section(_EMPTY))
    blocks += _more(max(view.waits, len(view.waiting)) - _WAITING)
    for heading, entries, there_are in (
        ("You asked for", view.asked, view.asks),
        ("Settled lately", view.recent, 0),
    ):
        if entries:
            rows = (section(row(entry, view.now, view.groups, own=True)) for entry in entries[:_LISTED])
            blocks += [_header(heading), *rows, *_more(max(there_are, len(entries)) - _LISTED)]
    kept = [*blocks[: VIEW_BLOCKS - 1], context(f"Updated {when(view.now)}")]
    return {"type": "home", "blocks": numbered(kept, f"home.{int(view.now.timestamp() * 1000)}")}


_EMPTY = (
    "Nothing waits for you. When a workflow needs your approval, its card comes to its channel, "
    "or to you directly, and is listed here with the same buttons. "
    "`/approvals help` says how to start a workflow."
)


def row(entry: Entry, now: datetime, groups: Mapping[str, str] | None = None, *, own: bool = False) -> str:
    """Tell an approval in two lines, with the link to its card.

    With `groups` it says also whom it waits for; to who asked for it (`own`) it need not say who did.
    """
    approval, thread = entry.approval, entry.thread
    title = said(approval.request.title, 200)
    linked = f"<{entry.permalink}|{title}>" if entry.permalink else f"*{title}*"
    settled = outcome(approval, thread)
    if settled is None:
        votes = asking.progress(approval, entry.votes)
        whose = asking.of_workflow(thread) if own else asking.asked_by(thread)
        lines = [whose, asking.deadline(approval, now), *votes[:2]]
        waits = "" if groups is None else f"\n{asking.needs(approval, groups, 10)}"
        return f"{linked}\n{' · '.join(lines)}{waits}"
    after = aftermath(approval, thread)
    return f"{linked}\n{settled.replace(chr(10), ' ')}" + (f"\n{after}" if after else "")


def _to_decide(entry: Entry, view: HomeView) -> Iterator[Block]:
    approval = entry.approval
    request = approval.request
    yield section(row(entry, view.now, view.groups if approval.policy.approvals > 1 else None))
    summary = request.summary or ""
    pieces = [
        Piece(markdown(summary, _SHOWN), units(summary) <= _SHOWN),
        facts(other_fields(approval).items(), _SHOWN),
        proposal(approval.proposal, _SHOWN, called=titles(request.proposal_schema)),
    ]
    elements = [element for piece in pieces for element in piece.elements]
    if elements:
        yield rich_text(*elements)
    unseen = bool(request.links or request.options)
    yield from decision_buttons(approval, whole=not unseen and all(piece.whole for piece in pieces))


def _header(text: str) -> Block:
    return {"type": "header", "text": plain(text, 150)}


def _more(left: int) -> list[Block]:
    return (
        [context(f"And {count(left, 'more approval')}; their cards are in their channels.")]
        if left > 0
        else []
    )
