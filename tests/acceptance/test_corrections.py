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
from test_nested_edits import opened, press, redrawn, row

from bot.approvals import ApprovalRequest, Policy, Workflow, ask


class Fixes(BaseModel):
    cost_centre: str = Field(max_length=20, title="Cost centre")
    amount: Decimal = Field(gt=0, title="Amount")
    due: date | None = None


class Item(BaseModel):
    sku: str = Field(min_length=1)
    count: int = Field(default=1, ge=1, le=9)


class ItemFixes(BaseModel):
    items: list[Item] = Field(default=[], max_length=4)


ITEMS = [{"sku": "a", "count": 2}, {"sku": "b", "count": 3}]


class State(TypedDict, total=False):
    cost_centre: str
    amount: str
    due: str | None
    items: list[Row]
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


async def booking(house: Running, given: Row | None = None, **declared: Any) -> Asked:
    house.house.catalog.add(_workflow(**({"corrections": Fixes} | declared)), "booking")
    assert "booking" in house.house.catalog.entries, house.house.catalog.problems
    wish = {"cost_centre": "4711", "amount": "12.50", "log": []} | (given or {})
    return Asked(house, await house.run("booking", wish, ROSA))


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


async def test_a_list_of_objects_is_corrected_an_item_at_a_time_and_lands_whole(house: Running) -> None:
    desk = await booking(house, given={"items": ITEMS}, corrections=ItemFixes)
    view = await desk.open(MAYA, "signoff.more", option=entry(desk))

    item = await opened(house, view, row(view, "2. Sku: b"))
    assert "Nothing is corrected yet" in json.dumps(item)
    wrong = await submit_raw(house, MAYA, item, count="12")
    assert [*wrong.field_errors.values()] == ["Must be at most 9."]
    await house.slack.submit(MAYA, item, {field(item, "Count")["block_id"]: "7"})
    view = house.slack.views(MAYA)[0]
    assert (view["title"]["text"], len(house.slack.views(MAYA))) == ("Correct", 1)
    await press(house, view, row(view, "1. Sku: a"), "remove")
    view = await redrawn(house, view)
    item = await opened(house, view, "b:f:0/add", "add")
    await house.slack.submit(MAYA, item, {field(item, "Sku")["block_id"]: "c"})
    await house.slack.submit(MAYA, house.slack.views(MAYA)[0], {})
    await house.drain()

    assert (await desk.approval()).revision == 2
    (event,) = [e for e in await desk.events() if e["event"] == "approval.corrected"]
    assert event["data"]["changes"][0]["path"].startswith("items")
    await desk.click(FINN)
    await house.drain()
    assert (await house.thread(desk.thread_id)).result["items"] == [
        {"sku": "b", "count": 7},
        {"sku": "c", "count": 1},
    ]


async def test_a_correction_makes_earlier_votes_void_and_tells_who_cast_them(house: Running) -> None:
    desk = await booking(house, approvals=2)
    await desk.click(MAYA)
    await house.drain()
    await correct(desk, MAYA, cost_centre="4713")  # whose own vote it was knows what they did
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

    assert "not a field of its graph's state" in house.house.catalog.problems["booking"]
