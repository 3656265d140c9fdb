"""The line between people and the app: the state, the way to the app, and addresses to answer to."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.emulator.delivery import Delivery
from bot.emulator.errors import CannotDo
from bot.emulator.response_urls import ResponseUrls
from bot.emulator.state import Slack
from bot.emulator.workspace import Channel, User


@dataclass
class Line:
    """What the acts of people need."""

    slack: Slack
    delivery: Delivery
    response_urls: ResponseUrls
    commands: frozenset[str] = field(default_factory=frozenset)
    """Slash commands that the app has; empty for any."""

    def person(self, user_id: str) -> User:
        """Somebody who can sit at Slack's client."""
        user = self.slack.users.get(user_id)
        if user is None:
            raise CannotDo(f"no such user: {user_id}")
        if user.deleted or user.is_bot:
            raise CannotDo(f"{user.name} is {'deactivated' if user.deleted else 'a bot'}")
        return user

    def channel(self, user_id: str, channel_id: str) -> Channel:
        """A channel that the person is in."""
        conversation = self.slack.conversations.get(channel_id)
        if conversation is None or user_id not in conversation.channel.members:
            raise CannotDo(f"{user_id} is not in {channel_id}")
        return conversation.channel
