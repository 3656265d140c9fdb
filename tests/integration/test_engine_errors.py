"""Nodes that raise: tried again as declared, then given up; an answer is never sent twice for it."""

from __future__ import annotations

import asyncio
import operator
from datetime import timedelta
from typing import Annotated, Any, TypedDict

import psycopg
import pytest
from fixtures_engine import bench, chain, flow, side_by_side
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from psycopg_pool import PoolTimeout
from pydantic import AfterValidator, BaseModel

from bot.approvals import ApprovalRequest, Breakpoints, ask
from bot.engine import ledger

LATER = timedelta(minutes=6)


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


class Failing:
    """Raises as often as it is told to, and counts how often it was passed."""

    def __init__(self, times: int, error: BaseException | None = None) -> None:
        self.left = times
        self.error = error or RuntimeError("the bank is away")
        self.passed = 0

    def __call__(self) -> None:
        if self.left:
            self.left -= 1
            raise self.error
        self.passed += 1


async def after_the_others() -> None:
    """Let the nodes of the same step pause first: LangGraph cancels them where one raises before they do."""
    for _ in range(50):
        await asyncio.sleep(0)


def question(title: str) -> str:
    return ask(ApprovalRequest(title=title)).verdict


async def test_an_error_before_the_pause_is_tried_again_when_its_time_has_come(database):
    fails = Failing(1)

    def node(state):
        fails()
        return {"log": [question("pay?")]}

    async with bench(database, flow(chain(State, node))) as it:
        thread_id = await it.run()
        thread = await it.thread(thread_id)
        assert (thread.status, thread.attempts) == ("running", 1)
        assert thread.error == "RuntimeError: the bank is away"
        assert "the bank is away" in thread.traceback
        assert thread.retry_at > await it.now()
        await it.engine.advance(thread_id)
        assert (await it.thread(thread_id)).attempts == 1, "it is not its time yet"

        assert await it.sweep(LATER) == 1
        thread = await it.thread(thread_id)
        assert (thread.status, thread.attempts, thread.error, thread.retry_at) == ("waiting", 0, None, None)
        assert set(await it.pending(thread_id)) == {"pay?"}
        assert await it.sweep(LATER) == 0


async def test_an_error_after_the_pause_keeps_the_answer_and_does_not_send_it_again(database):
    fails = Failing(1)

    def node(state):
        said = question("pay?")
        fails()
        return {"log": [said, question("really release the funds?")]}

    async with bench(database, flow(chain(State, node))) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["pay?"])
        assert (await it.thread(thread_id)).attempts == 1
        await it.sweep(LATER)

        assert set(await it.pending(thread_id)) == {"really release the funds?"}
        await it.answer((await it.pending(thread_id))["really release the funds?"], "reject")
        assert (await it.thread(thread_id)).result == {"log": ["approve", "reject"]}


async def test_what_always_raises_is_given_up_after_the_declared_retries(database):
    fails = Failing(100)

    def node(state):
        fails()

    async with bench(database, flow(chain(State, node), retries=2)) as it:
        thread_id = await it.run()
        waits = []
        while (thread := await it.thread(thread_id)).status == "running":
            waits.append(thread.retry_at - await it.now())
            assert len(waits) < 10
            await it.sweep(LATER)

        assert 100 - fails.left == 3, "once, and two retries"
        assert waits[0] < timedelta(seconds=3)
        assert waits[0] < waits[1]
        assert (thread.status, thread.error) == ("failed", "RuntimeError: the bank is away")
        assert "RuntimeError: the bank is away" in thread.traceback
        assert "fails()" in thread.traceback
        assert await it.told_ops(thread_id) == ["Thread of demo failed: RuntimeError: the bank is away"]
        assert (await it.events(thread_id)).count("thread.raised") == 2
        assert await it.sweep(LATER) == 0


async def test_without_retries_the_first_error_is_the_last(database):
    fails = Failing(1)

    def node(state):
        fails()

    async with bench(database, flow(chain(State, node), retries=0)) as it:
        assert (await it.thread(await it.run())).status == "failed"


async def test_errors_are_counted_from_the_last_progress(database):
    before, after = Failing(2), Failing(2)

    def node(state):
        before()
        said = question("pay?")
        after()
        return {"log": [said]}

    async with bench(database, flow(chain(State, node), retries=2)) as it:
        thread_id = await it.run()
        await it.sweep(LATER)
        await it.sweep(LATER)
        await it.answer((await it.pending(thread_id))["pay?"])
        await it.sweep(LATER)
        await it.sweep(LATER)

        assert (await it.thread(thread_id)).status == "done"


async def test_a_node_that_always_runs_out_of_time_after_its_answer_is_given_up_too(database):
    ran = []

    async def node(state):
        ran.append(question("pay?"))
        await asyncio.Event().wait()

    graph = StateGraph(State).add_node("node", node, timeout=0.05).add_edge(START, "node")
    async with bench(database, flow(graph, retries=1)) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["pay?"])
        while (thread := await it.thread(thread_id)).status == "running":
            assert len(ran) < 5
            await it.sweep(LATER)

        assert ran == ["approve", "approve"], "once, and one retry"
        assert (thread.status, "NodeTimeoutError" in thread.error) == ("failed", True)


async def test_a_failed_thread_goes_on_from_where_it_failed_when_it_is_retried(database):
    fails = Failing(1)

    def pay(state):
        fails()
        return {"log": ["paid"]}

    def decide(state):
        return {"log": [question("pay?")]}

    async with bench(database, flow(chain(State, decide, pay), retries=0)) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["pay?"])
        assert (await it.thread(thread_id)).status == "failed"
        await it.retry(thread_id)
        await it.drain()

        thread = await it.thread(thread_id)
        assert (thread.status, thread.result, thread.error) == ("done", {"log": ["approve", "paid"]}, None)


async def test_ops_are_told_of_every_failure_of_a_thread(database):
    fails = Failing(2)

    def node(state):
        fails()

    async with bench(database, flow(chain(State, node), retries=0)) as it:
        thread_id = await it.run()
        await it.retry(thread_id)
        await it.drain()

        assert len(await it.told_ops(thread_id)) == 2


async def test_a_sibling_that_raises_does_not_keep_the_other_from_being_asked(database):
    fails = Failing(1)

    async def asking(state):
        return {"log": [question("pay?")]}

    async def broken(state):
        await after_the_others()
        fails()
        return {"log": ["mended"]}

    async with bench(database, flow(side_by_side(State, asking, broken))) as it:
        thread_id = await it.run()
        (asked,) = (await it.pending(thread_id)).values()
        await it.sweep(LATER)
        assert fails.passed == 1
        thread = await it.thread(thread_id)
        assert (thread.status, thread.attempts) == ("waiting", 0)
        assert (await it.pending(thread_id))["pay?"].approval_id == asked.approval_id

        await it.answer(asked)
        assert sorted((await it.thread(thread_id)).result["log"]) == ["approve", "mended"]
        assert fails.passed == 1, "what has finished does not run again"


async def test_a_decision_made_while_a_sibling_is_to_be_tried_again_is_sent_after_it(database):
    fails = Failing(1)

    async def asking(state):
        return {"log": [question("pay?")]}

    async def broken(state):
        await after_the_others()
        fails()
        return {"log": ["mended"]}

    async with bench(database, flow(side_by_side(State, asking, broken))) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["pay?"])
        assert (await it.thread(thread_id)).status == "running"
        await it.sweep(LATER)

        assert sorted((await it.thread(thread_id)).result["log"]) == ["approve", "mended"]


async def test_a_retried_thread_asks_again_what_was_open_when_it_failed(database):
    fails = Failing(2)

    async def asking(state):
        return {"log": [question("pay?")]}

    async def broken(state):
        await after_the_others()
        fails()
        return {"log": ["mended"]}

    async with bench(database, flow(side_by_side(State, asking, broken), retries=1)) as it:
        thread_id = await it.run()
        await it.sweep(LATER)
        assert (await it.thread(thread_id)).status == "failed"
        (closed,) = await it.approvals(thread_id)
        assert closed.status == "cancelled"
        await it.retry(thread_id)
        await it.drain()
        (asked,) = (await it.pending(thread_id)).values()
        assert asked.approval_id != closed.approval_id
        await it.answer(asked)

        assert (await it.thread(thread_id)).status == "done"


async def test_a_database_error_of_a_node_is_the_nodes_own(database):
    for error in (psycopg.OperationalError("their server went away"), PoolTimeout("their pool is empty")):
        fails = Failing(100, error)

        def node(state, fails=fails):
            fails()

        async with bench(database, flow(chain(State, node), retries=1)) as it:
            thread_id = await it.run()
            assert (await it.thread(thread_id)).attempts == 1
            await it.sweep(LATER)

            thread = await it.thread(thread_id)
            assert (thread.status, str(error) in thread.error) == ("failed", True)


async def test_a_reply_function_that_raises_is_an_error_of_the_workflow(database):
    def node(state):
        return {"log": [interrupt("pay?")]}

    def reply(decision):
        raise KeyError("amount")

    async with bench(database, flow(chain(State, node), reply=reply, retries=1)) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["pay?"])
        await it.sweep(LATER)
        assert (await it.thread(thread_id)).status == "failed"

        it.deploy(flow(chain(State, node), reply="text"))
        await it.retry(thread_id)
        await it.drain()
        assert (await it.thread(thread_id)).result == {"log": ["approve"]}


async def test_errors_hold_no_characters_that_postgres_refuses(database):
    def node(state):
        raise RuntimeError("a\x00b \ud800" + "x" * 100_000)

    async with bench(database, flow(chain(State, node), retries=0)) as it:
        thread = await it.thread(await it.run())

    assert thread.status == "failed"
    assert thread.error.startswith("RuntimeError: ab ?")
    assert len(thread.error) < 600


async def test_a_statement_of_ours_that_postgres_refuses_is_counted_and_leaves_the_connection_well(
    database, monkeypatch
):
    async def register(fact, *_, **__):
        await fact.conn.execute("select 1 / 0")

    def node(state):
        return {"log": [question("pay?")]}

    async with bench(database, flow(chain(State, node))) as it:
        with monkeypatch.context() as patch:
            patch.setattr(ledger, "register", register)
            thread_id = await it.run()
        thread = await it.thread(thread_id)
        assert (thread.attempts, "DivisionByZero" in thread.error) == (1, True)
        assert await it.approvals(thread_id) == []
        await it.sweep(LATER)

        assert set(await it.pending(thread_id)) == {"pay?"}
        assert (await it.thread(thread_id)).status == "waiting"


async def test_a_node_that_raised_before_it_asked_waits_in_a_graph_with_breakpoints_too(database):
    failing = [True]

    def pay(state):
        if failing:
            failing.clear()
            raise RuntimeError("down")
        return {"log": [question("pay?")]}

    def paid(state):
        return {"log": ["paid"]}

    async with bench(database, flow(chain(State, pay, paid).compile(interrupt_before=["paid"]))) as it:
        thread_id = await it.run()
        assert (await it.thread(thread_id)).attempts == 1
        await it.sweep()
        await it.answer((await it.pending(thread_id))["pay?"])
        await it.answer((await it.pending(thread_id))["Run paid"])

        assert (await it.thread(thread_id)).result == {"log": ["approve", "paid"]}


async def test_what_a_context_raises_counts_as_the_workflows_error_whatever_it_is(database):
    # One that asks a database of its own raises what ours raises when it goes away.
    def context(_given):
        raise psycopg.OperationalError("their database is away")

    def node(state):
        return {"log": ["ran"]}

    async with bench(database, flow(chain(State, node), context=context, retries=0)) as it:
        thread_id = await it.run()
        thread = await it.thread(thread_id)
        assert (thread.status, thread.error) == ("failed", "OperationalError: their database is away")


def unheard(_):
    raise psycopg.OperationalError("their database is away")


class Wary(BaseModel):
    log: Annotated[list[Any], AfterValidator(unheard)]


GUARDED = {"interrupt_before": ["pay"]}


@pytest.mark.parametrize(
    ("guards", "declared"),
    [
        ({}, {"state": Wary}),
        (GUARDED, {"breakpoints": Breakpoints(answered=unheard)}),
        (GUARDED, {"breakpoints": Breakpoints(show=unheard)}),
    ],
)
async def test_what_a_declared_function_raises_counts_as_the_workflows_error_whatever_it_is(
    database, guards, declared
):
    def pay(state):
        return {"log": [interrupt("pay?") if not guards else "paid"]}

    graph = chain(State, pay).compile(**guards)
    async with bench(database, flow(graph, retries=0, **declared)) as it:
        thread_id = await it.run()
        for approval in await it.approvals(thread_id, "pending"):
            await it.answer(approval)
        thread = await it.thread(thread_id)
        assert (thread.status, thread.error) == ("failed", "OperationalError: their database is away")
