"""Static breakpoints: asked like any pause, stepped on by an approval, never stepped over by recovery."""

from __future__ import annotations

import copy
import operator
from contextlib import suppress
from typing import Annotated, Any, TypedDict

import pytest
from fixtures_engine import bench, chain, flow, side_by_side
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send
from psycopg import OperationalError
from pydantic import BaseModel

from bot.approvals import ApprovalRequest, Breakpoints, Fallback, Sla, ask
from bot.engine.graph import GraphRun


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    draft: str
    price: int


def node(name: str, **update: Any):
    def run(state):
        return {"log": [name], **update}

    run.__name__ = name
    return run


A, B, C = node("a", draft="Dear Bob", price=5), node("b"), node("c")
SHOWN = Breakpoints(show=("draft", "price"))


def log(thread) -> list[Any]:
    return thread.result["log"]


async def test_a_graph_waits_before_a_guarded_node_and_an_approval_runs_it(database):
    async with bench(database, flow(chain(State, A, B, C).compile(interrupt_before=["b"]))) as it:
        thread_id = await it.run()
        (asked,) = (await it.pending(thread_id)).values()
        assert (asked.request.title, asked.dialect, asked.proposal) == ("Run b", "breakpoint", None)
        assert asked.request.allow == ("approve", "reject")
        assert (await it.thread(thread_id)).status == "waiting"

        await it.answer(asked)

        thread = await it.thread(thread_id)
        assert (thread.status, log(thread)) == ("done", ["a", "b", "c"])
        (settled,) = await it.approvals(thread_id)
        assert settled.applied_at is not None


async def test_after_a_guarded_node_the_card_names_the_node_that_has_just_run(database):
    workflow = flow(chain(State, A, B, C).compile(interrupt_after=["a"]), breakpoints=SHOWN)
    async with bench(database, workflow) as it:
        thread_id = await it.run()
        (asked,) = (await it.pending(thread_id)).values()
        assert asked.request.title == "Go on after a"
        assert asked.proposal == {"draft": "Dear Bob", "price": 5}

        await it.answer(asked, proposal={"draft": "Dear Ann", "price": 5})

        thread = await it.thread(thread_id)
        assert (thread.result["draft"], thread.result["price"], log(thread)) == (
            "Dear Ann",
            5,
            ["a", "b", "c"],
        )


async def test_a_refusal_ends_the_thread_and_runs_nothing(database):
    async with bench(database, flow(chain(State, A, B).compile(interrupt_before=["b"]))) as it:
        thread_id = await it.run()
        (asked,) = (await it.pending(thread_id)).values()
        await it.answer(asked, "reject", comment="not today")

        thread = await it.thread(thread_id)
        assert (thread.status, thread.error) == ("cancelled", "rejected by a person: not today")


async def test_nothing_but_an_answer_runs_a_guarded_node(database):
    async with bench(database, flow(chain(State, A, B).compile(interrupt_before=["b"]))) as it:
        thread_id = await it.run()
        for _ in range(3):
            await it.another().advance(thread_id)
            await it.sweep()
        assert len(await it.pending(thread_id)) == 1
        await it.execute("update threads set status = 'running' where thread_id = %s", thread_id)
        await it.another().advance(thread_id)
        assert (await it.thread(thread_id)).status == "waiting"


def raising_once(name: str):
    left = [True]

    def run(state):
        if left:
            left.clear()
            raise RuntimeError("transient")
        return {"log": [name]}

    run.__name__ = name
    return run


def asks(name: str):
    def run(state):
        return {"log": [(name, ask(ApprovalRequest(title=f"{name}?")).verdict)]}

    run.__name__ = name
    return run


async def only(it, thread_id):
    """The one approval that waits."""
    (asked,) = (await it.pending(thread_id)).values()
    return asked


# Edits.


async def test_an_edit_writes_what_changed_through_the_reducers_and_nothing_else(database):
    workflow = flow(
        chain(State, A, B).compile(interrupt_before=["b"]), breakpoints=Breakpoints(show=("log", "draft"))
    )
    async with bench(database, workflow) as it:
        thread_id = await it.run()
        asked = await only(it, thread_id)
        await it.answer(asked, proposal={"log": ["seen"], "draft": "Dear Bob"})

        assert log(await it.thread(thread_id)) == ["a", "seen", "b"]


async def test_a_model_of_the_state_makes_the_form(database):
    class Offer(BaseModel):
        price: int

    workflow = flow(chain(State, A, B).compile(interrupt_before=["b"]), breakpoints=Breakpoints(show=Offer))
    async with bench(database, workflow) as it:
        asked = await only(it, await it.run())

        assert asked.proposal == {"price": 5}
        assert asked.request.proposal_schema["properties"]["price"]["type"] == "integer"


async def test_an_edit_before_a_node_that_was_chosen_by_a_command_still_runs_it(database):
    builder = StateGraph(State)
    builder.add_node("a", lambda state: Command(goto="b", update={"log": ["a"], "price": 5}))
    builder.add_node("b", B)
    builder.add_edge(START, "a")
    workflow = flow(builder.compile(interrupt_before=["b"]), breakpoints=SHOWN)
    async with bench(database, workflow) as it:
        thread_id = await it.run()
        await it.answer(await only(it, thread_id), proposal={"price": 7})

        thread = await it.thread(thread_id)
        assert (thread.status, log(thread), thread.result["price"]) == ("done", ["a", "b"], 7)


async def test_an_edit_after_two_nodes_in_one_step_keeps_what_each_of_them_leads_to(database):
    builder = side_by_side(State, A, B)
    builder.add_node("c", C)
    builder.add_node("d", node("d"))
    builder.add_edge("a", "c")
    builder.add_edge("b", "d")
    async with bench(database, flow(builder.compile(interrupt_before=["c"]), breakpoints=SHOWN)) as it:
        thread_id = await it.run()
        await it.answer(await only(it, thread_id), proposal={"draft": "x", "price": 5})

        assert sorted(log(await it.thread(thread_id))) == ["a", "b", "c", "d"]


def routed_by_price():
    builder = chain(State, A)
    builder.add_node("cheap", node("cheap"))
    builder.add_node("dear", node("dear"))
    builder.add_conditional_edges("a", lambda state: "dear" if state["price"] > 9 else "cheap")
    return builder


async def test_an_edit_lets_the_edges_choose_anew_as_an_update_of_the_state_does(database):
    workflow = flow(routed_by_price().compile(interrupt_after=["a"]), breakpoints=SHOWN)
    async with bench(database, workflow) as it:
        thread_id = await it.run()
        await it.answer(await only(it, thread_id), proposal={"draft": "Dear Bob", "price": 10})

        assert log(await it.thread(thread_id)) == ["a", "dear"]


async def test_a_guarded_node_that_only_the_edit_chose_is_asked_about_itself(database):
    workflow = flow(routed_by_price().compile(interrupt_before=["cheap", "dear"]), breakpoints=SHOWN)
    async with bench(database, workflow) as it:
        thread_id = await it.run()
        first = await only(it, thread_id)
        await it.answer(first, proposal={"draft": "Dear Bob", "price": 10})
        second = await only(it, thread_id)
        assert (first.request.title, second.request.title) == ("Run cheap", "Run dear")

        await it.answer(second, proposal={"draft": "Dear Ann", "price": 10})
        assert log(await it.thread(thread_id)) == ["a", "dear"]


async def test_where_an_edit_would_lose_what_was_sent_none_is_offered(database):
    builder = StateGraph(State)
    builder.add_node("a", lambda state: Command(goto=[Send("b", {}), Send("b", {})]))
    builder.add_node("b", B)
    builder.add_edge(START, "a")
    workflow = flow(builder.compile(interrupt_before=["b"]), breakpoints=Breakpoints(show=("log",)))
    async with bench(database, workflow) as it:
        thread_id = await it.run()
        asked = await only(it, thread_id)
        assert asked.request.allow == ("approve", "reject")

        await it.answer(asked)
        assert log(await it.thread(thread_id)) == ["b", "b"]


# Shapes.


async def test_a_loop_over_a_guarded_node_asks_each_time(database):
    builder = chain(State, A)
    builder.add_conditional_edges("a", lambda state: "a" if len(state["log"]) < 3 else END)
    async with bench(database, flow(builder.compile(interrupt_before=["a"]))) as it:
        thread_id = await it.run()
        for _ in range(3):
            await it.answer(await only(it, thread_id))

        assert log(await it.thread(thread_id)) == ["a", "a", "a"]


async def test_a_star_stops_before_every_node(database):
    async with bench(database, flow(chain(State, A, B, C).compile(interrupt_before="*"))) as it:
        thread_id = await it.run()
        for title in ("Run a", "Run b", "Run c"):
            asked = await only(it, thread_id)
            assert asked.request.title == title
            await it.answer(asked)

        assert log(await it.thread(thread_id)) == ["a", "b", "c"]


@pytest.mark.parametrize(("verdict", "status"), [("approve", "done"), ("reject", "cancelled")])
async def test_after_the_last_node_there_is_still_something_to_approve(database, verdict, status):
    async with bench(database, flow(chain(State, A).compile(interrupt_after=["a"]), breakpoints=SHOWN)) as it:
        thread_id = await it.run()
        await it.answer(await only(it, thread_id), verdict)

        assert (await it.thread(thread_id)).status == status


async def test_the_last_nodes_output_can_be_edited(database):
    async with bench(database, flow(chain(State, A).compile(interrupt_after=["a"]), breakpoints=SHOWN)) as it:
        thread_id = await it.run()
        await it.answer(await only(it, thread_id), proposal={"draft": "Dear Ann", "price": 5})

        thread = await it.thread(thread_id)
        assert (thread.status, thread.result["draft"], log(thread)) == ("done", "Dear Ann", ["a"])


def around(**stops: Any) -> StateGraph:
    inner = chain(State, A, B).compile(**stops)
    return chain(State, node("first"), inner, node("last"), names=("first", "inner", "last"))


@pytest.mark.parametrize(
    ("stops", "title"),
    [
        ({"interrupt_before": ["a"]}, "Run a"),
        ({"interrupt_before": ["b"]}, "Run b"),
        ({"interrupt_after": ["a"]}, "Go on after a"),
        ({"interrupt_after": ["b"]}, "Go on after b"),
    ],
)
async def test_a_guard_in_a_subgraph_is_asked_about_with_the_subgraphs_state(database, stops, title):
    workflow = flow(around(**stops), breakpoints=Breakpoints(show=("price",)))
    async with bench(database, workflow) as it:
        thread_id = await it.run(given={"price": 1})
        asked = await only(it, thread_id)
        assert (asked.request.title, asked.proposal) == (title, {"price": 1 if title == "Run a" else 5})
        await it.sweep()
        assert len(await it.pending(thread_id)) == 1

        await it.answer(asked, proposal={"price": 6})

        thread = await it.thread(thread_id)
        assert (thread.status, log(thread)[-3:]) == ("done", ["a", "b", "last"])
        assert thread.result["price"] == (5 if title == "Run a" else 6)


async def test_subgraphs_that_stop_side_by_side_go_on_when_both_are_approved(database):
    def inner(name):
        return chain(State, node(name)).compile(interrupt_before=[name])

    builder = StateGraph(State)
    for name in ("x", "y"):
        builder.add_node(f"sub_{name}", inner(name))
        builder.add_edge(START, f"sub_{name}")
    async with bench(database, flow(builder)) as it:
        thread_id = await it.run()
        pending = await it.pending(thread_id)
        assert set(pending) == {"Run x", "Run y"}
        await it.answer(pending["Run x"])
        assert (await it.thread(thread_id)).status == "waiting"
        await it.answer(pending["Run y"])

        assert sorted(log(await it.thread(thread_id))) == ["x", "y"]


async def test_an_answer_to_an_interrupt_does_not_pass_the_breakpoint_beside_it(database):
    builder = side_by_side(State, asks("one"))
    builder.add_node("sub", chain(State, B).compile(interrupt_before=["b"]))
    builder.add_edge(START, "sub")
    async with bench(database, flow(builder)) as it:
        thread_id = await it.run()
        pending = await it.pending(thread_id)
        await it.answer(pending["one?"])
        await it.sweep()
        assert set(await it.pending(thread_id)) == {"Run b"}
        assert (await it.thread(thread_id)).status == "waiting"

        await it.answer(pending["Run b"])
        assert sorted(map(str, log(await it.thread(thread_id)))) == ["['one', 'approve']", "b"]


async def test_a_guarded_node_may_ask_itself_once_it_was_approved(database):
    async with bench(database, flow(chain(State, A, asks("one")).compile(interrupt_before=["one"]))) as it:
        thread_id = await it.run()
        await it.answer(await only(it, thread_id))
        asked = await only(it, thread_id)
        assert asked.request.title == "one?"
        await it.answer(asked)

        assert log(await it.thread(thread_id)) == ["a", ["one", "approve"]]


# Never stepped over.


async def test_a_node_that_raises_beside_a_breakpoint_is_not_tried_again_past_it(database):
    builder = side_by_side(State, raising_once("flaky"))
    builder.add_node("sub", chain(State, B).compile(interrupt_before=["b"]))
    builder.add_edge(START, "sub")
    async with bench(database, flow(builder)) as it:
        thread_id = await it.start()
        for _ in range(4):
            with suppress(OperationalError):  # what raises may cut its neighbour off from the database
                await it.drain()
            await it.sweep()
        asked = await only(it, thread_id)
        assert asked.request.title == "Run b"

        await it.answer(asked)
        for _ in range(3):
            await it.sweep()
        assert sorted(log(await it.thread(thread_id))) == ["b", "flaky"]


async def test_a_node_that_raises_behind_a_breakpoint_is_tried_again_without_asking_twice(database):
    workflow = flow(chain(State, A, raising_once("b")).compile(interrupt_before=["b"]), breakpoints=SHOWN)
    async with bench(database, workflow) as it:
        thread_id = await it.run()
        await it.answer(await only(it, thread_id), proposal={"draft": "x", "price": 5})
        await it.sweep()

        thread = await it.thread(thread_id)
        assert (thread.status, log(thread), len(await it.approvals(thread_id))) == ("done", ["a", "b"], 1)


async def test_a_deploy_that_takes_the_guard_away_orphans_the_thread_and_runs_nothing(database):
    ran = []
    after = node("b")

    def b(state):
        ran.append("b")
        return after(state)

    async with bench(database, flow(chain(State, A, b).compile(interrupt_before=["b"]))) as it:
        thread_id = await it.run()
        it.deploy(flow(chain(State, A, b)))
        await it.decide(await only(it, thread_id))
        await it.drain()
        assert ((await it.thread(thread_id)).status, ran) == ("orphaned", [])
        await it.retry(thread_id)
        await it.drain()
        assert ((await it.thread(thread_id)).status, ran) == ("orphaned", [])

        it.deploy(flow(chain(State, A, b).compile(interrupt_before=["b"])))
        await it.retry(thread_id)
        await it.drain()
        await it.answer(await only(it, thread_id))
        assert ((await it.thread(thread_id)).status, ran) == ("done", ["b"])


async def test_where_it_cannot_be_told_whether_a_guarded_node_has_just_run_people_are_asked(database):
    async with bench(database, flow(chain(State, A, B, C).compile(interrupt_after=["a"]))) as it:
        thread_id = await it.run()
        await it.execute(
            "delete from checkpoints where thread_id = %s and checkpoint_id <> "
            "(select max(checkpoint_id) from checkpoints where thread_id = %s)",
            thread_id,
            thread_id,
        )
        await it.engine.advance(thread_id)

        asked = await only(it, thread_id)
        assert asked.request.title == "Go on after a"


async def test_nobody_in_time_ends_the_thread_unless_the_declaration_steps_on(database):
    graph = chain(State, A, B).compile(interrupt_before=["b"])
    goes_on = Sla(fallback=Fallback.approve())
    async with bench(database, flow(graph), flow(graph, name="on", sla=goes_on)) as it:
        for name, status in (("demo", "cancelled"), ("on", "done")):
            thread_id = await it.run(name)
            asked = await only(it, thread_id)
            await it.expire(asked)
            await it.drain()
            assert (await it.thread(thread_id)).status == status


# Answers as declared.


async def test_a_guarded_node_can_be_taken_to_have_returned_the_answer(database):
    def answered(decision):
        return {"log": [(decision.verdict, decision.by.user)]}

    workflow = flow(
        chain(State, A, node("human"), C).compile(interrupt_before=["human"]),
        breakpoints={"human": Breakpoints(answered=answered)},
    )
    async with bench(database, workflow) as it:
        for verdict in ("approve", "reject"):
            thread_id = await it.run()
            await it.answer(await only(it, thread_id), verdict)

            thread = await it.thread(thread_id)
            assert (thread.status, log(thread)) == ("done", ["a", [verdict, "U01MAYA"], "c"])


async def test_a_refusal_can_go_a_way_of_its_own_and_an_approval_the_usual_one(database):
    builder = chain(State, A, B)
    builder.add_node("withdraw", node("withdraw"))
    declared = Breakpoints(answered=lambda d: None if d.approved else Command(goto="withdraw"))
    workflow = flow(builder.compile(interrupt_before=["b"]), breakpoints=declared)
    async with bench(database, workflow) as it:
        for verdict, ran in (("approve", ["a", "b"]), ("reject", ["a", "withdraw"])):
            thread_id = await it.run()
            await it.answer(await only(it, thread_id), verdict)

            thread = await it.thread(thread_id)
            assert (thread.status, log(thread)) == ("done", ran)


async def test_a_function_of_the_state_makes_the_whole_request(database):
    def request(state):
        return ApprovalRequest(
            title=f"Send {state['draft']}", proposal={"draft": state["draft"]}, risk="high"
        )

    workflow = flow(chain(State, A, B).compile(interrupt_before=["b"]), breakpoints=Breakpoints(show=request))
    async with bench(database, workflow) as it:
        thread_id = await it.run()
        asked = await only(it, thread_id)
        assert (asked.request.title, asked.request.risk) == ("Send Dear Bob", "high")
        await it.answer(asked, proposal={"draft": "Dear Ann"})

        assert (await it.thread(thread_id)).result["draft"] == "Dear Ann"


async def test_a_request_for_words_needs_a_declared_answer(database):
    def request(state):
        return ApprovalRequest(title="How?", allow=("respond", "reject"))

    workflow = flow(chain(State, A, B).compile(interrupt_before=["b"]), breakpoints=Breakpoints(show=request))
    async with bench(database, workflow) as it:
        thread = await it.thread(await it.run())

        assert thread.status == "failed"
        assert "Breakpoints(answered=" in thread.error


async def test_what_others_change_in_the_state_of_a_waiting_thread_is_a_revision_of_its_card(database):
    graph = chain(State, A, B).compile(interrupt_before=["b"])
    async with bench(database, flow(graph, breakpoints=SHOWN)) as it:
        thread_id = await it.run()
        async with it.runs.connection() as conn:
            foreign = copy.copy(graph)
            foreign.checkpointer = AsyncPostgresSaver(conn)
            await foreign.aupdate_state({"configurable": {"thread_id": thread_id}}, {"price": 8})
        await it.engine.advance(thread_id)

        asked = await only(it, thread_id)
        assert (asked.revision, asked.proposal["price"]) == (2, 8)
        await it.answer(asked)
        thread = await it.thread(thread_id)
        assert (thread.status, log(thread), thread.result["price"]) == ("done", ["a", "b"], 8)


async def test_guarded_nodes_of_one_step_share_a_card_and_each_goes_its_declared_way(database):
    builder = side_by_side(State, A, B)
    declared = {"a": Breakpoints(answered=lambda decision: {"log": [decision.verdict]})}
    workflow = flow(builder.compile(interrupt_before=["a", "b"]), breakpoints=declared)
    async with bench(database, workflow) as it:
        for verdict, status, ran in (("approve", "done", ["approve", "b"]), ("reject", "cancelled", None)):
            thread_id = await it.run()
            asked = await only(it, thread_id)
            assert asked.request.title == "Run a and b"
            await it.answer(asked, verdict)

            thread = await it.thread(thread_id)
            assert (thread.status, thread.result and sorted(log(thread))) == (status, ran)


async def test_the_card_tells_how_often_a_node_runs_and_what_is_next(database):
    builder = chain(State, A)
    builder.add_node("b", B)
    builder.add_conditional_edges("a", lambda state: [Send("b", {}), Send("b", {})], ["b"])
    graph = builder.compile(interrupt_before=["b"])
    async with bench(database, flow(graph), flow(chain(State, A, B), name="steps")) as it:
        assert (await only(it, await it.run())).request.title == "Run b (2 times)"
        asked = await only(it, await it.run("steps", autonomy="step_by_step"))
        assert asked.request.summary == "The workflow stops after this step. Next comes b."


async def test_a_graph_without_breakpoints_is_not_read_after_it_has_run(database, monkeypatch):
    reads = []
    read = GraphRun.read

    async def counted(self):
        reads.append(type(self))
        return await read(self)

    monkeypatch.setattr(GraphRun, "read", counted)
    async with bench(database, flow(chain(State, A, asks("one"), B))) as it:
        thread_id = await it.run()
        assert reads == []
        await it.answer(await only(it, thread_id))

        assert (await it.thread(thread_id)).status == "done"
        assert reads == [GraphRun], "once, before the answer is sent"


@pytest.mark.parametrize("autonomy", ["on_action", "step_by_step"])
@pytest.mark.parametrize("guards", [(), ("c",)])
async def test_a_breakpoint_in_a_graph_that_nobody_sees_in_a_node_is_no_end_and_not_run_past(
    database, autonomy, guards
):
    ran = []
    inner = chain(State, A, lambda state: ran.append("inner"), names=("a", "inner"))
    unseen = {"graph": inner.compile(interrupt_before=["inner"])}

    def asks(state):
        return {"log": [ask(ApprovalRequest(title="go on?")).verdict]}

    async def b(state):
        return await unseen["graph"].ainvoke({"log": []})

    graph = chain(State, asks, b, C).compile(interrupt_before=[*guards])
    async with bench(database, flow(graph)) as it:
        thread_id = await it.run(autonomy=autonomy)
        while asked := await it.pending(thread_id):
            await it.answer(*asked.values())

        thread = await it.thread(thread_id)
        assert (thread.status, ran) == ("failed", [])
        assert "stopped before a node without asking" in thread.error
