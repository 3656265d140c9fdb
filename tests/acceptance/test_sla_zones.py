"""A server that tells times in a zone of its own: hours that its wall clock repeats or skips are hours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from asking import asked, offer, tick
from fixtures_house import FINANCE, MAYA, Running, running_house
from psycopg import sql

from bot.approvals import Sla

MINUTE = timedelta(minutes=1)
SUMMER_TIME_ENDS = datetime(2026, 10, 25, 1, tzinfo=UTC)
"""In Berlin the clock on the wall goes back from 3:00 to 2:00."""


@pytest.fixture
async def berlin(database: str) -> AsyncIterator[Running]:
    """A house on a server whose times are Berlin's."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as conn:
        name = sql.Identifier(conn.info.dbname)
        await conn.execute(sql.SQL("alter database {} set timezone to 'Europe/Berlin'").format(name))
    async with running_house(database) as running:
        yield running


async def test_a_click_counts_until_the_deadline_though_the_wall_clock_is_past_it(berlin: Running) -> None:
    await berlin.travel(SUMMER_TIME_ENDS - 50 * MINUTE)
    offer(berlin, sla=Sla(respond_within=60 * MINUTE))  # until 2:10, the second time
    thread = await asked(berlin)
    await berlin.travel(SUMMER_TIME_ENDS - 30 * MINUTE)  # it is 2:30, the first time

    assert (await berlin.click(MAYA, FINANCE, "signoff.approve")).acked
    await berlin.drain()

    assert (await berlin.approval(thread)).status == "decided"


async def test_a_deadline_holds_though_the_wall_clock_is_before_it(berlin: Running) -> None:
    await berlin.travel(SUMMER_TIME_ENDS - 50 * MINUTE)
    offer(berlin, sla=Sla(respond_within=20 * MINUTE))  # until 2:30, the first time
    thread = await asked(berlin)
    await berlin.travel(SUMMER_TIME_ENDS + 10 * MINUTE)  # it is 2:10, the second time

    await tick(berlin)

    assert (await berlin.approval(thread)).status == "expired"
