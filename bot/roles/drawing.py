"""Drawing what workers hand on, in a process that runs no graphs: no card waits for one that blocks."""

from __future__ import annotations

import asyncio

import structlog

from bot.house import House
from bot.postgres.handing_on import heard, listening
from bot.roles.stopping import Rest, happens, pause

log = structlog.get_logger("signoff.process")

AGAIN_SECONDS = 1.0


async def draw_for_workers(house: House, dsn: str, stop: asyncio.Event, rest: Rest = pause) -> None:
    """Once Slack says who we are, draw what runs hand on until `stop` is set; meanwhile workers draw it.

    `dsn` leads to Postgres itself. Any number of processes may: one of them is heard, and another once that
    one has gone.
    """
    if not await happens(house.badge.shown, stop):
        return
    drawing = asyncio.create_task(_draw(house, dsn, rest, stop))
    try:
        await stop.wait()
    finally:
        drawing.cancel()
        await asyncio.wait({drawing})


async def _draw(house: House, dsn: str, rest: Rest, stop: asyncio.Event) -> None:
    while True:
        try:
            async with await listening(dsn) as conn:
                async for message_ids in heard(conn):
                    house.desk.showing.handed_on(message_ids)
        except Exception as error:  # noqa: BLE001  a server that fails over refuses this in ways of its own
            log.warning("workers_draw", why=" ".join(str(error).split()))
        await rest(stop, AGAIN_SECONDS)
