"""What a run did to its thread's state is kept with the audit."""

from __future__ import annotations

import json
import operator
import threading
from http import HTTPStatus
from typing import Annotated, Any, TypedDict, cast

import pytest
from fixtures_engine import bench, chain, flow
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic import AfterValidator, BaseModel, SecretStr

from bot.approvals import ApprovalRequest, Workflow, ask
from bot.commands.story import read, tell
from bot.engine.journey import Journey
from bot.engine.plan import Drive, Snapshot
from bot.facts import threads
from bot.intake import begin
from bot.postgres.fact import Fact


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    amount: str
    api_key: str


class Account(State, total=False):
    iban: str
    pin: str
    account: str


async def resumed(it, thread_id: str) -> list[Any]:
    """The changes that the audit keeps of each run that followed an answer or an error."""
    rows = await it.rows("select body from audit where chain = %s order by n", thread_id)
    bodies = [json.loads(row["body"]) for row in rows]
    return [body["data"]["changes"] for body in bodies if body["event"] == "thread.resumed"]


def draft(state):
    return {"log": ["drafted"], "amount": "10", "api_key": "hush"}


def pay(state):
    said = ask(ApprovalRequest(title="pay?")).verdict
    return {"log": [said], "amount": "20"}


def book(state):
    return {"log": ["booked"], "api_key": "hush-hush"}


async def test_the_difference_of_the_state_is_kept_with_the_audit_and_shown_with_its_secrets_masked(database):
    async with bench(database, flow(chain(State, draft, pay, book))) as it:
        thread_id = await it.run()
        assert await resumed(it, thread_id) == []
        (approval,) = await it.approvals(thread_id)
        await it.answer(approval)
        async with it.work.connection() as conn:
            story = "\n".join(tell(await read(conn, thread_id)))
        rows = await it.rows("select body from audit where chain = %s", thread_id)

        assert await resumed(it, thread_id) == [
            [
                {"path": "log", "kind": "appended", "count": 2, "after": ["approve", "booked"]},
                {"path": "amount", "kind": "changed", "before": "10", "after": "20"},
                {"path": "api_key", "kind": "changed", "before": "•••", "after": "•••"},
            ]
        ]
        assert 'log: +2 ["approve", "booked"]' in story
        assert 'amount: "10" → "20"' in story
        assert "hush" not in "".join(row["body"] for row in rows)


async def test_what_a_thread_was_started_with_is_kept_and_shown_with_its_secrets_masked(database):
    class Wish(BaseModel):
        amount: str
        iban: str
        pin: SecretStr

    def credit(state):
        return {"account": "DE99"}

    workflow = Workflow(
        name="demo", graph=chain(Account, pay, credit), input=Wish, secrets=("iban", "account")
    )
    given = {"amount": "10", "iban": "DE001234", "pin": "pin-9876"}
    async with bench(database, workflow) as it:
        async with it.work.connection() as conn:
            begun = begin(it.catalog, "demo", given, starter="cli:test")
            thread_id = await threads.start(conn, it.queue, begun)
        await it.drain()
        (approval,) = await it.approvals(thread_id)
        await it.answer(approval)
        async with it.work.connection() as conn:
            story = await read(conn, thread_id)
            kept = await threads.load(conn, thread_id)

    assert story["audit"][0]["data"]["input"] == {"amount": "10", "iban": "•••", "pin": "•••"}
    assert kept.input == given
    told = "\n".join(tell(story))
    assert 'input: {"amount": "10", "iban": "•••", "pin": "•••"}' in told
    assert '"account": "•••"' in told
    as_json = json.dumps(story, default=str)
    assert not any(secret in told + as_json for secret in ("DE001234", "pin-9876", "DE99"))


@pytest.mark.parametrize("items", [3, 3_000])
async def test_a_state_with_much_in_it_is_compared_beside_the_loop_which_others_wait_for(items):
    compared_in = set()

    class Witness:
        def __repr__(self):
            compared_in.add(threading.current_thread())
            return "a witness"

    class Scalar:
        """Looks like a collection and has no length, as an array of no dimensions."""

        def __contains__(self, item):
            return False

        def __iter__(self):
            return iter(())

        def __len__(self):
            raise TypeError("len() of unsized object")

    others = {"of its class": HTTPStatus.OK, "scalar": Scalar()}

    def paused(amount: int) -> Snapshot:
        values = {"rows": [{"amount": amount}] * items, "witness": Witness(), **others}
        return Snapshot(started=True, unfinished=True, failed=False, pauses=(), values=values)

    journey, kept = Journey("t1"), Fact(cast("Any", None))
    journey.departs(Drive(), paused(1), ())
    await journey.compare(paused(2), Workflow(name="demo", graph=chain(State, draft)))
    journey.arrives(kept, paused(2))

    assert (threading.main_thread() in compared_in) is (items == 3)
    (entry,) = kept._audit
    first, *more = entry["data"]["changes"]
    assert first == {"path": "rows[0].amount", "kind": "changed", "before": 1, "after": 2}
    assert sum(change.get("count", 1) for change in more) == items - 1


async def test_a_run_that_raises_half_way_loses_nothing_of_what_it_had_changed(database):
    broken = [True]

    def flaky(state):
        if broken.pop() if broken else False:
            raise RuntimeError("down")
        return {"log": ["flaky"]}

    async with bench(database, flow(chain(State, draft, pay, flaky))) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["pay?"])
        await it.sweep()

        assert (await it.thread(thread_id)).status == "done"
        first, second = await resumed(it, thread_id)
        assert [told["path"] for told in first] == ["log", "amount"]
        assert second == [{"path": "log", "kind": "appended", "count": 1, "after": ["flaky"]}]


async def test_an_answer_that_changes_nothing_says_so(database):
    def look(state):
        ask(ApprovalRequest(title="seen?"))
        return {}

    async with bench(database, flow(chain(State, look))) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["seen?"])
        async with it.work.connection() as conn:
            story = "\n".join(tell(await read(conn, thread_id)))

        assert await resumed(it, thread_id) == [[]]
        assert "left the state as it was" in story


async def test_a_graph_that_gives_out_a_part_of_its_state_is_compared_whole_and_ends_with_that_part(database):
    class Out(TypedDict):
        amount: str

    builder = StateGraph(State, output_schema=Out)
    builder.add_node(pay)
    builder.add_edge(START, "pay")
    async with bench(database, flow(builder)) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["pay?"])

        assert (await it.thread(thread_id)).result == {"amount": "20"}
        assert [told["path"] for told in (await resumed(it, thread_id))[0]] == ["log", "amount"]


async def test_a_circular_state_is_refused_in_a_line_when_a_node_returns_it_and_not_tried_again(database):
    def circular(state):
        itself = {}
        itself["me"] = itself
        return {"log": [itself]}

    async with bench(database, flow(chain(State, circular))) as it:
        thread = await it.thread(await it.run())

    assert (thread.status, thread.attempts) == ("failed", 0)
    assert "refers to itself" in thread.error


async def test_a_question_that_langgraph_cannot_keep_is_told_from_a_state_that_it_cannot(database):
    itself: dict[str, Any] = {}
    itself["me"] = itself

    def asks(state):
        return {"log": [interrupt(itself)]}

    async with bench(database, flow(chain(State, asks))) as it:
        thread_id = await it.run()
        thread = await it.thread(thread_id)

        assert (thread.status, thread.attempts, await it.approvals(thread_id)) == ("failed", 0, [])
        assert thread.error.startswith("A node asks with something that cannot be stored")


async def test_a_circular_proposal_fails_its_thread_in_a_line_before_anybody_is_asked(database):
    def pay(state):
        itself = {}
        itself["me"] = itself
        return {"log": [ask(ApprovalRequest(title="pay?", proposal=itself))]}

    async with bench(database, flow(chain(State, pay))) as it:
        thread_id = await it.run()
        thread = await it.thread(thread_id)

        assert (thread.status, await it.approvals(thread_id)) == ("failed", [])
        assert thread.error.startswith("The proposal refers to itself: me is the whole of it again")


async def assert_kept(it, thread_id: str) -> None:
    """What `pay` changed is in the audit, and its answer counts as taken."""
    (told,) = await resumed(it, thread_id)
    assert [change["path"] for change in told] == ["log", "amount"]
    (approval,) = await it.approvals(thread_id)
    assert approval.applied_at is not None


async def test_a_run_that_fails_its_thread_loses_nothing_of_what_it_had_changed_and_taken(database):
    def broken(state):
        raise RuntimeError("down")

    async with bench(database, flow(chain(State, draft, pay, broken), retries=0)) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["pay?"])

        assert (await it.thread(thread_id)).status == "failed"
        await assert_kept(it, thread_id)


class Rated(BaseModel):
    amount: Annotated[str, AfterValidator({"10": "ten"}.__getitem__)]


async def test_what_a_run_had_changed_and_taken_is_kept_where_its_state_cannot_be_checked(database):
    def again(state):
        return {"log": [ask(ApprovalRequest(title="a little?"), auto="small").verdict]}

    async with bench(database, flow(chain(State, draft, pay, again), state=Rated, retries=0)) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["pay?"])

        assert (await it.thread(thread_id)).error == "KeyError: '20'"
        await assert_kept(it, thread_id)
