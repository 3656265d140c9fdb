"""After a crash between posting and noting it: find the message in Slack by its metadata."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.facts.claims import Claim
from bot.slack.blocks.drawn import EVENT_TYPE
from bot.slack.workspace.directory import Directory, Unreachable
from bot.slack.workspace.failures import Failure, read_failure

SLACK_CLOCK = timedelta(seconds=60)
"""How far Slack's clock may be from ours."""

MOST_PAGES = 5
PAGE = 200


class StillUnknown(Exception):
    """Slack did not say whether the message was posted; to post it now could show it twice."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.why)
        self.failure = failure


async def find_posted(
    client: AsyncWebClient, directory: Directory, claimed: Claim, since: datetime
) -> tuple[str, str] | None:
    """Return the channel and ts of a post that reached Slack unnoted, or None; raises `StillUnknown`.

    Without the optional history scopes nothing can be known: then it is posted again, and a click on the
    unknown copy is refused and that copy rewritten.
    """
    return await _found(client, directory, claimed, since, claimed.parent_ts)


async def find_alone(
    client: AsyncWebClient, directory: Directory, claimed: Claim, since: datetime
) -> tuple[str, str] | None:
    """Return where a reply stands in the channel, that came unnoted to a card which was gone by then."""
    return await _found(client, directory, claimed, since, None)


async def _found(
    client: AsyncWebClient, directory: Directory, claimed: Claim, since: datetime, parent_ts: str | None
) -> tuple[str, str] | None:
    sought = claimed.message.message_id
    oldest = f"{(since - SLACK_CLOCK).timestamp():.6f}"
    try:
        channel = await _channel(directory, claimed.channel)
        async for posted in _said(client, channel, oldest, parent_ts):
            metadata = posted.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") == EVENT_TYPE and payload.get("message_id") == sought:
                return channel, str(posted["ts"])
    except Unreachable as error:
        failure = read_failure(error)
        if failure.kind in ("ratelimited", "unknown", "not_now"):
            raise StillUnknown(failure) from error
        return None  # no scope for it, or no such channel: posting says what is wrong, if anything is
    return None


async def _said(
    client: AsyncWebClient, channel: str, oldest: str, parent_ts: str | None
) -> AsyncIterator[dict[str, Any]]:
    """Yield what was said since in the channel, or under one message of it."""
    cursor = ""
    for _ in range(MOST_PAGES):
        wanted: dict[str, Any] = {
            "oldest": oldest,
            "include_all_metadata": True,
            "limit": PAGE,
            "cursor": cursor,
        }
        if parent_ts is None:
            page = await client.conversations_history(channel=channel, **wanted)
        else:
            page = await client.conversations_replies(channel=channel, ts=parent_ts, **wanted)
        for posted in page["messages"]:
            yield posted
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return


async def _channel(directory: Directory, target: str) -> str:
    if target.startswith(("U", "W")):
        return await directory.channels.opened_with(target)
    return (await directory.channels.find(target)).channel_id
