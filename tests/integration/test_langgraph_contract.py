"""What our code leans on in the installed LangGraph, hazards included: a release that breaks it fails."""

from __future__ import annotations

import asyncio
import copy
import operator
import weakref
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from conftest import create, drop
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.config import get_config
from langgraph.errors import NodeInterrupt, UnknownInterruptError, is_invalid_resume
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt
from psycopg.conninfo import make_conninfo
from pydantic import BaseModel, BeforeValidator
from pydantic_core import PydanticCustomError

from bot.approvals.given import CALLED, RESUME, SCRATCHPAD, SEND, SENT
from bot.engine.graph import STRICT_RESUME
from bot.postgres.pools import runs_pool


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


@pytest.fixture(scope="module")
def checkpoints(server, template):
    """The DSN of one database for all of this module: every test has a thread of its own."""
    name = f"signoff_test_{uuid4().hex[:12]}"
    create(server, name, template)
    yield make_conninfo(server, dbname=name)
    drop(server, name)


class Run:
    """One thread, driven as the engine drives it: one connection, synchronous durability, ids only."""

    def __init__(self, graph, conn, *, strict=True):
        self.graph = copy.copy(graph)
        self.graph.checkpointer = AsyncPostgresSaver(conn)
        self.config = {"configurable": {"thread_id": str(uuid4())}}
        if strict:
            self.config["configurable"][STRICT_RESUME] = True

    async def go(self, given):
        return await self.graph.ainvoke(given, self.config, durability="sync")

    async def begin(self):
        return await self.go({"log": []})

    async def drive(self):
        return await self.go(None)

    async def answer(self, answers):
        return await self.go(Command(resume=answers))

    async def state(self):
        return await self.graph.aget_state(self.config)

    async def ids(self):
        return [i.id for i in (await self.state()).interrupts]


@pytest.fixture
def run(checkpoints):
    """Open a run of a graph; the saver has one connection of the engine's own pool, with its settings."""

    @asynccontextmanager
    async def opened(graph, **options):
        async with runs_pool(checkpoints, max_size=1) as pool, pool.connection() as conn:
            yield Run(graph, conn, **options)

    return opened


def chain(*nodes):
    """A graph of nodes one after another."""
    builder = StateGraph(State)
    for before, node in zip((START, *(n.__name__ for n in nodes)), nodes, strict=False):
        builder.add_node(node.__name__, node)
        builder.add_edge(before, node.__name__)
    return builder.compile()


def side_by_side(*nodes):
    """A graph of nodes in one step."""
    builder = StateGraph(State)
    for node in nodes:
        builder.add_node(node.__name__, node)
        builder.add_edge(START, node.__name__)
    return builder.compile()


def first(state):
    return {"log": [interrupt("first?")]}


def second(state):
    return {"log": [interrupt("second?")]}


async def asking(state):
    return {"log": [interrupt("first?")]}


async def after_the_others():
    """Let the nodes of the same step pause first: LangGraph cancels them where one raises before they do."""
    for _ in range(50):
        await asyncio.sleep(0)


def both(state):
    return {"log": [interrupt("one?"), interrupt("two?")]}


def interrupts(result):
    return {i.value: i.id for i in result.get("__interrupt__", ())}


# The hazards.


async def test_h1_nothing_in_langgraph_keeps_two_runs_of_a_thread_apart(checkpoints):
    both_in = asyncio.Barrier(2)
    effects = []

    async def act(state):
        said = interrupt("go?")
        await both_in.wait()
        effects.append(said)
        return {"log": [said]}

    graph = chain(act)
    async with runs_pool(checkpoints, max_size=2) as pool, pool.connection() as one, pool.connection() as two:
        a, b = Run(graph, one), Run(graph, two)
        b.config = a.config
        asked = interrupts(await a.begin())["go?"]
        results = await asyncio.gather(a.answer({asked: "yes"}), b.answer({asked: "no"}))

    assert sorted(effects) == ["no", "yes"]
    assert [r["log"] for r in results] == [["yes"], ["no"]]


async def test_h2_a_bare_answer_answers_whatever_is_pending(run):
    async with run(chain(first, second), strict=False) as thread:
        await thread.begin()
        await thread.go(Command(resume="yes"))
        result = await thread.go(Command(resume="yes"))

    assert result["log"] == ["yes", "yes"]


async def test_h3_without_the_strict_key_a_stale_id_answers_the_second_question_of_its_node(run):
    async with run(chain(both), strict=False) as thread:
        old = interrupts(await thread.begin())["one?"]
        await thread.answer({old: "a"})
        result = await thread.answer({old: "STALE"})

    assert result["log"] == ["a", "STALE"]


async def test_h3_the_strict_key_refuses_an_id_that_is_no_longer_pending(run):
    async with run(chain(both)) as thread:
        old = interrupts(await thread.begin())["one?"]
        await thread.answer({old: "a"})
        with pytest.raises(UnknownInterruptError) as refused:
            await thread.answer({old: "STALE"})

        assert refused.value.reason == "not_pending"
        assert [i.value for i in (await thread.state()).interrupts] == ["two?"]


async def test_h4_after_an_error_the_answer_is_kept_and_sending_it_again_answers_the_next_question(run):
    failing = [True]

    def node(state):
        said = interrupt("one?")
        if failing:
            failing.clear()
            raise RuntimeError("transient")
        return {"log": [said, interrupt("really?")]}

    async with run(chain(node)) as thread:
        asked = interrupts(await thread.begin())["one?"]
        with pytest.raises(RuntimeError, match="transient"):
            await thread.answer({asked: "YES"})
        snapshot = await thread.state()
        assert [i.id for i in snapshot.interrupts] == [asked]
        assert snapshot.tasks[0].error is not None

        assert (await thread.answer({asked: "YES"}))["log"] == ["YES", "YES"]


async def test_h4_driving_on_first_keeps_the_answer_and_stops_at_the_next_question(run):
    failing = [True]

    def node(state):
        said = interrupt("one?")
        if failing:
            failing.clear()
            raise RuntimeError("transient")
        return {"log": [said, interrupt("really?")]}

    async with run(chain(node)) as thread:
        asked = interrupts(await thread.begin())["one?"]
        with pytest.raises(RuntimeError):
            await thread.answer({asked: "YES"})
        following = interrupts(await thread.drive())

        assert list(following) == ["really?"]
        assert following["really?"] != asked
        assert (await thread.answer({following["really?"]: "no"}))["log"] == ["YES", "no"]


async def test_h5_driving_on_after_a_bare_answer_gives_it_to_the_next_question_too(run):
    async with run(chain(both), strict=False) as thread:
        await thread.begin()
        assert list(interrupts(await thread.go(Command(resume="a")))) == ["two?"]

        assert (await thread.drive())["log"] == ["a", "a"]


async def test_h5_driving_on_after_an_answer_by_id_stops_at_the_next_question(run):
    async with run(chain(both)) as thread:
        asked = interrupts(await thread.begin())["one?"]
        await thread.answer({asked: "a"})

        assert list(interrupts(await thread.drive())) == ["two?"]


async def test_h6_a_wrong_answer_that_the_node_refuses_stays_for_ever(run):
    def node(state):
        said = interrupt("how many?")
        return {"log": [int(said)]}

    async with run(chain(node)) as thread:
        asked = interrupts(await thread.begin())["how many?"]
        for answer in ("many", "7"):
            with pytest.raises(ValueError, match="many"):
                await thread.answer({asked: answer})


async def test_h6_a_response_schema_refuses_a_wrong_answer_before_it_is_stored(run):
    class Amount(BaseModel):
        amount: int

    def node(state):
        return {"log": [interrupt("how many?", response_schema=Amount).amount]}

    async with run(chain(node)) as thread:
        asked = interrupts(await thread.begin())["how many?"]
        with pytest.raises(ValueError, match="amount") as refused:
            await thread.answer({asked: {"amount": "many"}})
        assert is_invalid_resume(refused.value)

        assert await thread.ids() == [asked]
        assert interrupts(await thread.drive())["how many?"] == asked
        assert (await thread.answer({asked: {"amount": 7}}))["log"] == [7]


async def test_h7_updating_a_paused_thread_discards_what_it_asks(run):
    async with run(chain(first, second)) as thread:
        old = interrupts(await thread.begin())["first?"]
        await thread.graph.aupdate_state(thread.config, {"log": ["u"]})

        assert await thread.ids() == []
        assert interrupts(await thread.drive())["first?"] != old


# Interrupts and their ids.


async def test_an_interrupt_keeps_its_id_over_reads_and_runs_that_answer_nothing(run):
    async with run(chain(first)) as thread:
        (asked,) = interrupts(await thread.begin()).values()

        assert len(asked) == 32
        assert await thread.ids() == [asked]
        assert interrupts(await thread.drive())["first?"] == asked


async def test_the_same_id_may_ask_something_else_after_the_node_ran_again(run):
    asks = ["pay 10"]

    def node(state):
        return {"log": [interrupt(asks[0])]}

    async with run(chain(node)) as thread:
        before = interrupts(await thread.begin())
        asks[0] = "pay 1000"
        after = interrupts(await thread.drive())

        assert before["pay 10"] == after["pay 1000"]
        assert [i.value for i in (await thread.state()).interrupts] == ["pay 1000"]


async def test_a_partial_answer_keeps_the_other_ids_and_the_result_lists_all_that_still_wait(run):
    def worker(state):
        return {"log": [interrupt(f"item {state['n']}?")]}

    builder = StateGraph(State)
    builder.add_node("worker", worker)
    builder.add_conditional_edges(START, lambda _: [Send("worker", {"n": n}) for n in range(5)], ["worker"])
    async with run(builder.compile()) as thread:
        asked = interrupts(await thread.begin())
        assert len(set(asked.values())) == 5

        left = interrupts(await thread.answer({asked["item 3?"]: "c", asked["item 0?"]: "a"}))
        assert left == {name: asked[name] for name in ("item 1?", "item 2?", "item 4?")}
        assert set(await thread.ids()) == set(left.values())

        done = await thread.answer(dict.fromkeys(left.values(), "x"))
        assert sorted(done["log"]) == ["a", "c", "x", "x", "x"]


async def test_the_result_lists_what_a_subgraph_and_its_sibling_wait_for(run):
    builder = StateGraph(State)
    builder.add_node("inner", chain(first, second))
    builder.add_node("beside", lambda state: {"log": [interrupt("beside?")]})
    builder.add_edge(START, "inner")
    builder.add_edge(START, "beside")
    async with run(builder.compile()) as thread:
        asked = interrupts(await thread.begin())
        assert set(asked) == {"first?", "beside?"}

        following = interrupts(await thread.answer({asked["first?"]: "a"}))
        assert set(following) == {"second?", "beside?"}
        assert following["beside?"] == asked["beside?"]
        assert set(await thread.ids()) == set(following.values())


async def test_falsy_answers_by_id_arrive_as_they_are(run):
    for said in (False, 0, "", [], None, {}):
        async with run(chain(first)) as thread:
            (asked,) = interrupts(await thread.begin()).values()
            assert (await thread.answer({asked: said}))["log"] == [said]


@pytest.mark.filterwarnings("ignore:NodeInterrupt is deprecated")
async def test_a_node_interrupt_has_an_id_that_is_no_hash(run):
    def node(state):
        raise NodeInterrupt("stop")

    async with run(chain(node)) as thread:
        (asked,) = interrupts(await thread.begin()).values()

    assert asked == "placeholder-id"


async def test_an_asking_sibling_is_stored_though_the_run_raised(run):
    async def broken(state):
        await after_the_others()
        raise RuntimeError("down")

    async with run(side_by_side(asking, broken)) as thread:
        with pytest.raises(RuntimeError, match="down"):
            await thread.begin()
        snapshot = await thread.state()

    assert [i.value for i in snapshot.interrupts] == ["first?"]
    assert {task.name: task.error is not None for task in snapshot.tasks} == {"asking": False, "broken": True}


async def test_a_task_shows_its_old_error_although_it_has_finished_since(run):
    failing = [True]

    async def mended(state):
        await after_the_others()
        if failing:
            failing.clear()
            raise RuntimeError("down")
        return {"log": ["mended"]}

    async with run(side_by_side(asking, mended)) as thread:
        with pytest.raises(RuntimeError):
            await thread.begin()
        assert list(interrupts(await thread.drive())) == ["first?"]
        tasks = {task.name: task for task in (await thread.state()).tasks}

        assert tasks["mended"].error is not None
        assert tasks["mended"].result == {"log": ["mended"]}


# What telling a node's answers apart leans on.


async def test_what_a_node_calls_shares_its_scratchpad_and_shows_that_it_was_called(run):
    def node(state):
        config = get_config()
        called = RunnableLambda(lambda _: get_config()).invoke(None)
        pad = config["configurable"][SCRATCHPAD]
        return {
            "log": [
                called["configurable"][SCRATCHPAD] is pad,
                sorted(config.keys() & CALLED),
                sorted(called.keys() & CALLED),
                weakref.ref(pad.get_null_resume)() is pad.get_null_resume,
                pad.interrupt_counter(),
                pad.interrupt_counter(),
            ]
        }

    async with run(chain(node).with_config(recursion_limit=50)) as thread:
        assert (await thread.begin())["log"] == [True, ["recursion_limit"], sorted(CALLED), True, 0, 1]


async def test_a_task_that_asks_keeps_what_was_sent_last_as_its_answers(run):
    def node(state):
        given = get_config()["configurable"]
        first = interrupt("first?")
        if len(given[SCRATCHPAD].resume) == 1:
            given[SEND]([(RESUME, [first, "kept"])])
        return {"log": [first, interrupt("second?")]}

    async with run(chain(node)) as thread:
        (asked,) = interrupts(await thread.begin()).values()
        assert list(interrupts(await thread.answer({asked: "yes"}))) == ["second?"]
        assert (await thread.drive())["log"] == ["yes", "kept"]


# What `basis` leans on.


def answering(basis, log, *titles):
    """A node that refuses an answer given on another basis, and notes which answers its run brings."""

    async def node(state):
        def check(answer):
            sent = get_config()["configurable"].get(SENT)
            log.append((answer["v"], sent and any(one is answer for one in sent.values())))
            if log[-1][1] and answer["on"] != basis[0]:
                raise PydanticCustomError("moved", "moved")
            return answer

        schema = Annotated[dict, BeforeValidator(check)]
        return {"log": [interrupt(f"{t} {basis[0]}", response_schema=schema)["v"] for t in titles]}

    node.__name__ = titles[0]
    return node


def on(basis, value):
    return {"v": value, "on": basis}


async def test_an_answer_that_a_node_refuses_is_not_stored_and_its_question_is_asked_anew_by_the_same_id(run):
    basis, log = ["w1"], []
    async with run(chain(answering(basis, log, "pay"))) as thread:
        asked = interrupts(await thread.begin())["pay w1"]
        basis[0] = "w2"
        with pytest.raises(ValueError, match="moved") as refused:
            await thread.answer({asked: on("w1", "yes")})
        assert is_invalid_resume(refused.value)
        assert [i.value for i in (await thread.state()).interrupts] == ["pay w1"], "until it has run again"
        assert interrupts(await thread.drive()) == {"pay w2": asked}
        basis[0] = "w1"
        assert interrupts(await thread.drive()) == {"pay w1": asked}, "the first answer is nowhere"
        assert (await thread.answer({asked: on("w1", "no")}))["log"] == ["no"]


async def test_a_refused_answer_leaves_those_of_its_siblings_in_the_same_step(run):
    basis, log = ["w1"], []
    graph = side_by_side(answering(basis, log, "pay"), answering(["w1"], log, "beside"))
    for inner in (graph, chain_of(graph)):
        async with run(inner) as thread:
            basis[0] = "w1"
            asked = interrupts(await thread.begin())
            basis[0] = "w2"
            with pytest.raises(ValueError, match="moved"):
                await thread.answer(
                    {asked["pay w1"]: on("w1", "yes"), asked["beside w1"]: on("w1", "beside")}
                )
            assert interrupts(await thread.drive()) == {"pay w2": asked["pay w1"]}
            done = await thread.answer({asked["pay w1"]: on("w2", "no")})
            assert sorted(done["log"]) == ["beside", "no"]


async def test_a_node_is_shown_which_answers_its_run_brings_and_which_are_stored(run):
    basis, log = ["w1"], []
    for graph in (
        chain(answering(basis, log, "one", "two")),
        chain_of(chain(answering(basis, log, "one", "two"))),
    ):
        async with run(graph) as thread:
            basis[0] = "w1"
            asked = interrupts(await thread.begin())["one w1"]
            second = interrupts(await thread.answer({asked: on("w1", "a")}))["two w1"]
            basis[0] = "w2"
            log.clear()
            assert interrupts(await thread.drive()) == {"two w2": second}
            assert log == [("a", None)]

            with pytest.raises(ValueError, match="moved"):
                await thread.answer({second: on("w1", "b")})
            assert log[1:] == [("a", False), ("b", True)]
            assert (await thread.answer({second: on("w2", "c")}))["log"] == ["a", "c"]


def chain_of(inner):
    """The same graph as a node of another."""
    builder = StateGraph(State)
    builder.add_node("inner", inner)
    builder.add_edge(START, "inner")
    return builder.compile()


# Where a thread stands.


async def test_a_thread_that_never_ran_has_no_moment_of_creation_and_nothing_next(run):
    async with run(chain(first)) as thread:
        snapshot = await thread.state()

    assert (snapshot.created_at, snapshot.next, snapshot.interrupts) == (None, (), ())


async def test_a_paused_thread_has_interrupts_and_a_finished_one_nothing_next(run):
    async with run(chain(first)) as thread:
        (asked,) = interrupts(await thread.begin()).values()
        paused = await thread.state()
        assert (paused.next, len(paused.interrupts), paused.tasks[0].error) == (("first",), 1, None)

        await thread.answer({asked: "yes"})
        done = await thread.state()
        assert (done.next, done.interrupts, done.created_at is not None) == ((), (), True)


async def test_a_crash_leaves_something_next_without_interrupts_or_errors(run):
    class Killed(BaseException):
        pass

    def crash(state):
        raise Killed

    def before(state):
        return {"log": ["kept"]}

    async with run(chain(before, crash)) as thread:
        with pytest.raises(Killed):
            await thread.begin()
        snapshot = await thread.state()

    assert (snapshot.next, snapshot.interrupts, snapshot.values) == (("crash",), (), {"log": ["kept"]})


async def test_a_step_that_has_written_but_has_no_checkpoint_yet_has_nothing_next_but_shows_its_tasks(run):
    def a(state):
        return {"log": ["a"]}

    def b(state):
        return {"log": ["b"]}

    async with run(chain(a, b)) as thread:
        await thread.begin()
        done = await thread.state()
        assert (done.next, done.tasks) == ((), ())

        for log in (["a"], []):
            await thread.graph.checkpointer.conn.execute(
                "delete from checkpoints where thread_id = %(t)s and checkpoint_id ="
                " (select max(checkpoint_id) from checkpoints where thread_id = %(t)s)",
                {"t": thread.config["configurable"]["thread_id"]},
            )
            died = await thread.state()
            assert (died.next, len(died.tasks), died.created_at is not None) == ((), 1, True)
            assert died.tasks[0].result is not None
            assert (await thread.graph.checkpointer.aget(thread.config))["channel_values"].get(
                "log", []
            ) == log

        assert (await thread.drive())["log"] == ["a", "b"]


async def test_a_static_breakpoint_looks_exactly_like_a_crash(run):
    builder = StateGraph(State)
    builder.add_node("a", lambda state: {"log": ["a"]})
    builder.add_node("b", lambda state: {"log": ["b"]})
    builder.add_edge(START, "a")
    builder.add_edge("a", "b")
    async with run(builder.compile(interrupt_before=["b"])) as thread:
        result = await thread.begin()
        snapshot = await thread.state()

        assert "__interrupt__" not in result or not result["__interrupt__"]
        assert (snapshot.next, snapshot.interrupts, snapshot.tasks[0].error) == (("b",), (), None)
        assert (await thread.drive())["log"] == ["a", "b"], "driving on steps over it"


async def test_a_paused_node_that_was_renamed_looks_done_but_leaves_its_interrupt_in_the_checkpoint(run):
    async with run(chain(first)) as thread:
        (asked,) = interrupts(await thread.begin()).values()
        saver = thread.graph.checkpointer
        renamed = StateGraph(State)
        renamed.add_node("approve", first)
        renamed.add_edge(START, "approve")
        thread.graph = renamed.compile(checkpointer=saver)
        snapshot = await thread.state()
        kept = await saver.aget_tuple(thread.config)

    assert (snapshot.next, snapshot.interrupts) == ((), ())
    written = [value for _, channel, value in kept.pending_writes if channel == "__interrupt__"]
    assert [interrupt.id for value in written for interrupt in value] == [asked]


async def test_a_finished_thread_leaves_no_interrupt_in_its_checkpoint(run):
    async with run(chain(first)) as thread:
        (asked,) = interrupts(await thread.begin()).values()
        await thread.answer({asked: "yes"})
        kept = await thread.graph.checkpointer.aget_tuple(thread.config)

    assert kept.pending_writes == []


# Compiled graphs.


def test_subgraphs_show_their_breakpoints_and_their_checkpointers():
    inner = StateGraph(State)
    inner.add_node("b", lambda state: {})
    inner.add_edge(START, "b")
    inner.add_edge("b", END)
    outer = StateGraph(State)
    outer.add_node("stops", inner.compile(interrupt_after=["b"]))
    outer.add_node("keeps", inner.compile(checkpointer=InMemorySaver()))
    outer.add_node("own", inner.compile(checkpointer=True))
    for name in ("stops", "keeps", "own"):
        outer.add_edge(START, name)
    found = dict(outer.compile().get_subgraphs(recurse=True))

    assert found["stops"].interrupt_after_nodes == ["b"]
    assert isinstance(found["keeps"].checkpointer, InMemorySaver)
    assert found["own"].checkpointer is True


async def test_a_copy_takes_our_checkpointer_and_leaves_the_original_alone(run):
    theirs = InMemorySaver()
    builder = StateGraph(State)
    builder.add_node("first", first)
    builder.add_edge(START, "first")
    original = builder.compile(checkpointer=theirs)
    async with run(original) as thread:
        await thread.begin()

        assert isinstance(original.checkpointer, InMemorySaver)
        assert [*original.checkpointer.list(None)] == []
        assert len(await thread.ids()) == 1


async def test_the_id_of_a_thread_reaches_its_nodes(run):
    from bot.approvals import effect_key

    def node(state):
        return {"log": [effect_key("payment")]}

    async with run(chain(node)) as thread:
        result = await thread.begin()

        assert result["log"] == [f"{thread.config['configurable']['thread_id']}:payment"]


class Item(BaseModel):
    name: str


class Holding(TypedDict, total=False):
    item: Item
    seen: str


def _holding():
    builder = StateGraph(Holding)
    builder.add_node("make", lambda state: {"item": Item(name="hotel")})
    builder.add_node("show", lambda state: {"seen": f"{interrupt('show?')}:{type(state['item']).__name__}"})
    builder.add_edge(START, "make")
    builder.add_edge("make", "show")
    return builder.compile()


async def test_a_shallow_copy_of_a_graph_keeps_the_types_that_its_state_declares(run):
    async with run(_holding()) as thread:
        shallow = copy.copy(_holding())
        shallow.checkpointer = thread.graph.checkpointer
        thread.graph = shallow
        (asked,) = interrupts(await thread.begin()).values()

        assert (await thread.answer({asked: "yes"}))["seen"] == "yes:Item"
