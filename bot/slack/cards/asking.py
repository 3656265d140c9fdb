"""Who asks, who may answer and by when: the first lines of a card, and where the votes stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import assert_never

from bot.approvals.policy import Policy, Side, Verdict, Vote, sides
from bot.approvals.timeout import fell_short, timed_out
from bot.postgres.rows import Approval, Thread
from bot.slack.blocks.text import count, duration, listing, mention, mention_approver, said, when
from bot.slack.cards.manner import manner
from bot.slack.cards.outcome import choice

MOST_MENTIONS = 100
"""Approvers that one card mentions; a section has no room for the 200 that a policy may name."""


def asked_by(thread: Thread) -> str:
    """Say at whose request it runs: "Asked by @ana · *expense* workflow"."""
    starter = _starter(thread.starter)
    who = mention(thread.requester) if thread.requester else starter
    started = f", started by {starter}" if who != starter else ""
    return f"Asked by {who}{started} · {of_workflow(thread)}"


def _starter(starter: str) -> str:
    """Name who started it: "@ana", or a program or a machine's user: "billing (API)"."""
    door, _, name = starter.partition(":")
    match door:
        case "slack":
            return mention(name)
        case "api":
            return f"{said(name, 80)} (API)"
        case "cli":
            return f"{said(name, 80)} (command line)"
        case _:
            return mention(starter)


def of_workflow(thread: Thread) -> str:
    """Name the workflow: "*expense* workflow"."""
    return f"*{said(thread.workflow, 80)}* workflow"


def approvers(policy: Policy, groups: Mapping[str, str], most: int = MOST_MENTIONS) -> str:
    """Mention who may decide, as the policy names them."""
    return listing((mention_approver(name, groups) for name in policy.approvers), most, last="or")


def needs(approval: Approval, groups: Mapping[str, str], most: int = MOST_MENTIONS) -> str:
    """Say how many of whom must decide; an empty policy means nobody and says so."""
    policy = approval.policy
    if not policy.approvers:
        return "Nobody may decide this: its policy names no approvers."
    how_many = count(policy.approvals, "answer" if approval.is_question else "approval")
    return f"Needs *{how_many}* by {approvers(policy, groups, most)}"


def deadline(approval: Approval, now: datetime) -> str:
    """Say by when: the deadline in the reader's zone, or how long after delivery."""
    due, within = approval.due_at, approval.sla.respond_within
    if due is None:
        return f"Due within {duration(within)} of delivery" if within else "No deadline"
    if due <= now:
        return f"*Overdue* since {when(due)}, and held: it can still be decided"
    return f"Due *{when(due)}*"


def silence(approval: Approval) -> str:
    """Say what happens if nobody answers in time."""
    fallback, at = approval.sla.fallback, approval.created_at  # when makes no difference
    decision = timed_out(approval.request, fallback, delivered=True, at=at, answering=approval.answering)
    if fell_short(decision, fallback):
        return _unanswered(approval)
    match fallback.kind:
        case "reject":
            return _unanswered(approval)
        case "cancel":
            return "If nobody answers, I end the workflow."
        case "as_drafted":
            return "If nobody answers, it goes out as drafted."
        case "approve":
            return "If nobody answers, it runs unapproved."
        case "choose":
            return f"If nobody answers, I take “{choice(approval, fallback.choice)}”."
        case _:
            assert_never(fallback.kind)


def _unanswered(approval: Approval) -> str:
    question = approval.is_question
    return f"If nobody answers, {'it stays unanswered' if question else 'I will not run it'}."


def progress(approval: Approval, votes: Sequence[Vote]) -> tuple[str, ...]:
    """Say where the votes stand, a line a side: "Approved by @ana · 1 of 2 needed"."""
    return tuple(_side(approval, side) for side in sides(votes, takes_words=approval.takes_words)[:8])


def lapsed(users: Iterable[str]) -> str:
    """Say whose vote was taken away; nothing where nobody's was."""
    who = listing((mention(str(user)) for user in users), 10)
    return f"What {who} said no longer counts: they may no longer decide this." if who else ""


def escalated(approval: Approval, groups: Mapping[str, str]) -> str | None:
    """Say whom the clock has added so far; None where it has added nobody."""
    if not approval.escalated:
        return None
    added = (mention_approver(name, groups) for name in approval.escalated)
    return f"Escalated to {listing(added, MOST_MENTIONS)}"


def _side(approval: Approval, side: Side) -> str:
    """Say who stands on one side, and how many must: "Rejected by @ana, answered by @bo · 2 of 3 needed"."""
    by_verdict: dict[Verdict, list[Vote]] = {}
    for vote in sorted(side.votes, key=lambda vote: vote.verdict):
        by_verdict.setdefault(vote.verdict, []).append(vote)
    told = ", ".join(_those(approval, side, votes) for votes in by_verdict.values())
    end = "" if side.runs else " to end it"
    return f"{told[:1].upper()}{told[1:]} · {len(side.votes)} of {side.needed(approval.policy)} needed{end}"


def _those(approval: Approval, side: Side, votes: list[Vote]) -> str:
    vote, who = votes[0], listing((mention(vote.user) for vote in votes), 10)
    match vote.verdict:
        case "approve":
            return f"answered by {who}" if manner(approval) == "answer" else f"approved by {who}"
        case "choose":
            return f"“{choice(approval, vote.choice)}” chosen by {who}"
        case "reject":
            return f"rejected by {who}"
        case "respond":
            return f"answered “{said(vote.text or '', 150)}” by {who}" if side.runs else f"answered by {who}"
        case _:
            assert_never(vote.verdict)
