"""Decisions as the house makes them, for tests of what graphs get back."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.approvals import By, Decision
from bot.approvals.changes import changes
from bot.approvals.dialects import Asked, reply
from bot.approvals.timeout import TIMEOUT

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
MAYA = By(kind="human", user="U01MAYA")


def decided(asked: Asked, verdict: str, *, proposal=None, **said) -> Decision:
    """A person's verdict; with `proposal`, an approval of the proposal as edited."""
    before = asked.request.proposal
    after = before if proposal is None else proposal
    edited = tuple(change.path for change in changes(before, after))
    return Decision(verdict=verdict, by=MAYA, proposal=after, edited=edited, decided_at=AT, **said)


def timed_out(asked: Asked, verdict: str = "reject", **said) -> Decision:
    return Decision(
        verdict=verdict,
        by=By(kind="timeout"),
        reason=TIMEOUT,
        proposal=asked.request.proposal,
        decided_at=AT,
        **said,
    )


def answer(asked: Asked, decision: Decision, expected=None):
    """Reply as the engine does: from what was kept of the interrupt."""
    return reply(decision, asked.dialect, expected, asked.original)
