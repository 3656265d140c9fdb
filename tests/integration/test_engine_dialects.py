"""Graphs that do not speak our request: each gets back what it was declared to expect, or is not resumed."""

from __future__ import annotations

import operator
from collections import deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, NamedTuple, TypedDict
from uuid import UUID

import pytest
from fixtures_engine import bench, chain, flow, side_by_side
from langgraph.types import interrupt
from pydantic import BaseModel

from bot.approvals import Fallback, Sla


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


def asking(payload: Any):
    """A graph as the tutorials write it: what comes back is tested for truth."""

    def node(state):
        said = interrupt(payload)
        return {"log": [said, "ran" if said else "stopped"]}

    return chain(State, node)


async def answered(it, verdict, **said):
    thread_id = await it.run()
    (approval,) = (await it.pending(thread_id)).values()
    if verdict == "timeout":
        await it.expire(approval)
        await it.drain()
    else:
        await it.answer(approval, verdict, **said)
    return await it.thread(thread_id)


@pytest.mark.parametrize(
    "payload", ["Pay Acme?", {"question": "Pay Acme?", "amount": 12, "to": ["a", "b"]}, [1], 7]
)
async def test_whatever_json_a_graph_interrupts_with_gets_a_card(database, payload):
    async with bench(database, flow(asking(payload), reply="bool")) as it:
        thread = await answered(it, "approve")
        cards = await it.rows("select 1 from messages where kind = 'card'")

    assert thread.result == {"log": [True, "ran"]}
    assert len(cards) == 1


@pytest.mark.parametrize(
    ("reply", "verdict", "said", "expected"),
    [
        ("bool", "approve", {}, True),
        ("bool", "reject", {"comment": "no"}, False),
        ("bool", "respond", {"words": "maybe"}, False),
        ("bool", "timeout", {}, False),
        ("text", "approve", {}, "approve"),
        ("text", "reject", {}, "reject"),
        ("text", "respond", {"words": "half of it"}, "half of it"),
        ("text", "timeout", {}, "reject"),
        (lambda d: [d.verdict, d.by.kind], "reject", {}, ["reject", "human"]),
        (lambda d: [d.verdict, d.by.kind], "timeout", {}, ["reject", "timeout"]),
        (lambda d: None, "approve", {}, None),
    ],
)
async def test_a_declared_reply_gets_back_what_was_declared(database, reply, verdict, said, expected):
    async with bench(database, flow(asking("Pay Acme?"), reply=reply)) as it:
        thread = await answered(it, verdict, **said)

    assert (thread.status, thread.result["log"][0]) == ("done", expected)


async def test_a_graph_that_expects_a_dict_is_told_who_said_what(database):
    async with bench(database, flow(asking("Pay Acme?"), reply="dict")) as it:
        thread = await answered(it, "reject", comment="too much")

    said = thread.result["log"][0]
    assert (said["approved"], said["decision"], said["reason"]) == (False, "reject", "too much")
    assert said["by"] == {"kind": "human", "user": "U01MAYA"}


async def test_an_undeclared_graph_is_resumed_by_an_approval(database):
    async with bench(database, flow(asking("Pay Acme?"))) as it:
        thread = await answered(it, "approve")

    assert thread.result["log"][0]["approved"] is True
    assert thread.result["log"][1] == "ran"


@pytest.mark.parametrize(
    ("verdict", "said", "why"),
    [
        ("reject", {"comment": "too much"}, "too much"),
        ("respond", {"words": "ask me again tomorrow"}, "ask me again tomorrow"),
        ("timeout", {}, "nobody answered"),
    ],
)
async def test_an_undeclared_graph_never_runs_what_was_not_approved(database, verdict, said, why):
    async with bench(database, flow(asking("Pay Acme?"))) as it:
        thread = await answered(it, verdict, **said)
        (approval,) = await it.approvals(thread.thread_id)

    assert (thread.status, thread.result) == ("cancelled", None)
    assert why in thread.error
    assert approval.applying_at is None


async def test_an_undeclared_graph_is_not_resumed_by_a_timeout_that_would_approve(database):
    sla = Sla(fallback=Fallback.approve())
    async with bench(database, flow(asking("Pay Acme?"), sla=sla)) as it:
        thread = await answered(it, "timeout")

    assert thread.status == "cancelled"
    assert "nobody answered" in thread.error


async def test_a_declared_graph_is_resumed_by_a_timeout_that_approves(database):
    sla = Sla(fallback=Fallback.as_drafted())
    async with bench(database, flow(asking("Pay Acme?"), reply="dict", sla=sla)) as it:
        thread = await answered(it, "timeout")

    assert (thread.result["log"][0]["approved"], thread.result["log"][0]["forced"]) == (True, True)


async def test_what_else_an_ended_undeclared_thread_asks_is_closed(database):
    def one(state):
        return {"log": [interrupt("one?")]}

    def two(state):
        return {"log": [interrupt("two?")]}

    async with bench(database, flow(side_by_side(State, one, two))) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["one?"], "reject")

        assert (await it.thread(thread_id)).status == "cancelled"
        assert {a.request.title: a.status for a in await it.approvals(thread_id)} == {
            "one?": "decided",
            "two?": "cancelled",
        }


@pytest.mark.parametrize("payload", [{"amount": {1, 2}}, float("nan"), "a\x00b", "x" * 600_000])
async def test_what_is_no_json_is_shown_and_never_approved(database, payload):
    async with bench(database, flow(asking(payload), reply="text")) as it:
        thread_id = await it.run()
        (approval,) = (await it.pending(thread_id)).values()
        assert "approve" not in approval.request.allow
        await it.answer(approval, "respond", words="half of it")

        assert (await it.thread(thread_id)).result["log"][0] == "half of it"


async def test_an_agents_tool_calls_get_back_as_many_decisions_as_they_asked_for(database):
    calls = [{"name": "wire", "args": {"amount": n}, "description": "Pay"} for n in (1, 2)]
    allowed = [{"action_name": "wire", "allowed_decisions": ["approve", "reject"]}] * 2
    async with bench(database, flow(asking({"action_requests": calls, "review_configs": allowed}))) as it:
        thread = await answered(it, "approve")

    assert thread.result["log"][0] == {"decisions": [{"type": "approve"}, {"type": "approve"}]}


async def test_a_graph_without_a_declaration_may_not_decide_by_itself(database):
    request = {"signoff": 1, "title": "Pay Acme?", "auto": "because I say so"}
    async with bench(database, flow(asking(request), declared=False)) as it:
        thread_id = await it.run()
        (approval,) = (await it.pending(thread_id)).values()

        assert (await it.thread(thread_id)).status == "waiting"
        assert any("auto" in notice for notice in approval.notices)


async def test_a_plain_payload_cannot_pretend_to_be_decided(database):
    async with bench(database, flow(asking({"question": "Pay Acme?", "auto": "yes"}))) as it:
        thread_id = await it.run()

        assert (await it.thread(thread_id)).status == "waiting"


class Size(Enum):
    SMALL = "small"


@dataclass
class Order:
    amount: Decimal
    size: Size


class Bill(BaseModel):
    due: date
    orders: list[Order]


class Point(NamedTuple):
    x: int


ORDER = Order(Decimal("1.50"), Size.SMALL)


@pytest.mark.parametrize(
    "payload",
    [
        ORDER,
        Size.SMALL,
        Bill(due=date(2026, 11, 20), orders=[ORDER]),
        {"order": ORDER, "at": datetime(2026, 11, 20, tzinfo=UTC), "where": Point(1)},
        (1, [UUID(int=1)]),
        {"set": {1, 2}},
        timedelta(hours=1),
        ValueError("no answer"),
        {"error": ValueError("no answer")},
        {Size.SMALL: 1, date(2026, 11, 20): 2},
        {"sizes": {Size.SMALL}},
        deque([ORDER]),
        bytearray(b"ab"),
        {"half": "\ud800"},
    ],
    ids=lambda payload: type(payload).__name__,
)
async def test_a_pause_asks_the_same_when_it_is_read_again_from_its_checkpoint(database, payload):
    async with bench(database, flow(asking(payload), reply="text")) as it:
        thread_id = await it.run()
        (found,) = await it.approvals(thread_id)
        await it.execute("update threads set wanted = wanted + 1 where thread_id = %s", thread_id)
        await it.engine.advance(thread_id)
        (again,) = await it.approvals(thread_id)
        assert again == found

        await it.answer(again, "respond", words="half of it")
        assert (await it.thread(thread_id)).result["log"][0] == "half of it"
