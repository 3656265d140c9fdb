"""A worker that dies at any statement: the next one ends the thread right, with each answer given once."""

from __future__ import annotations

import asyncio
import operator
import os
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any, TypedDict

import pytest
from fixtures_engine import Bench, bench, chain, flow, side_by_side
from langgraph.func import entrypoint
from langgraph.graph import START, StateGraph
from langgraph.types import Send
from psycopg import AsyncConnection, AsyncCursor, OperationalError
from pydantic import BaseModel

from bot.approvals import ApprovalRequest, Breakpoints, ask, effect_key
from bot.engine import ledger
from bot.engine.graph import GraphRun
from bot.engine.thread_row import MOST_DEATHS, RECOVERED
from bot.facts.threads import RESUMED


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


class Named(BaseModel):
    name: str
    log: Annotated[list[Any], operator.add] = []


SHOWN = Breakpoints(show=("log",))
"""A reducer adds what an edit writes: were it written twice, that would show."""


class Outside:
    """The world: nodes change it, each effect once under its key, and it moves once a person has decided."""

    def __init__(self) -> None:
        self.effects: list[str] = []
        self.moved: set[str] = set()

    def change(self, name: str) -> None:
        key = effect_key(name)
        if key not in self.effects:
            self.effects.append(key)


def question(title: str) -> str:
    return ask(ApprovalRequest(title=title)).verdict


def draft(state):
    return {"log": ["drafted"]}


def one(state):
    return {"log": [("one", question("one?"))]}


def both(state):
    return {"log": [("both", question("one?"), question("two?"))]}


def beside(state):
    return {"log": [("beside", question("beside?"))]}


async def slowly(state):
    return {"log": [("slowly", question("one?"), question("two?"))]}


def paying(world: Outside):
    def pay(state):
        world.change("payment")
        return {"log": ["paid"]}

    return pay


def in_a_row(world):
    return chain(State, draft, one, paying(world))


def twice_in_a_node(world):
    return chain(State, both, paying(world))


def in_parallel(world):
    builder = side_by_side(State, one, beside)
    builder.add_node("pay", paying(world))
    builder.add_edge(["one", "beside"], "pay")
    return builder


def in_a_subgraph(world):
    inner = chain(State, both, one).compile()
    return chain(State, draft, inner, paying(world), names=("draft", "inner", "pay"))


def fanned_out(world):
    builder = StateGraph(State)
    builder.add_node("slowly", slowly)
    builder.add_node("pay", paying(world))
    builder.add_conditional_edges(START, lambda _: [Send("slowly", {}), Send("slowly", {})], ["slowly"])
    builder.add_edge("slowly", "pay")
    return builder


def moved_after_the_approval(world):
    def moving(state):
        basis = "w2" if effect_key("moved") in world.moved else "w1"
        return {"log": [("moving", basis, ask(ApprovalRequest(title="moving?", basis=basis)).verdict)]}

    return chain(State, moving, paying(world))


def at_breakpoints(world):
    inner = chain(State, draft, one).compile(interrupt_before=["one"])
    whole = chain(State, draft, inner, paying(world), names=("draft", "inner", "pay"))
    return whole.compile(interrupt_before=["pay"], interrupt_after=["draft"])


MOST = 1_000
"""Statements of a run: more than any has."""

SHAPES = {
    moved_after_the_approval: range(12, 48),  # its first answer and its second card; the rest is as in_a_row
    in_a_row: range(MOST),
    twice_in_a_node: range(0, MOST, 3),
    in_parallel: range(0, MOST, 4),
    in_a_subgraph: range(0, MOST, 5),
    fanned_out: range(0, MOST, 5),
    at_breakpoints: range(0, MOST, 7),
}
"""Each with the statements before which a worker dies; SIGNOFF_EVERY_CRASH=1 tries every one of all."""


class Dies:
    """Takes the connection of a run away before its n-th statement, as a dying worker does."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.died = False

    async def __call__(self, conn: AsyncConnection[Any]) -> None:
        if "signoff runs" not in conn.info.get_parameters().get("application_name", ""):
            return
        if self.left == 0 and not self.died:
            self.died = True
            conn.pgconn.finish()
            raise OperationalError("the worker died")
        self.left -= 1


@contextmanager
def dying(after: int):
    """Every statement of a run is counted, those of LangGraph's checkpointer too."""
    death = Dies(after)

    def counted(method):
        async def run(cursor, *args, **kwargs):
            await death(cursor.connection)
            return await method(cursor, *args, **kwargs)

        return run

    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "executemany"):
            patch.setattr(AsyncCursor, name, counted(getattr(AsyncCursor, name)))
        yield death


async def to_the_end(it: Bench, world: Outside, thread_id: str, after: int) -> bool:
    """Answer whatever is asked; the worker dies once, after so many statements. Returns whether it did."""
    with dying(after) as death:
        for _ in range(30):
            try:
                await it.drain()
            except OperationalError:
                await _gone(it)
                await it.sweep()
                continue
            if not (pending := await it.pending(thread_id)):
                if (await it.thread(thread_id)).status != "running":
                    return death.died
                await it.sweep()
                continue
            title = min(pending)
            edited = {"log": [f"edited: {title}"]} if pending[title].dialect == "breakpoint" else None
            await it.decide(pending[title], "reject" if title == "two?" else "approve", proposal=edited)
            world.moved.add(f"{thread_id}:moved")
    raise AssertionError(await it.thread(thread_id))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
async def test_a_worker_may_die_before_any_statement(database, shape):
    world, deaths = Outside(), range(MOST) if os.environ.get("SIGNOFF_EVERY_CRASH") else SHAPES[shape]
    async with bench(database, flow(shape(world), breakpoints=SHOWN)) as it:
        whole = await it.start()
        assert not await to_the_end(it, world, whole, 10_000)
        expected = await _outcome(it, whole)
        assert expected["status"] == "done"

        for after in deaths:
            thread_id = await it.start()
            died = await to_the_end(it, world, thread_id, after)
            assert await _outcome(it, thread_id) == expected, f"died before statement {after}"
            assert world.effects.count(f"{thread_id}:payment") == 1
            if not died:
                break
        assert after > 20


async def test_a_worker_that_dies_over_an_answer_as_it_tries_again_does_not_lose_it(database, monkeypatch):
    failing = [RuntimeError("the bank is away")]

    async def asking(state):
        return one(state)

    async def broken(state):
        for _ in range(50):
            await asyncio.sleep(0)  # LangGraph cancels the other where this raises first
        if failing:
            raise failing.pop()

    async def dies(*_):
        raise OperationalError("the worker died")

    async with bench(database, flow(side_by_side(State, asking, broken))) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["one?"])
        with monkeypatch.context() as patch:
            patch.setattr(GraphRun, "resume", dies)
            with pytest.raises(OperationalError, match="died"):
                await it.sweep()
        assert [a.applying_at is None for a in await it.approvals(thread_id)] == [False]
        await it.sweep()

        assert (await it.thread(thread_id)).result == {"log": [["one", "approve"]]}


async def test_an_input_that_a_worker_died_over_is_not_taken_for_a_state_that_does_not_fit(database):
    async with bench(database, flow(chain(Named, one))) as it:
        for after in range(4):
            thread_id = await it.start(given={"name": "Maya"})
            assert await to_the_end(it, Outside(), thread_id, after)
            thread = await it.thread(thread_id)
            assert (thread.status, thread.error) == ("done", None), f"died before statement {after}"


def asks_and_pays() -> tuple[StateGraph[State], list[str]]:
    """A graph that asks, then pays, and what its nodes did, one run of them after the other."""
    ran: list[str] = []

    def asks_once(state):
        ran.append("asked")
        return {"log": [question("one?")]}

    def pays(state):
        ran.append("paid")
        return {"log": ["paid"]}

    return chain(State, asks_once, pays), ran


@pytest.mark.parametrize("step", ["register", "end"])
async def test_what_a_run_has_left_is_kept_where_nothing_that_follows_from_it_could_be_recorded(
    database, monkeypatch, step
):
    graph, ran = asks_and_pays()

    async def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("not recorded")

    async with bench(database, flow(graph)) as it:
        with monkeypatch.context() as patch:
            patch.setattr(ledger, step, fails)
            thread_id = await it.run()
            if step == "end":
                await it.answer((await it.pending(thread_id))["one?"])
        thread = await it.thread(thread_id)
        assert (thread.attempts, "not recorded" in thread.error) == (1, True)
        await it.sweep()
        if step == "register":
            await it.answer((await it.pending(thread_id))["one?"])

        assert (await it.thread(thread_id)).status == "done"
        assert ran == ["asked", "asked", "paid"], "a node runs for each answer, and no more"


@pytest.mark.parametrize("step", ["register", "end"])
async def test_what_a_run_has_left_is_kept_where_only_what_follows_from_it_was_in_somebodys_way(
    database, monkeypatch, step
):
    graph, ran = asks_and_pays()

    async def deadlocks(recorded: Any, *_: Any, **__: Any) -> Any:
        await recorded.conn.execute("do $$ begin raise deadlock_detected; end $$")

    async with bench(database, flow(graph)) as it:
        with monkeypatch.context() as patch:
            patch.setattr(ledger, step, deadlocks)
            thread_id = await it.start()
            if step == "end":
                await it.drain()
                await it.decide((await it.pending(thread_id))["one?"])
            with pytest.raises(OperationalError, match="deadlock"):
                await it.drain()
        await _gone(it)
        await it.sweep()
        if step == "register":
            await it.answer((await it.pending(thread_id))["one?"])

        assert (await it.thread(thread_id)).status == "done"
        assert ran == ["asked", "asked", "paid"], "a node runs for each answer, and no more"
        assert RECOVERED not in await it.events(thread_id)


@pytest.mark.parametrize("table", ["checkpoints", "checkpoint_writes"])
async def test_what_a_run_has_left_that_is_too_large_to_be_stored_is_an_error_of_the_run(database, table):
    ran = []

    def node(state):
        ran.append("ran")
        return {"log": ["large" if table == "checkpoints" else question("large?")]}

    async with bench(database, flow(chain(State, node), retries=1)) as it:
        await it.execute(_TOO_LARGE)
        await it.execute(_REFUSES.format(table))
        thread_id = await it.run()
        await it.sweep()

        thread = await it.thread(thread_id)
        assert (thread.status, "too large" in thread.error) == ("failed", True)
        assert ran == ["ran", "ran"]


async def test_a_worker_that_dies_as_it_looks_at_a_waiting_thread_leaves_it_waiting(database, monkeypatch):
    failing = [RuntimeError("the bank is away")]

    def asking(state):
        if failing:
            raise failing.pop()  # its task shows that for ever, so whoever looks at it runs it on
        return one(state)

    async def dies(*_):
        raise OperationalError("the worker died")

    async with bench(database, flow(chain(State, asking))) as it:
        thread_id = await it.run()
        await it.sweep()
        with monkeypatch.context() as patch:
            patch.setattr(GraphRun, "drive", dies)
            with pytest.raises(OperationalError, match="died"):
                await it.engine.advance(thread_id)
        assert (await it.thread(thread_id)).status == "running"
        await it.sweep()

        assert (await it.thread(thread_id)).status == "waiting"


def deadly_in_a_node(deadly):
    return chain(State, draft, deadly)


def deadly_on_its_input(deadly):
    return entrypoint()(deadly)


def deadly_as_it_chooses(deadly):
    builder = StateGraph(State)
    builder.add_node("draft", draft)
    builder.add_conditional_edges(START, deadly, ["draft"])
    return builder


@pytest.mark.parametrize("shape", [deadly_in_a_node, deadly_on_its_input, deadly_as_it_chooses])
async def test_a_thread_that_kills_every_worker_is_tried_ever_later_and_then_given_up(database, shape):
    running = asyncio.Event()

    async def deadly(state):
        running.set()
        await asyncio.Event().wait()

    async with bench(database, flow(shape(deadly))) as it:
        thread_id = await it.start()
        for deaths in range(MOST_DEATHS + 1):
            run = asyncio.create_task(it.engine.advance(thread_id))
            await running.wait()
            running.clear()
            await _dies(it, run)
            if deaths:
                await it.engine.advance(thread_id)
                assert not running.is_set(), "the next worker has to wait"
            await it.execute("update signoff_time set ahead = ahead + interval '6 minutes'")
        await it.engine.advance(thread_id)

        thread = await it.thread(thread_id)
        assert (thread.status, "10 workers died" in thread.error) == ("failed", True)
        assert (await it.told_ops(thread_id))[-1].startswith("Thread of demo failed: 10 workers died")


async def test_deaths_do_not_count_against_the_declared_retries_nor_after_progress(database):
    running, deadly, fails = asyncio.Event(), [True], [True]

    async def node(state):
        if deadly:
            deadly.clear()
            running.set()
            await asyncio.Event().wait()
        if fails:
            fails.clear()
            raise RuntimeError("transient")
        return {"log": [question("one?")]}

    async with bench(database, flow(chain(State, node), retries=1)) as it:
        thread_id = await it.start()
        run = asyncio.create_task(it.engine.advance(thread_id))
        await running.wait()
        await _dies(it, run)
        await it.sweep()
        assert (await it.thread(thread_id)).attempts == 1
        await it.sweep(timedelta(minutes=6))

        thread = await it.thread(thread_id)
        assert (thread.status, thread.attempts, thread.retry_at) == ("waiting", 0, None)


async def _dies(it: Bench, run: asyncio.Task[None]) -> None:
    """End a run as the database sees a worker die."""
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await _gone(it)


async def _gone(it: Bench) -> None:
    """Wait until the database has seen the worker die; what it sent last is done before its lock goes."""
    while await it.rows(_HELD):
        pass


_HELD = """
select 1 from pg_locks join pg_database on oid = database
where locktype = 'advisory' and datname = current_database()
"""


async def _outcome(it: Bench, thread_id: str) -> dict[str, Any]:
    thread, approvals = await it.thread(thread_id), await it.approvals(thread_id)
    events = await it.events(thread_id)
    return {
        "status": thread.status,
        "error": thread.error,
        "log": sorted(map(str, (thread.result or {}).get("log", ()))),
        "approvals": sorted((a.request.title, a.status, a.revision, bool(a.applied_at)) for a in approvals),
        "events": {event: events.count(event) for event in {*events} - {RECOVERED, RESUMED}},
        "resumed": await _resumed(it, thread_id),
    }


async def _resumed(it: Bench, thread_id: str) -> list[str]:
    """What was answered and has in the audit what that changed, or that nobody saw it."""
    rows = await it.rows(_RESUMED, thread_id)
    return sorted(row["title"] for row in rows)


_TOO_LARGE = """
create function too_large() returns trigger language plpgsql as $$ begin
    if to_jsonb(new) ->> 'channel' = '__interrupt__' or to_jsonb(new) #>> '{metadata,step}' = '1' then
        raise program_limit_exceeded using message = 'too large';
    end if;
    return new;
end $$
"""

_REFUSES = "create trigger refuses before insert on {} for each row execute function too_large()"

_RESUMED = """
select distinct a.request ->> 'title' as title
from audit e cross join lateral jsonb_array_elements_text(e.body::jsonb #> '{data,approvals}') as told (id)
join approvals a on a.approval_id = told.id
where e.chain = %s and e.body::jsonb ->> 'event' = 'thread.resumed'
"""
