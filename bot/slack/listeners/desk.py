"""What every listener works with, and how it answers one person without ever raising after the ack."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from slack_sdk.web.async_client import AsyncWebClient

from bot import metrics
from bot.facts.settle import card_id
from bot.facts.votes import Case, Click, NotRecorded, Recorded, cast, may_begin, read_case
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval
from bot.slack.directory import Directory, Unreachable, handles
from bot.slack.render import permalink

log = structlog.get_logger("signoff.slack")

DatabaseAway = (OperationalError, PoolTimeout)
"""How a slow or absent database shows within a listener's deadline (timeouts of pool, lock and statement)."""


class NotDone(Exception):
    """The database did not answer in time: nothing is known to be recorded, so nothing is acknowledged."""


@dataclass(frozen=True)
class Person:
    """Who clicked, and where an answer that only they see can be put."""

    user: str
    team: str | None
    channel: str | None
    thread_ts: str | None
    trigger_id: str | None


@dataclass(frozen=True)
class Desk:
    """The listeners' pool, queue and Slack client, and the grace after an outage."""

    client: AsyncWebClient
    pool: AsyncConnectionPool[Any]
    queue: Queue
    directory: Directory
    grace: timedelta

    @metrics.clicked
    async def cast(self, click: Click) -> Recorded | NotRecorded:
        """Record a verdict; raises `DatabaseAway` with nothing recorded, or with nobody knowing."""
        await self.directory.freshen(click.user, click.approval_id)
        async with self.pool.connection() as conn:
            return await cast(conn, self.queue, click, self.grace)

    @metrics.clicked
    async def may_begin(self, click: Click) -> Case | NotRecorded:
        """Say whether a modal may be opened for this verdict."""
        await self.directory.freshen(click.user, click.approval_id)
        async with self.pool.connection() as conn:
            return await may_begin(conn, self.queue, click, self.grace)

    async def case(self, approval_id: str, user: str) -> Case | None:
        """Read an approval to show something of it, without locking it."""
        await self.directory.freshen(user, approval_id)
        async with self.pool.connection() as conn:
            return await read_case(conn, approval_id, user, self.grace, lock=False)

    async def mentions(self, approval: Approval | None) -> tuple[Mapping[str, str], str | None]:
        """Return the groups' ids by handle and the live card's permalink, for a private answer."""
        if approval is None:
            return {}, None
        async with self.pool.connection() as conn:
            found = await conn.execute(_PLACE, {"card": card_id(approval.approval_id)})
            row = await found.fetchone()
            groups = await handles(conn)
        link = (
            permalink(row["url"], row["channel_id"], row["ts"]) if row and row["ts"] and row["url"] else None
        )
        return groups, link

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        async with self.pool.connection() as conn:
            yield conn

    async def whisper(self, person: Person, text: str) -> None:
        """Tell one person privately. Never raises: what was recorded stands, whatever Slack does now."""
        try:
            if person.channel:
                call = self.client.chat_postEphemeral(
                    channel=person.channel, user=person.user, text=text, thread_ts=person.thread_ts
                )
                await metrics.called("chat.postEphemeral", call)
            else:
                call = self.client.chat_postMessage(channel=person.user, text=text)
                await metrics.called("chat.postMessage", call)
        except Unreachable as error:
            log.warning("whisper_failed", user=person.user, error=str(error))

    async def open(self, person: Person, view: dict[str, Any]) -> bool:
        """Open a modal with the click's trigger (3 seconds, one use); False where Slack would not."""
        try:
            call = self.client.views_open(trigger_id=person.trigger_id or "", view=view)
            await metrics.called("views.open", call)
        except Unreachable as error:
            log.warning("modal_failed", user=person.user, error=str(error))
            return False
        return True

    async def turn(self, view: dict[str, Any], page: dict[str, Any]) -> None:
        """Put another page into an open modal. Never raises."""
        try:
            call = self.client.views_update(view_id=view["id"], hash=view.get("hash"), view=page)
            await metrics.called("views.update", call)
        except Unreachable as error:
            log.warning("page_not_turned", error=str(error))


def person_of(body: dict[str, Any]) -> Person:
    """Read who did it and where, from any interactive payload."""
    user = body.get("user") or {}
    container = body.get("container") or {}
    message = body.get("message") or {}
    return Person(
        user=user.get("id", ""),
        team=user.get("team_id") or (body.get("team") or {}).get("id"),
        channel=(body.get("channel") or {}).get("id") or container.get("channel_id"),
        thread_ts=message.get("thread_ts"),
        trigger_id=body.get("trigger_id"),
    )


_PLACE = """
select w.url, m.channel_id, m.ts from slack_workspace w left join messages m on m.message_id = %(card)s
"""
