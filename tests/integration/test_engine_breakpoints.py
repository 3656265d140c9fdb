"""Static breakpoints: asked like any pause, stepped on by an approval, never stepped over by recovery."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from fixtures_engine import bench, chain, flow

from bot.approvals import Breakpoints


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
