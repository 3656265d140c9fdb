"""A person corrects the state of a waiting thread from its card, and the workflow goes on with that."""

from __future__ import annotations

import json
import operator
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, TypedDict

import pytest
from fixtures_decisions import Asked
from fixtures_house import DANA, FINN, MAYA, ROSA, Row, Running, running_house
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field
from test_modals import submit_raw

from bot.approvals import ApprovalRequest, Policy, Workflow, ask


class Fixes(BaseModel):
    cost_centre: str = Field(max_length=20, title="Cost centre")
    amount: Decimal = Field(gt=0, title="Amount")
    due: date | None = None


class State(TypedDict, total=False):
    cost_centre: str
    amount: str
    due: str | None
    api_key: str
    log: Annotated[list[Any], operator.add]


def _ask(state: State) -> Row:
    decision = ask(ApprovalRequest(title="Book it", fields={"Cost centre": state["cost_centre"]}))
    return {"log": [decision.verdict, state["cost_centre"], state["amount"]]}


def _book(state: State) -> Row:
    return {"log": [state["cost_centre"]]}


def _workflow(approvals: int = 1, **declared: Any) -> Workflow:
    builder = StateGraph(State)
    builder.add_node("ask", _ask)
    builder.add_node("book", _book)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", "book")
    builder.add_edge("book", END)
    policy = Policy(approvers=(MAYA, FINN), approvals=approvals)
    return Workflow(name="booking", graph=builder, channel="#finance-approvals", policy=policy, **declared)


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    async with running_house(database) as running:
        yield running


async def booking(house: Running, **declared: Any) -> Asked:
    house.house.catalog.add(_workflow(**({"corrections": Fixes} | declared)), "booking")
    assert "booking" in house.house.catalog.entries, house.house.catalog.problems
    given = {"cost_centre": "4711", "amount": "12.50", "log": []}
    return Asked(house, await house.run("booking", given, ROSA))


def entry(desk: Asked) -> str | None:
    elements = [e for b in desk.card()["blocks"] for e in b.get("elements", []) if e["type"] == "overflow"]
    return next((o["value"] for e in elements for o in e["options"] if "Correct" in o["text"]["text"]), None)


def field(view: Row, label: str) -> Row:
    (found,) = [b for b in view["blocks"] if b["type"] == "input" and b["label"]["text"].startswith(label)]
    return found


async def correct(desk: Asked, user: str, **typed: str) -> Any:
    view = await desk.open(user, "signoff.more", option=entry(desk))
    labels = {"cost_centre": "Cost centre", "amount": "Amount"}
    values = {field(view, labels[name])["block_id"]: value for name, value in typed.items()}
    ack = await desk.house.slack.submit(user, view, values)
    await desk.house.drain()
    return ack


async def test_a_correction_is_shown_on_the_card_audited_and_seen_by_the_node_that_waits(
    house: Running,
) -> None:
    desk = await booking(house)
    view = await desk.open(MAYA, "signoff.more", option=entry(desk))
    assert field(view, "Cost centre")["element"]["initial_value"] == "4711"
    assert "together with the answer" in json.dumps(view)

    await house.slack.submit(MAYA, view, {field(view, "Cost centre")["block_id"]: "4712"})
    await house.drain()
    pending = await desk.approval()
    assert (pending.status, pending.revision) == ("pending", 2)
    card = json.dumps(desk.card(), ensure_ascii=False)
    assert "Corrected" in card
    assert "4712" in card

    await desk.click(FINN)
    await house.drain()
    result = (await house.thread(desk.thread_id)).result
    assert result["log"] == ["approve", "4712", "12.50", "4712"]
    assert "due" not in result
    (event,) = [e for e in await desk.events() if e["event"] == "approval.corrected"]
    assert (event["actor"], event["data"]["changes"]) == (
        MAYA,
        [{"path": "cost_centre", "kind": "changed", "before": "4711", "after": "4712"}],
    )
    (resumed,) = [e for e in await desk.events() if e["event"] == "thread.resumed"]
    assert "cost_centre" in json.dumps(resumed)


async def test_a_correction_makes_earlier_votes_void_and_tells_who_cast_them(house: Running) -> None:
    desk = await booking(house, approvals=2)
    await desk.click(FINN)
    await house.drain()
    await correct(desk, MAYA, cost_centre="4712")
    await desk.click(MAYA)
    await house.drain()
    assert (await desk.approval()).status == "pending"
    told = await house.rows("select target from messages where kind = 'told'")
    assert [row["target"] for row in told] == [FINN]

    await desk.click(FINN)
    await house.drain()
    assert (await house.thread(desk.thread_id)).status == "done"


async def test_a_card_from_before_a_correction_decides_nothing(house: Running) -> None:
    desk = await booking(house)
    old = desk.payload(FINN)
    await correct(desk, MAYA, amount="99.00")
    await house.slack.deliver(old)

    assert (await desk.approval()).status == "pending"
    assert await desk.refusals() == [(FINN, "outdated")]


async def test_who_may_not_decide_may_not_correct(house: Running) -> None:
    desk = await booking(house)
    await desk.click(DANA, "signoff.more", option=entry(desk))

    assert "not among those who may decide" in await desk.told(DANA)
    assert await desk.refusals() == [(DANA, "not_listed")]


async def test_what_does_not_fit_the_declared_field_is_said_at_the_form_and_changes_nothing(
    house: Running,
) -> None:
    desk = await booking(house)
    view = await desk.open(MAYA, "signoff.more", option=entry(desk))
    ack = await submit_raw(house, MAYA, view, amount="much")

    assert ack.field_errors
    assert (await desk.approval()).revision == 1


async def test_nothing_can_be_corrected_where_nothing_is_declared(house: Running) -> None:
    desk = await booking(house, corrections=None)

    assert entry(desk) is None


async def test_a_field_that_the_graph_has_not_is_refused_when_the_workflow_is_loaded(house: Running) -> None:
    class Other(BaseModel):
        nothing: str

    house.house.catalog.add(_workflow(corrections=Other), "booking")

    assert "no field of its graph's state" in house.house.catalog.problems["booking"]
