"""Whom an approval still waits for, and where they are reminded of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from psycopg.types.json import Jsonb

from bot.approvals.policy import Policy
from bot.approvals.sla import Step
from bot.facts.messages import under_card
from bot.postgres.fact import Fact, NewMessage
from bot.postgres.rows import Approval, Thread


async def remind(fact: Fact, approval: Approval, thread: Thread, step: Step, voted: frozenset[str]) -> None:
    """Mention who has not voted, once under the card and under each copy of it.

    Where Slack has not taken the reminder before this one yet, that is brought up to date instead.
    """
    members = await _members(fact, approval)
    people, groups = not_voted(approval.policy, voted, thread.own, members)
    which = f"{approval.revision}.{step.kind}.{step.index}"
    reminder = under_card(approval, "reminder", which, {"users": people, "groups": groups})
    untaken = await _untaken(fact, reminder)
    unfolded = {*people, *(user for name in groups for user in members.get(name, ()))}
    outsiders = sorted(unfolded - _past(approval.policy, voted, thread.own))
    for reply in (reminder, *await _to_outsiders(fact, reminder, outsiders)):
        if reply.parent_id not in untaken:
            fact.post(reply)
    if reminder.parent_id in untaken:
        return
    fact.audit(
        approval.thread_id,
        "approval.reminded",
        "clock",
        {"approval_id": approval.approval_id, "users": people, "groups": groups},
    )


async def _untaken(fact: Fact, reminder: NewMessage) -> set[str]:
    """Say under which cards a reminder waits to be posted; that under the channel's says the same as this."""
    told = {"id": reminder.approval_id, "card": reminder.parent_id, "body": Jsonb(reminder.body)}
    found = await fact.conn.execute(_UNTAKEN, told)
    return {row["parent_id"] for row in await found.fetchall()}


async def _to_outsiders(fact: Fact, reminder: NewMessage, people: list[str]) -> list[NewMessage]:
    """Remind under their own copies those who have one: a mention in a channel reaches its members only."""
    found = await fact.conn.execute(_COPIES, {"id": reminder.approval_id, "people": people})
    return [
        replace(
            reminder,
            message_id=f"{reminder.message_id}:{row['target']}",
            target=row["target"],
            parent_id=row["message_id"],
            body={"users": [row["target"]], "groups": []},
        )
        for row in await found.fetchall()
    ]


async def _members(fact: Fact, approval: Approval) -> dict[str, list[str]]:
    """Return the members of the policy's groups by each name that these have."""
    found = await fact.conn.execute(_GROUPS, {"names": list(approval.policy.groups)})
    members: dict[str, list[str]] = {}
    for row in await found.fetchall():
        members[row["group_id"]] = members[f"@{row['handle']}"] = row["members"]
    return members


def not_voted(
    policy: Policy, voted: frozenset[str], own: frozenset[str], members: Mapping[str, Iterable[str]]
) -> tuple[list[str], list[str]]:
    """Return the people to mention: by name where somebody of a group has voted already, else the group.

    `own` are the users behind the thread, whom nothing waits for where they may not decide it.
    """
    done = _past(policy, voted, own)
    people = [user for user in policy.users if user not in done]
    groups: list[str] = []
    for name in policy.groups:
        if voted.isdisjoint(members.get(name, ())):
            groups.append(name)
        else:
            people += [user for user in members[name] if user not in done]
    return list(dict.fromkeys(people)), groups


def called(policy: Policy, step: Step, own: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return the people and groups that an escalation calls: whom it adds, unless it is their own."""
    return not_voted(policy.model_copy(update={"approvers": step.approvers}), frozenset(), own, {})


def _past(policy: Policy, voted: frozenset[str], own: frozenset[str]) -> frozenset[str]:
    """Return those whom it does not wait for, whatever names or groups they are in."""
    return voted if policy.self_approval else voted | own


_UNTAKEN = """
update messages set body = case when parent_id = %(card)s then %(body)s else body end
where approval_id = %(id)s and kind = 'reminder' and ts is null and error is null and wanted > drawn
returning parent_id
"""

_COPIES = """
select message_id, target from messages
where approval_id = %(id)s and kind = 'direct_card' and error is null and target = any(%(people)s)
order by target
"""

_GROUPS = """
select group_id, handle, members from user_groups
where group_id = any(%(names)s) or '@' || handle = any(%(names)s)
"""
