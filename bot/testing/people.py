"""Who works here: everybody whom a test names is an ordinary member, unless it says otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bot.approvals.policy import Policy, is_group, is_user
from bot.approvals.standing import Group, Person

TEAM = "T0SIGNOFF"


class People:
    """The workspace's people and groups, all looked up this very moment."""

    def __init__(self) -> None:
        self._groups: dict[str, tuple[str, frozenset[str]]] = {}
        self._odd: dict[str, dict[str, bool | str]] = {}

    def form(self, handle: str, users: Iterable[str]) -> None:
        """Say who is in a group; raises ValueError for what is no handle or no user id."""
        members = frozenset(users)
        if not is_group(handle) or not handle.startswith("@"):
            raise ValueError(f"{handle!r} is not a group handle: write '@finance-managers'.")
        for user in members:
            named(user)
        group_id = self._groups.get(handle, (f"S0{len(self._groups) + 1:06d}", members))[0]
        self._groups[handle] = (group_id, members)

    def describe(self, user: str, **odd: bool | str) -> None:
        self._odd[named(user)] = odd

    def person(self, user: str, now: datetime) -> Person:
        odd = self._odd.get(user, {})
        return Person(
            user_id=user,
            team_id=str(odd.get("team") or TEAM),
            is_bot=bool(odd.get("bot")),
            is_guest=bool(odd.get("guest")),
            is_deactivated=bool(odd.get("deactivated")),
            fetched_at=now,
        )

    def groups(self, now: datetime) -> tuple[Group, ...]:
        return tuple(
            Group(group_id, handle.removeprefix("@"), members, now)
            for handle, (group_id, members) in self._groups.items()
        )

    @property
    def ids(self) -> dict[str, str]:
        """The group's id by handle, as cards mention it."""
        return {handle: group_id for handle, (group_id, _) in self._groups.items()}

    @property
    def handles(self) -> dict[str, str]:
        """The group's handle by id, as tests name it."""
        return {group_id: handle for handle, group_id in self.ids.items()}

    @property
    def members(self) -> dict[str, frozenset[str]]:
        """Who is in each group, by handle and by id."""
        return {
            name: users for handle, (group_id, users) in self._groups.items() for name in (handle, group_id)
        }

    def listed(self, policy: Policy) -> list[str]:
        """Everybody whom a policy names, by themselves or by a group."""
        by_group = (user for name in policy.groups for user in sorted(self.members.get(name, ())))
        return list(dict.fromkeys((*policy.users, *by_group)))


def named(user: str) -> str:
    """Take a Slack user id; raises ValueError for anything else."""
    if not is_user(user):
        raise ValueError(f"{user!r} is not a Slack user id: write one such as 'U01MAYA'.")
    return user
