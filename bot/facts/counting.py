"""A vote that counts: recorded, and the decision made where it is the one that was waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.types.json import Json, Jsonb

from bot.approvals.changes import Change, changes
from bot.approvals.confidential import veiled_changes
from bot.approvals.decision import By, Decision
from bot.approvals.dialects.checking import check
from bot.approvals.errors import BadAnswer
from bot.approvals.policy import Vote, winning
from bot.approvals.standing import NoStanding, Standing
from bot.facts.case import Case
from bot.facts.judging import Click, doubted, lapsed
from bot.facts.messages import under_card
from bot.facts.settle import settle
from bot.facts.voters import take_away
from bot.postgres.fact import Fact
from bot.postgres.rows import Approval, Thread


@dataclass(frozen=True)
class Recorded:
    """The vote stands; `decided` where it was the one that the policy waited for.

    `lapsed` are those whose earlier vote was taken away on that occasion. `repeated` where it stood already.
    """

    approval: Approval
    thread: Thread
    votes: tuple[Vote, ...]
    decided: bool
    lapsed: tuple[str, ...] = ()
    repeated: bool = False


@dataclass(frozen=True)
class Counted:
    """An approval with one vote more: decided where the policy waited for that one.

    `edits` are what the vote changed in the proposal, which voids the votes before it. `lapsed` are those
    whose earlier vote counts no longer, since they may not decide any more. `unchecked` are those whose
    votes would decide it, and of whom nobody knows freshly that they still may: such a decision is none.
    """

    approval: Approval
    vote: Vote
    votes: tuple[Vote, ...]
    edits: tuple[Change, ...]
    lapsed: Mapping[str, NoStanding]
    unchecked: frozenset[str]


async def count(recorded: Fact, case: Case, counted: Counted) -> Recorded:
    """Record a vote on a pending approval whose row the caller holds locked."""
    approval, vote = counted.approval, counted.vote
    await recorded.conn.execute(
        _VOTE,
        {
            "id": approval.approval_id,
            "user": vote.user,
            "revision": approval.revision,
            "vote": Jsonb(vote.model_dump(mode="json")),
        },
    )
    if counted.lapsed:
        await take_away(recorded, approval, counted.lapsed)
    _audit_vote(recorded, approval, vote, counted.edits)
    if approval.decision is None:
        await _still_open(recorded, counted)
        return Recorded(approval, case.thread, counted.votes, decided=False, lapsed=tuple(counted.lapsed))
    await settle(recorded, approval, case.thread, approval.decision, status="decided")
    return Recorded(approval, case.thread, counted.votes, decided=True)


def with_vote(case: Case, click: Click, by: Standing) -> Counted:
    """Count a verdict that may be cast, and decide where the policy is satisfied."""
    approval, edits = _edited(case.approval, click)
    vote = Vote(
        user=click.user,
        verdict=click.verdict,
        choice=click.choice,
        text=click.text,
        comment=click.comment,
        at=case.now,
        standing=by.right,
    )
    doubts = {} if edits else doubted(case)
    lost = lapsed(doubts)
    earlier = () if edits else tuple(v for v in case.votes if v.user not in {click.user, *lost})
    votes = (*earlier, vote)
    unchecked: frozenset[str] = frozenset()
    if side := winning(approval.policy, votes, takes_words=approval.takes_words):
        unchecked = frozenset(doubts) & {said.user for said in side.votes}
        decision = _decision(approval, side.decisive, votes, case.now)
        approval = replace(approval, status="decided", decision=decision, decided_at=decision.decided_at)
    return Counted(approval, vote, votes, edits, lost, unchecked)


def misfit(counted: Counted) -> BadAnswer | None:
    """Return why the vote would be no answer to what was asked; None where it is one.

    None, too, where only the engine can tell: a workflow's own `reply` function runs in workers alone.
    """
    approval, vote = counted.approval, counted.vote
    schema = approval.request.proposal_schema
    try:
        if counted.edits and schema:
            check(schema, approval.proposal, "The proposal")
        if approval.answering:
            approval.answering.judge(_decision(approval, vote, counted.votes, vote.at))
    except BadAnswer as error:
        return error
    return None


def _edited(approval: Approval, click: Click) -> tuple[Approval, tuple[Change, ...]]:
    """Return the approval as the click leaves it: an edit makes a new revision, which voids earlier votes."""
    edits = changes(approval.proposal, click.proposal) if click.proposal is not None else ()
    if not edits:
        return approval, ()
    revised = replace(approval, proposal=click.proposal, revision=approval.revision + 1, edited_by=click.user)
    return revised, edits


async def _still_open(recorded: Fact, counted: Counted) -> None:
    approval, vote, edits = counted.approval, counted.vote, counted.edits
    if edits:
        await recorded.conn.execute(
            _REVISE,
            {
                "id": approval.approval_id,
                "proposal": Json(approval.proposal),
                "revision": approval.revision,
                "by": approval.edited_by,
            },
        )
    recorded.redraw_cards(approval.approval_id)
    which = f"{approval.revision}:{vote.user}:{vote.at.timestamp():.6f}"
    said = {
        "event": "edited" if edits else "vote",
        "user": vote.user,
        "verdict": vote.verdict,
        "choice": vote.choice,
        "comment": vote.comment,
        "text": vote.text,
        "changes": _told(approval, edits),
        "lapsed": list(counted.lapsed),
    }
    recorded.post(under_card(approval, "note", which, said))


def _audit_vote(recorded: Fact, approval: Approval, vote: Vote, edits: tuple[Change, ...]) -> None:
    recorded.audit(
        approval.thread_id,
        "approval.vote",
        vote.user,
        {
            "approval_id": approval.approval_id,
            "revision": approval.revision,
            "vote": vote.model_dump(mode="json"),
            **({"changes": _told(approval, edits)} if edits else {}),
        },
    )


def _told(approval: Approval, edits: tuple[Change, ...]) -> list[dict[str, Any]]:
    return [change.to_json() for change in veiled_changes(edits, approval.confidential)]


def _decision(approval: Approval, winner: Vote, votes: tuple[Vote, ...], now: datetime) -> Decision:
    edited = tuple(change.path for change in changes(approval.request.proposal, approval.proposal))
    return Decision(
        verdict=winner.verdict,
        by=By(kind="human", user=winner.user),
        comment=winner.comment,
        proposal=approval.proposal,
        edited=edited,
        choice=winner.choice,
        text=winner.text,
        decided_at=now,
        votes=votes,
    )


_VOTE = """
insert into votes (approval_id, user_id, revision, vote) values (%(id)s, %(user)s, %(revision)s, %(vote)s)
on conflict (approval_id, user_id) do update set revision = excluded.revision, vote = excluded.vote
"""

_REVISE = """
update approvals set proposal = %(proposal)s, revision = %(revision)s, edited_by = %(by)s
where approval_id = %(id)s
"""
