"""What people do besides clicking: they open the Home tab, write, come in."""

from __future__ import annotations

import dataclasses

from bot.emulator import messages
from bot.emulator.delivery import Ack
from bot.emulator.errors import CannotDo
from bot.emulator.events import Events, message_subscription
from bot.emulator.line import Line
from bot.emulator.workspace import Json


async def open_home(line: Line, events: Events, user: str) -> Ack | None:
    """Open the app's Home tab; None when the app did not subscribe to app_home_opened."""
    line.person(user)
    event: Json = {
        "type": "app_home_opened",
        "user": user,
        "channel": line.slack.direct_message(user).channel.id,
        "tab": "home",
        "event_ts": f"{line.slack.now():.6f}",
    }
    if view := line.slack.screens.homes.get(user):
        event["view"] = view
    return await events.send("app_home_opened", event)


async def say(
    line: Line, events: Events, user: str, channel_id: str, text: str, *, thread_ts: str = ""
) -> Json:
    """Write a message, or a reply; the message as it stands then."""
    line.person(user)
    channel = line.channel(user, channel_id)
    if not text.strip() or channel.is_archived:
        raise CannotDo("nothing to say" if not channel.is_archived else "the channel is archived")
    conversation = line.slack.conversation(channel_id)
    message = messages.by_person(line.slack.workspace, user, text)
    if thread_ts:
        if thread_ts not in conversation.messages:
            raise CannotDo(f"there is no thread {thread_ts}")
        message["thread_ts"] = conversation.messages[thread_ts].get("thread_ts", thread_ts)
    posted = line.slack.post(conversation, message)
    event = posted | {"channel": channel_id, "event_ts": posted["ts"]}
    await events.send(message_subscription(channel), event)
    if f"<@{line.slack.workspace.bot_user.id}>" in text:
        await events.send("app_mention", event | {"type": "app_mention"})
    return posted


async def join(line: Line, events: Events, user: str, channel_id: str) -> None:
    """Somebody, or the bot when it is invited, comes into a channel."""
    known = line.slack.conversation(channel_id).channel
    line.slack.set_channel(dataclasses.replace(known, members=known.members | {user}))
    event = {"type": "member_joined_channel", "user": user, "channel": channel_id}
    await events.send("member_joined_channel", event)
