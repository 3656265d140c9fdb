"""The API's share of the listeners' connections: programs that ask a lot must not make people wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import PoolTimeout

from bot.postgres.pools import Pool

MOST = 4
PATIENCE_SECONDS = 2.0


class Share:
    """At most `MOST` connections of a pool at once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turn = asyncio.Semaphore(MOST)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """Take a connection; raises `PoolTimeout` where none comes free in time."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise PoolTimeout(f"no connection came free in {PATIENCE_SECONDS} s") from None
        try:
            async with self._pool.connection() as conn:
                yield conn
        finally:
            self._turn.release()
