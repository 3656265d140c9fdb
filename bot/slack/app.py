"""Bolt's app: who we are is settled at the start, so that no request waits for `auth.test`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import aiohttp
import structlog
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler

from bot.slack.listeners import clicks, command, home, items, modals, submissions
from bot.slack.listeners.command import Intake
from bot.slack.listeners.desk import Desk, NotDone
from bot.slack.listeners.window import person_of
from bot.slack.workspace.badge import Badge, ProvenClient
from bot.slack.workspace.client import Client

log = structlog.get_logger("signoff.slack")


def web_client(
    token: str,
    base_url: str,
    *,
    patient: bool = False,
    session: aiohttp.ClientSession | None = None,
    badge: Badge | None = None,
) -> Client:
    """Return a client that never repeats a call by itself, but for what was not done at all (429).

    The SDK's default handler re-sends after a dropped connection, which can post twice. `patient` waits out
    one 429; a listener must not. Without a `session` the SDK connects anew for every call. With a `badge`
    it calls nothing before that is proven.
    """
    handlers: list[Any] = [AsyncRateLimitErrorRetryHandler(max_retry_count=1)] if patient else []
    given: dict[str, Any] = {
        "token": token,
        "base_url": base_url,
        "timeout": 10,
        "retry_handlers": handlers,
        "session": session,
    }
    client = Client(**given) if badge is None else ProvenClient(badge, **given)
    if _is_direct(base_url):
        client.proxy = None
    return client


def _is_direct(base_url: str) -> bool:
    """Whether no proxy leads there: the SDK takes HTTPS_PROXY or HTTP_PROXY, and does not look at NO_PROXY.

    A local Slack is never behind one.
    """
    host = urlsplit(base_url).hostname or ""
    return host in {"localhost", "127.0.0.1", "::1"} or bool(proxy_bypass(host))


def web_session() -> aiohttp.ClientSession:
    """Return the connections that calls to Slack share.

    A connection that idles is closed soon: Slack closing it first would look like a post of unknown outcome.
    """
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(keepalive_timeout=4, limit=0))


def bolt_app(desk: Desk, intake: Intake, badge: Badge, signing_secret: str | None) -> AsyncApp:
    """Build the app with every listener; the same serves Socket Mode and HTTP."""

    async def authorize(**_: Any) -> AuthorizeResult:
        who = badge.identity
        return AuthorizeResult(
            enterprise_id=None,
            team_id=who.team_id if who else None,
            bot_token=desk.window.client.token,
            bot_id=who.bot_id if who else None,
            bot_user_id=who.bot_user_id if who else None,
        )

    app = AsyncApp(
        name="signoff",  # else Bolt reads the source of the whole call stack to find one
        client=desk.window.client,
        authorize=authorize,
        signing_secret=signing_secret or "unused: the socket is authenticated",
        raise_error_for_unhandled_request=False,
    )
    clicks.register(app, desk)
    modals.register(app, desk)
    submissions.register(app, desk)
    items.register(app, desk)
    home.register(app, desk)
    command.register(app, desk, intake)

    @app.action(re.compile(".*"))
    async def on_unknown(ack: AsyncAck, body: dict[str, Any]) -> None:
        await clicks.refuse_unknown(desk, ack, person_of(body), body)

    @app.view(re.compile(".*"))
    async def on_unknown_form(ack: AsyncAck, body: dict[str, Any]) -> None:
        await submissions.answer_unknown_form(desk, ack, body)

    @app.error
    async def on_error(error: Exception) -> BoltResponse:
        """Answer what was not recorded, and what is a fault of ours: no acknowledgement either way."""
        if isinstance(error, NotDone):
            log.warning("not_recorded", why=str(error.__cause__) or type(error.__cause__).__name__)
            return BoltResponse(status=503, body="")
        log.error("listener_failed", exc_info=error)
        return BoltResponse(status=500, body="")

    return app
