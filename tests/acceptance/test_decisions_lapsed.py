"""A quorum is made by people who may decide when it is made, whatever they might when they voted."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fixtures_decisions import MODULE, asking
from fixtures_house import FINN, MAYA, OTTO, Running, running_house


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    async with running_house(database, extra=(MODULE,)) as running:
        yield running


async def test_the_vote_of_somebody_who_left_the_group_counts_no_longer(house: Running) -> None:
    desk = await asking(house, "@finance-managers", OTTO, approvals=2)
    await desk.click(MAYA)
    house.slack.state.set_group("S01FINMGR", FINN)
    await house.house.directory.refresh_groups()

    await desk.click(OTTO)
    await house.drain()

    assert (await desk.approval()).status == "pending"
    assert await desk.votes() == {OTTO: "approve"}
    (event,) = [e for e in await desk.events() if e["event"] == "approval.vote_lapsed"]
    assert (event["data"]["user"], event["data"]["why"]) == (MAYA, "not_listed")
    assert "1 of 2 needed" in str(desk.card()["blocks"])
    (note,) = [m["text"] for m in house.slack.messages("C01FINANCE") if "counts no longer" in m["text"]]
    assert f"<@{MAYA}>" in note

    await desk.click(FINN)
    decision = (await desk.approval()).decision
    assert [vote.user for vote in decision.votes] == [OTTO, FINN]


async def test_a_vote_stands_though_its_voter_was_not_looked_up_since(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, approvals=2)
    await desk.click(MAYA)
    await house.execute("update people set fetched_at = fetched_at - interval '1 day'")

    await desk.click(OTTO)

    assert (await desk.approval()).status == "decided"


async def test_whoever_was_deactivated_since_does_not_make_the_quorum(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, FINN, approvals=2)
    await desk.click(MAYA)
    await house.execute(
        "update people set profile = profile || '{\"is_deactivated\": true}' where user_id = %s", MAYA
    )

    await desk.click(OTTO)

    assert (await desk.approval()).status == "pending"
    assert await desk.votes() == {OTTO: "approve"}
