"""A worker that stood still until its job was taken over: it says so, and nothing else is passed over."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypedDict

import pytest
import structlog
from fixtures_engine import Bench, bench, chain, flow
from procrastinate.exceptions import ConnectorException
from psycopg.errors import UndefinedFunction
from structlog.testing import LogCapture

from bot.engine import worker
from bot.engine.worker import Worker
from bot.facts import dead_jobs
from bot.postgres import jobs


class State(TypedDict, total=False):
    ended: bool


def node(_: State) -> State:
    return {"ended": True}


@pytest.fixture
async def it(database: str) -> AsyncIterator[Bench]:
    async with bench(database, flow(chain(State, node))) as it:
        yield it


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    capture = LogCapture()
    for module in (jobs, worker):
        monkeypatch.setattr(module, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


async def works(it: Bench, advance: Callable[[str], Awaitable[None]]) -> list[Any]:
    """Work off the queue; returns what asyncio complains of, which a process logs with its traceback."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: complaints.append(about))
    await Worker(it.queue, advance, advance).drain()
    gc.collect()
    return complaints


async def test_a_job_that_was_taken_over_ends_with_one_line_that_says_so(it: Bench, said: list[Any]) -> None:
    thread_id = await it.start()

    async def stands_still(thread_id: str) -> None:
        await it.execute("update procrastinate_workers set last_heartbeat = now() - interval '1 hour'")
        await dead_jobs.clear_stalled(it.queue, 15)
        await it.engine.advance(thread_id)

    assert await works(it, stands_still) == []
    (line,) = said
    assert (line["log_level"], line["event"], line["thread_id"]) == ("warning", "job_taken_over", thread_id)
    assert "Nothing is lost" in line["why"]
    assert (await it.thread(thread_id)).status == "done"
    assert await it.sweep() == 0


async def test_a_job_that_cannot_be_ended_for_another_reason_is_not_passed_over(
    it: Bench, said: list[Any]
) -> None:
    await it.start()

    async def queue_breaks(_: str) -> None:
        await it.execute("alter function procrastinate_finish_job_v1 rename to gone")

    (complaint,) = await works(it, queue_breaks)
    assert isinstance(complaint["exception"].__cause__, UndefinedFunction)
    assert said == []


async def test_a_worker_that_was_struck_off_meanwhile_registers_anew_and_says_why(
    it: Bench, said: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "RESTART_SECONDS", 0.01)
    ran: list[str] = []
    stop = asyncio.Event()

    async def struck_off(thread_id: str) -> None:
        ran.append(thread_id)
        if len(ran) == 1:
            await it.execute("delete from procrastinate_workers")
            await it.start()
        else:
            stop.set()

    await it.start()
    async with asyncio.timeout(30):
        await Worker(it.queue, struck_off, struck_off).run(stop, concurrency=1)
    assert len(set(ran)) == 2
    (line,) = said
    assert (line["log_level"], line["event"]) == ("warning", "worker_restarts")
    assert "is not present in table" in line["why"]


async def test_a_worker_hears_of_jobs_again_once_its_database_is_back(
    it: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector, tries, heard = it.queue.app.connector, [ConnectorException(), None], asyncio.Event()
    listen = connector.listen_notify

    async def away_at_first(on_notification: Any, channels: Any) -> None:
        if (refusal := tries.pop(0)) is not None:
            raise refusal
        await listen(on_notification, channels)

    async def hear(channel: str, notification: Any) -> None:
        heard.set()

    monkeypatch.setattr(connector, "listen_notify", away_at_first)
    monkeypatch.setattr(jobs, "LISTEN_AGAIN_SECONDS", 0)
    ear = asyncio.create_task(it.queue.app.job_manager.listen_for_jobs(on_notification=hear))
    while not heard.is_set() and not ear.done():
        await it.start()

    assert heard.is_set()
    ear.cancel()


async def test_a_worker_whose_beat_failed_once_beats_on(it: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    connector, stop, beats = it.queue.app.connector, asyncio.Event(), []
    execute = connector.execute_query_async

    async def away_at_first(query: Any, **arguments: Any) -> None:
        if "update_heartbeat" in query:
            beats.append(arguments["worker_id"])
            if len(beats) == 1:
                raise ConnectorException
            stop.set()
        await execute(query, **arguments)

    monkeypatch.setattr(connector, "execute_query_async", away_at_first)
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0)
    async with asyncio.timeout(10):
        await Worker(it.queue, it.engine.advance, it.engine.advance).run(stop, concurrency=1)
    assert len(beats) > 1
    assert len(set(beats)) == 1
