"""Pauses at once, one after another, in loops and subgraphs: each is asked, and answered, as itself."""

from __future__ import annotations

import asyncio
import operator
import random
from typing import Annotated, Any, TypedDict

from fixtures_engine import bench, chain, flow, side_by_side
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send

from bot.approvals import ApprovalRequest, Decision, ask
from bot.engine.worker import Worker


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


def asks(title: str, **request: Any) -> Decision:
    return ask(ApprovalRequest(title=title, **request))


def first(state):
    return {"log": [f"first:{asks('first?').verdict}"]}


def second(state):
    return {"log": [f"second:{asks('second?').verdict}"]}


async def test_a_thread_waits_for_its_pause_and_ends_with_what_was_decided(database):
    async with bench(database, flow(chain(State, first))) as it:
        thread_id = await it.run()
        assert (await it.thread(thread_id)).status == "waiting"

        await it.answer((await it.pending(thread_id))["first?"])
        thread = await it.thread(thread_id)
        (approval,) = await it.approvals(thread_id)

    assert (thread.status, thread.result) == ("done", {"log": ["first:approve"]})
    assert approval.applying_at is not None
    assert approval.applied_at is not None


async def test_a_thread_that_people_answered_goes_on_before_others_begin_and_an_expired_one_in_its_turn(
    database,
):
    advanced: list[str] = []

    async def advance(thread_id: str, job: int | None = None) -> bool:
        advanced.append(thread_id)
        return False

    async with bench(database, flow(chain(State, first))) as it:
        answered, expired = await it.run(), await it.run()
        begun = [await it.start() for _ in range(2)]
        await it.expire((await it.pending(expired))["first?"])
        await it.decide((await it.pending(answered))["first?"])

        await Worker(it.queue, advance, draw=advance).drain(concurrency=1)

    threads = (answered, *begun, expired)
    assert tuple(each for each in advanced if each in threads) == threads


async def test_asynchronous_nodes_pause_like_the_others(database):
    async def node(state):
        return {"log": [asks("first?").verdict]}

    async with bench(database, flow(chain(State, node))) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["first?"], "reject")

        assert (await it.thread(thread_id)).result == {"log": ["reject"]}


async def test_parallel_pauses_are_asked_at_once_and_answered_in_any_order(database):
    async with bench(database, flow(side_by_side(State, first, second))) as it:
        thread_id = await it.run()
        pending = await it.pending(thread_id)
        assert set(pending) == {"first?", "second?"}

        await it.answer(pending["second?"], "reject")
        assert (await it.thread(thread_id)).status == "waiting"
        still = await it.pending(thread_id)
        assert still["first?"].approval_id == pending["first?"].approval_id

        await it.answer(still["first?"])
        assert sorted((await it.thread(thread_id)).result["log"]) == ["first:approve", "second:reject"]
        assert [a.revision for a in await it.approvals(thread_id)] == [1, 1]


async def test_what_one_step_asks_is_posted_as_the_graph_has_its_nodes_whichever_comes_to_ask_first(database):
    others_asked = asyncio.Event()

    async def zoe(state):
        await others_asked.wait()
        return {"log": [asks("zoe").verdict]}

    async def ann(state):
        return {"log": [asks("ann").verdict]}

    async def moe(state):
        others_asked.set()
        return {"log": [asks("moe").verdict]}

    order = ["zoe", "ann", "moe"]
    async with bench(database, flow(side_by_side(State, zoe, ann, moe))) as it:
        await it.run()
        posted = await it.rows(_CARDS)

    assert [card["title"] for card in posted] == order


async def test_twenty_pauses_of_one_step_each_get_their_own_answer(database):
    def worker(state):
        return {"log": [(state["n"], asks(f"item {state['n']}?").verdict)]}

    builder = StateGraph(State)
    builder.add_node("worker", worker)
    builder.add_conditional_edges(START, lambda _: [Send("worker", {"n": n}) for n in range(20)], ["worker"])
    async with bench(database, flow(builder)) as it:
        thread_id = await it.run()
        pending = await it.pending(thread_id)
        assert len(pending) == 20
        cards = await it.rows("select 1 from messages where kind = 'card' and thread_id = %s", thread_id)
        assert len(cards) == 20

        order = sorted(pending)
        random.Random(7).shuffle(order)
        said = {title: random.Random(title).choice(("approve", "reject")) for title in order}
        for title in order[:5]:
            await it.answer(pending[title], said[title])
        for title in order[5:]:
            await it.decide(pending[title], said[title])
        await it.drain()

        thread = await it.thread(thread_id)
        assert thread.status == "done"
        assert {f"item {n}?": verdict for n, verdict in thread.result["log"]} == said


async def test_questions_of_one_node_are_asked_one_after_another_each_with_its_own_answer(database):
    def node(state):
        return {"log": [asks("one?").verdict, asks("two?").verdict, asks("three?").verdict]}

    async with bench(database, flow(chain(State, node))) as it:
        thread_id = await it.run()
        for title, verdict in (("one?", "approve"), ("two?", "reject"), ("three?", "approve")):
            pending = await it.pending(thread_id)
            assert set(pending) == {title}
            await it.answer(pending[title], verdict)

        assert (await it.thread(thread_id)).result == {"log": ["approve", "reject", "approve"]}
        assert [a.status for a in await it.approvals(thread_id)] == ["decided"] * 3


async def test_an_answer_never_reaches_the_next_question_of_its_node_however_often_it_is_run(database):
    def node(state):
        return {"log": [asks("one?").verdict, asks("two?").verdict]}

    async with bench(database, flow(chain(State, node))) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["one?"])
        for _ in range(5):
            await it.engine.advance(thread_id)

        assert set(await it.pending(thread_id)) == {"two?"}
        assert (await it.thread(thread_id)).status == "waiting"


async def test_a_loop_asks_again_in_each_round(database):
    def node(state):
        verdict = asks("again?").verdict
        return Command(update={"log": [verdict]}, goto=END if verdict == "approve" else "node")

    builder = StateGraph(State)
    builder.add_node("node", node, destinations=("node", END))
    builder.add_edge(START, "node")
    async with bench(database, flow(builder)) as it:
        thread_id = await it.run()
        for verdict in ("reject", "reject", "approve"):
            await it.answer((await it.pending(thread_id))["again?"], verdict)

        assert (await it.thread(thread_id)).result == {"log": ["reject", "reject", "approve"]}
        assert len(await it.approvals(thread_id)) == 3


async def test_pauses_in_a_subgraph_and_beside_it_are_answered_in_any_order(database):
    builder = StateGraph(State)
    builder.add_node("inner", chain(State, first, second).compile())
    builder.add_node("beside", lambda state: {"log": [f"beside:{asks('beside?').verdict}"]})
    builder.add_edge(START, "inner")
    builder.add_edge(START, "beside")
    async with bench(database, flow(builder)) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["first?"])
        await it.answer((await it.pending(thread_id))["beside?"], "reject")
        assert set(await it.pending(thread_id)) == {"second?"}
        await it.answer((await it.pending(thread_id))["second?"])

        thread = await it.thread(thread_id)
        assert thread.status == "done"
        assert sorted(thread.result["log"]) == ["beside:reject", "first:approve", "second:approve"]


async def test_what_the_workflow_declared_is_decided_by_policy_without_a_card(database):
    def node(state):
        decision = ask(ApprovalRequest(title="small?"), auto="under 500")
        return {"log": [decision.by.kind, decision.reason]}

    async with bench(database, flow(chain(State, node))) as it:
        thread_id = await it.run()

        assert (await it.thread(thread_id)).result == {"log": ["policy", "under 500"]}
        assert await it.rows("select 1 from messages where kind = 'card'") == []
        assert "approval.decided" in await it.events(thread_id)


async def test_running_a_thread_again_changes_nothing(database):
    async with bench(database, flow(chain(State, first))) as it:
        thread_id = await it.run()
        before = await it.events(thread_id)
        for _ in range(3):
            await it.engine.advance(thread_id)
        assert await it.events(thread_id) == before

        await it.answer((await it.pending(thread_id))["first?"])
        before = await it.events(thread_id)
        for _ in range(3):
            await it.engine.advance(thread_id)
        assert await it.events(thread_id) == before


async def test_a_thread_that_waits_or_ended_is_not_swept(database):
    async with bench(database, flow(chain(State, first))) as it:
        thread_id = await it.run()
        assert await it.sweep() == 0
        await it.answer((await it.pending(thread_id))["first?"])

        assert await it.sweep() == 0


_CARDS = """
select request ->> 'title' as title
from procrastinate_jobs join messages on message_id = args ->> 'message_id' join approvals using (approval_id)
where kind = 'card' order by procrastinate_jobs.id
"""
