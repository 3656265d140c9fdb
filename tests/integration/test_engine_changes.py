"""What changes under a paused thread: its payload, its code, the catalog, and people's minds."""

from __future__ import annotations

import asyncio
import operator
from datetime import timedelta
from typing import Annotated, Any, TypedDict

import pytest
from fixtures_engine import MAYA, bench, catalog_of, chain, flow, side_by_side
from fixtures_votes import blocked
from langgraph.errors import NodeInterrupt
from langgraph.graph import START
from langgraph.types import interrupt
from psycopg import OperationalError

from bot.approvals import ApprovalRequest, Fallback, Sla, ask
from bot.facts import sweeps, threads
from bot.facts.deadlines import Reach
from bot.facts.threads import NothingToRetry, ThreadEnded

LATER = timedelta(minutes=6)


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


def question(title: str, **request: Any) -> str:
    return ask(ApprovalRequest(title=title, **request)).verdict


def pays(amount: str):
    """A graph whose node `pay` asks about this amount."""

    def pay(state):
        return {"log": [amount, question("pay?", proposal={"amount": amount})]}

    return chain(State, pay)


# The payload.


async def test_what_is_asked_anew_while_it_waits_is_a_new_revision_of_the_same_approval(database):
    amounts, asked_beside = ["10"], []

    def pay(state):
        return {"log": [question("pay?", proposal={"amount": amounts[0]})]}

    def beside(state):
        asked_beside.append(1)
        return {"log": [question("beside?")]}

    async with bench(database, flow(side_by_side(State, pay, beside))) as it:
        thread_id = await it.run()
        before = (await it.pending(thread_id))["pay?"]
        amounts[0] = "1000"
        await it.answer((await it.pending(thread_id))["beside?"])
        after = (await it.pending(thread_id))["pay?"]

        assert (after.approval_id, after.revision) == (before.approval_id, 2)
        assert after.proposal == {"amount": "1000"}
        assert after.payload_hash != before.payload_hash
        assert "approval.revised" in await it.events(thread_id)


async def test_a_decision_is_on_what_was_asked_even_if_the_code_would_ask_something_else_by_now(database):
    async with bench(database, flow(pays("10"))) as it:
        thread_id = await it.run()
        await it.decide((await it.pending(thread_id))["pay?"])
        it.deploy(flow(pays("1000")))
        await it.drain()
        (approval,) = await it.approvals(thread_id)

    assert approval.decision.proposal == {"amount": "10"}


async def test_a_payload_that_changed_between_decision_and_resume_is_superseded(
    database,
):
    amounts, running, go_on = ["10"], asyncio.Event(), asyncio.Event()

    async def pay(state):
        return {"log": [amounts[0], question("pay?", proposal={"amount": amounts[0]})]}

    async def beside(state):
        said = question("beside?")
        running.set()
        await go_on.wait()
        return {"log": [said]}

    async with bench(database, flow(side_by_side(State, pay, beside))) as it:
        thread_id = await it.run()
        pending = await it.pending(thread_id)
        await it.decide(pending["beside?"])
        amounts[0] = "1000"
        run = asyncio.create_task(it.engine.advance(thread_id))
        await running.wait()
        await it.decide(pending["pay?"])
        go_on.set()
        await run

        first, again = [a for a in await it.approvals(thread_id) if a.request.title == "pay?"]
        assert (first.status, again.status) == ("superseded", "pending")
        assert again.proposal == {"amount": "1000"}
        assert again.interrupt_id == first.interrupt_id
        assert "approval.stale" not in await it.events(thread_id), "nothing that it was based on has moved"
        told = await it.rows("select target, body from messages where kind = 'told'")
        assert [(t["target"], t["body"]["event"]) for t in told] == [(MAYA, "superseded")]

        await it.answer(again)
        assert sorted((await it.thread(thread_id)).result["log"]) == ["1000", "approve", "approve"]


# The code.


def _named(name: str, *rest: str):
    def node(state):
        return {"log": [question("pay?")]}

    def after(state):
        return {"log": ["paid"]}

    return chain(State, node, after, names=(name, "after"))


async def test_a_node_renamed_while_its_thread_waits_leaves_an_orphan_and_never_a_finished_thread(database):
    async with bench(database, flow(_named("pay"))) as it:
        thread_id = await it.run()
        it.deploy(flow(_named("transfer")))
        await it.answer((await it.pending(thread_id))["pay?"])

        thread, (approval,) = await it.thread(thread_id), await it.approvals(thread_id)
        assert (thread.status, approval.status) == ("orphaned", "orphaned")
        assert len(await it.told_ops(thread_id)) == 2
        assert "thread.done" not in await it.events(thread_id)


async def test_a_node_renamed_after_the_answer_was_marked_but_before_it_arrived_is_an_orphan_too(database):
    async with bench(database, flow(_named("pay"))) as it:
        thread_id = await it.run()
        await it.decide((await it.pending(thread_id))["pay?"])
        await it.execute("update approvals set applying_at = signoff_now()")
        it.deploy(flow(_named("transfer")))
        await it.drain()

        thread, (approval,) = await it.thread(thread_id), await it.approvals(thread_id)
        assert (thread.status, approval.status) == ("orphaned", "orphaned")


async def test_an_orphan_is_asked_again_after_the_deploy_was_rolled_back_and_the_thread_retried(database):
    async with bench(database, flow(_named("pay"))) as it:
        thread_id = await it.run()
        it.deploy(flow(_named("transfer")))
        await it.answer((await it.pending(thread_id))["pay?"])
        it.deploy(flow(_named("pay")))
        await it.retry(thread_id)
        await it.drain()
        await it.answer((await it.pending(thread_id))["pay?"])

        assert (await it.thread(thread_id)).result == {"log": ["approve", "paid"]}


async def test_an_orphan_beside_a_pause_that_goes_on_keeps_the_thread_from_being_done(database):
    def pay(state):
        return {"log": [question("pay?")]}

    def transfer(state):
        return {"log": [question("pay?")]}

    def beside(state):
        return {"log": [question("beside?")]}

    async with bench(database, flow(side_by_side(State, pay, beside))) as it:
        thread_id = await it.run()
        it.deploy(flow(side_by_side(State, transfer, beside)))
        await it.answer((await it.pending(thread_id))["beside?"])

        assert (await it.thread(thread_id)).status == "orphaned"
        assert {a.request.title: a.status for a in await it.approvals(thread_id)} == {
            "pay?": "orphaned",
            "beside?": "decided",
        }


async def test_the_requester_of_what_is_orphaned_unanswered_hears_so_and_that_it_is_asked_again(database):
    async with bench(database, flow(_named("pay"))) as it:
        thread_id = await it.run()
        it.deploy(flow(_named("transfer")))
        await it.execute("update threads set wanted = wanted + 1")
        await it.sweep()
        (orphaned,) = await it.approvals(thread_id, "orphaned")
        told = "select kind, wanted from messages where kind in ('outcome', 'note') and approval_id = %s"
        before = {row["kind"]: row["wanted"] for row in await it.rows(told, orphaned.approval_id)}
        assert before.keys() == {"outcome", "note"}

        it.deploy(flow(_named("pay")))
        await it.retry(thread_id)
        await it.drain()
        (before_it,) = await it.approvals(thread_id, "superseded")
        assert before_it.closed_why == "the workflow had lost its place here, and is back"
        after = {row["kind"]: row["wanted"] for row in await it.rows(told, orphaned.approval_id)}
        assert after["note"] > before["note"]
        assert after["outcome"] > before["outcome"] + 1  # that it is retried, and that it is asked again


def _asking(title: str):
    def node(state):
        return {"log": [question(title)]}

    return node


def _within(*names: str, levels: int = 1):
    """A graph that pays in a subgraph, whose nodes are called so and ask one after another, and goes on."""

    def after(state):
        return {"log": ["paid"]}

    inner = chain(State, *(_asking(f"{name}?") for name in names), names=names)
    for _ in range(levels - 1):
        inner = chain(State, inner.compile(), names=("deeper",))
    return chain(State, inner.compile(), after, names=("payments", "after"))


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("marked", [False, True])
async def test_a_node_renamed_in_a_subgraph_is_an_orphan_too_that_nothing_runs_past(database, levels, marked):
    async with bench(database, flow(_within("pay", levels=levels))) as it:
        thread_id = await it.run()
        await it.decide((await it.pending(thread_id))["pay?"])
        if marked:
            await it.execute("update approvals set applying_at = signoff_now()")
        it.deploy(flow(_within("transfer", levels=levels)))
        await it.drain()

        thread, (approval,) = await it.thread(thread_id), await it.approvals(thread_id)
        assert (thread.status, approval.status) == ("orphaned", "orphaned")
        await it.retry(thread_id)
        await it.drain()
        assert (await it.thread(thread_id)).status == "orphaned"

        it.deploy(flow(_within("pay", levels=levels)))
        await it.retry(thread_id)
        await it.drain()
        await it.answer((await it.pending(thread_id))["pay?"])
        assert (await it.thread(thread_id)).result["log"][-2:] == ["approve", "paid"]


async def test_an_orphan_in_a_subgraph_calls_off_what_is_asked_beside_it(database):
    def beside(state):
        return {"log": [question("beside?")]}

    def pays_within(name):
        graph = side_by_side(State, beside)
        graph.add_node("payments", chain(State, _asking("pay?"), names=(name,)).compile())
        return graph.add_edge(START, "payments")

    async with bench(database, flow(pays_within("pay"))) as it:
        thread_id = await it.run()
        it.deploy(flow(pays_within("transfer")))
        await it.answer((await it.pending(thread_id))["pay?"])

        assert (await it.thread(thread_id)).status == "orphaned"
        found = {a.request.title: (a.status, a.closed_why) for a in await it.approvals(thread_id)}
        assert found == {
            "pay?": ("orphaned", "the graph no longer has this pause"),
            "beside?": ("cancelled", "the workflow failed: a pause vanished without an answer"),
        }


async def test_what_a_subgraph_was_answered_before_a_crash_is_no_orphan_where_only_the_graph_still_lists_it(
    database,
):
    root = "checkpoint_ns = '' and channel = '__interrupt__'"
    async with bench(database, flow(_within("pay", "confirm"))) as it:
        thread_id = await it.run()
        (listed,) = await it.rows(f"select blob from checkpoint_writes where {root}")
        await it.decide((await it.pending(thread_id))["pay?"])
        await it.drain()
        await it.execute(f"update checkpoint_writes set blob = %s where {root}", listed["blob"])
        await it.execute("update approvals set applied_at = null where status = 'decided'")
        unknown = "select approval_id from approvals where status = 'pending'"
        await it.execute(f"delete from messages where approval_id in ({unknown})")
        await it.execute("delete from approvals where status = 'pending'")
        await it.execute("update threads set wanted = wanted + 1, status = 'running'")
        await it.engine.advance(thread_id)

        assert [(a.request.title, a.status) for a in await it.approvals(thread_id)] == [
            ("pay?", "decided"),
            ("confirm?", "pending"),
        ]
        await it.answer((await it.pending(thread_id))["confirm?"])
        assert (await it.thread(thread_id)).status == "done"


# The catalog.


async def test_a_workflow_that_a_worker_does_not_know_is_held_and_taken_up_by_one_that_does(database):
    async with bench(database) as it:
        thread_id = await it.run()
        assert (await it.thread(thread_id)).status == "running"
        assert await it.told_ops(thread_id) == ["Workflow demo is not in this worker's catalog"]
        assert await it.sweep() == 0, "it is looked at once a minute, not all the time"
        assert await it.sweep(timedelta(minutes=1)) == 1
        assert len(await it.told_ops(thread_id)) == 1

        it.deploy(flow(pays("10")))
        assert await it.sweep(timedelta(minutes=1)) == 1
        assert set(await it.pending(thread_id)) == {"pay?"}
        assert await it.sweep(timedelta(minutes=1)) == 0


async def test_a_waiting_thread_whose_workflow_was_away_for_a_while_comes_to_rest_again(database):
    async with bench(database, flow(pays("10"))) as it:
        thread_id = await it.run()
        known = it.catalog
        it.deploy()
        await it.execute("update threads set wanted = wanted + 1")
        await it.engine.advance(thread_id)
        card = await it.rows("select wanted from messages where kind = 'card'")
        assert await it.sweep(timedelta(minutes=2)) == 1
        assert await it.rows("select wanted from messages where kind = 'card'") == card, "it says so already"
        it.engine = it.another(known)
        assert await it.sweep(timedelta(minutes=2)) == 1

        thread = await it.thread(thread_id)
        assert (thread.status, thread.retry_at, thread.error) == ("waiting", None, None)
        assert await it.sweep(timedelta(minutes=2)) == 0


async def test_a_held_thread_can_be_cancelled_at_once(database):
    async with bench(database) as it:
        thread_id = await it.run()
        await it.cancel(thread_id)
        await it.drain()

        assert (await it.thread(thread_id)).status == "cancelled"


async def test_a_column_that_a_newer_signoff_adds_fails_no_thread_of_a_worker_that_runs_on(database):
    async with bench(database, flow(pays("10"), retries=0)) as it:
        *others, last = [await it.run() for _ in range(3)]
        for other in others:
            await it.answer((await it.pending(other))["pay?"])
        await it.execute("alter table approvals add column more text")
        with pytest.raises(OperationalError, match="migrated"):
            await it.answer((await it.pending(last))["pay?"])
        await it.sweep()

        assert (await it.thread(last)).status == "done"


# People's minds.


async def test_cancelling_ends_the_thread_and_closes_what_it_asks(database):
    async with bench(database, flow(pays("10"))) as it:
        thread_id = await it.run()
        await it.cancel(thread_id, "bought elsewhere")
        assert [a.status for a in await it.approvals(thread_id)] == ["cancelled"]
        await it.drain()
        thread = await it.thread(thread_id)

        assert (thread.status, thread.error) == ("cancelled", "bought elsewhere")
        with pytest.raises(ThreadEnded):
            await it.cancel(thread_id)
        with pytest.raises(NothingToRetry):
            await it.retry(thread_id)


async def test_cancelling_while_a_node_runs_ends_the_thread_before_its_next_question_is_asked(database):
    async def slow(state):
        await it.cancel(thread_id)
        return {"log": ["slow"]}

    def pay(state):
        return {"log": [question("pay?")]}

    async with bench(database, flow(chain(State, slow, pay))) as it:
        thread_id = await it.start()
        await it.engine.advance(thread_id)

        assert (await it.thread(thread_id)).status == "cancelled"
        assert await it.approvals(thread_id) == []


@pytest.mark.parametrize(("cancels", "status"), [(True, "cancelled"), (False, "failed")])
async def test_an_answer_that_was_used_is_noted_so_though_its_thread_ends_in_the_next_node(
    database, cancels, status
):
    def pay(state):
        return {"log": [question("pay?")]}

    async def after(state):
        if not cancels:
            raise RuntimeError("down")
        await it.cancel(thread_id)
        return {"log": ["after"]}

    def again(state):
        return {"log": [question("really?")]}

    async with bench(database, flow(chain(State, pay, after, again), retries=0)) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["pay?"])

        assert (await it.thread(thread_id)).status == status
        (paid,) = await it.approvals(thread_id)
        assert paid.applied_at is not None, "its card would say that the decision was not used"


async def test_a_thread_that_is_cancelled_while_its_last_node_runs_is_done(database):
    async def slow(state):
        await it.cancel(thread_id)
        return {"log": ["slow"]}

    async with bench(database, flow(chain(State, slow))) as it:
        thread_id = await it.start()
        await it.engine.advance(thread_id)

        thread = await it.thread(thread_id)
        assert (thread.status, thread.result["log"]) == ("done", ["slow"])


async def test_a_decision_before_the_cancellation_is_not_sent_after_it(database):
    async with bench(database, flow(pays("10"))) as it:
        thread_id = await it.run()
        await it.decide((await it.pending(thread_id))["pay?"])
        await it.cancel(thread_id)
        await it.drain()

        assert (await it.thread(thread_id)).status == "cancelled"
        (approval,) = await it.approvals(thread_id)
        assert approval.applying_at is None


async def test_an_answer_is_not_sent_after_a_cancellation_that_its_run_had_to_wait_for(database):
    async with bench(database, flow(pays("10"))) as it:
        thread_id = await it.run()
        await it.decide((await it.pending(thread_id))["pay?"])
        async with it.work.connection() as conn, conn.transaction():
            await threads.cancel(conn, it.queue, thread_id, "not needed", "cli:test")
            run = asyncio.create_task(it.engine.advance(thread_id))
            await blocked(it)
        await run

        assert (await it.thread(thread_id)).status == "cancelled"
        assert (await it.approvals(thread_id))[0].applying_at is None
        assert await it.rows(DRAWN_AGAIN), "who asked has only heard that it was approved"


async def test_who_was_told_of_an_approval_reads_that_the_workflow_was_cancelled_after_it(database):
    def pay(state):
        return {"log": [question("pay?"), question("really?")]}

    async with bench(database, flow(chain(State, pay))) as it:
        thread_id = await it.run()
        (paid,) = await it.approvals(thread_id)
        await it.answer(paid)
        await it.cancel(thread_id)
        await it.drain()

        told = [row["message_id"] for row in await it.rows(DRAWN_AGAIN)]
        assert told == [f"outcome:{paid.approval_id}"]


DRAWN_AGAIN = "select message_id from messages where kind = 'outcome' and wanted > 1"


async def test_cancelling_a_thread_that_is_to_be_tried_again_ends_it_at_once(database):
    def broken(state):
        raise RuntimeError("down")

    async with bench(database, flow(chain(State, broken))) as it:
        thread_id = await it.run()
        await it.cancel(thread_id)
        await it.drain()

        assert (await it.thread(thread_id)).status == "cancelled"


async def test_a_node_that_raises_after_the_cancellation_is_not_tried_again(database):
    async def broken(state):
        await it.cancel(thread_id)
        raise RuntimeError("down")

    for retries in (0, 3):
        async with bench(database, flow(chain(State, broken), retries=retries)) as it:
            thread_id = await it.start()
            await it.engine.advance(thread_id)

            assert (await it.thread(thread_id)).status == "cancelled"


async def test_what_is_asked_beside_a_node_that_raises_after_the_cancellation_gets_no_card(database):
    def asking(state):
        return {"log": [question("pay?")]}

    async def broken(state):
        await it.cancel(thread_id)
        raise RuntimeError("down")

    async with bench(database, flow(side_by_side(State, asking, broken), retries=3)) as it:
        thread_id = await it.start()
        await it.engine.advance(thread_id)

        assert (await it.thread(thread_id)).status == "cancelled"
        assert await it.approvals(thread_id) == []


async def test_a_thread_that_has_ended_stays_done_and_who_would_cancel_it_is_told(database):
    async with bench(database, flow(chain(State, lambda state: {"log": ["ran"]}, names=("only",)))) as it:
        thread_id = await it.run()
        with pytest.raises(ThreadEnded):
            await it.cancel(thread_id)

        thread = await it.thread(thread_id)
        assert (thread.status, thread.cancel_reason) == ("done", None)
        assert "thread.cancel" not in await it.events(thread_id)


async def test_a_deadline_whose_fallback_is_to_cancel_ends_the_thread_and_sends_nothing(database):
    sla = Sla(respond_within=timedelta(hours=1), fallback=Fallback.cancel())
    async with bench(database, flow(pays("10"), sla=sla)) as it:
        thread_id = await it.run()
        await it.execute("update approvals set delivered_at = created_at")
        await it.execute("update signoff_time set ahead = ahead + interval '2 hours'")
        async with it.work.connection() as conn:
            reach = Reach(await it.now() - timedelta(days=1), timedelta(minutes=10))
            assert await sweeps.deadlines(conn, it.queue, reach) == 1
        await it.drain()

        thread, (approval,) = await it.thread(thread_id), await it.approvals(thread_id)
        assert (thread.status, "nobody answered" in thread.error) == ("cancelled", True)
        assert (approval.status, approval.applying_at) == ("expired", None)


# What cannot be asked.


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        ({"signoff": 1, "title": "pay?", "proposal": {"amount": {1, 2}}}, "not JSON"),
        ({"signoff": 1, "title": "pay?", "proposal": {"amount": float("nan")}}, "NaN"),
        ({"signoff": 1, "title": "a\x00b"}, "NUL"),
        ({"signoff": 1, "title": "pay?", "summary": "x" * 600_000}, "bytes"),
        ({"signoff": 1, "title": ""}, "title"),
        ({"signoff": 2, "title": "pay?"}, "signoff"),
    ],
)
async def test_a_payload_that_cannot_be_asked_fails_the_thread_and_a_mended_one_is_asked_on_retry(
    database, payload, complaint
):
    payloads = [payload]

    def node(state):
        return {"log": [interrupt(payloads[0])["approved"]]}

    async with bench(database, flow(chain(State, node), reply="dict")) as it:
        thread_id = await it.run()
        thread = await it.thread(thread_id)
        assert (thread.status, complaint in thread.error) == ("failed", True)

        payloads[0] = "pay?"
        await it.retry(thread_id)
        await it.drain()
        await it.answer((await it.pending(thread_id))["pay?"])
        assert (await it.thread(thread_id)).result == {"log": [True]}


async def test_a_payload_nested_too_deep_fails_the_thread(database):
    deep: Any = "bottom"
    for _ in range(200):
        deep = {"in": deep}

    def node(state):
        return {"log": [interrupt({"signoff": 1, "title": "pay?", "proposal": deep})]}

    async with bench(database, flow(chain(State, node))) as it:
        thread = await it.thread(await it.run())

    assert (thread.status, "nested deeper" in thread.error) == ("failed", True)


@pytest.mark.filterwarnings("ignore:NodeInterrupt is deprecated")
async def test_a_node_interrupt_fails_the_thread_in_one_line(database):
    def node(state):
        raise NodeInterrupt("stop")

    async with bench(database, flow(chain(State, node))) as it:
        thread = await it.thread(await it.run())

    assert thread.status == "failed"
    assert "call ask() instead" in thread.error


async def test_two_workers_of_different_catalogs_do_not_fail_each_others_threads(database):
    async with bench(database, flow(pays("10"))) as it:
        other = it.another(catalog_of(flow(pays("10"), name="other")))
        thread_id = await it.start()
        await other.advance(thread_id)
        await it.sweep(timedelta(minutes=2))

        assert (await it.thread(thread_id)).status == "waiting"


async def test_whoever_an_escalation_added_stays_added_when_something_else_is_asked(database):
    amounts = ["10"]

    def pay(state):
        return {"log": [question("pay?", proposal={"amount": amounts[0]})]}

    def beside(state):
        return {"log": [question("beside?")]}

    sla = Sla(respond_within=timedelta(hours=8), escalate=((timedelta(hours=1), ("U03DANA",)),))
    async with bench(database, flow(side_by_side(State, pay, beside), sla=sla)) as it:
        thread_id = await it.run()
        before = (await it.pending(thread_id))["pay?"]
        await it.execute(
            "update approvals set delivered_at = signoff_now() - interval '2 hours', steps_done = 1, "
            "escalated = '{U03DANA}', "
            "policy = jsonb_set(policy, '{approvers}', '[\"U01MAYA\", \"U03DANA\"]') where approval_id = %s",
            before.approval_id,
        )
        amounts[0] = "1000"
        await it.answer((await it.pending(thread_id))["beside?"])

        after = (await it.pending(thread_id))["pay?"]
        assert after.revision == 2
        assert after.policy.approvers == (MAYA, "U03DANA")
