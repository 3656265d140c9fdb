"""The metronome goes by the machine's clock, which somebody may set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from procrastinate.exceptions import ConnectorException
from psycopg_pool import PoolTimeout
from structlog.testing import LogCapture

from bot import clock
from bot.clock import Clock, go_on, run_clock
from bot.settings import Settings

HOUR = timedelta(hours=1)


@pytest.fixture
async def scheduler() -> AsyncIterator[AsyncIOScheduler]:
    made = AsyncIOScheduler(timezone="UTC")
    for seconds in (1, 30):
        made.add_job(print, "interval", seconds=seconds)
    made.start(paused=True)
    yield made
    made.shutdown(wait=False)


def waits(scheduler: AsyncIOScheduler, now: datetime) -> list[timedelta]:
    return [job.next_run_time - now for job in scheduler.get_jobs()]


async def test_nothing_waits_until_a_clock_that_was_set_back_is_where_it_was(
    scheduler: AsyncIOScheduler,
) -> None:
    now = datetime.now(UTC) - HOUR
    assert min(waits(scheduler, now)) > HOUR - timedelta(minutes=1)

    go_on(scheduler, now)

    assert waits(scheduler, now) == [timedelta(), timedelta()]


@pytest.mark.parametrize("on", [timedelta(), HOUR])
async def test_what_waits_for_its_time_goes_on_waiting(scheduler: AsyncIOScheduler, on: timedelta) -> None:
    now = datetime.now(UTC) + on
    before = waits(scheduler, now)

    go_on(scheduler, now)

    assert waits(scheduler, now) == before


async def test_a_clock_that_is_told_to_stop_lets_a_sweep_that_is_under_way_finish(monkeypatch) -> None:
    stop, begun, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def tick(_: Clock) -> None:
        begun.set()
        await stop.wait()
        for _turn in range(20):  # as many as it takes to ask a database something
            await asyncio.sleep(0)
        finished.set()

    await stopped(monkeypatch, tick, begun, stop)

    assert finished.is_set()


async def test_nor_does_a_clock_leave_a_sweep_that_begins_as_it_is_told_to_stop(monkeypatch, caplog) -> None:
    stop, begun = asyncio.Event(), asyncio.Event()
    pause = AsyncIOScheduler.pause

    def due_just_now(scheduler: AsyncIOScheduler) -> None:
        for job in scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))
        scheduler._process_jobs()
        pause(scheduler)

    async def tick(_: Clock) -> None:
        begun.set()

    monkeypatch.setattr(AsyncIOScheduler, "pause", due_just_now)
    await stopped(monkeypatch, tick, begun, stop)

    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_sweep_that_waits_in_vain_for_a_database_is_cut_off_without_a_word(
    monkeypatch, caplog
) -> None:
    stop, begun = asyncio.Event(), asyncio.Event()

    async def tick(_: Clock) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(clock, "DRAIN_SECONDS", 0)
    await stopped(monkeypatch, tick, begun, stop)

    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_sweep_whose_question_to_the_queue_met_an_outage_says_so_in_one_line(monkeypatch):
    said = LogCapture()
    monkeypatch.setattr(clock, "log", structlog.wrap_logger(None, processors=[said]))

    async def upkeep() -> None:
        raise ConnectorException from PoolTimeout("couldn't get a connection")

    await clock._guarded(upkeep)()

    (line,) = said.entries
    assert (line["event"], line["why"]) == ("database_away", "couldn't get a connection")


async def stopped(monkeypatch, tick, begun: asyncio.Event, stop: asyncio.Event) -> None:
    """Run a clock whose ticks are these until one has begun, and stop it."""

    async def other(_: Clock) -> None: ...

    monkeypatch.setattr(Clock, "tick", tick)
    monkeypatch.setattr(Clock, "probe", other)
    monkeypatch.setattr(Clock, "upkeep", other)
    ticking = asyncio.create_task(
        run_clock(SimpleNamespace(settings=Settings(SIGNOFF_SWEEP_SECONDS=0.01)), stop)
    )
    await begun.wait()
    stop.set()
    await ticking
    for _turn in range(5):  # what was cancelled says so
        await asyncio.sleep(0)
