"""The HTTP server as a proxy in front of it meets it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bot.roles.http import bound, serve

PROXIES_KEEP_IDLE_SECONDS = 90
"""Heroku's router; nginx and AWS' balancers keep an idle connection for 60."""


async def test_no_idle_connection_is_closed_before_the_proxy_does_as_a_click_might_just_be_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    call_later = loop.call_later
    closes_after: list[float] = []

    def recording(delay: float, callback: Callable[..., Any], *args: Any, **more: Any) -> asyncio.TimerHandle:
        if "keep_alive" in callback.__name__:
            closes_after.append(delay)
        return call_later(delay, callback, *args, **more)

    monkeypatch.setattr(loop, "call_later", recording)
    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("here"))])
    stop = asyncio.Event()

    with bound("127.0.0.1", 0) as listening:
        serving = asyncio.create_task(serve(app, listening, stop))
        async with httpx.AsyncClient() as client:
            said = await client.get(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        stop.set()
        await serving

    assert said.text == "here"
    assert [seconds > PROXIES_KEEP_IDLE_SECONDS for seconds in closes_after] == [True]
