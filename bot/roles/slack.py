"""The way to Slack: waiting to be known there, listening over a socket, and leaving no click half-heard."""

from __future__ import annotations

import asyncio

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bot.approvals.errors import SignoffError
from bot.house import House
from bot.postgres.away import DatabaseAway
from bot.roles.stopping import Rest, happens, pause
from bot.roles.waiting import until
from bot.slack.payloads import UNREADABLE, misshapen
from bot.slack.workspace.badge import Badge, ForeignTeam, TokenRefused

log = structlog.get_logger("signoff.slack")

PING_SECONDS = 5.0
CONNECT_SECONDS = 10.0
"""After so long without an answer a socket is given up that is being opened."""

DRAIN_SECONDS = 3.0
"""What Slack gives a listener; none that is under way needs longer."""

_UNDER_WAY = frozenset({"run_message_listeners", "run_ack_function_asynchronously"})
"""The coroutines in which slack_sdk and Bolt hear an envelope and run a listener past its ack."""


async def proven(badge: Badge, stop: asyncio.Event, rest: Rest = pause) -> SignoffError | None:
    """Wait until Slack says who we are. Where it will not have us, set `stop` and return why."""

    async def away() -> str | None:
        try:
            if not badge.proven:
                await badge.prove()
        except DatabaseAway as error:  # it is to remember what Slack said
            return str(error)
        return badge.missing

    try:
        await until(away, "slack_unreachable", stop, rest)
    except (TokenRefused, ForeignTeam) as error:
        stop.set()
        return error
    return None


async def listen(house: House, app_token: str, stop: asyncio.Event) -> None:
    """Once Slack says who we are, hear it until `stop` is set; then let what is under way finish."""
    if not await happens(house.badge.shown, stop):
        return
    handler = socket_handler(house.bolt, app_token)
    connecting = asyncio.create_task(handler.connect_async())  # type: ignore[no-untyped-call]
    try:
        while not stop.is_set():
            await pause(stop, PING_SECONDS * 2)
            if not await handler.client.is_connected():
                # The SDK keeps trying one address, whose ticket Slack takes once and not for long.
                handler.client.wss_uri = None
    finally:
        await drained()
        # Where clicks come so steadily that one is always under way, no more are begun: whoever is cut off
        # after recording it could not acknowledge it.
        handler.leaving = True
        await drained()
        connecting.cancel()
        await handler.close_async()  # type: ignore[no-untyped-call]


class Ear(AsyncSocketModeHandler):
    """Hands what Slack says over a socket to Bolt, unless Slack cannot have said it, or it is `leaving`."""

    leaving = False

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]
        """Drop what is malformed: who clicked sees that it failed; an event would only come again."""
        if self.leaving:
            return
        wrong = _wrong(req)
        if wrong is None:
            await super().handle(client, req)
            return
        log.warning("slack_request_malformed", why=wrong)
        if req.type == "events_api":
            await client.send_socket_mode_response(SocketModeResponse(envelope_id=req.envelope_id))


def _wrong(req: SocketModeRequest) -> str | None:
    try:
        return misshapen(AsyncBoltRequest(mode="socket_mode", body=req.payload).body)
    except UNREADABLE:
        return "The payload's ids are not what Slack sends there."


def socket_handler(bolt: AsyncApp, app_token: str) -> Ear:
    """Return what hears Slack over a socket, by the same way out as the app's own calls."""
    handler = Ear(bolt, app_token, ping_interval=PING_SECONDS)
    handler.client.proxy = bolt.client.proxy
    handler.client.aiohttp_client_session = _hurried(handler.client.aiohttp_client_session)
    return handler


def _hurried(session: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """Return a session in this one's place that does not wait for an answer for five minutes."""
    hurried = aiohttp.ClientSession(
        connector=session.connector, timeout=aiohttp.ClientTimeout(total=CONNECT_SECONDS)
    )
    session.detach()
    return hurried


async def drained() -> None:
    """Wait, for as long as a listener may take, until none is at work."""
    loop = asyncio.get_running_loop()
    until = loop.time() + DRAIN_SECONDS
    while (busy := _busy()) and loop.time() < until:
        await asyncio.wait(busy, timeout=until - loop.time())


def _busy() -> set[asyncio.Task[object]]:
    return {
        task
        for task in asyncio.all_tasks()
        if getattr(task.get_coro(), "__qualname__", "").rpartition(".")[2] in _UNDER_WAY
    }
