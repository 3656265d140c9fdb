"""An answer that only the graph's own model refuses: nothing is stored, and people are asked again."""

from __future__ import annotations

import operator
from datetime import timedelta
from typing import Annotated, Any, TypedDict

import pytest
from fixtures_engine import MAYA, Bench, bench, chain, flow, side_by_side
from fixtures_refused import Check
from langgraph.types import interrupt
from pydantic import AfterValidator, BaseModel, field_validator

from bot.approvals import Fallback, Sla
from bot.approvals.basis import MOST_REFUSALS
from bot.postgres.rows import Approval

TOLD = "Asked again, since the workflow's own check refused the last answer: amount: not even <!channel>"


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


class Asking(Check):
    """A check with nodes that ask under it."""

    def even(self, answer: Any) -> Any:
        if self.strict:
            raise ValueError(f"refused {answer['proposal'] if isinstance(answer, dict) else answer}")
        return answer

    def asking(self, title: str = "how much?", name: str = "pay") -> Any:
        def node(state):
            return {"log": [interrupt({"title": title}, response_schema=self.Amount).amount]}

        node.__name__ = name
        return node


async def the(it: Bench, thread_id: str, title: str = "how much?") -> Approval:
    return (await it.pending(thread_id))[title]


async def told(it: Bench) -> list[tuple[str, Any]]:
    rows = await it.rows("select target, body from messages where kind = 'told' order by created_at")
    return [(row["target"], row["body"]) for row in rows]


async def test_what_a_person_answered_and_the_model_refuses_is_asked_again_with_what_was_filled_in(database):
    check = Asking()
    async with bench(database, flow(chain(State, check.asking()))) as it:
        thread_id = await it.run()
        first = await the(it, thread_id)
        await it.answer(first, proposal={"amount": 7})

        again = await the(it, thread_id)
        assert (again.interrupt_id, again.revision, again.notices) == (first.interrupt_id, 2, (TOLD,))
        assert (again.proposal, again.edited_by) == ({"amount": 7}, None)
        (old,) = await it.approvals(thread_id, "superseded")
        assert (old.approval_id, old.decision.proposal) == (first.approval_id, {"amount": 7})
        assert await told(it) == [(MAYA, {"event": "superseded"})]
        assert old.closed_why == "the workflow's own check refused the answer (amount: not even <!channel>)"
        assert "thread.resumed" not in await it.events(thread_id), "nothing was resumed by it"
        thread = await it.thread(thread_id)
        assert (thread.status, thread.attempts, thread.error) == ("waiting", 0, None)
        assert again.asked_again == 1

        await it.execute("update approvals set asked_again = %s", MOST_REFUSALS - 1)
        await it.answer(again, proposal={"amount": 9})
        third = await the(it, thread_id)
        assert third.asked_again == MOST_REFUSALS - 1, "what takes a person each time is no loop"
        await it.answer(third, proposal={"amount": 8})
        assert (await it.thread(thread_id)).result["log"] == [8]


@pytest.mark.parametrize("by", ["timeout", "policy"])
async def test_what_the_clock_or_policy_decided_fails_the_thread_and_says_what_was_refused(database, by):
    check = Asking()
    runs = []

    def pay(state):
        runs.append(1)
        asked = {"signoff": 1, "title": "pay?", "auto": "small" if by == "policy" else None}
        return {
            "log": [interrupt(asked, response_schema=Annotated[dict, AfterValidator(check.even)])["verdict"]]
        }

    sla = Sla(respond_within=timedelta(hours=1), fallback=Fallback.approve())
    async with bench(database, flow(chain(State, pay), sla=sla)) as it:
        thread_id = await it.run()
        if by == "timeout":
            await it.expire(await the(it, thread_id, "pay?"))
            await it.drain()

        thread = await it.thread(thread_id)
        assert thread.status == "failed"
        assert thread.error == (
            f"What {by} decided about “pay?” was refused by the workflow's own check: refused None. "
            "Fix the check and retry it, or cancel it."
        )
        assert (len(runs), len(await it.approvals(thread_id))) == (3, 1)
        assert await told(it) == []

        check.strict = False
        await it.retry(thread_id)
        await it.drain()
        assert (await it.thread(thread_id)).result == {"log": ["approve"]}


async def test_of_answers_sent_together_the_refused_one_is_asked_again_and_the_others_are_used(database):
    check = Asking()
    nodes = (check.asking("one?", "one"), check.asking("two?", "two"))
    async with bench(database, flow(side_by_side(State, *nodes))) as it:
        thread_id = await it.run()
        pending = await it.pending(thread_id)
        await it.decide(pending["one?"], proposal={"amount": 7})
        await it.decide(pending["two?"], proposal={"amount": 2})
        await it.drain()

        (used,) = await it.approvals(thread_id, "decided")
        assert (used.request.title, used.applied_at is not None) == ("two?", True)
        await it.answer(await the(it, thread_id, "one?"), proposal={"amount": 8})
        assert sorted((await it.thread(thread_id)).result["log"]) == [2, 8]


async def test_of_several_refused_together_each_is_told_its_own_reason(database):
    class Name(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def _is_known(cls, name: str) -> str:
            if name != "Acme":
                raise ValueError("nobody knows them")
            return name

    def who(state):
        return {"log": [interrupt({"title": "who?"}, response_schema=Name).name]}

    check = Asking()
    async with bench(database, flow(side_by_side(State, check.asking(), who))) as it:
        thread_id = await it.run()
        pending = await it.pending(thread_id)
        await it.decide(pending["how much?"], proposal={"amount": 7})
        await it.decide(pending["who?"], proposal={"name": "Apex"})
        await it.drain()

        again = await it.pending(thread_id)
        assert {title: a.notices[0].rpartition("answer: ")[2] for title, a in again.items()} == {
            "how much?": "amount: not even <!channel>",
            "who?": "name: nobody knows them",
        }
        await it.answer(again["how much?"], proposal={"amount": 8})
        await it.answer(again["who?"], proposal={"name": "Acme"})
        assert sorted((await it.thread(thread_id)).result["log"], key=str) == [8, "Acme"]


class WorkerDied(BaseException):
    pass


async def _dies(*_: Any, **__: Any) -> Any:
    raise WorkerDied


DIES_AT = ["graph.GraphRun.resume", "graph.GraphRun.drive", "graph.GraphRun._ran", "ledger.supersede"]


async def died(it: Bench, point: str) -> str:
    """Return a thread whose worker died at `point` while it handed on an answer that is refused."""
    thread_id = await it.run()
    await it.decide(await the(it, thread_id), proposal={"amount": 7})
    await it.execute("delete from procrastinate_jobs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"bot.engine.{point}", _dies)
        with pytest.raises(WorkerDied):
            await it.engine.advance(thread_id)
    (row,) = await it.approvals(thread_id)
    assert (row.status, row.applying_at is not None) == ("decided", True), point
    return thread_id


async def test_wherever_a_worker_died_the_next_asks_again_once(database):
    check = Asking()
    async with bench(database, flow(chain(State, check.asking()))) as it:
        threads = [await died(it, point) for point in DIES_AT]
        await it.sweep()

        for thread_id, point in zip(threads, DIES_AT, strict=True):
            assert [a.status for a in await it.approvals(thread_id)] == ["superseded", "pending"], point
            await it.answer(await the(it, thread_id), proposal={"amount": 8})
            assert (await it.thread(thread_id)).result["log"] == [8], point
        assert len(await told(it)) == len(DIES_AT)


async def test_wherever_a_worker_died_an_answer_that_is_taken_after_all_is_used(database):
    check = Asking()
    async with bench(database, flow(chain(State, check.asking()))) as it:
        threads = [await died(it, point) for point in DIES_AT]
        check.strict = False
        await it.sweep()

        for thread_id, point in zip(threads, DIES_AT, strict=True):
            assert (await it.thread(thread_id)).result["log"] == [7], point
            assert [a.status for a in await it.approvals(thread_id)] == ["decided"], point
        assert await told(it) == []
