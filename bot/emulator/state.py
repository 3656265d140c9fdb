"""Everything that is true in the emulated workspace at this moment, and who is told when it changes."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

from bot.emulator import messages
from bot.emulator.conversation import Conversation
from bot.emulator.errors import SlackError
from bot.emulator.screens import Screens
from bot.emulator.store import Forgetful, Store
from bot.emulator.workspace import Channel, Group, Json, User, Workspace

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    return datetime.now(UTC)


class Slack:
    """The workspace's state. `version` counts changes; `next_change()` waits for one."""

    def __init__(self, workspace: Workspace, clock: Clock = wall_clock, store: Store | None = None) -> None:
        self.workspace = workspace
        self.clock = clock
        self.store: Store = store or Forgetful()
        self.users: dict[str, User] = {user.id: user for user in (*workspace.users, workspace.bot_user)}
        self.groups: dict[str, Group] = {group.id: group for group in workspace.groups}
        self.conversations = {channel.id: Conversation(channel) for channel in workspace.channels}
        self.bot_scopes = set(workspace.bot_scopes)
        self.socket_tickets: set[str] = set()
        self.screens = Screens()
        self.whispers: dict[str, list[Json]] = {}
        self.read: dict[str, dict[str, str]] = {}
        self.version = 0
        self._news = asyncio.Event()
        self._last_micros = 0
        self._recall()

    def now(self) -> float:
        """Unix seconds by the emulator's clock."""
        return self.clock().timestamp()

    def next_ts(self) -> str:
        """A timestamp later than every one before it, whatever the clock does."""
        self._last_micros = max(round(self.now() * 1_000_000), self._last_micros + 1)
        return f"{self._last_micros // 1_000_000}.{self._last_micros % 1_000_000:06d}"

    def changed(self) -> None:
        self.version += 1
        self.nudge()

    def nudge(self) -> None:
        """Wake who waits, though nothing that a person sees has changed."""
        self._news.set()
        self._news = asyncio.Event()

    async def next_change(self) -> None:
        await self._news.wait()

    # Users, groups and channels

    def user(self, user_id: str) -> User:
        """The user, or `user_not_found`."""
        if found := self.users.get(user_id):
            return found
        raise SlackError("user_not_found")

    def set_user(self, user: User) -> None:
        self.users[user.id] = user
        self.changed()

    def set_group(self, group_id: str, *users: str) -> None:
        """Give a user group exactly these members."""
        self.groups[group_id] = dataclasses.replace(self.groups[group_id], users=users)
        self.changed()

    def set_channel(self, channel: Channel) -> None:
        """Add a channel, or change one's name, members, archived or shared mark."""
        if known := self.conversations.get(channel.id):
            known.channel = channel
        else:
            self.conversations[channel.id] = Conversation(channel)
        if channel.is_im or channel.is_mpim:
            body = dataclasses.asdict(channel) | {"members": sorted(channel.members)}
            self.store.put("channel", channel.id, body)
        self.changed()

    def conversation(self, channel_id: str) -> Conversation:
        """By its id; `channel_not_found` otherwise."""
        if found := self.conversations.get(channel_id):
            return found
        raise SlackError("channel_not_found")

    def direct_message(self, *users: str) -> Conversation:
        """The bot's conversation with one person (`D…`) or several (`G…`), opened if need be."""
        ids = sorted(users)
        channel_id = "D" + ids[0][1:] if len(ids) == 1 else "G" + "".join(user[1:] for user in ids)
        if channel_id not in self.conversations:
            members = frozenset({*ids, self.workspace.bot_user.id})
            single = len(ids) == 1
            self.set_channel(
                Channel(channel_id, "" if single else "mpdm", members, True, is_im=single, is_mpim=not single)
            )
        return self.conversations[channel_id]

    # Messages

    def post(self, conversation: Conversation, message: Json) -> Json:
        """Give the message its `ts` and put it into the conversation."""
        message["ts"] = self.next_ts()
        conversation.add(message)
        return self._keep(conversation, message)

    def rewrite(self, conversation: Conversation, message: Json) -> Json:
        """Replace the message that has the same `ts`."""
        conversation.messages[message["ts"]] = message
        return self._keep(conversation, message)

    def remove(self, conversation: Conversation, ts: str) -> None:
        """Delete a message, leaving a tombstone over its replies; `message_not_found` when there is none."""
        message = messages.find(conversation, ts)
        if conversation.replies(ts):
            self.rewrite(conversation, messages.tombstone(message))
            return
        conversation.remove(ts)
        self.store.delete("message", f"{conversation.channel.id}/{ts}")
        self.changed()

    def whisper(self, user: str, channel_id: str, message: Json) -> Json:
        """Show a message to one person only, for as long as they do not reload."""
        message |= {"ts": self.next_ts(), "channel": channel_id, "is_ephemeral": True}
        self.whispers.setdefault(user, []).append(message)
        self.store.put("whisper", f"{user}/{message['ts']}", message)
        self.changed()
        return message

    def unwhisper(self, user: str, ts: str) -> None:
        kept = [message for message in self.whispers.get(user, []) if message["ts"] != ts]
        self.whispers[user] = kept
        self.store.delete("whisper", f"{user}/{ts}")
        self.changed()

    def publish(self, user: str, view: Json) -> None:
        """Show the view as the person's App Home."""
        self.screens.homes[user] = view
        self.store.put("home", user, view)
        self.changed()

    def mark_read(self, user: str, channel_id: str) -> None:
        self.read.setdefault(user, {})[channel_id] = self.conversation(channel_id).last_ts()
        self.store.put("read", user, self.read[user])
        self.changed()

    def _keep(self, conversation: Conversation, message: Json) -> Json:
        self.store.put("message", f"{conversation.channel.id}/{message['ts']}", message)
        self.changed()
        return message

    def _recall(self) -> None:
        for _, body in self.store.load("channel"):
            channel = Channel(**body | {"members": frozenset(body["members"])})
            self.conversations[channel.id] = Conversation(channel)
        for key, message in self.store.load("message"):
            if conversation := self.conversations.get(key.partition("/")[0]):
                conversation.add(message)
                self._saw(message["ts"])
        for key, message in self.store.load("whisper"):
            self.whispers.setdefault(key.partition("/")[0], []).append(message)
            self._saw(message["ts"])
        self.screens.homes = dict(self.store.load("home"))
        self.read = {user: dict(marks) for user, marks in self.store.load("read")}

    def _saw(self, ts: str) -> None:
        self._last_micros = max(self._last_micros, int(ts.replace(".", "")))
