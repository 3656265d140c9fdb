"""May this person decide this approval, and by what right? In doubt, no."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bot.approvals.policy import Policy

STALE_AFTER = timedelta(minutes=15)
"""A membership older than this is looked up again before it is believed."""

NoStanding = Literal["not_listed", "own", "guest", "bot", "deactivated", "foreign", "no_group", "unchecked"]


@dataclass(frozen=True)
class Person:
    """A Slack user as last looked up."""

    user_id: str
    team_id: str | None
    is_bot: bool
    is_guest: bool
    is_deactivated: bool
    fetched_at: datetime


@dataclass(frozen=True)
class Group:
    """A Slack user group as last looked up; `handle` is without the @."""

    group_id: str
    handle: str
    members: frozenset[str]
    fetched_at: datetime


@dataclass(frozen=True)
class Standing:
    """The right by which somebody decides: `named`, or a group and the age of its membership."""

    right: str


@dataclass(frozen=True)
class Refused:
    """No right, and why."""

    why: NoStanding


def standing(
    person: Person | None,
    policy: Policy,
    groups: Iterable[Group],
    *,
    own: frozenset[str],
    home_team: str | None,
    now: datetime,
    groups_at: datetime | None = None,
) -> Standing | Refused:
    """Decide whether `person` may decide under `policy`.

    `own` are the users behind the thread; `home_team` is the workspace that this database belongs to;
    `groups_at` is when Slack last told all its groups: one that was not among them then does not exist.
    What is not known, or not known freshly (`STALE_AFTER`), is refused as `unchecked`.
    """
    if person is None or home_team is None or now - person.fetched_at > STALE_AFTER:
        return Refused("unchecked")
    barred = _barred(person, home_team)
    if barred:
        return Refused(barred)
    if person.user_id in own and not policy.self_approval:
        return Refused("own")
    if person.user_id in policy.users:
        return Standing("named")
    return _by_group(person.user_id, policy, {g.group_id: g for g in groups}, now, groups_at)


def _barred(person: Person, home_team: str) -> NoStanding | None:
    if person.team_id != home_team:
        return "foreign"
    if person.is_deactivated:
        return "deactivated"
    if person.is_bot:
        return "bot"
    return "guest" if person.is_guest else None


def _by_group(
    user: str, policy: Policy, groups: dict[str, Group], now: datetime, groups_at: datetime | None
) -> Standing | Refused:
    by_handle = {f"@{group.handle}": group for group in groups.values()}
    all_told = groups_at is not None and now - groups_at <= STALE_AFTER
    unsure = missing = False
    for name in policy.groups:
        group = groups.get(name) or by_handle.get(name)
        if group is None and all_told:
            missing = True
        elif group is None or now - group.fetched_at > STALE_AFTER:
            unsure = True
        elif user in group.members:
            age = int((now - group.fetched_at).total_seconds())
            return Standing(f"@{group.handle}, membership checked {age} s before")
    if unsure:
        return Refused("unchecked")
    return Refused("no_group" if missing else "not_listed")
