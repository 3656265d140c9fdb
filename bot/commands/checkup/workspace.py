"""What Slack knows of channels, groups and people, asked once for the whole examination."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.workspace.people import teams_of

Json = dict[str, Any]


@dataclass
class Workspace:
    """Answers of Slack's, kept. Raises `Unreachable` where it does not answer."""

    client: AsyncWebClient
    _team: str | None = None
    _channels: dict[str, Json] | None = None
    _groups: dict[str, Json] | None = None
    _people: dict[str, Json | None] = field(default_factory=dict)

    async def channel(self, name: str) -> Json | None:
        """Find a channel by `#name` or id; None where the bot cannot see it."""
        if not name.startswith("#"):
            try:
                return dict((await self.client.conversations_info(channel=name))["channel"])
            except SlackApiError:
                return None
        if self._channels is None:
            self._channels = {f"#{one['name']}": one for one in await self._all_channels()}
        return self._channels.get(name)

    async def group(self, name: str) -> Json | None:
        """Find a user group by `@handle` or id, with its members."""
        if self._groups is None:
            said = await self.client.usergroups_list(include_users=True)
            self._groups = {}
            for one in said["usergroups"]:
                self._groups[one["id"]] = self._groups[f"@{one['handle']}"] = one
        return self._groups.get(name)

    async def may_decide(self, user: str) -> bool:
        """Whether this is a live person of the workspace, no guest and no bot."""
        if self._team is None:
            self._team = str((await self.client.auth_test())["team_id"])
        if user not in self._people:
            try:
                self._people[user] = dict((await self.client.users_info(user=user))["user"])
            except SlackApiError:
                self._people[user] = None
        person = self._people[user]
        barred = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger")
        if person is None or self._team not in teams_of(person):
            return False
        return not any(person.get(name) for name in barred)

    async def _all_channels(self) -> list[Json]:
        cursor, found = "", list[Json]()
        while True:
            page = await self.client.conversations_list(
                limit=999, cursor=cursor, types="public_channel,private_channel"
            )
            found += page["channels"]
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return found
