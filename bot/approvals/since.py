"""What changed from one request to the next at the same pause: shown on the card that asks again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.approvals.changes import MISSING, Change, changes
from bot.approvals.request import ApprovalRequest

BASIS = "basis"


def since(before: ApprovalRequest, after: ApprovalRequest) -> tuple[Change, ...]:
    """Compare what people read and decide about; the proposal first, leaf by leaf, its basis last.

    `path` is the proposal's own, the name of a field or a link, or a key of the request.
    """
    return tuple(_compared(before, after))


def _compared(before: ApprovalRequest, after: ApprovalRequest) -> Iterator[Change]:
    yield from changes(before.proposal, after.proposal)
    yield from _by_name(before.fields, after.fields)
    yield from _by_name(before.links, after.links)
    for key in ("title", "summary", "risk", "destructive"):
        if (was := getattr(before, key)) != (now := getattr(after, key)):
            yield Change(key, was, now)
    was_offered, now_offered = ({one.id: one.label for one in asked.options} for asked in (before, after))
    yield from _by_name(was_offered, now_offered)
    if before.basis != after.basis:
        yield Change(BASIS, before.basis, after.basis)


def _by_name(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for name in [*before, *(name for name in after if name not in before)]:
        was, now = before.get(name, MISSING), after.get(name, MISSING)
        if was != now:
            yield Change(name, was, now)
