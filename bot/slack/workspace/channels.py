"""Channels as Slack knows them, and who is in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg_pool import AsyncConnectionPool
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.workspace.failures import RATES, code_of

CHANNEL_KEPT = timedelta(minutes=10)

PAGE = 999
"""Slack documents that a page's limit is under 1,000."""


@dataclass(frozen=True)
class Channel:
    """A conversation: `members` is None where Slack would not say."""

    channel_id: str
    members: frozenset[str] | None


class Channels:
    """Looks channels up in Slack and keeps them for a while."""

    def __init__(self, client: AsyncWebClient, pool: AsyncConnectionPool[Any]) -> None:
        self._client = client
        self._pool = pool
        self._listed_to: dict[str, str] = {}
        """How far a channel's name was looked for until Slack had enough of it: a large organization has more
        pages of channels than it gives in a minute, and from the first one on they never came to an end."""

    async def find(self, name: str) -> Channel:
        """Find a channel by `#name` or id, with its members; raises `SlackApiError` where it is not found."""
        async with self._pool.connection() as conn:
            found = await conn.execute(
                "select * from channels where name = %s and signoff_now() - fetched_at < %s",
                (name, CHANNEL_KEPT),
            )
            row = await found.fetchone()
        if row is not None:
            members = row["members"]
            return Channel(row["channel_id"], None if members is None else frozenset(members))
        channel_id = await self._id_of(name)
        return await self.looked_up(name, channel_id)

    async def opened_with(self, user: str) -> str:
        """Return the id of our direct conversation with a person."""
        return str((await self._client.conversations_open(users=user))["channel"]["id"])

    async def looked_up(self, name: str, channel_id: str) -> Channel:
        """Ask Slack who is in a channel, and keep that under `name`."""
        try:
            members: frozenset[str] | None = await self._members(channel_id)
        except SlackApiError:
            members = None
        async with self._pool.connection() as conn:
            await conn.execute(
                _KEEP_CHANNEL,
                {"name": name, "id": channel_id, "members": None if members is None else sorted(members)},
            )
        return Channel(channel_id, members)

    async def _id_of(self, name: str) -> str:
        if not name.startswith("#"):
            return name
        cursor = self._listed_to.pop(name, "")
        while True:
            try:
                page = await self._client.conversations_list(
                    limit=PAGE, cursor=cursor, exclude_archived=True, types="public_channel,private_channel"
                )
            except SlackApiError as error:
                if code_of(error) in RATES:
                    self._listed_to[name] = cursor
                raise
            for channel in page["channels"]:
                if channel["name"] == name[1:]:
                    return str(channel["id"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                missing = {"ok": False, "error": "channel_not_found"}
                raise SlackApiError(f"no channel {name}", missing)  # type: ignore[no-untyped-call]

    async def _members(self, channel_id: str) -> frozenset[str]:
        cursor, members = "", set[str]()
        while True:
            page = await self._client.conversations_members(channel=channel_id, limit=PAGE, cursor=cursor)
            members.update(page["members"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return frozenset(members)


_KEEP_CHANNEL = """
insert into channels values (%(name)s, %(id)s, %(members)s, signoff_now())
on conflict (name) do update set channel_id = excluded.channel_id, members = excluded.members,
                                 fetched_at = excluded.fetched_at
"""
