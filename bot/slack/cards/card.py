"""The card: one function draws an approval in every state, and its buttons survive whatever it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.approvals.changes import changes
from bot.approvals.confidential import veiled_changes
from bot.approvals.policy import Vote, is_user
from bot.postgres.rows import Approval, Thread
from bot.slack.blocks.drawn import Drawn, drawn, is_short
from bot.slack.blocks.rich import ADDRESS, markdown, paragraph, person, quote, rich_text, web_link, words
from bot.slack.blocks.text import (
    HEADER,
    NOTHING,
    Block,
    clean,
    context,
    cut,
    escape,
    header,
    is_told,
    line,
    mention,
    mrkdwn,
    said,
    section,
    units,
)
from bot.slack.blocks.values import Piece, edits, facts, label, titles
from bot.slack.cards import asking
from bot.slack.cards.anew import asked_anew
from bot.slack.cards.buttons import decision_buttons, described, whole_button
from bot.slack.cards.content import other_fields, proposal_now, shown_now
from bot.slack.cards.manner import ending, manner
from bot.slack.cards.outcome import aftermath, outcome
from bot.slack.cards.proposed import proposal

__all__ = ["CardView", "Drawn", "card"]

_LONG_TITLE = 700
_SUMMARY = 1500
_PROPOSAL = 2000
_OPTIONS = 1500
_EDITS = 1500
_FACTS = 1200
_LINKS = 10
_QUOTED = 1000
_NOTICES = 5
_NOTICE = 500
_SHARES = (1.0, 0.7, 0.5, 0.35, 0.2, 0.1, 0.0)
"""How much of each limit is taken, the first with which the whole card is no longer than Slack takes."""


Audience = Literal["channel", "direct", "former"]


@dataclass(frozen=True, kw_only=True)
class CardView:
    """Everything a card shows.

    `version` is the message's wanted version: it makes block ids new. `votes` are those on the approval's
    revision. `groups` knows the Slack id of each `@handle` that resolved. `permalink` is the channel's card,
    for the copy that goes to one person (`direct`), which mentions nobody; once they may not decide any more
    (`former`), it has no buttons to decide with while it is pending.
    """

    approval: Approval
    thread: Thread
    now: datetime
    message_id: str
    version: int
    votes: tuple[Vote, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    audience: Audience = "channel"
    permalink: str | None = None


def card(view: CardView) -> Drawn:
    """Draw an approval as it stands; what the workflow said is cut until the card fits."""
    sized = (_blocks(view, share) for share in _SHARES)
    fits = next((blocks for blocks in sized if is_short(blocks)), None)
    return drawn(_fallback(view), fits or _blocks(view, 0.0), view.message_id, view.version)


def _blocks(view: CardView, share: float) -> list[Block]:
    pending = view.approval.status == "pending"
    content, whole = _content(view, share)
    end = _open(view, whole=whole) if pending else _settled(view, whole=whole)
    return [*_title(view.approval), *(_asked(view) if pending else _told(view)), *content, *end]


def _title(approval: Approval) -> Iterator[Block]:
    title = clean(approval.request.title).strip()
    yield header(line(title))
    if units(line(title)) > HEADER:
        yield rich_text(paragraph(words(cut(title, _LONG_TITLE), bold=True)))


_ASKED: Mapping[Audience, str] = {
    "channel": "",
    "direct": "You may decide this.",
    "former": "You are no longer asked to decide this.",
}


def _asked(view: CardView) -> Iterator[Block]:
    """Yield a pending card's first lines: at whose request, by when, and who may decide."""
    approval, thread = view.approval, view.thread
    lines = [asking.asked_by(thread), asking.deadline(approval, view.now)]
    lines.append(_ASKED[view.audience])
    yield section("\n".join(filter(None, lines)))
    if view.audience == "channel":
        yield section(asking.needs(approval, view.groups))


def _told(view: CardView) -> Iterator[Block]:
    """Yield a settled card's first lines: what came of it, in whose words, and who had asked."""
    yield section(outcome(view.approval, view.thread) or "")
    if told := _words(view.approval):
        yield rich_text(quote(told, _QUOTED))
    yield section(asking.asked_by(view.thread))


def _words(approval: Approval) -> str:
    """Return what the decider said, an answer or a reason; "" where nobody said anything."""
    decision = approval.decision
    return (decision.text or decision.comment or "") if decision else ""


def _content(view: CardView, share: float) -> tuple[list[Block], bool]:
    """Return what the workflow said, and whether that, and what the decider said, is all there is."""
    approval = view.approval
    request = approval.request
    fields = other_fields(approval)
    short = {k: v for k, v in fields.items() if units(v) <= 150 and units(k) <= 50}
    pairs = [] if len(fields) <= 10 and len(short) == len(fields) else fields.items()
    pieces = [
        asked_anew(approval, int(share * _EDITS)),
        _summary(request.summary or "", int(share * _SUMMARY)),
        facts(pairs, int(share * _FACTS)),
        _proposed(approval, int(share * _PROPOSAL)),
        _edited(approval, int(share * _EDITS)),
        _corrected(approval, int(share * _EDITS)),
        described(request, int(share * _OPTIONS)),
        _links(request.links, int(share * _LINKS)),
    ]
    blocks = [] if pairs else _grid(fields)
    blocks += [rich_text(*piece.elements) for piece in pieces if piece.elements]
    texts = [(request.title, _LONG_TITLE), (_words(approval), _QUOTED)]
    texts += [(escape(line(notice)), _NOTICE) for notice in approval.notices]
    told = all(is_told(text.strip(), limit) for text, limit in texts) and len(approval.notices) <= _NOTICES
    return blocks, told and all(piece.whole for piece in pieces)


def _grid(fields: Mapping[str, str]) -> list[Block]:
    if not fields:
        return []
    cells = [
        mrkdwn(f"*{said(name, 300) or NOTHING}*\n{said(value, 1500)}", 2000) for name, value in fields.items()
    ]
    return [{"type": "section", "fields": cells}]


def _summary(text: str, limit: int) -> Piece:
    return Piece(markdown(text, limit), is_told(text.strip(), limit))


def _proposed(approval: Approval, limit: int) -> Piece:
    decision = approval.decision
    refused = approval.status != "pending" and not (decision and not decision.rejected)
    called = titles(approval.request.proposal_schema)
    piece = proposal(shown_now(approval), limit, struck=refused, called=called)
    heading = paragraph(words("Answer" if manner(approval) == "answer" else "Proposal", bold=True))
    return Piece([heading, *piece.elements], piece.whole) if piece.elements else piece


def _edited(approval: Approval, limit: int) -> Piece:
    """Show what people changed in the proposal, in an open revision and in what was approved."""
    after = proposal_now(approval)
    if after is None or manner(approval) == "answer":
        return Piece()
    called = titles(approval.request.proposal_schema)
    changed = veiled_changes(changes(approval.request.proposal, after), approval.confidential)
    piece = edits(changed, limit, called)
    if not piece.elements:
        return piece
    by = approval.edited_by
    editor = [words(" by "), person(by)] if by and is_user(by) else []
    heading = paragraph(words("Edited", bold=True), *editor, words(": before → after"))
    return Piece([heading, *piece.elements], piece.whole)


def _corrected(approval: Approval, limit: int) -> Piece:
    """Show what was corrected in the thread's own data, before and after."""
    correction = approval.correction
    if correction is None or correction.by is None:
        return Piece()
    piece = edits(correction.told, limit, titles(correction.schema))
    if not piece.elements:
        return piece
    parts = [words("Corrected", bold=True), words(" by "), person(correction.by), words(": before → after")]
    return Piece([paragraph(*parts), *piece.elements], piece.whole)


def _links(links: Mapping[str, str], most: int) -> Piece:
    parts: list[Block] = []
    whole = len(links) <= most
    for name, url in list(links.items())[:most]:
        called = label(name)
        whole = whole and called == name and is_told(url, ADDRESS)
        parts += [words(("\n" if parts else "") + called, bold=True), words(": "), web_link(url)]
    return Piece([paragraph(*parts)] if parts else [], whole)


def _open(view: CardView, *, whole: bool) -> Iterator[Block]:
    """Yield the pending card's end: where the votes stand, the buttons, and what else one should know."""
    approval = view.approval
    progress = asking.progress(approval, view.votes)
    if progress:
        yield section("\n".join(progress))
    if view.audience != "former":
        yield from decision_buttons(approval, whole=whole)
    elif not whole:
        yield whole_button(approval)
    yield context(" · ".join(_footer(view)))
    for notice in approval.notices[:_NOTICES]:
        yield context(f"⚠️ {said(notice, _NOTICE)}")


def _footer(view: CardView) -> Iterator[str]:
    approval = view.approval
    if approval.edited_by:
        void = ", earlier votes are void" if approval.policy.approvals > 1 else ""
        yield f"Revision {approval.revision}, edited by {mention(approval.edited_by)}{void}"
    elif approval.correction is not None and approval.correction.by:
        yield f"Revision {approval.revision}, corrected by {mention(approval.correction.by)}"
    escalated = asking.escalated(approval, view.groups if view.audience == "channel" else {})
    if escalated:
        yield escalated
    if approval.sla.respond_within is not None:
        yield asking.silence(approval)
    if approval.delivery == "failed":
        yield f"⚠️ Not delivered to its channel: {said(approval.delivery_error or 'unknown', 300)}"
    ends = ending(approval)
    if ends:
        yield ends
    failed = aftermath(approval, view.thread)
    if failed:
        yield failed
    if view.permalink:
        yield f"<{view.permalink}|The card in its channel>"
    yield f"Approval {said(approval.approval_id, 80)}"


def _settled(view: CardView, *, whole: bool) -> Iterator[Block]:
    approval = view.approval
    told = aftermath(approval, view.thread)
    yield context(" · ".join(filter(None, [told, f"Approval {said(approval.approval_id, 80)}"])))
    if not whole:
        yield whole_button(approval)


def _fallback(view: CardView) -> str:
    """Say the point for notifications and screen readers."""
    title = said(view.approval.request.title, 600)
    settled = outcome(view.approval, view.thread)
    if settled:
        return f"{title}: {settled}".replace("*", "").replace("\n", " ")
    lines = [
        f"{_lead(view)}: {title}",
        asking.asked_by(view.thread),
        asking.deadline(view.approval, view.now),
    ]
    return " · ".join(lines).replace("*", "")


def _lead(view: CardView) -> str:
    if view.audience == "former":
        return "You are no longer asked"
    if view.approval.asked_again:
        return "Asked again"
    return "Answer needed" if view.approval.is_question else "Approval needed"
