"""When a process should end: on a signal, or when the process that started it has gone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable

import structlog

from bot.engine.worker import SHUTDOWN_SECONDS

log = structlog.get_logger("signoff.process")

Rest = Callable[[asyncio.Event, float], Awaitable[None]]
"""Waits so many seconds, or until the event is set."""

ORPHAN_SECONDS = SHUTDOWN_SECONDS + 5
"""What a process may take to end by itself once its parent has gone; a node may block its event loop."""


def on_signals(heard: Callable[[], object] | None = None) -> asyncio.Event:
    """Return an event that SIGINT or SIGTERM sets; a second signal ends the process at once.

    The first is logged, and `heard` is called.

    One that comes when the event was set otherwise is the first: a parent closes stdin, and signals too.
    """
    stop, told = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked(signum: signal.Signals) -> None:
        if told.is_set():
            os._exit(128 + signum)
        told.set()
        stop.set()
        log.info("ends", signal=signum.name)
        if heard is not None:
            heard()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, asked, signum)
    return stop


def with_parent(stop: asyncio.Event) -> None:
    """Set `stop` when stdin ends: the parent holds its other end, however that parent dies."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(stop.set)
        threading.Event().wait(ORPHAN_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but no longer than until `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def happens(event: asyncio.Event, stop: asyncio.Event) -> bool:
    """Wait until `event` is set; False where `stop` is set."""
    waits = [asyncio.ensure_future(each.wait()) for each in (event, stop)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return not stop.is_set()
