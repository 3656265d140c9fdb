"""Static breakpoints in Slack: a card, a click, an edit, and a run that asks after every step."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypedDict

import pytest
from fixtures_house import CLEO, FINANCE, MAYA, ROSA, SUPPORT, Row, Running, running_house
from foreign import offer
from langgraph.graph import END, START, StateGraph

from bot.approvals import Breakpoints
from workflows import content_review


class Draft(TypedDict, total=False):
    text: str
    sent: str
    secret: str


def sending() -> StateGraph:
    builder = StateGraph(Draft)
    builder.add_node("write", lambda state: {"text": "Dear Bob", "secret": "pin-4711"})
    builder.add_node("send", lambda state: {"sent": state["text"]})
    builder.add_edge(START, "write")
    builder.add_edge("write", "send")
    builder.add_edge("send", END)
    return builder


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    async with running_house(database) as running:
        yield running


async def edited(house: Running, user: str, channel: str, **typed: str) -> None:
    """Open the newest card's form, change it, and submit."""
    before = len(house.slack.views(user))
    assert (await house.click(user, channel, "signoff.edit")).acked
    await house.slack.until(lambda: len(house.slack.views(user)) > before)
    view: Row = house.slack.views(user)[-1]
    inputs = {b["label"]["text"].lower(): b["block_id"] for b in view["blocks"] if b["type"] == "input"}
    values = {inputs[label]: value for label, value in typed.items()}
    assert (await house.slack.submit(user, view, values)).acked
    await house.drain()


async def test_a_click_on_approve_runs_the_guarded_node_and_settles_the_card(house: Running) -> None:
    offer(house, sending().compile(interrupt_before=["send"]))
    thread_id = await house.run("foreign", {}, ROSA)
    card = str(house.card(FINANCE))
    assert "Run send" in card
    assert "Dear Bob" not in card, "undeclared, nothing of the state is shown"

    payload = house.slack.click_payload(MAYA, house.card(FINANCE), "signoff.approve")
    await house.slack.deliver(payload)
    await house.slack.deliver(payload)  # a double click: by the second, the card may have no buttons
    await house.drain()

    thread = await house.thread(thread_id)
    assert (thread.status, thread.result["sent"]) == ("done", "Dear Bob")
    assert "pproved" in str(house.card(FINANCE))
    assert len(house.cards(FINANCE)) == 1


async def test_an_edit_of_the_declared_part_is_what_the_guarded_node_gets(house: Running) -> None:
    graph = sending().compile(interrupt_before=["send"])
    offer(house, graph, breakpoints=Breakpoints(show=("text",)))
    thread_id = await house.run("foreign", {}, ROSA)
    card = str(house.card(FINANCE))
    assert "Dear Bob" in card
    assert "pin-4711" not in card

    await edited(house, MAYA, FINANCE, text="Dear Ann")

    thread = await house.thread(thread_id)
    assert (thread.status, thread.result["sent"]) == ("done", "Dear Ann")
    decision = (await house.approval(thread_id)).decision
    assert decision is not None
    assert (decision.by.user, decision.edited) == (MAYA, ("text",))


async def test_a_draft_is_reviewed_and_edited_before_it_is_published(house: Running) -> None:
    thread_id = await house.run("content_review", content_review.samples["boast"], ROSA)
    assert "It promises" in str(house.card(SUPPORT))

    await edited(house, CLEO, SUPPORT, headline="A faster checkout")

    thread = await house.thread(thread_id)
    assert thread.result["outcome"] == f"Published: approved by {CLEO}, after edits."


async def test_a_run_step_by_step_has_a_card_after_every_node(house: Running) -> None:
    offer(house, sending())
    said = await house.slack.command(ROSA, FINANCE, "/approvals", "start foreign --autonomy step_by_step {}")
    assert said.acked
    await house.drain()
    for title in ("Go on after write", "Go on after send"):
        assert title in str(house.card(FINANCE))
        await house.click(MAYA, FINANCE, "signoff.approve")
        await house.drain()

    (row,) = await house.rows("select thread_id from threads")
    assert (await house.thread(row["thread_id"])).status == "done"
