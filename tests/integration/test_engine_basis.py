"""The world moves between a person's look and the resume: what was decided on another basis never lands."""

from __future__ import annotations

import itertools
import json
import operator
from datetime import timedelta
from typing import Annotated, Any, TypedDict

import pytest
from fixtures_engine import FINN, MAYA, Bench, bench, chain, flow, side_by_side
from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy, interrupt
from psycopg.types.json import Jsonb

from bot.api.shapes import approval_json
from bot.approvals import ApprovalRequest, Fallback, Policy, Sla, ask
from bot.approvals.basis import MOST_REFUSALS
from bot.facts.supersede import KeepsChanging
from bot.postgres.listing import Shown


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


class World:
    """What a node's proposal is made from."""

    def __init__(self) -> None:
        self.now = "w1"

    def ask(self, title: str, **request: Any) -> str:
        given = ApprovalRequest(
            title=title, proposal={"on": self.now}, fields={"Head": self.now}, basis=self.now, **request
        )
        return ask(given).verdict

    def asking(self, *titles: str, name: str = "pay") -> Any:
        def node(state):
            return {"log": [(name, *(self.ask(title) for title in titles))]}

        node.__name__ = name
        return node


def after(state):
    return {"log": ["after"]}


async def stale(it: Bench, thread_id: str) -> list[dict[str, Any]]:
    rows = await it.rows("select body from audit where chain = %s order by n", thread_id)
    bodies = [json.loads(row["body"]) for row in rows]
    return [body["data"] for body in bodies if body["event"] == "approval.stale"]


async def the(it: Bench, thread_id: str, title: str = "pay?"):
    return (await it.pending(thread_id))[title]


async def test_an_answer_on_the_world_as_it_is_lands(database):
    world = World()
    async with bench(database, flow(chain(State, world.asking("pay?"), after))) as it:
        thread_id = await it.run()
        approval = await the(it, thread_id)
        assert approval.request.basis == "w1"
        await it.answer(approval)

        thread = await it.thread(thread_id)
        assert (thread.status, thread.result["log"]) == ("done", [["pay", "approve"], "after"])
        assert await stale(it, thread_id) == []


async def test_langgraph_trying_a_node_again_does_not_make_a_stale_answer_count(database):
    world = World()
    builder = StateGraph(State)
    policy = RetryPolicy(retry_on=Exception, max_attempts=2, initial_interval=0, jitter=False)
    builder.add_node("pay", world.asking("pay?"), retry_policy=policy)
    builder.add_edge(START, "pay")
    async with bench(database, flow(builder)) as it:
        thread_id = await it.run()
        first = await the(it, thread_id)
        world.now = "w2"
        await it.answer(first)
        again = await the(it, thread_id)
        assert (again.interrupt_id, again.asked_again) == (first.interrupt_id, 1)
        await it.answer(again, "reject")
        assert (await it.thread(thread_id)).result["log"] == [["pay", "reject"]]


async def test_what_was_approved_in_another_world_is_asked_again_at_the_same_interrupt(database):
    world = World()
    async with bench(database, flow(chain(State, world.asking("pay?"), after))) as it:
        thread_id = await it.run()
        first = await the(it, thread_id)
        world.now = "w2"
        await it.answer(first)
        again = await the(it, thread_id)

        assert "thread.resumed" not in await it.events(thread_id), "nothing was resumed by it"
        assert (again.interrupt_id, again.revision, again.asked_again) == (first.interrupt_id, 2, 1)
        assert (again.proposal, again.request.basis) == ({"on": "w2"}, "w2")
        assert [(c.path, c.before, c.after) for c in again.changed] == [
            ("on", "w1", "w2"),
            ("Head", "w1", "w2"),
            ("basis", "w1", "w2"),
        ]
        (old,) = await it.approvals(thread_id, "superseded")
        assert (old.approval_id, old.decision.verdict) == (first.approval_id, "approve")
        assert approval_json(Shown(old, (), None, None))["decision"]["basis"] == "w1"
        assert await stale(it, thread_id) == [
            {
                "approval_id": first.approval_id,
                "interrupt_id": first.interrupt_id,
                "verdict": "approve",
                "decided_on": "w1",
                "basis": "w2",
            }
        ]
        told = await it.rows("select target, body from messages where kind = 'told'")
        assert [(t["target"], t["body"]["event"]) for t in told] == [(MAYA, "superseded")]
        thread = await it.thread(thread_id)
        assert (thread.status, thread.attempts, thread.error) == ("waiting", 0, None)

        await it.answer(again)
        assert (await it.thread(thread_id)).result["log"] == [["pay", "approve"], "after"]
        assert len(await stale(it, thread_id)) == 1


async def test_whom_an_escalation_had_added_is_asked_again_too(database):
    world = World()
    sla = Sla(respond_within=timedelta(hours=8), escalate=((timedelta(hours=1), (FINN,)),))
    async with bench(
        database, flow(chain(State, world.asking("pay?")), policy=Policy(approvers=(MAYA,)), sla=sla)
    ) as it:
        thread_id = await it.run()
        first = await the(it, thread_id)
        await it.execute(
            "update approvals set steps_done = 1, escalated = %s, "
            "policy = jsonb_set(policy, '{approvers}', %s) where approval_id = %s",
            [FINN],
            Jsonb([MAYA, FINN]),
            first.approval_id,
        )
        world.now = "w2"
        await it.answer(first)

        again = await the(it, thread_id)
        assert again.approval_id != first.approval_id
        assert (again.policy.approvers, again.escalated) == ((MAYA, FINN), (FINN,))


@pytest.mark.parametrize("back_before_the_rejection", [True, False])
async def test_a_rejection_wins_though_the_world_of_the_first_approval_comes_back(
    database, back_before_the_rejection
):
    world = World()
    async with bench(database, flow(chain(State, world.asking("pay?"), after))) as it:
        thread_id = await it.run()
        first = await the(it, thread_id)
        world.now = "w2"
        await it.answer(first)
        again = await the(it, thread_id)
        if back_before_the_rejection:
            world.now = "w1"
        await it.decide(again, "reject")
        world.now = "w1"
        await it.drain()

        thread = await it.thread(thread_id)
        assert (thread.status, thread.result["log"]) == ("done", [["pay", "reject"], "after"])


async def test_an_approval_does_not_land_in_a_world_that_came_back(database):
    world = World()
    async with bench(database, flow(chain(State, world.asking("pay?")))) as it:
        thread_id = await it.run()
        world.now = "w2"
        await it.answer(await the(it, thread_id))
        again = await the(it, thread_id)
        world.now = "w1"
        await it.answer(again)

        third = await the(it, thread_id)
        assert (third.request.basis, third.revision, third.asked_again) == ("w1", 3, 2)


async def test_a_rejection_in_another_world_is_not_asked_about_again(database):
    world = World()
    async with bench(database, flow(chain(State, world.asking("pay?")))) as it:
        thread_id = await it.run()
        approval = await the(it, thread_id)
        world.now = "w2"
        await it.answer(approval, "reject")

        assert (await it.thread(thread_id)).result["log"] == [["pay", "reject"]]


async def test_a_fallback_that_runs_the_draft_does_not_run_it_in_another_world(database):
    world = World()
    sla = Sla(respond_within=timedelta(hours=1), fallback=Fallback.as_drafted())
    async with bench(database, flow(chain(State, world.asking("pay?")), sla=sla)) as it:
        thread_id = await it.run()
        approval = await the(it, thread_id)
        world.now = "w2"
        await it.expire(approval)
        await it.drain()

        again = await the(it, thread_id)
        assert again.due_at > approval.due_at
        assert [one["verdict"] for one in await stale(it, thread_id)] == ["approve"]


async def test_the_second_question_of_a_node_is_refused_alone_and_the_first_answer_stays(database):
    world = World()
    async with bench(database, flow(chain(State, world.asking("one?", "two?")))) as it:
        thread_id = await it.run()
        await it.answer(await the(it, thread_id, "one?"), words="as is")
        second = await the(it, thread_id, "two?")
        world.now = "w2"
        await it.answer(second)
        again = await the(it, thread_id, "two?")
        assert (again.interrupt_id, again.revision) == (second.interrupt_id, 2)
        await it.answer(again)

        assert (await it.thread(thread_id)).result["log"] == [["pay", "approve", "approve"]]
        assert len(await it.approvals(thread_id, "superseded")) == 1


async def test_of_parallel_branches_only_the_stale_one_asks_again(database):
    world, elsewhere = World(), World()
    nodes = (world.asking("pay?"), elsewhere.asking("beside?", name="beside"))
    async with bench(database, flow(side_by_side(State, *nodes))) as it:
        thread_id = await it.run()
        pending = await it.pending(thread_id)
        await it.decide(pending["beside?"])
        await it.decide(pending["pay?"])
        world.now = "w2"
        await it.drain()

        assert {a.request.title: a.status for a in await it.approvals(thread_id, "decided")} == {
            "beside?": "decided"
        }
        assert set(await it.pending(thread_id)) == {"pay?"}
        assert (await it.approvals(thread_id, "decided"))[0].applied_at is not None
        await it.answer(await the(it, thread_id))
        assert sorted((await it.thread(thread_id)).result["log"]) == [
            ["beside", "approve"],
            ["pay", "approve"],
        ]


async def test_a_question_that_still_waits_is_revised_when_its_world_moves_and_its_voters_are_told(database):
    world, elsewhere = World(), World()
    nodes = (world.asking("pay?"), elsewhere.asking("beside?", name="beside"))
    policy = Policy(approvers=(MAYA, FINN, "U03DANA"), approvals=2, self_approval=True)
    async with bench(database, flow(side_by_side(State, *nodes), policy=policy)) as it:
        thread_id = await it.run()
        before = await the(it, thread_id)
        await it.execute(
            "insert into votes (approval_id, user_id, revision, vote) values (%s, %s, 1, '{}')",
            before.approval_id,
            MAYA,
        )
        world.now = "w2"
        await it.answer(await the(it, thread_id, "beside?"))

        after_that = await the(it, thread_id)
        assert (after_that.approval_id, after_that.revision, after_that.asked_again) == (
            before.approval_id,
            2,
            0,
        )
        assert [change.path for change in after_that.changed] == ["on", "Head", "basis"]
        told = await it.rows("select target, body from messages where kind = 'told'")
        assert [(t["target"], t["body"]["event"]) for t in told] == [(MAYA, "revised")]
        assert await stale(it, thread_id) == []


async def test_a_node_whose_basis_is_another_at_every_run_is_given_up_and_says_why(database):
    runs = itertools.count()

    def pay(state):
        return {"log": [ask(ApprovalRequest(title="pay?", basis=str(next(runs)))).verdict]}

    async with bench(database, flow(chain(State, pay))) as it:
        thread_id = await it.run()
        for n in range(MOST_REFUSALS):
            assert (await it.thread(thread_id)).status == "waiting", n
            await it.answer(await the(it, thread_id))

        thread = await it.thread(thread_id)
        assert (thread.status, thread.error) == ("failed", str(KeepsChanging()))
        assert "never from the time or chance" in thread.error
        assert any(str(KeepsChanging()) in told for told in await it.told_ops(thread_id))
        assert (await it.approvals(thread_id))[-1].status == "decided"

        await it.retry(thread_id)
        await it.drain()
        assert set(await it.pending(thread_id)) == {"pay?"}, "retrying counts from the start"


async def test_a_basis_that_swings_at_every_run_is_given_up_within_one(database):
    worlds = itertools.cycle(["odd", "even"])

    def pay(state):
        return {"log": [ask(ApprovalRequest(title="pay?", basis=next(worlds))).verdict]}

    async with bench(database, flow(chain(State, pay))) as it:
        thread_id = await it.run()
        await it.answer(await the(it, thread_id))

        thread = await it.thread(thread_id)
        assert (thread.status, thread.error) == ("failed", str(KeepsChanging()))


async def test_what_policy_decides_by_itself_does_not_loop_either(database):
    runs = itertools.count()

    def pay(state):
        request = ApprovalRequest(title="pay?", basis=str(next(runs)))
        return {"log": [ask(request, auto="under 500").verdict]}

    async with bench(database, flow(chain(State, pay))) as it:
        thread = await it.thread(await it.run())

        assert (thread.status, thread.error) == ("failed", str(KeepsChanging()))


async def test_a_graph_that_asks_by_itself_finds_the_basis_in_its_answer(database):
    def pay(state):
        return {"log": [interrupt({"signoff": 1, "title": "pay?", "basis": "w1"})["basis"]]}

    async with bench(database, flow(chain(State, pay))) as it:
        thread_id = await it.run()
        await it.answer(await the(it, thread_id))

        assert (await it.thread(thread_id)).result == {"log": ["w1"]}


async def test_a_refusal_does_not_run_a_sibling_past_the_breakpoint_that_it_has_come_to(database):
    world = World()

    def ready(state):
        return {"log": [("ready", ask(ApprovalRequest(title="ready?")).verdict)]}

    def paid(state):
        return {"log": ["paid"]}

    guarded = chain(State, ready, paid).compile(interrupt_before=["paid"])
    builder = side_by_side(State, world.asking("pay?"))
    builder.add_node("guarded", guarded)
    builder.add_edge(START, "guarded")
    async with bench(database, flow(builder)) as it:
        thread_id = await it.run()
        for approval in (await it.pending(thread_id)).values():
            await it.decide(approval)
        world.now = "w2"
        await it.drain()

        assert set(await it.pending(thread_id)) == {"Run paid"}
        await it.answer(await the(it, thread_id, "Run paid"))
        again = await the(it, thread_id)
        assert (again.request.basis, again.asked_again) == ("w2", 1)
        await it.answer(again)
        thread = await it.thread(thread_id)
        assert (thread.status, thread.result["log"].count("paid")) == ("done", 1)


async def test_a_worker_that_died_after_the_refusal_leaves_the_same_question(database):
    world = World()
    async with bench(database, flow(chain(State, world.asking("pay?")))) as it:
        thread_id = await it.run()
        await it.decide(await the(it, thread_id))
        world.now = "w2"
        engine, drive = it.engine, "bot.engine.graph.GraphRun.drive"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(drive, _dies)
            with pytest.raises(WorkerDied):
                await engine.advance(thread_id)
        (row,) = await it.approvals(thread_id)
        assert (row.status, row.applying_at is not None) == ("decided", True)
        await it.sweep()

        again = await the(it, thread_id)
        assert (again.request.basis, again.revision) == ("w2", 2)
        assert len(await stale(it, thread_id)) == 1


class WorkerDied(BaseException):
    pass


async def _dies(*_: Any) -> Any:
    raise WorkerDied
