"""The clock's part in an approval: reminders, escalation, and the end that comes when nobody answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from bot.approvals.sla import Step, timetable
from bot.approvals.timeout import timed_out
from bot.facts.settle import card_id, settle
from bot.postgres.fact import Fact, NewMessage
from bot.postgres.rows import Approval, Thread


@dataclass(frozen=True)
class Reach:
    """Whether people could have answered: since when Slack is reachable, and how long that must have been."""

    ok_since: datetime | None
    grace: timedelta

    def holds_until(self, now: datetime) -> datetime | None:
        """Return until when nothing may expire, None where it may now."""
        if self.ok_since is None:
            return now + self.grace
        free = self.ok_since + self.grace
        return free if now < free else None


async def catch_up(
    fact: Fact, approval: Approval, thread: Thread, voted: frozenset[str], reach: Reach, now: datetime
) -> bool:
    """Do what is due of a pending approval whose row the caller holds locked; True where it expired.

    Reminders that were missed (the clock was away) are sent once, not each.
    """
    left = _steps_left(approval)
    due = [step for step in left if step.at <= now]
    ends = any(step.kind == "expire" for step in due)
    held = reach.holds_until(now) if ends else None
    if ends and held is None:
        await _expire(fact, approval, thread, now)
        return True
    done = [step for step in due if step.kind != "expire"]
    reminders = [step for step in done if step.kind == "remind"]
    if reminders:
        await _remind(fact, approval, reminders[-1], voted)
    policy = approval.policy
    for step in done:
        if step.kind == "escalate":
            policy = policy.with_approvers(step.approvers)
            _escalate(fact, approval, step)
    following = held or next((step.at for step in left if step.at > now), None)
    await fact.conn.execute(
        _STEPPED,
        {
            "id": approval.approval_id,
            "policy": Jsonb(policy.model_dump(mode="json")),
            "done": approval.steps_done + len(done),
            "next": following,
        },
    )
    return False


def is_over(approval: Approval, reach: Reach, now: datetime) -> bool:
    """Say whether a click at `now` comes too late: past the deadline, and the deadline could be seen."""
    return approval.due_at is not None and approval.due_at <= now and reach.holds_until(now) is None


def _steps_left(approval: Approval) -> tuple[Step, ...]:
    """Return what is still to come, earliest first.

    The end is where the row says: a revised request may have another SLA, and keeps its deadline.
    """
    end = () if approval.due_at is None else (Step(approval.due_at, "expire", 0),)
    if approval.delivered_at is None:
        return end
    steps = [step for step in timetable(approval.sla, approval.delivered_at) if step.kind != "expire"]
    before = [step for step in steps if approval.due_at is None or step.at <= approval.due_at]
    return (*before[approval.steps_done :], *end)


async def _expire(fact: Fact, approval: Approval, thread: Thread, now: datetime) -> None:
    delivered = approval.delivered_at is not None
    decision = timed_out(approval.request, approval.sla.fallback, delivered=delivered, at=now)
    await settle(fact, approval, thread, decision, status="expired")
    if delivered and approval.sla.fallback.kind == "cancel":
        await fact.conn.execute(
            "update threads set cancel_reason = coalesce(cancel_reason, %s) where thread_id = %s",
            (f"nobody answered in time: {approval.request.title}", thread.thread_id),
        )
    if not delivered:
        fact.post(
            NewMessage(
                f"ops:{approval.approval_id}:never_delivered",
                "ops",
                target="",
                approval_id=approval.approval_id,
                thread_id=thread.thread_id,
                body={
                    "problem": "A request was never delivered, so it was rejected",
                    "detail": approval.delivery_error or "Slack could not be reached",
                    "command": "signoff doctor",
                },
            )
        )


async def _remind(fact: Fact, approval: Approval, step: Step, voted: frozenset[str]) -> None:
    people, groups = await _not_voted(fact, approval, voted)
    fact.post(
        NewMessage(
            f"reminder:{approval.approval_id}:{approval.revision}.{step.index}",
            "reminder",
            target=approval.channel,
            approval_id=approval.approval_id,
            thread_id=approval.thread_id,
            parent_id=card_id(approval.approval_id),
            body={"users": people, "groups": groups},
        )
    )
    fact.audit(
        approval.thread_id,
        "approval.reminded",
        "clock",
        {"approval_id": approval.approval_id, "users": people, "groups": groups},
    )


def _escalate(fact: Fact, approval: Approval, step: Step) -> None:
    users = [name for name in step.approvers if name.startswith(("U", "W"))]
    groups = [name for name in step.approvers if name not in users]
    fact.post(
        NewMessage(
            f"escalation:{approval.approval_id}:{step.index}",
            "escalation",
            target=approval.channel,
            approval_id=approval.approval_id,
            thread_id=approval.thread_id,
            parent_id=card_id(approval.approval_id),
            body={"users": users, "groups": groups},
        )
    )
    fact.redraw_cards(approval.approval_id)
    fact.audit(
        approval.thread_id,
        "approval.escalated",
        "clock",
        {"approval_id": approval.approval_id, "added": list(step.approvers)},
    )


async def _not_voted(fact: Fact, approval: Approval, voted: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return the people to mention: by name where somebody of a group has voted already, else the group."""
    found = await fact.conn.execute(_GROUPS, {"names": list(approval.policy.groups)})
    members: dict[str, list[str]] = {}
    for row in await found.fetchall():
        members[row["group_id"]] = members[f"@{row['handle']}"] = row["members"]
    people = [user for user in approval.policy.users if user not in voted]
    groups: list[str] = []
    for name in approval.policy.groups:
        if voted.isdisjoint(members.get(name, ())):
            groups.append(name)
        else:
            people += [user for user in members[name] if user not in voted]
    return list(dict.fromkeys(people)), groups


def pending_row(row: dict[str, Any]) -> tuple[Approval, Thread, frozenset[str]]:
    """Read a row of `PENDING`."""
    voted = frozenset(vote["user_id"] for vote in row["votes"] or () if vote["revision"] == row["revision"])
    return Approval.of(row), Thread.of(row["thread"]), voted


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
update approvals set policy = %(policy)s, steps_done = %(done)s, next_at = %(next)s
where approval_id = %(id)s and status = 'pending'
"""

_GROUPS = """
select group_id, handle, members from user_groups
where group_id = any(%(names)s) or '@' || handle = any(%(names)s)
"""
