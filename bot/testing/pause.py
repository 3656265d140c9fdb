"""One pause of a run: its card, and everything that people can do with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bot.approvals.decision import Decision
from bot.approvals.policy import Policy, Vote
from bot.approvals.request import ApprovalRequest
from bot.approvals.sla import Sla
from bot.approvals.states import ApprovalStatus
from bot.postgres.rows import Approval
from bot.testing import filling
from bot.testing.card import Card

if TYPE_CHECKING:
    from bot.testing.run import Run


class Pause:
    """A pause, and its card as it was when you took it: a click on a card that has changed is refused.

    Every answer returns the run. `by` is who gives it; left out, it is the first who may and has not yet.
    What does not count raises `Refused`, with what the person is told.
    """

    def __init__(self, run: Run, approval: Approval) -> None:
        self._run = run
        self._approval_id = approval.approval_id
        self.revision = approval.revision

    def approve(self, *, by: str | None = None, note: str | None = None) -> Run:
        """Click Approve, or approve with a note."""
        return self._cast(by, "approve", comment=None if note is None else self._words(note))

    def edit(self, changes: Mapping[str, Any], *, by: str | None = None) -> Run:
        """Edit and approve: `changes` are the fields of the proposal's form, checked as the form does."""
        return self._cast(by, "approve", proposal=filling.edited(self._approval, changes))

    def reject(self, reason: str = "No.", *, by: str | None = None) -> Run:
        """Reject with a reason, which Slack's modal demands."""
        return self._cast(by, "reject", comment=self._words(reason))

    def respond(self, text: str, *, by: str | None = None) -> Run:
        """Answer in words."""
        return self._cast(by, "respond", text=self._words(text))

    def choose(self, option: str, *, by: str | None = None) -> Run:
        """Choose an option by its id."""
        return self._cast(by, "choose", choice=option)

    @property
    def card(self) -> Card:
        """The card in its channel as it is now, settled or not; what policy decided has none."""
        if self.decision is not None and self.decision.by.kind == "policy":
            why = self.decision.reason
            raise AssertionError(f"{self.request.title!r} has no card: policy decided it ({why})")
        return self._run.drawn(self._approval)

    @property
    def request(self) -> ApprovalRequest:
        """What is asked, in Signoff's words whatever the graph's own are."""
        return self._approval.request

    @property
    def status(self) -> ApprovalStatus:
        return self._approval.status

    @property
    def proposal(self) -> Any:
        """The proposal as it stands, after edits that wait for more approvals."""
        return self._approval.proposal

    @property
    def policy(self) -> Policy:
        """The policy in force: what the request tightened and escalation added included."""
        return self._approval.policy

    @property
    def sla(self) -> Sla:
        return self._approval.sla

    @property
    def votes(self) -> tuple[Vote, ...]:
        return self._run.votes_on(self._approval)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the request wished and was refused, as the card says."""
        return self._approval.notices

    @property
    def due_at(self) -> datetime | None:
        return self._approval.due_at

    @property
    def decision(self) -> Decision | None:
        return self._approval.decision

    @property
    def _approval(self) -> Approval:
        return self._run.approval(self._approval_id)

    def _words(self, text: str) -> str:
        return filling.said(self._approval, text)

    def _cast(self, by: str | None, verdict: Any, **said: Any) -> Run:
        return self._run.cast(self._approval, self.revision, by, verdict, **said)

    def __repr__(self) -> str:
        return f"<Pause {self.request.title!r} {self.status}>"
