"""What our code leans on in the installed LangGraph at static breakpoints: a release that breaks it fails."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from fixtures_engine import chain, side_by_side
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, StateUpdate

from bot.postgres.pools import runs_pool


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    price: int


def node(name: str):
    def run(state):
        return {"log": [name]}

    run.__name__ = name
    return run


A, B = node("a"), node("b")


class Thread:
    def __init__(self, saver: AsyncPostgresSaver) -> None:
        self.saver = saver
        self.config: Any = {"configurable": {"thread_id": str(uuid4())}}

    def graph(self, builder: StateGraph, **stops: Any) -> Any:
        return builder.compile(checkpointer=self.saver, **stops)


@pytest.fixture
async def thread(database) -> AsyncIterator[Thread]:
    async with runs_pool(database, max_size=1) as pool, pool.connection() as conn:
        yield Thread(AsyncPostgresSaver(conn))


def update(values: Any, node: str) -> StateUpdate:
    return StateUpdate(values, node)


async def test_running_on_passes_every_breakpoint_that_any_level_stands_at(thread):
    builder = StateGraph(State)
    for name in ("x", "y"):
        builder.add_node(f"sub_{name}", chain(State, node(name)).compile(interrupt_before=[name]))
        builder.add_edge(START, f"sub_{name}")
    graph = thread.graph(builder)
    await graph.ainvoke({}, thread.config)
    state = await graph.aget_state(thread.config, subgraphs=True)
    assert [task.state.next for task in state.tasks] == [("x",), ("y",)]
    assert state.next == ("sub_x", "sub_y"), "the root alone does not tell"

    assert sorted((await graph.ainvoke(None, thread.config))["log"]) == ["x", "y"]


async def test_the_parent_checkpoint_lists_the_nodes_that_have_just_run(thread):
    graph = thread.graph(side_by_side(State, A, B), interrupt_after=["a"])
    await graph.ainvoke({}, thread.config)
    state = await graph.aget_state(thread.config)
    parent = await graph.aget_state(state.parent_config)

    assert (state.next, state.tasks) == ((), ())
    assert [task.name for task in parent.tasks] == ["a", "b"]


async def test_an_update_keeps_the_metadata_of_its_config_with_its_checkpoint_and_with_no_other(thread):
    graph = thread.graph(chain(State, A, B), interrupt_before=["b"])
    await graph.ainvoke({}, thread.config)
    proof = {**thread.config, "metadata": {"signoff_passed": "next"}}
    await graph.abulk_update_state(proof, [[update({"price": 1}, "a")]])
    updated = await graph.aget_state(thread.config)
    await graph.ainvoke(None, thread.config)
    ended = await graph.aget_state(thread.config)

    assert (updated.metadata["source"], updated.metadata["signoff_passed"]) == ("update", "next")
    assert "signoff_passed" not in ended.metadata
    assert (await graph.aget_state(updated.parent_config)).next == ("b",)


async def test_an_update_loses_what_a_node_chose_itself_unless_it_is_chosen_again(thread):
    builder = StateGraph(State)
    builder.add_node("a", lambda state: Command(goto="b"))
    builder.add_node("b", B)
    builder.add_edge(START, "a")
    graph = thread.graph(builder, interrupt_before=["b"])
    await graph.ainvoke({}, thread.config)
    await graph.aupdate_state(thread.config, {"price": 1})
    assert (await graph.aget_state(thread.config)).next == ()

    thread.config = {"configurable": {"thread_id": str(uuid4())}}
    await graph.ainvoke({}, thread.config)
    again = Command(update={"price": 1}, goto=["b"])
    await graph.abulk_update_state(thread.config, [[update(again, "a")]])
    assert (await graph.aget_state(thread.config)).next == ("b",)


async def test_an_update_as_all_nodes_of_a_step_keeps_what_each_of_them_leads_to(thread):
    builder = side_by_side(State, A, B)
    for name, before in (("c", "a"), ("d", "b")):
        builder.add_node(name, node(name))
        builder.add_edge(before, name)
    graph = thread.graph(builder, interrupt_before=["c"])
    await graph.ainvoke({}, thread.config)
    await graph.abulk_update_state(thread.config, [[update({"price": 1}, "a"), update(Command(), "b")]])

    state = await graph.aget_state(thread.config)
    assert (sorted(state.next), state.values["price"], state.values["log"]) == (["c", "d"], 1, ["a", "b"])


async def test_an_update_as_the_guarded_node_goes_on_behind_it(thread):
    graph = thread.graph(chain(State, A, B, node("c")), interrupt_before=["b"])
    await graph.ainvoke({}, thread.config)
    await graph.abulk_update_state(thread.config, [[update({"log": ["instead"]}, "b")]])

    assert (await graph.ainvoke(None, thread.config))["log"] == ["a", "instead", "c"]


async def test_a_subgraph_is_updated_by_its_namespace_and_goes_on_from_there(thread):
    inner = chain(State, A, B).compile(interrupt_before=["b"])
    graph = thread.graph(chain(State, inner, names=("inner",)))
    await graph.ainvoke({}, thread.config)
    (task,) = (await graph.aget_state(thread.config, subgraphs=True)).tasks
    place = task.state.config["configurable"]
    config: Any = {"configurable": {name: place[name] for name in ("thread_id", "checkpoint_ns")}}
    await graph.abulk_update_state(config, [[update(Command(update={"price": 3}, goto=["b"]), "a")]])

    (now,) = (await graph.aget_state(thread.config, subgraphs=True)).tasks
    assert (now.id, now.state.next, now.state.values["price"]) == (task.id, ("b",), 3)
    assert (await graph.ainvoke(None, thread.config))["price"] == 3


async def test_a_guard_after_the_last_node_stops_what_looks_finished(thread):
    graph = thread.graph(chain(State, A), interrupt_after=["a"])
    await graph.ainvoke({}, thread.config)
    state = await graph.aget_state(thread.config)
    assert (state.next, state.tasks) == ((), ())

    await graph.abulk_update_state(
        {**thread.config, "metadata": {"signoff_passed": "next"}}, [[StateUpdate(None, END)]]
    )
    ended = await graph.aget_state(thread.config)
    assert (ended.next, ended.values, ended.metadata["signoff_passed"]) == ((), {"log": ["a"]}, "next")
    assert (await graph.ainvoke(None, thread.config))["log"] == ["a"]


async def test_a_crash_between_a_steps_writes_and_its_checkpoint_does_not_step_over_a_guard_after(thread):
    graph = thread.graph(chain(State, A, B), interrupt_after=["a"])
    await graph.ainvoke({}, thread.config)
    await thread.saver.conn.execute(
        "delete from checkpoints where thread_id = %(t)s and checkpoint_id ="
        " (select max(checkpoint_id) from checkpoints where thread_id = %(t)s)",
        {"t": thread.config["configurable"]["thread_id"]},
    )

    assert (await graph.ainvoke(None, thread.config))["log"] == ["a"]
