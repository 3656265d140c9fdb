"""The workspace as one person sees it, for the page and for programs outside."""

from __future__ import annotations

from itertools import islice

from bot.emulator import messages
from bot.emulator.channels import shown_channel
from bot.emulator.conversation import Conversation
from bot.emulator.people import shown_user
from bot.emulator.state import Slack
from bot.emulator.workspace import Group, Json

MESSAGES_SHOWN = 200


def picture(slack: Slack, user: str, most: int = MESSAGES_SHOWN) -> Json:
    """Team, people, the person's channels with their last `most` messages, and what they have open."""
    workspace, now = slack.workspace, slack.clock()
    mine = [one for one in slack.conversations.values() if user in one.channel.members]
    return {
        "version": slack.version,
        "now": now.isoformat(),
        "team": {"id": workspace.team_id, "name": workspace.team_name, "domain": workspace.domain},
        "app": {
            "id": workspace.app_id,
            "bot_id": workspace.bot_id,
            "user": workspace.bot_user.id,
            "name": workspace.bot_user.real_name,
        },
        "user": user,
        "users": [shown_user(one, workspace, now) for one in slack.users.values()],
        "groups": [_group(group) for group in slack.groups.values()],
        "channels": [_channel(slack, user, conversation, most) for conversation in mine],
        "messages": {one.channel.id: _messages(slack, user, one, most) for one in mine},
        "views": slack.screens.of(user),
        "home": slack.screens.homes.get(user),
    }


def first_person(slack: Slack) -> str:
    """Who sits at the page before anybody is chosen."""
    return next((one.id for one in slack.users.values() if not one.is_bot and not one.deleted), "")


def _group(group: Group) -> Json:
    return {"id": group.id, "handle": group.handle, "name": group.name, "users": list(group.users)}


def _channel(slack: Slack, user: str, conversation: Conversation, most: int) -> Json:
    channel = conversation.channel
    shown = shown_channel(channel, user)
    return shown | {
        "members": sorted(channel.members),
        "unread": _unread(slack, user, conversation),
        "earlier": max(0, len(conversation.messages) - most),
    }


def _unread(slack: Slack, user: str, conversation: Conversation) -> int:
    return conversation.count_after(slack.read.get(user, {}).get(conversation.channel.id, ""))


def _messages(slack: Slack, user: str, conversation: Conversation, most: int) -> list[Json]:
    """Messages and replies, with what was shown to this person alone, oldest first."""
    newest = islice(reversed(conversation.messages.values()), most)
    seen = [messages.presented(conversation, message) for message in newest]
    channel_id = conversation.channel.id
    seen += [message for message in slack.whispers.get(user, []) if message["channel"] == channel_id]
    return sorted(seen, key=lambda message: str(message["ts"]))
