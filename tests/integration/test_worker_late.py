"""How a worker's jobs end: with their thread's run, or taken over while it stood still, and it says so."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypedDict

import pytest
import structlog
from fixtures_engine import Bench, bench, chain, flow
from procrastinate.exceptions import ConnectorException
from procrastinate.manager import JobManager
from psycopg.errors import UndefinedFunction
from structlog.testing import LogCapture

from bot.approvals import ApprovalRequest, ask
from bot.engine import advance, worker
from bot.engine.advance import Engine
from bot.engine.worker import Worker
from bot.facts import dead_jobs
from bot.postgres import jobs


class State(TypedDict, total=False):
    ended: bool


def node(_: State) -> State:
    return {"ended": True}


def asks(_: State) -> State:
    return {"ended": ask(ApprovalRequest(title="one?")).approved}


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


async def works(it: Bench, advance: Callable[..., Awaitable[bool]]) -> list[Any]:
    """Work off the queue; returns what asyncio complains of, which a process logs with its traceback."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: complaints.append(about))
    await Worker(it.queue, advance, advance).drain()
    gc.collect()
    return complaints


async def test_a_job_ends_in_the_statement_that_gives_its_thread_back(
    it: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ends_again(*_: Any) -> None:
        raise AssertionError("it was ended")

    thread_id = await it.start()
    monkeypatch.setattr(JobManager, "finish_job", ends_again)

    assert await works(it, it.engine.advance) == []
    assert (await it.thread(thread_id)).status == "done"
    assert await it.rows("select id from procrastinate_jobs") == []
    assert it.queue.app.job_manager.ended == set()


@pytest.mark.parametrize("says", [True, False], ids=["nobody listens", "too much to say"])
async def test_a_job_under_which_something_is_left_to_draw_goes_on(
    it: Bench, monkeypatch: pytest.MonkeyPatch, says: bool
) -> None:
    seen: list[list[Any]] = []
    if not says:
        monkeypatch.setattr(advance, "as_notification", lambda _: None)

    async def draw(message_id: str) -> None:
        seen.append(await it.rows("select status from procrastinate_jobs"))

    it.deploy(flow(chain(State, asks)))
    thread_id = await it.start()
    await works(it, Engine(it.catalog, it.runs, it.queue, draw).advance)

    assert list(await it.pending(thread_id)) == ["one?"]
    assert seen == [[{"status": "doing"}]]
    assert await it.rows("select id from procrastinate_jobs") == []


async def test_a_job_goes_on_while_more_is_wanted_of_its_thread(it: Bench) -> None:
    seen: list[list[Any]] = []

    class Overtaken(Engine):
        """Somebody wants more after the run has come to rest, before it lets go of the lock."""

        async def _converge(self, conn: Any, ledger: Any, *, untouched: bool) -> None:
            seen.append(await it.rows("select status from procrastinate_jobs"))
            await super()._converge(conn, ledger, untouched=untouched)
            if len(seen) == 1:
                await it.execute("update threads set wanted = wanted + 1")

    await it.start()
    await works(it, Overtaken(it.catalog, it.runs, it.queue).advance)

    assert seen == [[{"status": "doing"}]] * 2
    assert await it.rows("select id from procrastinate_jobs") == []


async def test_a_job_whose_thread_another_worker_runs_is_ended_by_its_own(it: Bench) -> None:
    thread_id = await it.start()
    (job,) = await it.rows("update procrastinate_jobs set status = 'doing' returning id")
    async with it.runs.connection() as conn:
        await conn.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [thread_id])
        assert not await it.engine.advance(thread_id, job["id"])
        await conn.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [thread_id])
    assert await it.rows("select id from procrastinate_jobs") == [job]

    assert await it.engine.advance(thread_id, job["id"])
    assert not await it.engine.advance(thread_id, job["id"]), "it is gone"


async def test_a_job_that_was_taken_over_ends_with_one_line_that_says_so(it: Bench, said: list[Any]) -> None:
    thread_id = await it.start()

    async def stands_still(thread_id: str, job: int) -> bool:
        await it.execute("update procrastinate_workers set last_heartbeat = now() - interval '1 hour'")
        await dead_jobs.clear_stalled(it.queue, 15)
        return await it.engine.advance(thread_id, job)

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

    async def queue_breaks(*_: Any) -> bool:
        await it.execute("alter function procrastinate_finish_job_v1 rename to gone")
        return False

    (complaint,) = await works(it, queue_breaks)
    assert isinstance(complaint["exception"].__cause__, UndefinedFunction)
    assert said == []


async def test_a_worker_that_was_struck_off_meanwhile_registers_anew_and_says_why(
    it: Bench, said: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "RESTART_SECONDS", 0.01)
    ran: list[str] = []
    stop = asyncio.Event()

    async def struck_off(thread_id: str, job: int | None = None) -> bool:
        ran.append(thread_id)
        if len(ran) == 1:
            await it.execute("delete from procrastinate_workers")
            await it.start()
        else:
            stop.set()
        return False

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
