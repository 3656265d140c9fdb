"""A quorum is made by people who may decide when it is made, whatever they might when they voted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fixtures_decisions import MODULE, Asked, asking, editable
from fixtures_house import FINN, MAYA, OTTO, TOKEN, Running, api_client, running_house

from bot.clock import Clock

BARRED = {
    "deactivated": {"deleted": True},
    "guest": {"is_restricted": True},
    "foreign": {"team_id": "T99OTHER"},
}


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    async with running_house(database, extra=(MODULE,), SIGNOFF_API_TOKENS=f"ci:{TOKEN}") as running:
        yield running


def change(house: Running, user: str, **how: Any) -> None:
    """Let Slack say something else of a person from now on."""
    state = house.slack.state
    state.set_user(replace(state.users[user], **how))


async def upkeep(house: Running, after: timedelta = timedelta(minutes=6)) -> None:
    """Let the clock look who people are, some time later, and Slack show what came of it."""
    await house.pass_time(after)
    await house.slack_was_reachable()
    await Clock(house.house).upkeep()
    await house.drain()


async def lapses(desk: Asked) -> list[tuple[str, str]]:
    events = [e["data"] for e in await desk.events() if e["event"] == "approval.vote_lapsed"]
    return [(about["user"], about["why"]) for about in events]


def looked_up(house: Running) -> int:
    return sum(call.method == "users.info" for call in house.slack.calls)


async def test_the_vote_of_somebody_who_left_the_group_counts_no_longer(house: Running) -> None:
    desk = await asking(house, "@finance-managers", OTTO, approvals=2)
    await desk.click(MAYA)
    house.slack.state.set_group("S01FINMGR", FINN)
    await house.house.directory.refresh_groups()

    await desk.click(OTTO)
    await house.drain()

    assert (await desk.approval()).status == "pending"
    assert await desk.votes() == {OTTO: "approve"}
    assert await lapses(desk) == [(MAYA, "not_listed")]
    assert "1 of 2 needed" in str(desk.card()["blocks"])
    (note,) = [m["text"] for m in house.slack.messages("C01FINANCE") if "no longer counts" in m["text"]]
    assert f"<@{MAYA}>" in note

    await desk.click(FINN)
    decision = (await desk.approval()).decision
    assert [vote.user for vote in decision.votes] == [OTTO, FINN]


@pytest.mark.parametrize("why", BARRED)
async def test_the_clock_takes_away_the_vote_of_a_named_person_who_may_not_decide_any_more(
    house: Running, why: str
) -> None:
    desk = await asking(house, MAYA, OTTO, FINN, approvals=2)
    await desk.click(MAYA)
    change(house, MAYA, **BARRED[why])

    await upkeep(house)

    assert await desk.votes() == {}
    assert await lapses(desk) == [(MAYA, why)]
    assert "of 2 needed" not in str(desk.card()["blocks"])
    (note,) = [m["text"] for m in house.slack.messages("C01FINANCE") if "no longer counts" in m["text"]]
    assert f"<@{MAYA}>" in note
    async with api_client(house) as api:
        shown = (await api.get(f"/v1/approvals/{(await desk.approval()).approval_id}")).json()
    assert shown["votes"] == []
    await desk.click(OTTO)
    assert (await desk.approval()).status == "pending"
    await desk.click(FINN)
    assert (await desk.approval()).status == "decided"


async def test_the_clock_takes_away_the_vote_of_somebody_who_left_the_group(house: Running) -> None:
    desk = await asking(house, "@finance-managers", OTTO, approvals=2)
    await desk.click(MAYA)
    house.slack.state.set_group("S01FINMGR", FINN)

    await upkeep(house)

    assert await lapses(desk) == [(MAYA, "not_listed")]


async def test_the_last_voter_is_told_that_an_earlier_vote_counts_no_longer(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, FINN, approvals=2)
    await desk.click(MAYA)
    change(house, MAYA, deleted=True)
    await house.house.directory.look_up_person(MAYA)

    await desk.click(OTTO)

    told = await desk.told(OTTO)
    assert told.startswith("Recorded.")
    assert f"<@{MAYA}> said no longer counts" in told
    assert f"Approved by <@{OTTO}> · 1 of 2 needed" in told
    assert (await desk.approval()).status == "pending"
    assert await lapses(desk) == [(MAYA, "deactivated")]


async def test_a_rejection_counts_no_longer_than_its_voter_may_reject(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, FINN, approvals=2, rejections=2)
    for user in (MAYA, OTTO):
        view = await desk.open(user, "signoff.reject")
        (words,) = [b["block_id"] for b in view["blocks"] if b["type"] == "input"]
        await house.slack.submit(user, view, {words: "too dear"})
        if user == MAYA:
            change(house, MAYA, deleted=True)
            await house.house.directory.look_up_person(MAYA)

    assert (await desk.approval()).status == "pending"
    assert await desk.votes() == {OTTO: "reject"}
    said = [m["text"] for m in house.slack.messages(f"D{OTTO[1:]}") if "no longer counts" in m["text"]]
    assert len(said) == 1
    assert "1 of 2 needed to end it" in said[0]


async def test_an_edit_stands_alone_whoever_voted_before_it(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, FINN, approvals=2, **editable())
    await desk.click(MAYA)
    change(house, MAYA, deleted=True)
    await house.house.directory.look_up_person(MAYA)
    view = await desk.open(OTTO, "signoff.edit")
    (seats,) = [b["block_id"] for b in view["blocks"] if b["type"] == "input" and "Seats" in str(b["label"])]
    await house.slack.submit(OTTO, view, {seats: "3"})
    await house.drain()

    assert await desk.votes() == {OTTO: "approve"}
    assert await lapses(desk) == []
    await desk.click(FINN)
    assert (await desk.approval()).status == "decided"


async def test_the_vote_of_an_editor_who_left_is_taken_away_and_the_edit_stays(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, FINN, approvals=2, **editable())
    view = await desk.open(MAYA, "signoff.edit")
    (seats,) = [b["block_id"] for b in view["blocks"] if b["type"] == "input" and "Seats" in str(b["label"])]
    await house.slack.submit(MAYA, view, {seats: "3"})
    change(house, MAYA, deleted=True)

    await upkeep(house)
    await desk.click(OTTO)

    approval = await desk.approval()
    assert (approval.status, approval.revision, approval.proposal["seats"]) == ("pending", 2, 3)
    assert await desk.votes() == {OTTO: "approve"}


async def test_whoever_is_back_before_anybody_noticed_has_lost_nothing(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, approvals=2)
    await desk.click(MAYA)
    change(house, MAYA, deleted=True)
    change(house, MAYA, deleted=False)
    await upkeep(house)

    await desk.click(OTTO)

    assert (await desk.approval()).status == "decided"


async def test_whoever_is_back_after_it_was_noticed_votes_again(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, approvals=2)
    await desk.click(MAYA)
    change(house, MAYA, deleted=True)
    await upkeep(house)
    change(house, MAYA, deleted=False)
    await upkeep(house, timedelta(minutes=16))
    await desk.click(OTTO)
    assert (await desk.approval()).status == "pending"

    await desk.click(MAYA)

    decision = (await desk.approval()).decision
    assert [vote.user for vote in decision.votes] == [OTTO, MAYA]


async def test_a_vote_that_nobody_looked_after_is_looked_up_within_the_click_that_counts_it(
    house: Running,
) -> None:
    desk = await asking(house, MAYA, OTTO, FINN, approvals=2)
    await desk.click(MAYA)
    change(house, MAYA, deleted=True)
    await house.pass_time(timedelta(minutes=16))

    ack = await desk.click(OTTO)

    assert ack.acked
    assert await desk.votes() == {OTTO: "approve"}
    assert await lapses(desk) == [(MAYA, "deactivated")]


async def test_a_vote_stands_whose_voter_is_looked_up_again_and_still_may(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, approvals=2)
    await desk.click(MAYA)
    await house.execute(
        "update people set fetched_at = fetched_at - interval '1 day' where user_id = %s", MAYA
    )

    await desk.click(OTTO)

    assert (await desk.approval()).status == "decided"


async def test_while_slack_is_away_nothing_is_decided_by_those_whom_nobody_can_check(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, FINN, approvals=2)
    await desk.click(MAYA)
    await house.execute(
        "update people set fetched_at = fetched_at - interval '1 day' where user_id = %s", MAYA
    )
    await house.house.directory.look_up_person(OTTO)
    house.slack.fault("users.info", "dropped", times=5)

    await desk.click(OTTO)

    assert "could not check" in await desk.told(OTTO)
    assert (OTTO, "voters_unchecked") in await desk.refusals()
    assert await desk.votes() == {MAYA: "approve"}

    house.slack.faults.clear()
    await desk.click(OTTO)
    assert (await desk.approval()).status == "decided"


async def test_a_vote_that_does_not_decide_waits_for_nobodys_check(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, FINN, approvals=3, rejections=1)
    await desk.click(MAYA)
    await house.execute(
        "update people set fetched_at = fetched_at - interval '1 day' where user_id = %s", MAYA
    )
    await house.house.directory.look_up_person(OTTO)
    before = looked_up(house)

    await desk.click(OTTO)

    assert looked_up(house) == before
    assert await desk.votes() == {MAYA: "approve", OTTO: "approve"}


async def test_whom_slack_does_not_know_any_more_counts_as_deactivated(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, FINN, approvals=2)
    await desk.click(MAYA)
    del house.slack.state.users[MAYA]

    await upkeep(house)

    assert await lapses(desk) == [(MAYA, "deactivated")]


async def test_the_clock_looks_up_only_voters_of_what_waits_and_each_at_its_time(house: Running) -> None:
    await asking(house, MAYA, approvals=1)
    waiting = [await asking(house, OTTO, MAYA, FINN, approvals=3) for _ in range(2)]
    for desk in waiting:
        await desk.click(OTTO)
    settled = await asking(house, FINN, approvals=1, rejections=2)
    await settled.click(FINN)
    before = looked_up(house)

    await upkeep(house)
    await upkeep(house, timedelta(minutes=1))

    assert looked_up(house) == before + 1


async def test_with_slack_away_the_clock_asks_after_one_and_takes_nothing_away(house: Running) -> None:
    desk = await asking(house, MAYA, OTTO, FINN, approvals=3)
    await desk.click(MAYA)
    await desk.click(OTTO)
    house.slack.fault("users.info", "dropped", times=5)
    before = len(house.slack.calls)

    await upkeep(house)

    asked = {call.args["user"] for call in house.slack.calls[before:] if call.method == "users.info"}
    assert len(asked) == 1
    assert await desk.votes() == {MAYA: "approve", OTTO: "approve"}
