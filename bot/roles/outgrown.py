"""Code that a newer Signoff has migrated its database past, noticed while it runs."""

from __future__ import annotations

import asyncio

from psycopg import OperationalError

from bot.approvals.errors import SignoffError
from bot.postgres.migrate import DatabaseTooNew, check_outgrown
from bot.postgres.pools import Pool
from bot.roles.stopping import Rest, pause
from bot.roles.waiting import asked

LOOK_SECONDS = 5.0


async def outgrown(pool: Pool, stop: asyncio.Event, rest: Rest = pause) -> SignoffError | None:
    """Look until `stop` is set. Where this code may not run any more, set it and return why."""

    async def look() -> None:
        async with pool.connection() as conn:
            await check_outgrown(conn)

    while not stop.is_set():
        try:
            await asked(look, stop)
        except DatabaseTooNew as error:
            stop.set()
            return error
        except OperationalError:  # away: it may have been migrated when it is back
            pass
        await rest(stop, LOOK_SECONDS)
    return None
