"""A deploy changed the model of the state under a paused thread: it is held until that is mended."""

from __future__ import annotations

import operator
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, TypedDict

import pytest
from fixtures_engine import bench, chain, flow, side_by_side
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from bot.approvals import ApprovalRequest, ask
from bot.commands.story import read, tell
from bot.engine.kept import UPDATES
from bot.facts import digests
from bot.postgres.fact import fact

MINUTE = timedelta(minutes=1)


class Euros(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    amount: str


class EurosKept(BaseModel):
    amount: str


class Cents(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    cents: int


class CentsKept(BaseModel):
    log: list[Any] = []
    cents: int


def question(title: str, **request: Any) -> str:
    return ask(ApprovalRequest(title=title, **request)).verdict


def old():
    def draft(state):
        return {"amount": "12.50", "log": ["drafted"]}

    def pay(state):
        return {"log": [question("pay?")]}

    return flow(chain(Euros, draft, pay), state=EurosKept)


def new(**declared):
    def draft(state):
        return {"cents": 1250, "log": ["drafted"]}

    def pay(state):
        return {"log": [question("pay?"), state["cents"]]}

    return flow(chain(Cents, draft, pay), state=CentsKept, **declared)


class Words(BaseModel):
    amount: str = ""


class Number(BaseModel):
    amount: int


def typed(schema):
    """A graph whose state is a pydantic model, which adds one to a number."""

    def draft(state):
        return {"amount": "12.50"}

    def pay(state):
        question("pay?")
        return {"amount": state.amount + 1} if schema is Number else {}

    return chain(schema, draft, pay)


def to_cents(state):
    return {"cents": int(Decimal(state["amount"]) * 100), "log": ["migrated"]}


async def test_a_state_that_no_longer_fits_holds_the_thread_before_the_mark_and_tells_ops_once(database):
    async with bench(database, old()) as it:
        thread_id = await it.run()
        it.deploy(new())
        await it.answer((await it.pending(thread_id))["pay?"])
        for _ in range(3):
            assert await it.sweep(MINUTE) == 1
        thread, (approval,) = await it.thread(thread_id), await it.approvals(thread_id)

        assert (thread.status, thread.attempts) == ("waiting", 0)
        assert "cents: Field required" in thread.error
        assert (approval.status, approval.applying_at) == ("decided", None)
        (told,) = await it.told_ops(thread_id)
        assert "cents: Field required" in told
        (message,) = await it.rows("select body from messages where kind = 'ops'")
        assert message["body"]["command"] == f"signoff retry {thread_id}"
        assert (await it.events(thread_id)).count("thread.held") == 1


async def test_a_held_thread_is_told_by_show_and_by_the_digest(database):
    async with bench(database, old()) as it:
        thread_id = await it.run()
        it.deploy(new())
        await it.answer((await it.pending(thread_id))["pay?"])
        async with it.work.connection() as conn, fact(conn, it.queue) as recorded:
            story = "\n".join(tell(await read(conn, thread_id)))
            await digests.make(recorded, "2026-01-01 09:00")
            digest = await digests.make(recorded, "2026-01-02 09:00")

        assert "cents: Field required" in story
        (held,) = digest.about("held")
        assert "cents: Field required" in held.note


async def test_a_deploy_that_fits_lets_a_held_thread_go_on_by_itself_or_at_once_by_retry(database):
    for by_hand in (False, True):
        async with bench(database, old()) as it:
            thread_id = await it.run()
            it.deploy(new())
            await it.answer((await it.pending(thread_id))["pay?"])
            it.deploy(old())
            if by_hand:
                await it.retry(thread_id)
                await it.drain()
            else:
                await it.sweep(MINUTE)
            thread = await it.thread(thread_id)

            assert (thread.status, thread.error) == ("done", None)
            assert thread.result == {"amount": "12.50", "log": ["drafted", "approve"]}


async def test_a_declared_migration_mends_what_is_held_and_the_node_sees_it(database):
    async with bench(database, old()) as it:
        thread_id = await it.run()
        it.deploy(new(state_version=2))
        await it.answer((await it.pending(thread_id))["pay?"])
        assert "Declare migrate={1: …}" in (await it.thread(thread_id)).error

        it.deploy(new(state_version=2, migrate={1: to_cents}))
        await it.sweep(MINUTE)
        thread = await it.thread(thread_id)

        assert (thread.status, thread.error) == ("done", None)
        assert thread.result == {"cents": 1250, "log": ["migrated", "approve", 1250]}


async def test_a_migration_that_raises_holds_the_thread_too(database):
    async with bench(database, old()) as it:
        thread_id = await it.run()
        it.deploy(new(state_version=2, migrate={1: lambda state: {"cents": int(state["price"])}}))
        await it.answer((await it.pending(thread_id))["pay?"])
        thread = await it.thread(thread_id)

        assert (thread.status, "raised KeyError: 'price'" in thread.error) == ("waiting", True)


async def test_a_migration_runs_once_though_each_branch_of_a_step_is_answered_alone(database):
    class Kept(BaseModel):
        amount: int

    class State(TypedDict, total=False):
        log: Annotated[list[Any], operator.add]
        amount: int

    def graph():
        def pay(state):
            return {"log": [question("pay?"), state["amount"]]}

        def beside(state):
            return {"log": [question("beside?"), state["amount"]]}

        return side_by_side(State, pay, beside)

    async with bench(database, flow(graph(), state=Kept)) as it:
        thread_id = await it.run(given={"amount": 1})
        it.deploy(
            flow(graph(), state=Kept, state_version=2, migrate={1: lambda s: {"amount": s["amount"] * 100}})
        )
        await it.answer((await it.pending(thread_id))["pay?"])
        await it.answer((await it.pending(thread_id))["beside?"])
        thread = await it.thread(thread_id)

        assert (thread.status, thread.error) == ("done", None)
        assert thread.result["amount"] == 100
        assert sorted(map(str, thread.result["log"])) == ["100", "100", "approve", "approve"]


async def test_what_was_written_by_newer_code_waits_for_it(database):
    async with bench(database, new(state_version=2)) as it:
        thread_id = await it.run()
        it.deploy(new())
        await it.answer((await it.pending(thread_id))["pay?"])
        assert "deploy the newer code again" in (await it.thread(thread_id)).error

        it.deploy(new(state_version=2))
        await it.sweep(MINUTE)
        assert (await it.thread(thread_id)).status == "done"


async def test_a_thread_that_crashed_is_mended_before_it_runs_on(database):
    ran = []

    def draft(state):
        return {"amount": "12.50"}

    def book(state):
        ran.append(state)
        raise RuntimeError("down")

    def book_cents(state):
        return {"log": [state["cents"]]}

    async with bench(
        database, flow(chain(Euros, draft, book, names=("draft", "book")), state=EurosKept)
    ) as it:
        thread_id = await it.run()
        graph = chain(Cents, draft, book_cents, names=("draft", "book"))
        it.deploy(flow(graph, state=CentsKept))
        await it.sweep()
        assert "cents: Field required" in (await it.thread(thread_id)).error

        it.deploy(flow(graph, state=CentsKept, state_version=2, migrate={1: to_cents}))
        await it.sweep(MINUTE)
        assert (await it.thread(thread_id)).result == {"cents": 1250, "log": ["migrated", 1250]}


async def test_a_graphs_own_pydantic_state_is_looked_at_though_nothing_is_declared(database):
    async with bench(database, flow(typed(Words))) as it:
        thread_id = await it.run()
        it.deploy(flow(typed(Number)))
        await it.answer((await it.pending(thread_id))["pay?"])
        thread = await it.thread(thread_id)

        assert (thread.status, "amount: Input should be" in thread.error) == ("waiting", True)


async def test_a_held_thread_can_be_cancelled(database):
    async with bench(database, old()) as it:
        thread_id = await it.run()
        it.deploy(new())
        await it.answer((await it.pending(thread_id))["pay?"])
        await it.cancel(thread_id)
        await it.drain()

        assert (await it.thread(thread_id)).status == "cancelled"


@pytest.mark.parametrize("field", ["amount", "log"])
async def test_langgraph_keeps_an_update_at_its_checkpoint_where_we_look_for_it(field):
    def pay(state):
        return {"log": [interrupt("pay?")]}

    def beside(state):
        return {"log": [interrupt("beside?")]}

    builder = StateGraph(Euros)
    for node in (pay, beside):
        builder.add_node(node)
        builder.add_edge(START, node.__name__)
    graph = builder.compile(checkpointer=(saver := InMemorySaver()))
    config = {"configurable": {"thread_id": "1"}}
    await graph.ainvoke({"amount": "1"}, config)
    first = (await graph.aget_state(config)).interrupts[0]
    await graph.ainvoke(Command(resume={first.id: "yes"}, update={field: ["2"]}), config)
    kept = await saver.aget_tuple(config)

    assert [(task, channel) for task, channel, _ in kept.pending_writes if task == UPDATES] == [
        (UPDATES, field)
    ]


async def test_a_migration_mends_a_graph_whose_own_schema_refuses_what_was_kept(database):
    async with bench(database, flow(typed(Words))) as it:
        thread_id = await it.run()
        migrate = {1: lambda state: {"amount": int(Decimal(state["amount"]))}}
        it.deploy(flow(typed(Number), state_version=2, migrate=migrate))
        await it.answer((await it.pending(thread_id))["pay?"])

        assert (await it.thread(thread_id)).result == {"amount": 13}


@pytest.mark.parametrize(
    "damage",
    [
        "update checkpoint_blobs set blob = '\\xc1' where channel = 'log'",
        "update checkpoint_writes set type = 'unknown'",
    ],
)
async def test_a_checkpoint_that_cannot_be_read_is_held_and_neither_failed_nor_resumed(database, damage):
    async with bench(database, old()) as it:
        thread_id = await it.run()
        await it.execute(damage)
        await it.answer((await it.pending(thread_id))["pay?"])
        assert await it.sweep(MINUTE) == 1
        thread, (approval,) = await it.thread(thread_id), await it.approvals(thread_id)

        assert (thread.status, thread.attempts, approval.applying_at) == ("waiting", 0, None)
        assert "cannot be read" in thread.error
        assert len(await it.told_ops(thread_id)) == 1


async def test_a_thread_at_a_breakpoint_is_held_until_code_that_fits_as_it_is(database):
    def draft(state):
        return {"amount": "12.50", "log": ["drafted"]}

    def book(state):
        return {"log": ["booked"]}

    def book_cents(state):
        return {"log": [state["cents"]]}

    before = chain(Euros, draft, book, names=("draft", "book")).compile(interrupt_before=["book"])
    after = chain(Cents, draft, book_cents, names=("draft", "book")).compile(interrupt_before=["book"])
    async with bench(database, flow(before, state=EurosKept)) as it:
        thread_id = await it.run()
        it.deploy(flow(after, state=CentsKept))
        (approval,) = await it.approvals(thread_id)
        await it.answer(approval)
        assert "cents: Field required" in (await it.thread(thread_id)).error

        it.deploy(flow(after, state=CentsKept, state_version=2, migrate={1: to_cents}))
        await it.sweep(MINUTE)
        assert "static breakpoint" in (await it.thread(thread_id)).error

        it.deploy(flow(before, state=EurosKept))
        await it.sweep(MINUTE)
        assert (await it.thread(thread_id)).result == {"amount": "12.50", "log": ["drafted", "booked"]}
