"""The emulator as tests use it: the people at it, what they see, what goes wrong, and waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bot.emulator import clicks, commands, messages, modals, presence
from bot.emulator.clicks import Touch
from bot.emulator.delivery import Ack, Kind
from bot.emulator.faults import FaultKind
from bot.emulator.server import Server
from bot.emulator.sockets import DisconnectReason
from bot.emulator.webapi import CallRecord
from bot.emulator.workspace import Json

Found = TypeVar("Found")


class Emulator(Server):
    """A `Server` with the acts of people as methods; acts raise `CannotDo` where a person could not."""

    async def click(
        self,
        user: str,
        where: Json | str,
        action_id: str,
        *,
        block_id: str | None = None,
        option: Any = None,
        values: Mapping[str, Any] | None = None,
        times: int = 1,
    ) -> Ack:
        """Use an element of a message (or its ts) or view (or its id); `option` is what a menu is set to."""
        touch = Touch(action_id, block_id, option, values or {})
        return await clicks.click(self.line, user, _place(where), touch, times=times)

    async def submit(
        self, user: str, view: Json | str, values: Mapping[str, Any] | None = None, *, times: int = 1
    ) -> Ack:
        """Submit the modal in front of the person; `values` by block id, the rest as it was pre-filled."""
        return await modals.submit(self.line, user, _place(view), values or {}, times=times)

    async def close(self, user: str, view: Json | str, *, cleared: bool = False) -> Ack:
        return await modals.close(self.line, user, _place(view), cleared=cleared)

    async def command(self, user: str, channel: str, name: str, text: str = "", *, times: int = 1) -> Ack:
        return await commands.command(self.line, user, channel, name, text, times=times)

    async def shortcut(self, user: str, callback_id: str) -> Ack:
        return await commands.shortcut(self.line, user, callback_id)

    async def open_home(self, user: str) -> Ack | None:
        """Open the app's Home tab; None when the app did not subscribe to app_home_opened."""
        return await presence.open_home(self.line, self.events, user)

    async def say(self, user: str, channel: str, text: str, *, thread_ts: str = "") -> Json:
        """Write a message, or a reply."""
        return await presence.say(self.line, self.events, user, channel, text, thread_ts=thread_ts)

    async def join(self, user: str, channel: str) -> None:
        """Somebody, or the bot when it is invited, comes into a channel."""
        await presence.join(self.line, self.events, user, channel)

    def delete_message(self, channel: str, ts: str) -> None:
        """Somebody deletes a message."""
        self.state.remove(self.state.conversation(channel), ts)

    async def deliver(self, payload: Json, kind: Kind = "interactive", *, times: int = 1) -> Ack:
        """Send the app a payload as it is: a stale or forged click, a redelivery."""
        return await self.delivery.deliver(kind, payload, times=times)

    def click_payload(
        self, user: str, where: Json | str, action_id: str, *, block_id: str | None = None, option: Any = None
    ) -> Json:
        """The payload of a click, to be delivered later by `deliver`."""
        return clicks.click_payload(self.line, user, _place(where), Touch(action_id, block_id, option))

    def messages(self, channel: str) -> list[Json]:
        """A conversation's messages and replies, oldest first; a user's id means their direct message."""
        channel_id = "D" + channel[1:] if channel in self.state.users else channel
        conversation = self.state.conversations.get(channel_id)
        if conversation is None:
            return []
        return [
            messages.presented(conversation, message, metadata=True) | {"channel": channel_id}
            for message in conversation.messages.values()
        ]

    def ephemerals(self, user: str) -> list[Json]:
        """What was shown to this person alone, oldest first."""
        return list(self.state.whispers.get(user, []))

    def views(self, user: str) -> list[Json]:
        """The person's open modals, the top one last."""
        return self.state.screens.of(user)

    def home(self, user: str) -> Json | None:
        return self.state.screens.homes.get(user)

    @property
    def calls(self) -> list[CallRecord]:
        """The log of Web API calls, oldest first."""
        return list(self.api.calls)

    def fault(self, method: str, kind: FaultKind, *, times: int = 1, retry_after: int = 1) -> None:
        """Make the next `times` calls of `method` ("*" for any) fail this way."""
        self.faults.add(method, kind, times=times, retry_after=retry_after)

    def drop_acks(self, times: int = 1) -> None:
        """Ignore the app's next answers, as a network that loses them does."""
        self.faults.lost_acks += times

    async def disconnect(self, reason: DisconnectReason | None = "refresh_requested") -> None:
        """Take every socket away from the app; None without a word."""
        await self.sockets.disconnect(reason)

    async def until(
        self,
        predicate: Callable[[], Found],
        timeout: float = 30.0,  # noqa: ASYNC109 - a test says how long it is ready to wait
    ) -> Found:
        """Wait until the predicate holds of the state or the call log; its value, or TimeoutError."""
        async with asyncio.timeout(timeout):
            while not (found := predicate()):
                await self.state.next_change()
        return found


def _place(where: Json | str) -> str:
    """A message's ts or a view's id."""
    return where if isinstance(where, str) else str(where.get("ts") or where["id"])
