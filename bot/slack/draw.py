"""`draw`: bring one Slack message to what its row says. It posts, updates, or does nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from psycopg_pool import AsyncConnectionPool
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import metrics
from bot.facts import deliveries
from bot.facts.deliveries import Claim
from bot.postgres.jobs import Queue
from bot.slack.directory import Directory, Unreachable, people_of
from bot.slack.drawn import Drawn
from bot.slack.failures import Failure, read_failure
from bot.slack.found import find_posted

log = structlog.get_logger("signoff.slack")

Render = Callable[[Claim], Drawn]
MOST_DIRECT = 20
"""People outside the channel who get a card directly; a larger group is mentioned in the channel alone."""


class Delivery:
    """Draws messages. `posts` must not retry a dropped connection by itself: that could post twice."""

    def __init__(
        self,
        client: AsyncWebClient,
        pool: AsyncConnectionPool[Any],
        queue: Queue,
        directory: Directory,
        render: Render,
        ops_channel: str,
    ) -> None:
        self._client = client
        self._pool = pool
        self._queue = queue
        self._directory = directory
        self._render = render
        self._ops_channel = ops_channel

    @metrics.job("draw")
    async def draw(self, message_id: str) -> None:
        """Converge one message: until what Slack shows is what is wanted, or it must wait."""
        again = True
        while again:
            async with self._pool.connection() as conn:
                claimed = await deliveries.claim(conn, message_id, self._ops_channel)
            again = claimed is not None and await self._draw(claimed)

    async def _draw(self, claimed: Claim) -> bool:
        try:
            place = await self._show(claimed)
            outsiders = await self._outsiders(claimed)
        except SlackApiError as error:
            return await self._failed(claimed, read_failure(error))
        except Unreachable as error:
            return await self._failed(claimed, Failure("unknown", f"{type(error).__name__}: {error}"))
        if place is None:
            return False
        async with self._pool.connection() as conn:
            return await deliveries.drawn(conn, self._queue, claimed, *place, outsiders)

    async def _show(self, claimed: Claim) -> tuple[str, str] | None:
        """Post or update; returns where the message is, None where it has to wait for its parent."""
        message = claimed.message
        if not message.target:
            await self._give_up(
                claimed, "SIGNOFF_OPS_CHANNEL is not set", "Set it to a channel of the bot's."
            )
            return None
        if message.parent_id and claimed.parent_ts is None:
            async with self._pool.connection() as conn:
                await deliveries.later(conn, claimed, timedelta(seconds=2), posted="no")
            return None
        if message.kind == "stray":
            return await self._update(claimed, message.target, message.body["ts"])
        if message.channel_id and message.ts:
            return await self._update(claimed, message.channel_id, message.ts)
        if claimed.unknown_since is not None:
            found = await find_posted(self._client, self._directory, message, claimed.unknown_since)
            if found is not None:
                return await self._update(claimed, *found)
        return await self._post(claimed)

    async def _post(self, claimed: Claim) -> tuple[str, str]:
        shown = self._render(claimed)
        call = self._client.chat_postMessage(
            channel=claimed.message.target,
            text=shown.text,
            blocks=shown.blocks,
            metadata=shown.metadata,
            thread_ts=claimed.parent_ts if claimed.message.parent_id else None,
            unfurl_links=False,
            unfurl_media=False,
        )
        said = await metrics.called("chat.postMessage", call)
        return str(said["channel"]), str(said["ts"])

    async def _update(self, claimed: Claim, channel: str, ts: str) -> tuple[str, str]:
        shown = self._render(claimed)
        call = self._client.chat_update(
            channel=channel, ts=ts, text=shown.text, blocks=shown.blocks, metadata=shown.metadata
        )
        await metrics.called("chat.update", call)
        return channel, ts

    async def _outsiders(self, claimed: Claim) -> list[str]:
        """Return who may decide and is not in the card's channel; nobody where Slack would not say."""
        approval = claimed.approval
        if (
            approval is None
            or approval.status != "pending"
            or claimed.message.kind not in ("card", "escalation")
        ):
            return []
        if claimed.message.kind == "card" and claimed.message.drawn:
            return []
        try:
            if approval.policy.groups and any(
                g.startswith("@") and g not in claimed.groups for g in approval.policy.groups
            ):
                await self._directory.refresh_groups()
            channel = await self._directory.channel(claimed.message.target)
        except SlackApiError as error:
            log.warning("channel_members_unknown", target=claimed.message.target, error=str(error))
            return []
        async with self._pool.connection() as conn:
            approvers = await people_of(conn, approval.policy.approvers)
        if channel.members is None:
            return []
        own = claimed.thread.own if claimed.thread and not approval.policy.self_approval else frozenset()
        outside = sorted(approvers - channel.members - own)
        return outside if len(outside) <= MOST_DIRECT else []

    async def _failed(self, claimed: Claim, failure: Failure) -> bool:
        """Act on a failure; True where the message can be drawn again at once."""
        message = claimed.message
        log.info("not_drawn", message_id=message.message_id, kind=failure.kind, why=failure.why)
        async with self._pool.connection() as conn:
            match failure.kind:
                case "ratelimited":
                    await deliveries.throttled(conn, claimed, failure.after or timedelta(seconds=1))
                case "unknown":
                    await deliveries.later(conn, claimed, _backoff(message.attempts), posted="unknown")
                case "not_now":
                    await deliveries.later(conn, claimed, _backoff(message.attempts), posted="no")
                case "deleted" if _wanted_again(claimed):
                    await deliveries.post_anew(conn, claimed)
                    return True
                case "deleted":
                    await deliveries.drawn(
                        conn, self._queue, claimed, message.channel_id or message.target, message.ts or ""
                    )
                case "for_good":
                    await deliveries.given_up(conn, self._queue, claimed, failure.why, failure.mend)
        return False

    async def _give_up(self, claimed: Claim, problem: str, mend: str) -> None:
        async with self._pool.connection() as conn:
            await deliveries.given_up(conn, self._queue, claimed, problem, mend)


def _wanted_again(claimed: Claim) -> bool:
    """A card that somebody deleted is posted again while it waits for an answer."""
    return (
        claimed.message.kind in ("card", "direct_card")
        and claimed.approval is not None
        and claimed.approval.status == "pending"
    )


def _backoff(attempts: int) -> timedelta:
    return timedelta(seconds=min(2.0 ** min(attempts, 6), 60.0))
