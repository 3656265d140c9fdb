"""The emulator as one object: a local server, the people at it, and what tests ask of it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from bot.emulator import clicks, commands, events, messages, modals
from bot.emulator.delivery import Ack, Delivery, Kind, Route
from bot.emulator.events import Events
from bot.emulator.faults import FaultKind, Faults
from bot.emulator.limits import Limits
from bot.emulator.line import Line
from bot.emulator.response_urls import ResponseUrls
from bot.emulator.sockets import DisconnectReason, Sockets
from bot.emulator.state import Clock, Slack, wall_clock
from bot.emulator.store import SqliteStore
from bot.emulator.webapi import CallRecord, WebApi
from bot.emulator.workspace import Json, User, Workspace, demo_workspace

Found = TypeVar("Found")
BODY_BYTES = 4 * 1024 * 1024
SUBSCRIBED = frozenset({"app_home_opened"})


class Emulator:
    """A local Slack on 127.0.0.1; an async context manager.

    `path` is the file its messages survive in (memory when None). `route` says how payloads reach the app:
    "socket", "http" (to `request_url`, signed) or "auto". `rate_limits` applies Slack's rates.
    """

    def __init__(
        self,
        workspace: Workspace | None = None,
        *,
        clock: Clock = wall_clock,
        path: Path | None = None,
        rate_limits: bool = True,
        request_url: str | None = None,
        delivery: Route = "auto",
        ack_seconds: float = 3.0,
        subscribed: Collection[str] = SUBSCRIBED,
        event_retries: Sequence[float] = events.RETRY_AFTER_SECONDS,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        workspace = workspace or demo_workspace()
        self.state = Slack(workspace, clock, SqliteStore(path) if path else None)
        self.faults = Faults()
        self.limits = Limits(enabled=rate_limits)
        self.sockets = Sockets(self.state)
        self.api = WebApi(self.state, self.faults, self.limits)
        self.delivery = Delivery(
            self.sockets,
            self.faults,
            signing_secret=workspace.signing_secret,
            request_url=request_url,
            route=delivery,
            ack_seconds=ack_seconds,
        )
        self.events = Events(self.state, self.delivery, subscribed, event_retries)
        self.line = Line(self.state, self.delivery, ResponseUrls(self.state))
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.line.response_urls.origin = self.url

    async def stop(self) -> None:
        await self.events.close()
        await self.sockets.disconnect(None)
        await self.delivery.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self.state.store.close()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def api_url(self) -> str:
        """What SLACK_API_URL should be."""
        return f"{self.url}/api/"

    @property
    def calls(self) -> list[CallRecord]:
        """The log of Web API calls, oldest first."""
        return list(self.api.calls)

    def environment(self) -> dict[str, str]:
        """The variables that point an app at this emulator."""
        workspace = self.state.workspace
        return {
            "SLACK_API_URL": self.api_url,
            "SLACK_BOT_TOKEN": workspace.bot_token,
            "SLACK_APP_TOKEN": workspace.app_token,
            "SLACK_SIGNING_SECRET": workspace.signing_secret,
        }

    # What people do

    async def click(
        self,
        user: str,
        message: Json | str,
        action_id: str,
        *,
        block_id: str | None = None,
        option: Any = None,
        values: Mapping[str, Any] | None = None,
        times: int = 1,
    ) -> Ack:
        """Use an element of a message (or its ts) or a view (or its id); `option` is what a menu is set to."""
        where = message if isinstance(message, str) else message.get("ts") or message["id"]
        return await clicks.click(
            self.line, user, where, action_id, block_id=block_id, chosen=option, values=values, times=times
        )

    async def submit(
        self, user: str, view: Json | str, values: Mapping[str, Any] | None = None, *, times: int = 1
    ) -> Ack:
        """Submit the modal in front of the person; `values` by block id."""
        return await modals.submit(self.line, user, _id(view), values or {}, times=times)

    async def close(self, user: str, view: Json | str, *, cleared: bool = False) -> Ack:
        return await modals.close(self.line, user, _id(view), cleared=cleared)

    async def command(self, user: str, channel: str, name: str, text: str = "", *, times: int = 1) -> Ack:
        return await commands.command(self.line, user, channel, name, text, times=times)

    async def shortcut(self, user: str, callback_id: str) -> Ack:
        return await commands.shortcut(self.line, user, callback_id)

    async def open_home(self, user: str) -> Ack | None:
        """Open the app's Home tab; None when the app did not subscribe to app_home_opened."""
        self.line.person(user)
        conversation = self.state.direct_message(user)
        event: Json = {
            "type": "app_home_opened",
            "user": user,
            "channel": conversation.channel.id,
            "tab": "home",
            "event_ts": f"{self.state.now():.6f}",
        }
        if view := self.state.screens.homes.get(user):
            event["view"] = view
        return await self.events.send("app_home_opened", event)

    async def say(self, user: str, channel: str, text: str, *, thread_ts: str | None = None) -> Json:
        """A person writes a message, or a reply."""
        self.line.person(user)
        where = self.line.channel(user, channel)
        message = messages.by_person(self.state.workspace, user, text)
        if thread_ts:
            message["thread_ts"] = thread_ts
        posted = self.state.post(self.state.conversation(channel), message)
        event = posted | {"channel": channel, "event_ts": posted["ts"]}
        await self.events.send(events.message_subscription(where), event)
        if f"<@{self.state.workspace.bot_user.id}>" in text:
            await self.events.send("app_mention", event | {"type": "app_mention"})
        return posted

    async def join(self, user: str, channel: str) -> None:
        """A person, or the bot when it is invited, comes into a channel."""
        known = self.state.conversation(channel).channel
        self.state.set_channel(dataclasses.replace(known, members=known.members | {user}))
        event = {"type": "member_joined_channel", "user": user, "channel": channel}
        await self.events.send("member_joined_channel", event)

    def delete_message(self, channel: str, ts: str) -> None:
        """A person deletes a message."""
        self.state.remove(self.state.conversation(channel), ts)

    async def deliver(self, payload: Json, kind: Kind = "interactive", *, times: int = 1) -> Ack:
        """Send the app a payload as it is: a stale or forged click, a redelivery."""
        return await self.delivery.deliver(kind, payload, times=times)

    def click_payload(
        self,
        user: str,
        message: Json | str,
        action_id: str,
        *,
        block_id: str | None = None,
        option: Any = None,
    ) -> Json:
        """The payload of a click, to be delivered later by `deliver`."""
        where = message if isinstance(message, str) else message.get("ts") or message["id"]
        return clicks.click_payload(self.line, user, where, action_id, block_id, option, {})

    # What people see

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
        return list(self.state.whispers.get(user, []))

    def views(self, user: str) -> list[Json]:
        """The person's open modals, the top one last."""
        return self.state.screens.of(user)

    def home(self, user: str) -> Json | None:
        return self.state.screens.homes.get(user)

    # What goes wrong, and waiting

    def fault(self, method: str, kind: FaultKind, *, times: int = 1, retry_after: int = 1) -> None:
        """Make the next `times` calls of `method` ("*" for any) fail this way."""
        self.faults.add(method, kind, times=times, retry_after=retry_after)

    def drop_acks(self, times: int = 1) -> None:
        """Ignore the app's next answers, as a network that loses them does."""
        self.faults.lost_acks += times

    async def disconnect(self, reason: DisconnectReason | None = "refresh_requested") -> None:
        await self.sockets.disconnect(reason)

    def set_user(self, user: User) -> None:
        self.state.set_user(user)

    async def until(
        self,
        predicate: Callable[[], Found],
        timeout: float = 5.0,  # noqa: ASYNC109 - a test says how long it is ready to wait
    ) -> Found:
        """Wait until the predicate is true of the state or the call log; its value. TimeoutError otherwise."""
        async with asyncio.timeout(timeout):
            while not (found := predicate()):
                await self.state.next_change()
        return found

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=BODY_BYTES)
        application.router.add_route("GET", "/api/{method}", self.api.handle)
        application.router.add_route("POST", "/api/{method}", self.api.handle)
        application.router.add_get("/link/", self.sockets.handle)
        application.router.add_post("/actions/{team}/{key}", self.line.response_urls.handle)
        return application


def _id(view: Json | str) -> str:
    return view if isinstance(view, str) else str(view["id"])
