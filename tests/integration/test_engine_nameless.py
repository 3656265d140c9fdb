"""The legacy NodeInterrupt, which has no id: its node runs again on a state that the answer has changed."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest
from fixtures_engine import bench, chain, flow, side_by_side
from langgraph.errors import NodeInterrupt

from bot.approvals import ApprovalRequest, ask

pytestmark = pytest.mark.filterwarnings("ignore:NodeInterrupt is deprecated")


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    said: dict[str, str]


def a(state):
    return {"log": ["a"]}


def legacy(name: str):
    def run(state):
        if name not in (state.get("said") or {}):
            raise NodeInterrupt(f"{name}?")
        return {"log": [(name, state["said"][name])]}

    run.__name__ = name
    return run


def answered(decision, value):
    return {"said": {value.removesuffix("?"): decision.verdict}}


def z(state):
    return {"log": ["z"]}


def beside(state):
    return {"log": [("beside", ask(ApprovalRequest(title="beside?")).verdict)]}


async def test_the_declaration_turns_a_decision_into_a_state_update_and_the_node_runs_again(database):
    async with bench(database, flow(chain(State, a, legacy("one"), z), node_interrupt=answered)) as it:
        for verdict in ("approve", "reject"):
            thread_id = await it.run()
            (asked,) = (await it.pending(thread_id)).values()
            assert (asked.request.title, asked.dialect) == ("one?", "node_interrupt")
            await it.answer(asked, verdict)

            thread = await it.thread(thread_id)
            assert (thread.status, thread.result["log"]) == ("done", ["a", ["one", verdict], "z"])


async def test_one_that_is_raised_again_is_asked_again(database):
    def forgets(decision, value):
        return {"log": ["nothing said"]} if decision.text == "hm" else answered(decision, value)

    async with bench(database, flow(chain(State, a, legacy("one")), node_interrupt=forgets)) as it:
        thread_id = await it.run()
        (first,) = (await it.pending(thread_id)).values()
        await it.answer(first, "respond", words="hm")
        (second,) = (await it.pending(thread_id)).values()
        assert second.interrupt_id != first.interrupt_id

        await it.answer(second)
        assert (await it.thread(thread_id)).result["log"] == ["a", "nothing said", ["one", "approve"]]


async def test_what_else_the_graph_asks_is_answered_first_and_in_the_same_step_once_more(database):
    builder = side_by_side(State, beside, legacy("one"))
    async with bench(database, flow(builder, node_interrupt=answered)) as it:
        thread_id = await it.run()
        pending = await it.pending(thread_id)
        assert set(pending) == {"beside?", "one?"}
        await it.answer(pending["one?"])
        assert (await it.thread(thread_id)).status == "waiting"
        await it.answer(pending["beside?"])
        again = await it.pending(thread_id)
        assert set(again) == {"beside?"}, "the update takes the step back, and LangGraph runs it anew"
        await it.answer(again["beside?"])

        thread = await it.thread(thread_id)
        assert (thread.status, sorted(thread.result["log"])) == (
            "done",
            [["beside", "approve"], ["one", "approve"]],
        )


async def test_one_in_a_subgraph_is_answered_in_the_subgraphs_state(database):
    inner = chain(State, a, legacy("one")).compile()
    whole = chain(State, inner, z, names=("inner", "z"))
    async with bench(database, flow(whole, node_interrupt=answered)) as it:
        thread_id = await it.run()
        (asked,) = (await it.pending(thread_id)).values()
        await it.answer(asked)

        assert (await it.thread(thread_id)).result["log"] == ["a", ["one", "approve"], "z"]


async def test_undeclared_the_thread_fails_with_what_to_do(database):
    async with bench(database, flow(chain(State, a, legacy("one")))) as it:
        thread = await it.thread(await it.run())

        assert thread.status == "failed"
        assert "node_interrupt" in thread.error
