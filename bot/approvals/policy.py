"""Who may decide, how many must, who may not; and what the votes so far amount to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Verdict = Literal["approve", "reject", "respond", "choose"]

_USER = re.compile(r"[UW][A-Z0-9]{5,20}")
_GROUP = re.compile(r"S[A-Z0-9]{5,20}|@[a-z0-9][a-z0-9._-]{0,79}")


def is_user(name: str) -> bool:
    return _USER.fullmatch(name) is not None


def is_group(name: str) -> bool:
    return _GROUP.fullmatch(name) is not None


def known_approvers(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, each once; raises ValueError for what names nobody in Slack."""
    for name in names:
        if not (is_user(name) or is_group(name)):
            raise ValueError(f"{name!r} is not a user id (U…), group id (S…) or group handle (@group)")
    return tuple(dict.fromkeys(names))


def listed(example: str) -> BeforeValidator:
    """Refuse a lone value where a list of them is wanted, in words that show one; pydantic's name a type."""

    def check(value: Any) -> Any:
        if isinstance(value, str | timedelta):
            raise ValueError(f"give a list, as in {example}")  # noqa: TRY004  pydantic reports this kind
        return value

    return BeforeValidator(check)


Approvers = Annotated[
    Sequence[str],
    Field(max_length=200),
    AfterValidator(known_approvers),
    listed('["@finance-managers"]'),
]


class Policy(BaseModel):
    """Who may decide and how many must.

    `approvers` are Slack user ids (`U…`, `W…`), user group ids (`S…`) or handles (`@finance-managers`);
    an empty list means nobody. `approvals` distinct people must approve (or choose the same option);
    `rejections` distinct people end it. Answers in words steer and run nothing, so they count with the
    rejections; but where the words are the very answer that the graph takes, and may run something, they
    count like a choice: `approvals` people must say the same. Without `self_approval` neither the requester
    nor the starter may decide.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    approvers: Approvers = ()
    approvals: int = Field(default=1, ge=1, le=100)
    rejections: int = Field(default=1, ge=1, le=100)
    self_approval: bool = False

    @property
    def users(self) -> tuple[str, ...]:
        return tuple(name for name in self.approvers if is_user(name))

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(name for name in self.approvers if is_group(name))

    def with_approvers(self, more: Iterable[str]) -> Policy:
        return self.model_copy(update={"approvers": tuple(dict.fromkeys((*self.approvers, *more)))})


class Vote(BaseModel):
    """One person's verdict on one revision of what is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str
    verdict: Verdict
    choice: str | None = None
    text: str | None = None
    comment: str | None = None
    at: datetime
    standing: str
    """By what right: `named`, or the group, with the age of the membership in seconds."""


@dataclass(frozen=True)
class Side:
    """Those who stand behind the same outcome: one that `runs` something, or a no."""

    runs: bool
    votes: tuple[Vote, ...]

    def needed(self, policy: Policy) -> int:
        """Return how many people must stand here."""
        return policy.approvals if self.runs else policy.rejections

    @property
    def decisive(self) -> Vote:
        """The vote that speaks for the side where it wins: the latest, and of noes and words a no."""
        return max(self.votes, key=lambda vote: (vote.verdict == "reject", vote.at))


def winning(policy: Policy, votes: Iterable[Vote], *, takes_words: bool = False) -> Side | None:
    """Return the side that satisfies the policy, or None while it is open.

    Votes are distinct by person: a later one of the same person replaces the earlier. `takes_words` says
    that words are the answer itself. Where they are not, and some rejected while others answered in words,
    what they come to together is a rejection.
    """
    parted = sides(votes, takes_words=takes_words)
    return next((side for side in parted if len(side.votes) >= side.needed(policy)), None)


def sides(votes: Iterable[Vote], *, takes_words: bool = False) -> tuple[Side, ...]:
    """Part the votes, each person's latest, by what they would come to."""
    latest = {vote.user: vote for vote in sorted(votes, key=lambda vote: vote.at)}
    parted: dict[tuple[str | None, ...] | None, list[Vote]] = {}
    for vote in latest.values():
        runs = vote.verdict in ("approve", "choose") or (takes_words and vote.verdict == "respond")
        said = (vote.verdict, vote.choice, vote.text) if runs else None
        parted.setdefault(said, []).append(vote)
    return tuple(Side(said is not None, tuple(found)) for said, found in parted.items())


def tighten(base: Policy, wish: Policy) -> tuple[Policy, tuple[str, ...]]:
    """Apply what a request asks beyond its workflow's policy, field by field, where that is stricter.

    Returns the policy in force and one line for each field that would have loosened it and was refused.
    Only fields that the wish sets explicitly count.
    """
    asked = wish.model_fields_set
    stricter: dict[str, object] = {}
    refused: list[str] = []

    def weigh(field: str, tightens: bool, why: str) -> None:
        if field in asked and getattr(wish, field) != getattr(base, field):
            if tightens:
                stricter[field] = getattr(wish, field)
            else:
                refused.append(f"policy.{field}: {why}; the workflow's stays in force")

    weigh("approvers", set(wish.approvers) <= set(base.approvers), "a request may only name fewer approvers")
    weigh("approvals", wish.approvals >= base.approvals, "a request may only ask for more approvals")
    weigh("rejections", wish.rejections <= base.rejections, "a request may only make rejecting easier")
    weigh("self_approval", not wish.self_approval, "a request may not allow self-approval")
    return base.model_copy(update=stricter), tuple(refused)
