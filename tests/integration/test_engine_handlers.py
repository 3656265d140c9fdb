"""What the error handler of a node asks is asked once and answered, whatever else its step asks."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest
from fixtures_engine import bench, chain, flow
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from bot.approvals import ApprovalRequest, ask


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


def question(title: str) -> str:
    return ask(ApprovalRequest(title=title)).verdict


def pay(state):
    raise ValueError("the bank is away")


def pay_if_told(state):
    question("pay?")
    raise ValueError("the bank is away")


def by_cheque(state):
    return {"log": [question("by cheque?"), question("today?")]}


def book(state):
    return {"log": [question("book?"), question("in March?")]}


def handling(node: Any, *beside: Any) -> StateGraph:
    builder = StateGraph(State)
    builder.add_node("pay", node, error_handler=by_cheque)
    for other in beside:
        builder.add_node(other)
        builder.add_edge(START, other.__name__)
    return builder.add_edge(START, "pay")


async def played(it, thread_id: str, order: list[str]) -> Any:
    """Answer what is asked, whatever stands first in `order` first; no question comes twice."""
    while waiting := await it.pending(thread_id):
        title = min(waiting, key=order.index)
        order = [left for left in order if left != title]
        await it.answer(waiting[title])
    return await it.thread(thread_id)


HANDLERS, OTHERS = ["by cheque?", "today?"], ["book?", "in March?"]


@pytest.mark.parametrize("node", [pay, pay_if_told])
async def test_a_handler_asks_several_times_and_goes_on_with_the_answers(database, node):
    async with bench(database, flow(handling(node))) as it:
        thread = await played(it, await it.run(), ["pay?", *HANDLERS])

        assert (thread.status, thread.result) == ("done", {"log": ["approve", "approve"]})


@pytest.mark.parametrize("order", [[*HANDLERS, *OTHERS], [*OTHERS, *HANDLERS]])
@pytest.mark.parametrize("node", [pay, pay_if_told])
async def test_a_handler_and_a_node_beside_it_are_answered_in_any_order(database, node, order):
    async with bench(database, flow(handling(node, book))) as it:
        thread = await played(it, await it.run(), ["pay?", *order])

        assert (thread.status, thread.result) == ("done", {"log": ["approve"] * 4})


async def test_a_handler_that_raises_is_tried_again_and_keeps_its_answers(database):
    broken = [True]

    def handler(state):
        said = question("by cheque?")
        if broken:
            broken.clear()
            raise RuntimeError("no cheques left")
        return {"log": [said, question("today?")]}

    builder = StateGraph(State)
    builder.add_node("pay", pay, error_handler=handler)
    async with bench(database, flow(builder.add_edge(START, "pay"))) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["by cheque?"], "reject")
        assert (await it.thread(thread_id)).error == "RuntimeError: no cheques left"
        await it.sweep()
        thread = await played(it, thread_id, HANDLERS)

        assert (thread.status, thread.result) == ("done", {"log": ["reject", "approve"]})
        assert "thread.recovered" not in await it.events(thread_id)


async def test_a_handler_in_a_subgraph_is_answered(database):
    async with bench(database, flow(chain(State, handling(pay).compile(), names=("inner",)))) as it:
        thread = await played(it, await it.run(), [*HANDLERS])

        assert (thread.status, thread.result) == ("done", {"log": ["approve", "approve"]})


async def test_langgraph_does_not_tell_what_a_handler_asks_where_it_is_asked_for_a_state():
    graph = handling(pay).compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    said = await graph.ainvoke({}, config)
    state = await graph.aget_state(config)

    assert [one.value["title"] for one in said["__interrupt__"]] == ["by cheque?"]
    assert (state.next, state.interrupts) == (("pay",), ())
