"""After a crash between posting and noting it: find the message in the channel's history by its metadata."""

from __future__ import annotations

from datetime import datetime, timedelta

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.postgres.rows import Message
from bot.slack.directory import Directory
from bot.slack.drawn import EVENT_TYPE

SLACK_CLOCK = timedelta(seconds=60)
"""How far Slack's clock may be from ours."""


async def find_posted(
    client: AsyncWebClient, directory: Directory, message: Message, since: datetime
) -> tuple[str, str] | None:
    """Return the channel and ts of a post that reached Slack unnoted, or None.

    Without the optional history scopes nothing can be known: then it is posted again, and a click on the
    unknown copy is refused and that copy rewritten.
    """
    try:
        channel = await _channel(directory, message.target)
        said = await client.conversations_history(
            channel=channel,
            oldest=f"{(since - SLACK_CLOCK).timestamp():.6f}",
            include_all_metadata=True,
            limit=200,
        )
    except SlackApiError as error:
        if error.response.get("error") == "missing_scope":
            return None
        raise
    for posted in said["messages"]:
        metadata = posted.get("metadata") or {}
        payload = metadata.get("event_payload") or {}
        if metadata.get("event_type") == EVENT_TYPE and payload.get("message_id") == message.message_id:
            return channel, str(posted["ts"])
    return None


async def _channel(directory: Directory, target: str) -> str:
    if target.startswith(("U", "W")):
        return await directory.opened_with(target)
    return (await directory.channel(target)).channel_id
