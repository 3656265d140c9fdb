"""The clock over the rows of one run: reminders, escalation, the deadline and what comes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.facts.deadlines import due, expired
from bot.facts.judging import doubted, lapsed
from bot.facts.reminding import called, not_voted
from bot.facts.voters import NOBODY
from bot.postgres.rows import Approval, Message, MessageKind
from bot.slack.blocks.drawn import Drawn
from bot.slack.messages.notes import note
from bot.testing.answering import case_of, reach
from bot.testing.people import People
from bot.testing.rows import Rows

Told = tuple[MessageKind, Drawn]
"""A message under a card, of which kind."""


def tick(rows: Rows, people: People, now: datetime) -> list[Told]:
    """Do what is due of every open approval; returns what that told people."""
    told: list[Told] = []
    for approval in rows.open:
        if approval.next_at is not None and approval.next_at <= now:
            told += _step(rows, people, approval, now)
    return told


def recheck(rows: Rows, people: People, now: datetime) -> None:
    """Take away the votes of those who may not decide any more, as the clock does within minutes."""
    for approval in rows.open:
        lost = lapsed(doubted(case_of(rows, people, approval, NOBODY, now)))
        votes = rows.votes.get(approval.approval_id, ())
        rows.votes[approval.approval_id] = tuple(vote for vote in votes if vote.user not in lost)


def _step(rows: Rows, people: People, approval: Approval, now: datetime) -> list[Told]:
    come = due(approval, reach(now), now)
    votes = rows.votes.get(approval.approval_id, ())
    if come.expires:
        decision, why = expired(approval, now, votes)
        rows.settle(approval, decision, "expired")
        if why is not None:
            rows.cancels(why)
        return []
    rows.put(come.approval)
    told: list[Told] = []
    if come.reminder is not None:
        voted = frozenset(vote.user for vote in votes)
        users, groups = not_voted(approval.policy, voted, rows.thread.own, people.members)
        told.append(_note("reminder", {"users": users, "groups": groups}, approval, rows, people, now))
    for step in come.escalations:
        users, groups = called(approval.policy, step, rows.thread.own)
        if users or groups:
            told.append(_note("escalation", {"users": users, "groups": groups}, approval, rows, people, now))
    return told


def _note(
    kind: MessageKind, body: dict[str, Any], approval: Approval, rows: Rows, people: People, now: datetime
) -> Told:
    message = Message(
        message_id=f"{kind}:{approval.approval_id}",
        kind=kind,
        approval_id=approval.approval_id,
        thread_id=approval.thread_id,
        parent_id=None,
        target=approval.channel,
        body=body,
        priority=0,
        wanted=1,
        drawn=0,
        channel_id=None,
        ts=None,
        attempts=0,
        error=None,
        created_at=now,
    )
    return kind, note(message, approval, rows.thread, groups=people.ids, now=now)
