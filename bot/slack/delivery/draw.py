"""`draw`: bring one Slack message to what its row says. It posts, updates, or does nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NoReturn

import structlog
from psycopg import OperationalError
from psycopg_pool import AsyncConnectionPool
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import metrics
from bot.approvals.large import beside
from bot.facts import deliveries
from bot.facts.claims import Claim, claim
from bot.facts.strays import WITH_BUTTONS
from bot.postgres.inbox import inbox
from bot.postgres.jobs import Queue
from bot.slack.blocks.drawn import Drawn
from bot.slack.delivery.found import StillUnknown, find_alone, find_posted
from bot.slack.delivery.outsiders import Outsiders
from bot.slack.views.home import home
from bot.slack.workspace.directory import Directory, Unreachable, handles
from bot.slack.workspace.failures import Failure, fault, read_failure

log = structlog.get_logger("signoff.slack")

Render = Callable[[Claim], Drawn]
Place = tuple[str, str]
"""A message's channel id and ts."""

PATIENCE = 6
"""Attempts for what another message has to come first, before it is drawn, or dropped, without; and for what
fails by a fault of our own, before ops are told."""


class Delivery:
    """Draws messages. `client` must not retry a dropped connection by itself: that could post twice."""

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
        self.outsiders = Outsiders(directory, pool, queue)

    @metrics.job("draw")
    async def draw(self, message_id: str) -> None:
        """Converge one message: until what Slack shows is what is wanted, or it must wait."""
        again = True
        while again:
            async with self._pool.connection() as conn:
                claimed = await claim(conn, message_id, self._ops_channel)
            again = claimed is not None and await self._draw(claimed)

    async def _draw(self, claimed: Claim) -> bool:
        """Draw what is claimed; True where more is wanted already."""
        if await self._must_wait(claimed):
            return False
        try:
            if claimed.message.kind == "stray":
                return await self._point_away(claimed)
            if claimed.message.kind == "home":
                return await self._publish(claimed)
            place = await self._show(claimed)
        except StillUnknown as error:
            after = error.failure.after or _backoff(claimed)
            async with self._pool.connection() as conn:
                await deliveries.later(conn, claimed, after, posted="unknown")
            return False
        except Unreachable as error:
            return await self._failed(claimed, read_failure(error))
        except OperationalError:
            raise  # nothing can be noted now; the lease ends by itself
        except Exception as error:
            log.exception("draw_failed", message_id=claimed.message.message_id)
            return await self._failed(claimed, fault(error, last=claimed.message.attempts >= PATIENCE))
        async with self._pool.connection() as conn:
            again = await deliveries.drawn(conn, self._queue, claimed, *place)
        await self._tell_outsiders(claimed, place)
        return again

    async def _must_wait(self, claimed: Claim) -> bool:
        """Say whether something else has to be drawn, or mended, first; the row says when to come back."""
        obstacle = _obstacle(claimed)
        if obstacle is None:
            return False
        async with self._pool.connection() as conn:
            if isinstance(obstacle, Failure):
                await deliveries.given_up(conn, self._queue, claimed, obstacle.why, obstacle.mend)
            else:
                await deliveries.later(conn, claimed, obstacle, posted="no")
        return True

    async def _show(self, claimed: Claim) -> Place:
        """Post or update; returns where the message is."""
        message = claimed.message
        if message.channel_id and message.ts:
            return await self._update(claimed, message.channel_id, message.ts)
        if claimed.unknown_since is not None:
            found = await find_posted(self._client, self._directory, claimed, claimed.unknown_since)
            if found is not None:
                return await self._update(claimed, *found)
            if claimed.parent_ts is not None:
                await self._take_back_unseen(claimed, claimed.unknown_since)
        return await self._post(claimed)

    async def _take_back_unseen(self, claimed: Claim, since: datetime) -> None:
        """Delete a reply that Slack put in the channel without our hearing of it."""
        alone = await find_alone(self._client, self._directory, claimed, since)
        if alone is not None:
            await self._delete(alone)

    async def _post(self, claimed: Claim) -> Place:
        shown = await self._rendered(claimed)
        call = self._client.chat_postMessage(
            channel=claimed.channel,
            text=shown.text,
            blocks=shown.blocks,
            metadata=shown.metadata,
            thread_ts=claimed.parent_ts,
            unfurl_links=False,
            unfurl_media=False,
        )
        said = await metrics.called("chat.postMessage", call)
        place = str(said["channel"]), str(said["ts"])
        if claimed.parent_ts is not None and "thread_ts" not in (said.get("message") or {"thread_ts": ""}):
            await self._take_back(place)
        return place

    async def _rendered(self, claimed: Claim) -> Drawn:
        """Render what is claimed. A large request takes a second, and clicks are heard in this loop."""
        asks = (claimed.approval.asked, claimed.approval.proposal) if claimed.approval else ()
        return await beside(lambda: self._render(claimed), claimed.message.body, *asks)

    async def _take_back(self, place: Place) -> NoReturn:
        """Delete a reply whose parent is gone: Slack puts it in the channel (slack-go/slack#1571), silently.

        Raises what Slack says elsewhere of a thread that is gone.
        """
        await self._delete(place)
        gone = {"ok": False, "error": "thread_not_found"}
        raise SlackApiError("what it replies to is gone", gone)  # type: ignore[no-untyped-call]

    async def _delete(self, place: Place) -> None:
        with suppress(*Unreachable):
            await self._client.chat_delete(channel=place[0], ts=place[1])

    async def _update(self, claimed: Claim, channel: str, ts: str) -> Place:
        shown = await self._rendered(claimed)
        call = self._client.chat_update(
            channel=channel, ts=ts, text=shown.text, blocks=shown.blocks, metadata=shown.metadata
        )
        await metrics.called("chat.update", call)
        return channel, ts

    async def _publish(self, claimed: Claim) -> bool:
        """Show a person their Home, which has no place of its own and can be published again at any time."""
        user = claimed.message.target
        async with self._pool.connection() as conn:
            view = home(await inbox(conn, user), await handles(conn))
        await metrics.called("views.publish", self._client.views_publish(user_id=user, view=view))
        async with self._pool.connection() as conn:
            await deliveries.done(conn, claimed)
        return False

    async def _point_away(self, claimed: Claim) -> bool:
        """Rewrite a copy that is not the live card, or take away a second one of what has no buttons."""
        message = claimed.message
        place = message.target, message.body["ts"]
        if not claimed.is_live:
            if message.body.get("gone"):
                await self._client.chat_delete(channel=place[0], ts=place[1])
            else:
                await self._update(claimed, *place)
        async with self._pool.connection() as conn:
            await deliveries.rewritten(conn, self._queue, claimed)
        return False

    async def _tell_outsiders(self, claimed: Claim, place: Place) -> None:
        first = claimed.message.kind == "card" and not claimed.message.drawn
        if (first or claimed.message.kind == "escalation") and claimed.approval and claimed.thread:
            await self.outsiders.tell(claimed.approval, claimed.thread, place[0])

    async def verify(self, channel: str, ts: str) -> bool:
        """Say whether a message is still there to be seen. Raises what the SDK raises."""
        try:
            await self._client.chat_getPermalink(channel=channel, message_ts=ts)
        except SlackApiError as error:
            if read_failure(error).kind in ("deleted", "for_good"):
                return False
            raise
        return True

    async def _failed(self, claimed: Claim, failure: Failure) -> bool:
        """Act on a failure; True where the message can be drawn again at once."""
        message, queue, wait = claimed.message, self._queue, _backoff(claimed)
        log.info("not_drawn", message_id=message.message_id, kind=failure.kind, why=failure.why)
        async with self._pool.connection() as conn:
            match failure.kind:
                case "ratelimited":
                    await deliveries.throttled(conn, claimed, failure.after or timedelta(seconds=1))
                case "unknown":
                    await deliveries.later(conn, claimed, wait, posted="unknown")
                case "not_now":
                    await deliveries.later(conn, claimed, wait, posted="no")
                case "deleted" | "frozen" if _wanted_again(claimed):
                    await deliveries.post_anew(conn, claimed)
                    return True
                case "frozen" if message.kind in WITH_BUTTONS:
                    await deliveries.told_below(conn, queue, claimed)
                case "no_parent" if message.attempts < PATIENCE and _is_open(claimed):
                    await deliveries.parent_gone(conn, queue, claimed, wait)
                case "deleted" | "frozen" | "no_parent":
                    await deliveries.done(conn, claimed)
                case "for_good" if message.kind == "home":
                    await deliveries.done(conn, claimed)
                case "for_good":
                    mend = failure.mending(message.target)
                    await deliveries.given_up(conn, queue, claimed, failure.why, mend)
        return False


_SET = {
    True: "Set SIGNOFF_OPS_CHANNEL to a channel that the bot is in.",
    False: "Declare its channel in the Workflow; for a graph without one, set SIGNOFF_DEFAULT_CHANNEL.",
}
"""How to say where it goes: a message for ops, or any other."""


def _obstacle(claimed: Claim) -> Failure | timedelta | None:
    """Return what is in the way of drawing: for good, or for how long."""
    message = claimed.message
    if message.ts is not None:
        return None
    if message.parent_id and claimed.parent_ts is None:
        if claimed.parent_error is None:
            return _backoff(claimed)
        return Failure("for_good", f"its card could not be delivered: {claimed.parent_error}")
    leads_to_another = message.kind == "stray" or bool(message.body.get("first"))
    if leads_to_another and claimed.card is None and message.attempts < PATIENCE:
        return _backoff(claimed)
    if not message.target:
        return Failure("for_good", "no channel is set for it", _SET[message.kind in ("ops", "digest")])
    return None


def _is_open(claimed: Claim) -> bool:
    return claimed.approval is not None and claimed.approval.status == "pending"


def _wanted_again(claimed: Claim) -> bool:
    """A card that is gone, or cannot be changed, is posted again while it waits for an answer."""
    return claimed.message.kind in WITH_BUTTONS and _is_open(claimed)


def _backoff(claimed: Claim) -> timedelta:
    return timedelta(seconds=min(2.0 ** min(claimed.message.attempts, 6), 60.0))
