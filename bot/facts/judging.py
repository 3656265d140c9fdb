"""Whether a verdict counts, and if not, why: a pure function of the case and the click."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from bot.approvals.policy import Verdict, Vote
from bot.approvals.request import ApprovalRequest
from bot.approvals.standing import STALE_AFTER, NoStanding, Person, Refused, Standing, standing
from bot.facts.case import Case
from bot.facts.deadlines import is_over

Refusal = (
    NoStanding
    | Literal[
        "unknown",  # no such button, token or approval
        "settled",  # somebody, policy or the clock was first
        "outdated",  # the card shows an older revision
        "stray",  # a copy of a card that is not the live one
        "not_allowed",  # the request does not allow this action
        "unfit",  # what was answered is no answer to what the graph asks
        "voters_unchecked",  # whether those who voted before still may could not be looked up
    ]
)
"""Why a verdict does not count: `bot/slack/cards/refusals.py` words it, the audit keeps it."""

Judgement = Standing | Refusal | Literal["overdue", "repeated"]
"""`overdue`: nobody answered in time, which the clock has not noted yet. `repeated`: it counts already."""


@dataclass(frozen=True)
class Click:
    """What a person did, and where. `proposal` is set by an edit; times are the database's.

    A choice is given by the option's id, or by its place in the request (`option`, from 0). Who `corrects`
    the state gives no verdict by that.
    """

    user: str
    team: str | None
    approval_id: str
    revision: int
    verdict: Verdict
    choice: str | None = None
    option: int | None = None
    text: str | None = None
    comment: str | None = None
    proposal: dict[str, Any] | None = None
    corrects: bool = False
    channel: str | None = None
    ts: str | None = None

    @property
    def act(self) -> str:
        """What it is, in a word, for the audit."""
        return "correct" if self.corrects else self.verdict

    def chosen(self, request: ApprovalRequest) -> Click:
        """Return the click with its option's id in place of the option's place."""
        if self.option is None:
            return self
        known = 0 <= self.option < len(request.options)
        return replace(self, choice=request.options[self.option].id if known else None)


def judge(case: Case, click: Click) -> Judgement:
    """Return the right by which the click counts, or why it does not."""
    approval = case.approval
    if elsewhere := _elsewhere(case, click):
        return elsewhere
    if approval.status != "pending":
        return "settled"
    if is_over(approval, case.reach, case.now):
        return "overdue"
    if not case.known_place:
        return "stray"
    if click.revision != approval.revision:
        return "repeated" if _is_their_edit(case, click) or _is_their_correction(case, click) else "outdated"
    if not (approval.correctable if click.corrects else _is_offered(approval.request, click)):
        return "not_allowed"
    found = who_may(case)
    if isinstance(found, Refused):
        return found.why
    return "repeated" if not click.corrects and _is_their_vote(case, click) else found


def _elsewhere(case: Case, click: Click) -> Literal["foreign", "unchecked"] | None:
    """Say whether a click that names another workspace is of somebody from there.

    Of who is in several workspaces of an organization Slack names any one (slackapi/bolt-js#1875).
    """
    if click.team is None or case.team is None or click.team == case.team:
        return None
    who = case.person
    if who is None or case.now - who.fetched_at > STALE_AFTER:
        return "unchecked"
    return None if who.team_id == case.team else "foreign"


def who_may(case: Case) -> Standing | Refused:
    """Return by what right the case's person may decide it, or why they may not."""
    return _may(case, case.person)


def doubted(case: Case) -> dict[str, NoStanding]:
    """Return those of the other voters who may not decide it now, and why.

    They are judged like whoever clicks: `unchecked` are those of whom nobody knows freshly enough.
    """
    people = {person.user_id: person for person in case.voters}
    others = case.voted - {case.person.user_id if case.person else ""}
    found = {user: _may(case, people.get(user)) for user in sorted(others)}
    return {user: may.why for user, may in found.items() if isinstance(may, Refused)}


def lapsed(doubts: Mapping[str, NoStanding]) -> dict[str, NoStanding]:
    """Return those whose vote is lost: they are known to have no right, which is more than a doubt."""
    return {user: why for user, why in doubts.items() if why != "unchecked"}


def _may(case: Case, person: Person | None) -> Standing | Refused:
    return standing(
        person,
        case.approval.policy,
        case.groups,
        own=case.thread.own,
        home_team=case.team,
        now=case.now,
        groups_at=case.groups_at,
    )


def is_what_was_decided(case: Case, click: Click) -> bool:
    """Say whether the click is one that the decision was made of; its acknowledgement was lost."""
    return case.approval.status == "decided" and _is_their_vote(case, click)


def _is_offered(request: ApprovalRequest, click: Click) -> bool:
    match click.verdict:
        case "choose":
            return any(option.id == click.choice for option in request.options)
        case "approve":
            return ("edit" if click.proposal is not None else "approve") in request.allow
        case "reject" | "respond":
            return click.verdict in request.allow


def _is_their_vote(case: Case, click: Click) -> bool:
    """Say whether the person has said exactly this: Slack repeats itself, and so do people."""
    unchanged = click.proposal is None or click.proposal == case.approval.proposal
    return unchanged and any(_same(vote, click) for vote in case.votes)


def _is_their_edit(case: Case, click: Click) -> bool:
    """Say whether the click is the very edit that made the revision at hand."""
    approval = case.approval
    return (
        click.proposal is not None
        and click.revision == approval.revision - 1
        and approval.edited_by == click.user
        and _is_their_vote(case, click)
    )


def _is_their_correction(case: Case, click: Click) -> bool:
    made, previous = case.approval.correction, click.revision == case.approval.revision - 1
    return click.corrects and previous and made is not None and made.by == click.user


def _same(vote: Vote, click: Click) -> bool:
    said = (vote.user, vote.verdict, vote.choice, vote.text, vote.comment)
    return said == (click.user, click.verdict, click.choice, click.text, click.comment)
