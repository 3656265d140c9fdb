"""One writer per thread: the lock, the connection it lives on, and wake-ups that are never lost."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any, TypedDict

import pytest
from fixtures_engine import bench, chain, flow
from psycopg import OperationalError

from bot.approvals import ApprovalRequest, ask, effect_key
from bot.engine.advance import Engine, LockLost


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


class Slow:
    """A node that waits for the test, and counts its runs."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.running = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, state: State) -> State:
        self.runs.append(effect_key("payment"))
        self.running.set()
        await self.go_on.wait()
        return {"log": ["paid"]}


def decide(state):
    return {"log": [ask(ApprovalRequest(title="pay?")).verdict]}


def then_ask_again(state):
    return {"log": [ask(ApprovalRequest(title="again?")).verdict]}


async def test_a_second_worker_leaves_a_thread_that_is_being_run(database):
    slow = Slow()
    async with bench(database, flow(chain(State, slow, names=("slow",)))) as it:
        thread_id = await it.start()
        run = asyncio.create_task(it.engine.advance(thread_id))
        await slow.running.wait()
        await it.another().advance(thread_id)
        assert len(slow.runs) == 1
        slow.go_on.set()
        await run

        assert (await it.thread(thread_id)).status == "done"
        assert len(slow.runs) == 1


async def test_what_is_decided_while_a_node_runs_is_sent_by_the_holder_of_the_lock(database):
    slow = Slow()
    builder = chain(State, decide)
    builder.add_node("slow", slow)
    builder.add_edge("__start__", "slow")
    async with bench(database, flow(builder)) as it:
        thread_id = await it.start()
        run = asyncio.create_task(it.engine.advance(thread_id))
        await slow.running.wait()
        slow.go_on.set()
        await run
        slow.running.clear()
        slow.go_on.clear()
        (approval,) = (await it.pending(thread_id)).values()
        await it.answer(approval)

        assert sorted((await it.thread(thread_id)).result["log"]) == ["approve", "paid"]


async def test_a_fact_between_the_last_look_and_the_unlocking_is_not_lost(database):
    class Interrupted(Engine):
        """Somebody decides after the run came to rest, before it lets go of the lock."""

        async def _converge(self, conn, ledger, *, untouched):
            await super()._converge(conn, ledger, untouched=untouched)
            for approval in (await it.pending(ledger.thread.thread_id)).values():
                await it.decide(approval)
                await it.rows("delete from procrastinate_jobs returning 1")

    async with bench(database, flow(chain(State, decide, then_ask_again))) as it:
        thread_id = await it.start()
        await Interrupted(it.catalog, it.runs, it.queue).advance(thread_id)

        assert (await it.thread(thread_id)).result == {"log": ["approve", "approve"]}


async def test_a_holder_that_lost_its_connection_writes_nothing_and_the_next_goes_on(database):
    slow = Slow()
    async with bench(database, flow(chain(State, decide, slow, names=("decide", "slow")))) as it:
        thread_id = await it.run()
        (approval,) = (await it.pending(thread_id)).values()
        await it.decide(approval)
        run = asyncio.create_task(it.engine.advance(thread_id))
        await slow.running.wait()
        (killed,) = await it.rows(_KILL_HOLDERS)
        assert killed["killed"] is True
        before = await it.rows(_WRITTEN, thread_id, thread_id)
        slow.go_on.set()
        with pytest.raises(OperationalError):
            await run

        assert await it.rows(_WRITTEN, thread_id, thread_id) == before
        thread = await it.thread(thread_id)
        assert (thread.status, thread.attempts) == ("running", 0), "it was no error of the workflow"

        await it.sweep()
        assert (await it.thread(thread_id)).result == {"log": ["approve", "paid"]}
        assert len(slow.runs) == 2
        assert len(set(slow.runs)) == 1, "the second run of the node had the first one's key"


async def test_two_runs_of_a_node_may_overlap_after_a_lost_lock_but_only_the_holder_writes(database):
    slow = Slow()
    async with bench(database, flow(chain(State, slow, names=("slow",)))) as it:
        thread_id = await it.start()
        first = asyncio.create_task(it.engine.advance(thread_id))
        await slow.running.wait()
        slow.running.clear()
        await it.rows(_KILL_HOLDERS)
        second = asyncio.create_task(it.another().advance(thread_id))
        await slow.running.wait()
        slow.go_on.set()
        results = await asyncio.gather(first, second, return_exceptions=True)

        assert isinstance(results[0], OperationalError)
        assert not isinstance(results[1], BaseException)
        assert (await it.thread(thread_id)).result == {"log": ["paid"]}


async def test_a_worker_that_is_told_to_stop_leaves_the_thread_free_for_the_next(database):
    slow = Slow()
    async with bench(database, flow(chain(State, slow, names=("slow",)))) as it:
        thread_id = await it.start()
        run = asyncio.create_task(it.engine.advance(thread_id))
        await slow.running.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        slow.go_on.set()

        while await it.rows(_HELD):
            pass  # the server sees a moment later that the connection is gone
        await it.sweep()
        assert (await it.thread(thread_id)).status == "done"


async def test_a_node_whose_own_task_is_cancelled_is_an_error_of_the_workflow(database):
    async def cancelled(state):
        task = asyncio.create_task(asyncio.Event().wait())
        task.cancel()
        await task

    async with bench(database, flow(chain(State, cancelled), retries=0)) as it:
        thread_id = await it.run()

        assert (await it.thread(thread_id)).status == "failed"


async def test_a_run_whose_lock_was_not_its_own_any_more_says_so(database):
    async with bench(database, flow(chain(State, lambda _: {}))) as it:
        thread_id = await it.start()
        await it.execute(_HAS_LOST_IT)

        with pytest.raises(LockLost, match=thread_id):
            await it.engine.advance(thread_id)


_HAS_LOST_IT = """
create or replace function signoff_release(id text, seen bigint, out unlocked boolean, out more boolean)
language sql as 'select false, false'
"""


async def test_every_way_to_end_a_run_gives_the_lock_back(database):
    def broken(state):
        raise RuntimeError("down")

    async with bench(database, flow(chain(State, decide)), flow(chain(State, broken), name="broken")) as it:
        waiting, raising = await it.run(), await it.run("broken")
        unknown = await it.run("nowhere")
        with pytest.raises(Exception, match="no thread"):
            await it.engine.advance("no such thread")
        for thread_id in (waiting, raising, unknown):
            await it.engine.advance(thread_id)

        assert await it.rows(_HELD) == []


async def test_a_thread_whose_job_was_lost_is_swept(database):
    async with bench(database, flow(chain(State, decide))) as it:
        thread_id = await it.start()
        await it.rows("delete from procrastinate_jobs returning 1")
        assert await it.sweep() == 1
        (approval,) = (await it.pending(thread_id)).values()
        await it.decide(approval)
        await it.rows("delete from procrastinate_jobs returning 1")
        assert await it.sweep() == 1

        assert (await it.thread(thread_id)).status == "done"


async def test_a_thread_that_is_being_run_for_long_is_not_run_twice_by_the_sweep(database):
    slow = Slow()
    async with bench(database, flow(chain(State, slow, names=("slow",)))) as it:
        thread_id = await it.start()
        run = asyncio.create_task(it.engine.advance(thread_id))
        await slow.running.wait()
        await it.sweep()
        slow.go_on.set()
        await run

        assert len(slow.runs) == 1


async def test_many_workers_on_many_threads_answer_each_question_once(database):
    async with bench(database, flow(chain(State, decide, then_ask_again))) as it:
        threads = [await it.start() for _ in range(8)]
        workers = [it.another() for _ in range(3)]

        async def everywhere() -> None:
            runs = [worker.advance(thread_id) for thread_id in threads for worker in workers]
            await asyncio.gather(*runs)

        await everywhere()
        for _ in range(2):
            for thread_id in threads:
                for approval in (await it.pending(thread_id)).values():
                    await it.decide(approval)
            await everywhere()

        for thread_id in threads:
            assert (await it.thread(thread_id)).result == {"log": ["approve", "approve"]}
            assert len(await it.approvals(thread_id)) == 2


_KILL_HOLDERS = """
select pg_terminate_backend(pid, 5000) as killed
from pg_locks
where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
"""

_HELD = """
select pid from pg_locks
where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
"""

_WRITTEN = """
select (select count(*) from checkpoints where thread_id = %s) as checkpoints,
       (select count(*) from checkpoint_writes where thread_id = %s) as writes
"""
