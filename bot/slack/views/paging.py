"""Everything an approval holds, whole, over the pages of a modal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.approvals.confidential import veiled
from bot.postgres.rows import Approval
from bot.slack.blocks.rich import approver, markdown, moment, paragraph, preformatted, rich_text, words
from bot.slack.blocks.text import Block, clean, duration, unescaped, units
from bot.slack.blocks.values import pretty
from bot.slack.cards.asking import silence

_SLICE = 2800
_MARKED_LINES = 100
_PER_PAGE = 12
"""Slices a page: with every character escaped in JSON they stay under the 250 kB a view may have."""


@dataclass(frozen=True)
class Part:
    """One thing to show: plain text, or `exact` where spaces and lines matter.

    What is `marked` up is shown as on its card where that fits one slice, and as it was written where not.
    """

    heading: str
    text: str
    exact: bool = False
    marked: bool = False


def whole_pages(approval: Approval) -> list[list[Block]]:
    """Return the blocks of every page; at least one page, at most `_PER_PAGE` blocks each."""
    blocks = [block for part in _parts(approval) if part.text for block in _blocks(part)]
    blocks.append(rich_text(paragraph(words("Rules", bold=True)), paragraph(*_rules(approval))))
    return [blocks[n : n + _PER_PAGE] for n in range(0, len(blocks), _PER_PAGE)]


def slices(text: str, limit: int = _SLICE) -> Iterator[str]:
    """Cut text into slices of at most `limit` UTF-16 units, at line ends where that costs little."""
    at = 0
    while at < len(text):
        end = at + limit
        while (over := units(text[at:end]) - limit) > 0:
            end -= (over + 1) // 2
        newline = text.rfind("\n", at, end)
        if end < len(text) and newline > at + (end - at) // 2:
            end = newline + 1
        yield text[at:end]
        at = end


def to_copy(heading: str, typed: Mapping[str, Any]) -> Iterator[Block]:
    """Show what somebody filled in, whole and as they wrote it, under the labels of its fields."""
    elements, room = [paragraph(words(heading, bold=True))], _SLICE
    for label, value in typed.items():
        text = clean(_filled_in(value))
        for n, piece in enumerate(slices(text)):
            called = f"{label}:" + ("\n" if "\n" in text else " ") if n == 0 else ""
            if units(called + piece) > room:
                yield rich_text(*elements)
                elements, room = [], _SLICE
            named = [words(called, bold=True)] if called else []
            elements.append(paragraph(*named, words(piece)))
            room -= units(called + piece)
    yield rich_text(*elements)


def _filled_in(value: Any) -> str:
    """Say what stood in a field; a list or an object stays JSON."""
    match value:
        case None | "" | []:
            return "(empty)"
        case str():
            return value
        case [*items] if all(isinstance(item, str) for item in items):
            return "\n".join(items)
        case _:
            return pretty(value)


def _blocks(part: Part) -> Iterator[Block]:
    shown = list(slices(clean(part.text)))
    for n, text in enumerate(shown):
        heading = part.heading if n == 0 else f"{part.heading} ({n + 1} of {len(shown)})"
        if part.exact:
            body = [preformatted(text, _SLICE)]
        elif part.marked and len(shown) == 1 and text.count("\n") <= _MARKED_LINES:
            body = markdown(text, _SLICE)
        else:
            body = [paragraph(words(text))]
        yield rich_text(paragraph(words(heading, bold=True)), *body)


def _parts(approval: Approval) -> Iterator[Part]:
    request = approval.request
    decision, hidden = approval.decision, approval.confidential
    yield Part("What is asked", request.title)
    yield Part("Summary", request.summary or "", marked=True)
    yield Part("Facts", "\n".join(f"{name}: {value}" for name, value in request.fields.items()))
    yield Part("Links", "\n".join(f"{label}: {url}" for label, url in request.links.items()))
    yield Part("Options", "\n".join(f"{o.label}: {o.description or '-'}" for o in request.options))
    if approval.proposal is not None:
        yield Part("Proposal", pretty(veiled(approval.proposal, hidden)), exact=True)
    if approval.proposal != request.proposal:
        yield Part("Proposal as the workflow made it", pretty(veiled(request.proposal, hidden)), exact=True)
    if decision is not None:
        yield Part("Comment", decision.comment or "")
        yield Part("Answer", decision.text or "")
        if decision.approved and decision.proposal != approval.proposal:
            yield Part("What was approved", pretty(veiled(decision.proposal, hidden)), exact=True)
    yield Part("Notes", "\n".join(approval.notices))


def _rules(approval: Approval) -> Iterator[Block]:
    policy, sla = approval.policy, approval.sla
    yield words("May decide: " if policy.approvers else "May decide: nobody")
    for n, name in enumerate(policy.approvers):
        if n:
            yield words(", ")
        yield approver(name)
    yield words(f"\nApprovals needed: {policy.approvals}; rejections that end it: {policy.rejections}")
    yield words(f"\nThe requester may decide: {'yes' if policy.self_approval else 'no'}")
    if approval.due_at:
        yield words("\nDue: ")
        yield moment(approval.due_at)
    elif sla.respond_within:
        yield words(f"\nDue: {duration(sla.respond_within)} after delivery")
    if sla.respond_within:
        yield words(f"\n{unescaped(silence(approval))}")
    yield words(f"\nRevision: {approval.revision}")
