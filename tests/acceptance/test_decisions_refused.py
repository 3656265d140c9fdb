"""Who may not decide is told so privately, and it is in the audit."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from fixtures_decisions import EVERYBODY, MODULE, as_user, asking
from fixtures_house import (
    BUILDER,
    DANA,
    FINANCE,
    FINN,
    GWEN,
    LENA,
    MAYA,
    OTTO,
    ROSA,
    XENO,
    Running,
    running_house,
)

from bot.roles.slack import drained


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    async with running_house(database, extra=(MODULE,)) as running:
        yield running


async def test_somebody_who_is_not_listed_is_told_who_may(house: Running) -> None:
    desk = await asking(house, "@finance-managers", DANA)

    ack = await desk.click(OTTO)

    assert ack.acked
    told = await desk.told(OTTO)
    assert "not among those who may decide" in told
    assert "<!subteam^S01FINMGR>" in told
    assert f"<@{DANA}>" in told
    assert await desk.refusals() == [(OTTO, "not_listed")]
    assert (await desk.approval()).status == "pending"


async def test_nobody_else_sees_a_refusal(house: Running) -> None:
    desk = await asking(house, MAYA)
    before = house.slack.messages(FINANCE)

    await desk.click(OTTO)
    await desk.told(OTTO)
    await house.drain()

    assert house.slack.messages(FINANCE) == before
    assert house.slack.ephemerals(MAYA) == []


@pytest.mark.parametrize("behind", ["requester", "starter"])
async def test_nobody_decides_what_they_asked_for_or_started(house: Running, behind: str) -> None:
    who = {"requester": MAYA} if behind == "requester" else {"requester": ROSA, "starter": f"slack:{MAYA}"}
    desk = await asking(house, MAYA, FINN, **who)

    await desk.click(MAYA)

    assert "somebody else must decide" in await desk.told(MAYA)
    assert await desk.refusals() == [(MAYA, "own")]


async def test_a_policy_may_let_people_decide_their_own(house: Running) -> None:
    desk = await asking(house, MAYA, requester=MAYA, self_approval=True)

    await desk.click(MAYA)

    assert (await desk.approval()).status == "decided"


@pytest.mark.parametrize(("user", "why"), [(GWEN, "guest"), (BUILDER, "bot"), (LENA, "deactivated")])
async def test_being_listed_does_not_help_those_who_may_never_decide(
    house: Running, user: str, why: str
) -> None:
    desk = await asking(house, *EVERYBODY)

    ack = await house.slack.deliver(as_user(desk.payload(OTTO), user))

    assert ack.acked
    assert await desk.refusals() == [(user, why)]
    assert (await desk.approval()).status == "pending"


async def test_a_guest_is_told_that_guests_may_not_decide(house: Running) -> None:
    desk = await asking(house, GWEN)

    await desk.click(GWEN)

    assert "Guests may not" in await desk.told(GWEN)


@pytest.mark.parametrize("team", ["T99OTHER", "T00DEMO"])
async def test_somebody_of_another_workspace_may_not_decide_whatever_the_payload_says(
    house: Running, team: str
) -> None:
    desk = await asking(house, XENO)

    await house.slack.deliver(as_user(desk.payload(OTTO), XENO, team))

    assert await desk.refusals() == [(XENO, "foreign")]
    assert (await desk.approval()).status == "pending"


@pytest.mark.parametrize(
    ("teams", "refusals"), [(("T99OTHER", "T00DEMO"), []), (("T99OTHER", "T77THIRD"), [(OTTO, "foreign")])]
)
async def test_who_is_in_several_workspaces_of_an_organization_decides_in_each_of_them(
    house: Running, teams: tuple[str, ...], refusals: list[tuple[str, str]]
) -> None:
    state = house.slack.state
    state.set_user(replace(state.users[OTTO], team_id="T99OTHER", teams=teams))
    desk = await asking(house, OTTO)

    await desk.click(OTTO)

    assert await desk.refusals() == refusals
    assert (await desk.approval()).status == ("pending" if refusals else "decided")


async def test_somebody_slack_does_not_know_could_not_be_checked(house: Running) -> None:
    desk = await asking(house, "U12GHOST")

    await house.slack.deliver(as_user(desk.payload(OTTO), "U12GHOST"))

    assert await desk.refusals() == [("U12GHOST", "unchecked")]


async def test_a_group_that_does_not_resolve_lets_nobody_decide(house: Running) -> None:
    desk = await asking(house, "@nowhere")
    before = len([call for call in house.slack.calls if call.method == "usergroups.list"])

    for _ in range(3):
        await desk.click(MAYA)

    assert "does not exist" in await desk.told(MAYA, 3)
    assert await desk.refusals() == [(MAYA, "no_group")] * 3
    assert len([call for call in house.slack.calls if call.method == "usergroups.list"]) == before


@pytest.mark.parametrize("approvers", [(), ("@nobody",)])
async def test_a_policy_that_names_nobody_lets_nobody_decide(house: Running, approvers: tuple[str]) -> None:
    desk = await asking(house, *approvers)

    await desk.click(MAYA)

    assert "not among those who may decide" in await desk.told(MAYA)
    assert await desk.refusals() == [(MAYA, "not_listed")]


async def test_a_stale_membership_is_looked_up_again_within_the_click(house: Running) -> None:
    desk = await asking(house, "@finance-managers", approvals=2)
    await desk.click(MAYA)
    house.slack.state.set_group("S01FINMGR", MAYA, FINN, OTTO)
    await house.pass_time(timedelta(minutes=16))

    ack = await desk.click(OTTO)

    assert ack.acked
    assert await desk.votes() == {MAYA: "approve", OTTO: "approve"}


async def test_a_membership_that_was_taken_away_counts_as_soon_as_it_is_looked_up(house: Running) -> None:
    desk = await asking(house, "@finance-managers", approvals=2)
    await desk.click(MAYA)
    house.slack.state.set_group("S01FINMGR", MAYA)
    await house.pass_time(timedelta(minutes=16))

    await desk.click(FINN)

    assert await desk.refusals() == [(FINN, "not_listed")]


async def test_with_slack_down_a_stale_membership_is_refused_as_unchecked(house: Running) -> None:
    desk = await asking(house, "@finance-managers")
    await desk.click(OTTO)
    await desk.told(OTTO)
    await house.pass_time(timedelta(minutes=16))
    house.slack.fault("usergroups.list", "dropped", times=5)
    house.slack.fault("users.info", "dropped", times=5)

    ack = await desk.click(MAYA)

    assert ack.acked
    assert "could not check" in await desk.told(MAYA)
    assert (MAYA, "unchecked") in await desk.refusals()
    assert (await desk.approval()).status == "pending"


async def test_a_fresh_membership_needs_no_slack(house: Running) -> None:
    desk = await asking(house, "@finance-managers", approvals=2)
    await desk.click(MAYA)
    calls = len(house.slack.calls)

    await desk.click(MAYA)

    looked_up = {call.method for call in house.slack.calls[calls:]} & {"users.info", "usergroups.list"}
    assert looked_up == set()


async def test_somebody_who_is_listed_by_name_needs_no_look_up_of_groups(house: Running) -> None:
    desk = await asking(house, MAYA, "@nowhere", approvals=2)
    await desk.click(MAYA)
    calls = len(house.slack.calls)

    await desk.click(MAYA)

    assert {call.method for call in house.slack.calls[calls:]} & {"users.info", "usergroups.list"} == set()
    assert await desk.votes() == {MAYA: "approve"}


async def test_a_button_of_an_older_version_is_answered_and_changes_nothing(house: Running) -> None:
    desk = await asking(house, MAYA)
    payload = desk.payload(MAYA)
    for value in ("s2.abc.1", "", "s1..1", "s1.abc.0", "approve", "s1.abc.99999999999", "s1.abc.1\n"):
        forged = copy.deepcopy(payload)
        forged["actions"][0]["value"] = value

        ack = await house.slack.deliver(forged)

        assert ack.acked
    assert "do not know this button" in await desk.told(MAYA, 7)
    assert (await desk.approval()).status == "pending"
    await drained()
    attempts = [(event["actor"], event["data"]) for event in await house.audit("system")]
    assert attempts == [(MAYA, {"action": "signoff.approve", "team": "T00DEMO", "why": "unknown"})] * 7


async def test_an_approval_that_does_not_exist_is_answered_and_audited(house: Running) -> None:
    desk = await asking(house, MAYA)
    payload = desk.payload(MAYA)
    payload["actions"][0]["value"] = "s1.0123456789abcdef0123456789abcdef.1"

    ack = await house.slack.deliver(payload)

    assert ack.acked
    assert "do not know this button" in await desk.told(MAYA)
    (event,) = await house.audit("system")
    assert event["actor"] == MAYA
    assert event["data"]["why"] == "unknown"


async def test_a_button_of_another_revision_is_out_of_date(house: Running) -> None:
    desk = await asking(house, MAYA)
    approval = await desk.approval()
    payload = desk.payload(MAYA)
    payload["actions"][0]["value"] = f"s1.{approval.approval_id}.7"

    await house.slack.deliver(payload)

    assert "out of date" in await desk.told(MAYA)
    assert await desk.refusals() == [(MAYA, "outdated")]


async def test_an_action_that_the_request_does_not_allow_is_refused(house: Running) -> None:
    desk = await asking(house, MAYA, allow=["approve"])
    approval = await desk.approval()
    for action_id in ("signoff.reject", "signoff.edit", "signoff.respond", "signoff.choose.0"):
        payload = desk.payload(MAYA)
        payload["actions"][0] |= {"action_id": action_id}

        ack = await house.slack.deliver(payload)

        assert ack.acked
    await desk.told(MAYA, 4)
    assert await desk.refusals() == [(MAYA, "not_allowed")] * 4
    assert (await house.approval(desk.thread_id)).revision == approval.revision


async def test_a_button_nobody_knows_is_never_silent(house: Running) -> None:
    desk = await asking(house, MAYA)
    payload = desk.payload(MAYA)
    payload["actions"][0]["action_id"] = "signoff.from_the_future"

    ack = await house.slack.deliver(payload)

    assert ack.acked
    assert "do not know this button" in await desk.told(MAYA)


async def test_a_copy_of_the_card_does_nothing_and_then_points_at_the_live_one(house: Running) -> None:
    desk = await asking(house, MAYA)
    live = desk.card()
    copied = await house.house.client.chat_postMessage(
        channel=FINANCE, text=live["text"], blocks=live["blocks"]
    )

    ack = await desk.click(MAYA)
    await house.drain()

    assert ack.acked
    assert "old copy" in await desk.told(MAYA)
    assert await desk.refusals() == [(MAYA, "stray")]
    (rewritten,) = [m for m in house.slack.messages(FINANCE) if m["ts"] == copied["ts"]]
    assert "old copy" in rewritten["text"]
    assert not any(block["type"] == "actions" for block in rewritten["blocks"])
    assert (await desk.approval()).status == "pending"


async def test_a_card_that_slack_has_and_we_have_not_noted_yet_works(house: Running) -> None:
    house.slack.fault("chat.postMessage", "posted_but_dropped")
    desk = await asking(house, MAYA)
    (row,) = await house.rows("select ts from messages where kind = 'card'")
    assert row["ts"] is None

    ack = await desk.click(MAYA)

    assert ack.acked
    assert (await desk.approval()).status == "decided"


async def test_a_refusal_stays_out_of_the_thread_where_the_card_has_replies(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, approvals=2)
    await desk.click(MAYA)
    await house.drain()
    assert len(house.slack.messages(FINANCE)) == 2

    await desk.click(OTTO)
    await desk.told(OTTO)

    assert house.slack.ephemerals(OTTO)[-1].get("thread_ts") is None


async def test_whoever_may_not_decide_gets_no_form_either(house: Running) -> None:
    desk = await asking(house, MAYA)

    ack = await desk.click(OTTO, "signoff.reject")

    assert ack.acked
    assert "not among those" in await desk.told(OTTO)
    assert house.slack.views(OTTO) == []
    (event,) = [e for e in await desk.events() if e["event"] == "approval.refused"]
    assert event["data"]["verdict"] == "reject"


async def test_a_person_whom_slack_lets_see_nothing_in_the_channel_is_told_directly(house: Running) -> None:
    desk = await asking(house, MAYA)

    await house.slack.deliver(as_user(desk.payload(OTTO), "U04OKEY"))

    await house.slack.until(lambda: house.slack.messages("U04OKEY"))
    assert "not among those" in house.slack.messages("U04OKEY")[-1]["text"]
