"""The clock's part in an approval: reminders, escalation, and the end that comes when nobody answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from psycopg.types.json import Jsonb

from bot.approvals.decision import Decision
from bot.approvals.policy import Vote
from bot.approvals.sla import Sla, Step, timetable
from bot.approvals.timeout import fell_short, silence, timed_out
from bot.facts.messages import to_ops, under_card
from bot.facts.reminding import called, remind
from bot.facts.settle import settle
from bot.postgres.fact import PRIORITIES, Fact
from bot.postgres.rows import Approval, Thread, votes_of

_UNPOSTED = "no worker posted its card in time, or Slack did not take it"
"""Nothing expires while Slack is known to be away, so that is not why."""

BELIEVED_FOR = timedelta(minutes=1)
"""How long what Slack said is taken to be so still."""


@dataclass(frozen=True)
class Reach:
    """Whether people could have answered: since when Slack is reachable, and how long that must have been."""

    ok_since: datetime | None
    grace: timedelta

    @classmethod
    def noted(cls, row: Mapping[str, Any], grace: timedelta) -> Reach:
        """Read what the clock has noted of Slack, in a row with `ok_since`, `checked_at` and `now`.

        What Slack said more than a minute ago says nothing of now: the clock was away, and people maybe too.
        """
        heard = row["checked_at"]
        lately = heard is not None and heard > row["now"] - BELIEVED_FOR
        return cls(row["ok_since"] if lately else None, grace)

    def holds_until(self, now: datetime) -> datetime | None:
        """Return until when nothing may expire, None where it may now.

        While nobody can answer that is some time ahead, also without a grace: it is when to look again.
        """
        if self.ok_since is None:
            return now + max(self.grace, BELIEVED_FOR)
        free = self.ok_since + self.grace
        return free if now < free else None


@dataclass(frozen=True)
class Due:
    """What the clock has to do by now of a pending approval, and what the row says once that is done.

    `expires` leaves nothing else to do. Of reminders that were missed (the clock was away) one is sent. An
    escalation to people who may decide already is a reminder: of what is asked again, say, after it had come.
    Of escalations that come at once each calls whom none before it does.
    """

    approval: Approval
    expires: bool = False
    reminder: Step | None = None
    escalations: tuple[Step, ...] = ()


def due(approval: Approval, reach: Reach, now: datetime) -> Due:
    """Read the timetable of a pending approval: what has come, who may decide now, when to look again."""
    left = _steps_left(approval)
    come = [step for step in left if step.at <= now]
    ends = any(step.kind == "expire" for step in come)
    held = reach.holds_until(now) if ends else None
    if ends and held is None:
        return Due(approval, expires=True)
    done = [step for step in come if step.kind != "expire"]
    known = {*approval.policy.approvers}
    reminders = [step for step in done if known.issuperset(step.approvers)]
    escalations = _calling(done, known)
    added = [name for step in done for name in step.approvers]
    stepped = replace(
        approval,
        policy=approval.policy.with_approvers(added),
        escalated=tuple(dict.fromkeys((*approval.escalated, *added))),
        steps_done=approval.steps_done + len(done),
        next_at=held or next((step.at for step in left if step.at > now), None),
    )
    return Due(stepped, reminder=reminders[-1] if reminders else None, escalations=escalations)


def _calling(done: list[Step], known: set[str]) -> tuple[Step, ...]:
    calling: list[Step] = []
    told: set[str] = set()
    for step in done:
        others = tuple(name for name in step.approvers if name not in told)
        if not known.issuperset(others):
            calling.append(replace(step, approvers=others))
            told.update(others)
    return tuple(calling)


async def catch_up(
    fact: Fact, approval: Approval, thread: Thread, votes: tuple[Vote, ...], reach: Reach, now: datetime
) -> bool:
    """Do what is due of a pending approval whose row the caller holds locked; True where it expired."""
    come = due(approval, reach, now)
    if come.expires:
        await _expire(fact, approval, thread, votes, now)
        return True
    if come.reminder:
        voted = frozenset(vote.user for vote in votes)
        await remind(fact, approval, thread, come.reminder, voted)
    for step in come.escalations:
        _escalate(fact, approval, thread, step)
    if _begins_to_be_held(approval, now):
        fact.redraw_cards(approval.approval_id, PRIORITIES["reminder"])
    await fact.conn.execute(
        _STEPPED,
        {
            "id": approval.approval_id,
            "policy": Jsonb(come.approval.policy.model_dump(mode="json")),
            "escalated": list(come.approval.escalated),
            "done": come.approval.steps_done,
            "next": come.approval.next_at,
        },
    )
    return False


def _begins_to_be_held(approval: Approval, now: datetime) -> bool:
    """Whether the clock looks for the first time since the deadline of what people see a card of."""
    due, looks = approval.due_at, approval.next_at
    if approval.delivered_at is None or due is None or looks is None:
        return False
    return looks <= due <= now


def is_over(approval: Approval, reach: Reach, now: datetime) -> bool:
    """Say whether a click at `now` comes too late: past the deadline, and the deadline could be seen."""
    return approval.due_at is not None and approval.due_at <= now and reach.holds_until(now) is None


def _steps_left(approval: Approval) -> tuple[Step, ...]:
    """Return what is still to come, earliest first.

    The end is where the row says: a revised request may have another SLA, and keeps its deadline.
    """
    end = () if approval.due_at is None else (Step(approval.due_at, "expire", 0),)
    return (*_before_the_end(approval)[approval.steps_done :], *end)


def under(sla: Sla, approval: Approval) -> Approval:
    """Return a pending approval that goes by another SLA from now on, from where it had come to.

    Of what would have come by then, reminders are left out, and escalations that add nobody.
    """
    done = _before_the_end(approval)[: approval.steps_done]
    moved = replace(approval, sla=sla)
    if done:
        added = {*approval.escalated}
        past = takewhile(
            lambda step: step.at <= done[-1].at and added.issuperset(step.approvers), _before_the_end(moved)
        )
        moved = replace(moved, steps_done=len(list(past)))
    return replace(moved, next_at=next((step.at for step in _steps_left(moved)), None))


def _before_the_end(approval: Approval) -> tuple[Step, ...]:
    """Return the reminders and escalations of a card that was delivered, those that came included."""
    if approval.delivered_at is None:
        return ()
    steps = [step for step in timetable(approval.sla, approval.delivered_at) if step.kind != "expire"]
    return tuple(step for step in steps if approval.due_at is None or step.at <= approval.due_at)


def expired(approval: Approval, now: datetime, votes: tuple[Vote, ...] = ()) -> tuple[Decision, str | None]:
    """Return what an approval that too few answered comes to, and why its thread ends with it, if it does."""
    delivered, fallback = approval.delivered_at is not None, approval.sla.fallback
    ends = delivered and fallback.kind == "cancel"
    why = f"{silence(votes)} in time: {approval.request.title}" if ends else None
    decision = timed_out(
        approval.request, fallback, delivered=delivered, at=now, answering=approval.answering, votes=votes
    )
    return decision, why


async def _expire(
    fact: Fact, approval: Approval, thread: Thread, votes: tuple[Vote, ...], now: datetime
) -> None:
    decision, why = expired(approval, now, votes)
    await settle(fact, approval, thread, decision, status="expired")
    if why is not None:
        await fact.conn.execute(
            "update threads set cancel_reason = coalesce(cancel_reason, %s) where thread_id = %s",
            (why, thread.thread_id),
        )
    if approval.delivered_at is None:
        fact.post(
            to_ops(
                f"{approval.approval_id}:never_delivered",
                "A request was never delivered, so it was rejected",
                "signoff doctor",
                thread_id=approval.thread_id,
                approval_id=approval.approval_id,
                detail=approval.delivery_error or _UNPOSTED,
            )
        )
    elif fell_short(decision, approval.sla.fallback):
        kind = approval.sla.fallback.kind
        fact.post(
            to_ops(
                f"{approval.approval_id}:fell_short",
                f"{silence(votes).capitalize()}, and the declared fallback ({kind}) is not an answer"
                " to what was asked, so it was rejected",
                f"signoff show {thread.thread_id}",
                thread_id=approval.thread_id,
                approval_id=approval.approval_id,
            )
        )


def _escalate(fact: Fact, approval: Approval, thread: Thread, step: Step) -> None:
    users, groups = called(approval.policy, step, thread.own)
    if users or groups:
        which = f"{approval.revision}.{step.index}"
        fact.post(under_card(approval, "escalation", which, {"users": users, "groups": groups}))
    fact.redraw_cards(approval.approval_id)
    fact.audit(
        approval.thread_id,
        "approval.escalated",
        "clock",
        {"approval_id": approval.approval_id, "added": list(step.approvers)},
    )


def first_steps(sla: Sla, delivered_at: datetime) -> tuple[datetime | None, datetime | None]:
    """Return when the clock looks first at what was just delivered, and its deadline."""
    steps = timetable(sla, delivered_at)
    return (steps[0].at if steps else None), sla.due(delivered_at)


def pending_row(row: dict[str, Any]) -> tuple[Approval, Thread, tuple[Vote, ...]]:
    """Read a row of `PENDING`."""
    return Approval.of(row), Thread.of(row["thread"]), votes_of(row["votes"], row["revision"])


# Locks and no more: a statement that waits for a lock, or finds one just released, goes on with what it saw
# before, and would miss the votes of whoever held it. And not `for update`: whoever inserts a message that
# refers to the approval takes a key lock on its row, maybe while it holds one that we are to draw again.
DUE = """
select approval_id from approvals
where status = 'pending' and next_at <= signoff_now()
order by next_at limit %(most)s
for no key update skip locked
"""

PENDING = """
select a.*, to_jsonb(t) as thread, signoff_now() as now,
       (select jsonb_agg(to_jsonb(v)) from votes v where v.approval_id = a.approval_id) as votes
from approvals a join threads t using (thread_id)
where a.approval_id = %(id)s
"""

_STEPPED = """
update approvals set policy = %(policy)s, escalated = %(escalated)s, steps_done = %(done)s, next_at = %(next)s
where approval_id = %(id)s and status = 'pending'
"""
