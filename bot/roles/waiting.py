"""Waiting for what a role cannot do without, ever longer between two looks, and no longer than it may run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.roles.stopping import Rest, pause

log = structlog.get_logger("signoff.process")

FIRST_WAIT, LONGEST_WAIT = 1.0, 15.0


async def until(
    away: Callable[[], Awaitable[str | None]], event: str, stop: asyncio.Event, rest: Rest = pause
) -> bool:
    """Ask `away` until it says None, and log each time why not; False where `stop` came first.

    What `away` raises is not waited for.
    """
    wait = FIRST_WAIT
    while not stop.is_set():
        why = await asked(away, stop)
        if why is None:
            return not stop.is_set()
        log.warning(event, why=why, tries_again_in=wait)
        await rest(stop, wait)
        wait = min(wait * 2, LONGEST_WAIT)
    return False


async def asked(away: Callable[[], Awaitable[str | None]], stop: asyncio.Event) -> str | None:
    """Ask, but let go of the question when it is time to stop."""
    asking, stopping = asyncio.ensure_future(away()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return asking.result() if asking.done() else None
    finally:
        asking.cancel()
        stopping.cancel()
