"""A LangChain agent with gated tools, taken as it stands, gets its cards and its answers in Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator

import gated_agents
import pytest
from fixtures_house import FINANCE, MAYA, OTTO, Running, running_house

GIVEN = {"messages": [{"role": "user", "content": "go"}]}


@pytest.fixture
async def agents(database: str) -> AsyncIterator[Running]:
    gated_agents.ran.clear()
    names = ("payer", "both", "one_by_one")
    async with running_house(
        database,
        SIGNOFF_WORKFLOWS=",".join(f"gated_agents:{name}" for name in names),
        SIGNOFF_DEFAULT_CHANNEL="#finance-approvals",
        SIGNOFF_DEFAULT_APPROVERS=MAYA,
    ) as house:
        yield house


async def test_an_approved_tool_call_runs_as_it_was_proposed(agents: Running) -> None:
    thread_id = await agents.run("payer", GIVEN)
    assert "wire" in agents.card(FINANCE)["text"]

    await agents.click(OTTO, FINANCE, "signoff.approve")
    await agents.drain()
    assert gated_agents.ran == []

    await agents.click(MAYA, FINANCE, "signoff.approve")
    await agents.drain()
    assert gated_agents.ran == [("wire", (12.5, "Acme"))]
    assert (await agents.thread(thread_id)).status == "done"


async def test_an_edited_tool_call_runs_as_edited_with_its_types(agents: Running) -> None:
    thread_id = await agents.run("payer", GIVEN)
    await agents.click(MAYA, FINANCE, "signoff.edit")
    (view,) = await agents.slack.until(lambda: agents.slack.views(MAYA))
    amount = next(b for b in view["blocks"] if b["type"] == "input" and "mount" in b["label"]["text"])
    await agents.slack.submit(MAYA, view, {amount["block_id"]: "7.25"})
    await agents.drain()

    assert gated_agents.ran == [("wire", (7.25, "Acme"))]
    assert (await agents.thread(thread_id)).status == "done"


async def test_a_rejected_tool_call_never_runs_and_the_agent_goes_on(agents: Running) -> None:
    thread_id = await agents.run("payer", GIVEN)
    await agents.click(MAYA, FINANCE, "signoff.reject")
    views = await agents.slack.until(lambda: agents.slack.views(MAYA))
    await agents.slack.submit(MAYA, views[-1], {"words": "not this vendor"})
    await agents.drain()

    assert gated_agents.ran == []
    assert (await agents.thread(thread_id)).status == "done"


async def test_several_gated_calls_are_approved_on_one_card(agents: Running) -> None:
    await agents.run("both", GIVEN)
    assert len(agents.cards(FINANCE)) == 1
    await agents.click(MAYA, FINANCE, "signoff.approve")
    await agents.drain()

    assert sorted(gated_agents.ran) == [("mail", "rosa@example.com"), ("wire", (12.5, "Acme"))]


async def test_calls_gated_one_by_one_have_a_card_each_and_run_once_each(agents: Running) -> None:
    thread_id = await agents.run("one_by_one", GIVEN)
    cards = agents.cards(FINANCE)
    assert len(cards) == 2
    for card in cards:
        await agents.slack.click(MAYA, card, "signoff.approve")
    await agents.drain()

    assert sorted(gated_agents.ran) == [("mail", "rosa@example.com"), ("wire", (12.5, "Acme"))]
    assert (await agents.thread(thread_id)).status == "done"
