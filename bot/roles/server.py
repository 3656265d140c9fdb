"""An embedded Postgres under a process that needs it: where it dies by itself, it is started again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from bot.postgres.account import NoEmbeddedPostgres
from bot.postgres.embedded import Embedded
from bot.roles.stopping import Rest, pause

log = structlog.get_logger("signoff.process")

LOOK_SECONDS = 2.0
LONGEST_WAIT = 30.0
STEADY_SECONDS = 60.0
"""After so long the next death counts as the first."""


@asynccontextmanager
async def kept(server: Embedded | None, stop: asyncio.Event) -> AsyncIterator[None]:
    """Keep an embedded server running for as long as the block does; None is somebody else's to keep."""
    keeping = asyncio.create_task(keep_server(server, stop)) if server else None
    try:
        yield
    finally:
        if keeping:
            keeping.cancel()


async def keep_server(server: Embedded, stop: asyncio.Event, rest: Rest = pause) -> None:
    """Start the server again until `stop` is set where it died, ever later if it keeps dying.

    Of several processes that share it one does so. One that somebody stopped stays down.
    """
    deaths, died_at = 0, 0.0
    while not stop.is_set():
        await rest(stop, LOOK_SECONDS)
        if stop.is_set() or not server.has_gone():
            continue
        deaths = 1 if time.monotonic() - died_at > STEADY_SECONDS else deaths + 1
        died_at = time.monotonic()
        wait = min(2.0 ** (deaths - 1), LONGEST_WAIT)
        try:
            if await asyncio.to_thread(server.revive):
                log.warning("postgres_started_again", why="it had died")
        except NoEmbeddedPostgres as error:
            log.warning("postgres_not_started", why=str(error), tries_again_in=wait)
        await rest(stop, wait)
