"""Who decides in a run: policy whatever is asked, people where the graph asks, or people after every node."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from fixtures_engine import Bench, bench, chain, flow
from langgraph.graph import START, StateGraph

from bot.approvals import ApprovalRequest, Breakpoints, Fallback, Option, Sla, ask

ALL = ("on_action", "step_by_step", "full")
OPTIONS = (Option(id="now", label="Now"), Option(id="later", label="Later"))


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


class Own(TypedDict, total=False):
    log: list[Any]


def a(state):
    return {"log": ["a"]}


def pay(state):
    decision = ask(ApprovalRequest(title="Pay?", proposal={"amount": 5}, risk="high"))
    return {"log": [(decision.verdict, decision.by.kind, decision.proposal)]}


def when(state):
    return {"log": [ask(ApprovalRequest(title="When?", options=OPTIONS)).choice]}


def z(state):
    return {"log": ["z"]}


async def approve_all(it: Bench, thread_id: str) -> list[str]:
    """Approve one after the other until nothing is asked any more; returns their titles."""
    titles = []
    while pending := await it.pending(thread_id):
        (asked,) = pending.values()
        titles.append(asked.request.title)
        await it.answer(asked)
    return titles


async def test_with_full_autonomy_policy_decides_whatever_is_asked_and_is_recorded_as_such(database):
    graph = chain(State, a, pay, z).compile(interrupt_before=["z"])
    async with bench(database, flow(graph, autonomy=ALL)) as it:
        thread_id = await it.run(autonomy="full")

        thread, approvals = await it.thread(thread_id), await it.approvals(thread_id)
        assert (thread.status, thread.autonomy) == ("done", "full")
        assert thread.result["log"] == ["a", ["approve", "policy", {"amount": 5}], "z"]
        assert [(x.decision.by.kind, x.decision.reason) for x in approvals] == [
            ("policy", "autonomy: full")
        ] * 2
        assert (await it.events(thread_id)).count("approval.decided") == 2
        assert await it.rows("select * from messages where kind = 'card'") == []


async def test_policy_chooses_only_what_the_workflow_falls_back_on_and_people_are_asked_for_the_rest(
    database,
):
    falls_back = flow(chain(State, when), autonomy=ALL, sla=Sla(fallback=Fallback.choose("later")))
    async with bench(database, falls_back, flow(chain(State, when), name="other", autonomy=ALL)) as it:
        done = await it.run(autonomy="full")
        assert (await it.thread(done)).result["log"] == ["later"]

        asked = await it.run("other", autonomy="full")
        assert set(await it.pending(asked)) == {"When?"}


async def test_a_workflow_that_allows_full_autonomy_no_more_asks_people(database):
    async with bench(database, flow(chain(State, pay), autonomy=ALL)) as it:
        thread_id = await it.start(autonomy="full")
        it.deploy(flow(chain(State, pay)))
        await it.drain()

        assert set(await it.pending(thread_id)) == {"Pay?"}


async def answered_one_by_one(it, thread_id):
    """Answer each card, after another worker and a sweep have looked at what waits; returns their titles."""
    titles = []
    while pending := await it.pending(thread_id):
        (asked,) = pending.values()
        titles.append(asked.request.title)
        await it.another().advance(thread_id)
        await it.sweep()
        await it.answer(asked)
    return titles


async def test_step_by_step_asks_after_every_node_beside_what_the_graph_asks(database):
    async with bench(database, flow(chain(State, a, pay, z))) as it:
        thread_id = await it.run(autonomy="step_by_step")
        titles = await answered_one_by_one(it, thread_id)

        assert titles == ["Go on after a", "Pay?", "Go on after pay", "Go on after z"]
        assert (await it.thread(thread_id)).status == "done"


async def test_step_by_step_asks_after_every_node_of_a_subgraph_too(database):
    innermost = chain(State, z).compile()
    inner = StateGraph(State)
    inner.add_node("pay", pay)
    inner.add_node("deep", innermost)
    inner.add_edge(START, "pay")
    inner.add_edge("pay", "deep")
    outer = StateGraph(Own)
    outer.add_node("a", a)
    outer.add_node("sub", inner.compile())
    outer.add_edge(START, "a")
    outer.add_edge("a", "sub")
    async with bench(database, flow(outer)) as it:
        thread_id = await it.run(autonomy="step_by_step")
        titles = await answered_one_by_one(it, thread_id)

        after = [f"Go on after {node}" for node in ("a", "pay", "z", "deep", "sub")]
        assert titles == [after[0], "Pay?", *after[1:]]
        assert (await it.thread(thread_id)).status == "done"

        usual = await it.run()
        assert set(await it.pending(usual)) == {"Pay?"}


async def test_a_step_that_is_refused_ends_the_run_there(database):
    async with bench(database, flow(chain(State, a, pay))) as it:
        thread_id = await it.run(autonomy="step_by_step")
        (asked,) = (await it.pending(thread_id)).values()
        await it.answer(asked, "reject")

        assert (await it.thread(thread_id)).status == "cancelled"
        assert len(await it.approvals(thread_id)) == 1


async def test_what_is_declared_of_a_breakpoint_is_not_taken_for_the_steps_beside_it(database):
    declared = Breakpoints(
        show=lambda state: ApprovalRequest(title="Publish?"), answered=lambda decision: {"log": ["answered"]}
    )
    graph = chain(State, a, z).compile(interrupt_before=["z"])
    async with bench(database, flow(graph, breakpoints=declared)) as it:
        thread_id = await it.run(autonomy="step_by_step")
        assert await approve_all(it, thread_id) == ["Publish?"]
        assert (await it.thread(thread_id)).result["log"] == ["a", "answered"]

    graph = chain(State, a, z).compile(interrupt_after=["a"])
    async with bench(database, flow(graph, breakpoints=declared)) as it:
        thread_id = await it.run(autonomy="step_by_step")
        assert await approve_all(it, thread_id) == ["Publish?", "Go on after z"]
        assert (await it.thread(thread_id)).result["log"] == ["a", "answered", "z"]
