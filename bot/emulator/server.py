"""The local server: its parts put together, started and stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from bot.emulator import door
from bot.emulator.control import Control
from bot.emulator.delivery import Delivery, Route
from bot.emulator.events import RETRY_AFTER_SECONDS, Events
from bot.emulator.faults import Faults
from bot.emulator.limits import Limits
from bot.emulator.line import Line
from bot.emulator.panel import Panel
from bot.emulator.response_urls import ResponseUrls
from bot.emulator.sockets import Sockets
from bot.emulator.state import Clock, Slack, wall_clock
from bot.emulator.store import SqliteStore
from bot.emulator.webapi import WebApi
from bot.emulator.workspace import Workspace, demo_workspace

BODY_BYTES = 16 * 1024 * 1024
SUBSCRIBED = frozenset({"app_home_opened"})
LOOPBACK = frozenset({"127.0.0.1", "localhost"})


class Server:
    """A local Slack on 127.0.0.1; an async context manager.

    `path` is the file its messages survive in (memory when None). `delivery` says how payloads reach the app:
    "socket", "http" (to `request_url`, signed) or "auto". `rate_limits` applies Slack's rates. `subscribed`
    are the events that the app hears of; `event_retries` the seconds before each redelivery of one.
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
        event_retries: Sequence[float] = RETRY_AFTER_SECONDS,
        panel: Panel | None = None,
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
        self.control = Control(
            self.line, self.events, self.faults, self.limits, self.sockets, self.api, panel
        )
        self._port = port
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
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
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
        """The page's address, without a slash at its end."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def api_url(self) -> str:
        """What SLACK_API_URL should be."""
        return f"{self.url}/api/"

    def environment(self) -> dict[str, str]:
        """The variables that point an app at this emulator."""
        workspace = self.state.workspace
        return {
            "SLACK_API_URL": self.api_url,
            "SLACK_BOT_TOKEN": workspace.bot_token,
            "SLACK_APP_TOKEN": workspace.app_token,
            "SLACK_SIGNING_SECRET": workspace.signing_secret,
        }

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=BODY_BYTES, middlewares=[door.only_from_here])
        application.add_routes(self.control.routes())
        application.router.add_get("/api/{method}", self.api.handle)
        application.router.add_post("/api/{method}", self.api.handle)
        application.router.add_get("/link/", self.sockets.handle)
        application.router.add_post("/actions/{team}/{key}", self.line.response_urls.handle)
        application.router.add_get("/{name:.*}", door.page)
        application.on_shutdown.append(self.control.close)
        return application


async def serve(
    host: str = "127.0.0.1",
    port: int = 8765,
    path: Path | None = None,
    *,
    request_url: str | None = None,
    rate_limits: bool = True,
    announce: Callable[[str], object],
) -> None:
    """Run the emulator until SIGINT or SIGTERM; `announce` is given the page's address and the variables.

    Raises ValueError for a host that others could reach: whoever reaches it can click for anybody.
    """
    if host not in LOOPBACK:
        raise ValueError(f"the emulator listens on 127.0.0.1 only, not on {host}")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with Server(path=path, port=port, request_url=request_url, rate_limits=rate_limits) as server:
        announce(f"# The local Slack: {server.url}")
        for name, value in server.environment().items():
            announce(f"export {name}={value}")
        await stop.wait()
