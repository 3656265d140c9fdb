"""kill -9 at each exact point of a round trip; another worker and the sweeps then end the thread right."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from multiprocessing import forkserver
from pathlib import Path

import pytest
from dying import POINTS, work, workflow
from fixtures_engine import Bench, bench

from bot.facts import dead_jobs, sweeps

LAST = POINTS[-1]


@pytest.fixture(scope="module")
def processes():
    """Processes that are forked, ready, from one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dying"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # the server does not take our sys.path over
        forkserver.ensure_running()
    return context


@pytest.mark.parametrize("point", POINTS)
async def test_a_thread_whose_worker_is_killed_there_ends_right(database, processes, point):
    async with bench(database, workflow()) as it:
        await it.execute("create table effects (key text primary key)")
        await it.execute("create table attempts (key text)")
        thread_id = await it.start("dying")
        deaths = 0
        while (await it.thread(thread_id)).status in ("running", "waiting"):
            for approval in (await it.pending(thread_id)).values():
                await it.decide(approval)
            dies_at = point if deaths == 0 else None
            if dies_at == LAST and (await it.approvals(thread_id)) == []:
                dies_at = None
            code = await _work(processes, database, dies_at)
            assert code in (0, -signal.SIGKILL)
            deaths += code != 0
            await _sweep(it)
        await _work(processes, database, None)

        assert deaths == 1, "the point was reached"
        thread, (approval,) = await it.thread(thread_id), await it.approvals(thread_id)
        assert (thread.status, thread.error) == ("done", None)
        assert thread.result == {"drafted": True, "decided": "approve", "paid": True}
        assert (approval.status, approval.applied_at is not None) == ("decided", True)
        assert await it.rows("select key from effects") == [{"key": f"{thread_id}:payment"}]
        cards = await it.rows("select 1 from messages where kind = 'card'")
        assert len(cards) == 1
        events = await it.events(thread_id)
        assert [events.count(e) for e in ("approval.asked", "approval.decided", "thread.done")] == [1, 1, 1]
        assert thread.wanted == thread.reached


async def _work(processes, dsn: str, point: str | None) -> int:
    process = processes.Process(target=work, args=(dsn, point))
    process.start()
    await asyncio.to_thread(process.join, 60)
    assert process.exitcode is not None, "the worker hangs"
    code = process.exitcode
    process.close()
    return code


async def _sweep(it: Bench) -> None:
    """What the clock does of it, half a minute later: jobs of dead workers, threads that fell behind."""
    await it.execute("update procrastinate_workers set last_heartbeat = now() - interval '1 hour'")
    await dead_jobs.clear_stalled(it.queue, 15)
    await it.execute("update signoff_time set ahead = ahead + interval '30 seconds'")
    async with it.work.connection() as conn:
        await sweeps.threads_behind(conn, it.queue)
