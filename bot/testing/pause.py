"""One pause of a run: its card, and everything that people can do with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, Protocol, Self, TypeVar

from bot.approvals.decision import Decision
from bot.approvals.policy import Policy, Verdict, Vote
from bot.approvals.request import ApprovalRequest
from bot.approvals.sla import Sla
from bot.approvals.states import ApprovalStatus
from bot.postgres.rows import Approval
from bot.testing import filling
from bot.testing.card import Card


class Answered(Protocol):
    """The run that a pause is of: it draws the card, and takes the answers to it."""

    def approval(self, approval_id: str) -> Approval: ...

    def votes_on(self, approval: Approval) -> tuple[Vote, ...]: ...

    def drawn(self, approval: Approval) -> Card: ...

    def cast(
        self, approval: Approval, revision: int, by: str | None, verdict: Verdict, **said: Any
    ) -> Self: ...

    def opens(
        self, approval: Approval, revision: int, by: str | None, verdict: Verdict, **said: Any
    ) -> None: ...

    def put_right(
        self, approval: Approval, revision: int, by: str | None, values: dict[str, Any]
    ) -> Self: ...


R = TypeVar("R", bound=Answered)


class Pause(Generic[R]):
    """A pause, and its card as it was when you took it: a click on a card that has changed is refused.

    Every answer returns the run. `by` is who gives it; left out, it is the first who may and has not yet.
    What does not count raises `Refused`, with what the person is told.
    """

    def __init__(self, run: R, approval: Approval) -> None:
        self._run = run
        self._approval_id = approval.approval_id
        self.revision = approval.revision

    def approve(self, *, by: str | None = None, note: str | None = None) -> R:
        """Click Approve, or approve with a note."""
        return self._cast(by, "approve", comment=None if note is None else self._words(note, by, "approve"))

    def edit(self, changes: Mapping[str, Any], *, by: str | None = None) -> R:
        """Edit and approve: `changes` are the fields of the proposal's form, checked as the form does."""
        self._opens(by, "approve", proposal={})
        return self._cast(by, "approve", proposal=filling.edited(self._approval, changes))

    def reject(self, reason: str = "No.", *, by: str | None = None) -> R:
        """Reject with a reason, which Slack's modal demands."""
        return self._cast(by, "reject", comment=self._words(reason, by, "reject"))

    def respond(self, text: str, *, by: str | None = None) -> R:
        """Answer in words."""
        return self._cast(by, "respond", text=self._words(text, by, "respond"))

    def choose(self, option: str, *, by: str | None = None) -> R:
        """Choose an option by its id."""
        return self._cast(by, "choose", choice=option)

    def correct(self, changes: Mapping[str, Any], *, by: str | None = None) -> R:
        """Put fields of the state right, which decides nothing: they go along with the next answer."""
        self._opens(by, "approve", corrects=True)
        values = filling.corrected(self._approval, changes)
        return self._run.put_right(self._approval, self.revision, by, values)

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
        """What the request wished and was refused, and why an answer before it was, as the card says."""
        return self._approval.notices

    @property
    def due_at(self) -> datetime | None:
        return self._approval.due_at

    @property
    def decision(self) -> Decision | None:
        return self._approval.outcome

    @property
    def _approval(self) -> Approval:
        return self._run.approval(self._approval_id)

    def _words(self, text: str, by: str | None, verdict: Verdict) -> str:
        self._opens(by, verdict)
        return filling.said(self._approval, text)

    def _opens(self, by: str | None, verdict: Verdict, **said: Any) -> None:
        self._run.opens(self._approval, self.revision, by, verdict, **said)

    def _cast(self, by: str | None, verdict: Any, **said: Any) -> R:
        return self._run.cast(self._approval, self.revision, by, verdict, **said)

    def __repr__(self) -> str:
        return f"<Pause {self.request.title!r} {self.status}>"
