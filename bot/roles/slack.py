"""The way to Slack: waiting until it answers, listening over a socket, and leaving no click half-heard."""

from __future__ import annotations

import asyncio

import structlog
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_sdk.errors import SlackApiError

from bot.approvals.errors import SignoffError
from bot.house import House
from bot.roles.stopping import Rest, pause
from bot.settings import Settings
from bot.slack.app import identify, web_client
from bot.slack.directory import Unreachable
from bot.slack.failures import read_failure

log = structlog.get_logger("signoff.slack")

FIRST_WAIT, LONGEST_WAIT = 1.0, 15.0
PING_SECONDS = 5.0
DRAIN_SECONDS = 3.0
"""What Slack gives a listener; none that is under way needs longer."""

_UNDER_WAY = frozenset({"run_message_listeners", "run_ack_function_asynchronously"})
"""The coroutines in which slack_sdk and Bolt hear an envelope and run a listener past its ack."""


class TokenRefused(SignoffError):
    """Slack knows the token not, or no longer."""


async def reachable(settings: Settings, stop: asyncio.Event, rest: Rest = pause) -> bool:
    """Wait until Slack says who we are; False where `stop` came first. Raises `TokenRefused`."""
    if settings.slack_bot_token is None:
        return True  # whoever opens the house says what is missing
    client = web_client(settings.slack_bot_token.get_secret_value(), settings.slack_api_url)
    wait = FIRST_WAIT
    while not stop.is_set():
        try:
            await identify(client)
        except Unreachable as error:
            why = _why(error)
            log.warning("slack_unreachable", why=why, tries_again_in=wait)
            await rest(stop, wait)
            wait = min(wait * 2, LONGEST_WAIT)
        else:
            return True
    return False


def _why(error: BaseException) -> str:
    if not isinstance(error, SlackApiError):
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    failure = read_failure(error)
    if failure.kind in ("not_now", "for_good") and failure.why != "service_unavailable":
        raise TokenRefused(
            f"Slack refuses SLACK_BOT_TOKEN ({failure.why}): set the token of the installed app; "
            "`signoff doctor` checks it."
        ) from error
    return failure.why


async def listen(house: House, app_token: str, stop: asyncio.Event) -> None:
    """Hear Slack over Socket Mode until `stop` is set; then let what is under way finish."""
    handler = AsyncSocketModeHandler(house.bolt, app_token, ping_interval=PING_SECONDS)
    connecting = asyncio.create_task(handler.connect_async())  # type: ignore[no-untyped-call]
    try:
        while not stop.is_set():
            await pause(stop, PING_SECONDS * 2)
            if not await handler.client.is_connected():
                # The SDK keeps trying one address, whose ticket Slack takes once and not for long.
                handler.client.wss_uri = None
    finally:
        await drained()
        connecting.cancel()
        await handler.close_async()  # type: ignore[no-untyped-call]


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
