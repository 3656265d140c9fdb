"""The rows as the rest of the house reads them: frozen, typed, parsed once at the door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, Self

from bot.approvals.changes import Change
from bot.approvals.confidential import Names, confidential
from bot.approvals.correction import Correction
from bot.approvals.decision import Decision
from bot.approvals.dialects import Answering, Dialect
from bot.approvals.policy import Policy, Vote
from bot.approvals.request import ApprovalRequest
from bot.approvals.sla import Sla
from bot.approvals.states import ApprovalStatus, Autonomy, DeliveryStatus, ThreadStatus

MessageKind = Literal[
    "card",  # shows an approval in its channel
    "direct_card",  # the same, to one person who is not in the channel
    "reminder",  # under the card: mentions who has not voted
    "escalation",  # under the card: mentions who was added
    "note",  # under the card: a vote, an edit, an outcome
    "outcome",  # to the requester, directly
    "told",  # to one person, directly: something about a decision of theirs
    "ops",  # to the ops channel: something is wrong
    "home",  # what a person who opened it lately sees in the App Home
    "digest",  # a page of the ops channel's summary
    "stray",  # a copy of a card that we did not know of: points at the live one
]


@dataclass(frozen=True)
class Thread:
    """One run of a workflow."""

    thread_id: str
    workflow: str
    input: dict[str, Any]
    requester: str | None
    starter: str
    status: ThreadStatus
    wanted: int
    reached: int
    attempts: int
    retry_at: datetime | None
    cancel_reason: str | None
    result: Any
    error: str | None
    traceback: str | None
    created_at: datetime
    ended_at: datetime | None
    autonomy: Autonomy = "on_action"

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """Read a row, or the JSON of one (where it was joined to another)."""
        taken = {name: row[name] for name in cls.__dataclass_fields__}
        for name in ("retry_at", "created_at", "ended_at"):
            if isinstance(taken[name], str):
                taken[name] = datetime.fromisoformat(taken[name])
        return cls(**taken)

    @property
    def own(self) -> frozenset[str]:
        """The Slack users behind it, who may not decide it unless self-approval is declared."""
        starter = self.starter.removeprefix("slack:") if self.starter.startswith("slack:") else None
        return frozenset(user for user in (self.requester, starter) if user)


@dataclass(frozen=True, kw_only=True)
class Approval:
    """One pause of a thread: what is asked, of whom, by when, what came of it.

    `changed` is how it differs from the request before it at the same pause, where there was one;
    `asked_again` how many answers in a row were given to such requests in vain. What has a default is so as
    long as nobody has seen it.
    """

    approval_id: str
    thread_id: str
    interrupt_id: str
    status: ApprovalStatus
    revision: int
    dialect: Dialect
    asked: dict[str, Any]
    payload_hash: str
    proposal: Any
    edited_by: str | None = None
    policy: Policy
    sla: Sla
    notices: tuple[str, ...]
    channel: str
    delivery: DeliveryStatus = "pending"
    delivery_error: str | None = None
    delivered_at: datetime | None = None
    steps_done: int = 0
    next_at: datetime | None
    due_at: datetime | None
    decision: Decision | None
    decided_at: datetime | None
    applying_at: datetime | None = None
    applied_at: datetime | None = None
    closed_why: str | None = None
    """Why it was cancelled, superseded or orphaned; None for what was closed before that was kept."""
    created_at: datetime
    changed: tuple[Change, ...] = ()
    asked_again: int = 0
    escalated: tuple[str, ...] = ()
    """Whom the clock has added so far, by the names that the policy has for them."""
    correction: Correction | None = None
    """What of the thread's state may be corrected, and was."""
    answering: Answering | None = None
    """How its graph takes the answer; None where that was not kept, and only the engine can tell."""

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        taken = {name: row[name] for name in cls.__dataclass_fields__ if name in row}
        taken["changed"] = tuple(Change.of(one) for one in row.get("changed") or ())
        taken["escalated"] = tuple(row.get("escalated") or ())
        taken["correction"] = Correction.of(row.get("correction"))
        taken["asked"] = row["request"]
        taken["policy"] = Policy.model_validate(row["policy"])
        taken["sla"] = Sla.model_validate(row["sla"])
        taken["answering"] = Answering.of(row["dialect"], row["answering"])
        taken["notices"] = tuple(row["notices"])
        taken["decision"] = row["decision"] and Decision.model_validate(row["decision"])
        return cls(**taken)

    @property
    def outcome(self) -> Decision | None:
        """The decision with the basis of the request that was decided, which the request alone keeps."""
        return self.decision and self.decision.model_copy(update={"basis": self.asked.get("basis")})

    @property
    def correctable(self) -> bool:
        """Whether a correction of the thread's state could still land."""
        return self.correction is not None and not self.correction.closed

    @property
    def is_question(self) -> bool:
        """Whether there is nothing to approve: people answer it, or choose."""
        allow = {*self.request.allow}
        answered = bool(self.request.options) or self.dialect == "schema"
        return "approve" not in allow and (answered or "edit" not in allow)

    @property
    def takes_words(self) -> bool:
        """Whether words may run something; where nobody kept how the graph takes them, they may."""
        if self.answering is None:
            return self.dialect in ("schema", "plain", "raw")
        return self.answering.takes_words

    def is_overtaken(self, thread: Thread) -> bool:
        """Whether its workflow was ended before it got the answer."""
        ended = thread.cancel_reason is not None or thread.status == "cancelled"
        return ended and self.applying_at is None and self.applied_at is None

    @cached_property
    def request(self) -> ApprovalRequest:
        return ApprovalRequest.model_validate(self.asked)

    @cached_property
    def confidential(self) -> Names:
        """The keys of the proposal whose values nobody reads."""
        return confidential(self.asked.get("proposal_schema"))


@dataclass(frozen=True)
class Message:
    """A Slack message that we own."""

    message_id: str
    kind: MessageKind
    approval_id: str | None
    thread_id: str | None
    parent_id: str | None
    target: str
    body: dict[str, Any]
    priority: int
    wanted: int
    drawn: int
    channel_id: str | None
    ts: str | None
    attempts: int
    error: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


def votes_of(rows: list[dict[str, Any]] | None, revision: int) -> tuple[Vote, ...]:
    """Read the votes on the revision that is being decided, as they were given; earlier ones are void."""
    votes = (Vote.model_validate(row["vote"]) for row in rows or () if row["revision"] == revision)
    return tuple(sorted(votes, key=lambda vote: vote.at))
