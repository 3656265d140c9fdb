"""Whoever may decide and is not in the card's channel gets the card directly, and it settles there too."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from asking import asked, calls, dying_as_it_notes, offer, refuse, retried, tick, told_ops, wait_out
from fixtures_house import CLEO, DANA, FINANCE, FINN, GWEN, MAYA, OKEY, OPS, OTTO, ROSA, SUPPORT, Running

from bot.approvals import Policy, Sla
from bot.clock import Clock

OUTSIDE = Policy(approvers=(MAYA, OKEY))


def has_buttons(message: dict[str, object]) -> bool:
    blocks = message["blocks"]
    assert isinstance(blocks, list)
    return any(block["type"] == "actions" for block in blocks)


async def test_a_named_approver_outside_the_channel_decides_on_their_own_copy(house: Running) -> None:
    offer(house, policy=OUTSIDE)
    thread = await asked(house)
    (copy,) = house.slack.messages(OKEY)
    assert has_buttons(copy)
    assert house.slack.messages(MAYA) == []

    assert (await house.slack.click(OKEY, copy, "signoff.approve")).acked
    await house.drain()

    assert (await house.thread(thread)).status == "done"
    for card in (house.card(FINANCE), house.slack.messages(OKEY)[0]):
        assert "Approved" in card["text"]
        assert not has_buttons(card)


async def test_a_copy_settles_when_somebody_decides_in_the_channel(house: Running) -> None:
    offer(house, policy=OUTSIDE)
    await asked(house)
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()

    (copy,) = house.slack.messages(OKEY)
    assert not has_buttons(copy)


async def test_a_copy_leads_to_the_card_that_stands_in_for_a_deleted_one(house: Running) -> None:
    offer(house, policy=OUTSIDE)
    await asked(house)
    house.slack.delete_message(FINANCE, house.card(FINANCE)["ts"])
    await house.execute("update messages set wanted = wanted + 1 where kind = 'card'")
    (card,) = await house.rows("select message_id from messages where kind = 'card'")
    with dying_as_it_notes():
        await house.house.delivery.draw(card["message_id"])
    await retried(house)

    (copy,) = house.slack.messages(OKEY)
    assert house.card(FINANCE)["ts"].replace(".", "") in str(copy["blocks"])


async def test_members_of_a_group_outside_the_channel_get_it(house: Running) -> None:
    offer(house, channel="#support-review", policy=Policy(approvers=("@finance-managers", CLEO)))
    await asked(house)

    assert len(house.cards(SUPPORT)) == 1
    assert [len(house.slack.messages(user)) for user in (MAYA, FINN, CLEO)] == [1, 1, 0]


async def test_who_asked_for_it_gets_no_copy_unless_they_may_decide(house: Running) -> None:
    offer(house, channel="#on-call", policy=Policy(approvers=(ROSA, OKEY)))
    offer(house, "lenient", channel="#on-call", policy=Policy(approvers=(ROSA, OKEY), self_approval=True))
    await asked(house)
    assert house.slack.messages(ROSA) == []

    await asked(house, workflow="lenient")
    assert len(house.slack.messages(ROSA)) == 1


async def test_who_may_never_decide_gets_no_copy_that_says_they_may(house: Running) -> None:
    offer(house, channel="#on-call", policy=Policy(approvers=(GWEN, OKEY)))
    offer(house, "guests", channel="#on-call", policy=Policy(approvers=(GWEN,)))

    await asked(house)
    assert house.slack.messages(GWEN) == []
    assert told_ops(house) == []

    await asked(house, workflow="guests")
    assert house.slack.messages(GWEN) == []
    assert "needs 1 approval, and nobody may give one" in told_ops(house)[0]


async def test_who_was_a_guest_gets_their_copy_once_they_may_decide(house: Running) -> None:
    offer(house, channel="#on-call", policy=Policy(approvers=(GWEN, OKEY)))
    await asked(house)
    house.slack.state.set_user(replace(house.slack.state.users[GWEN], is_restricted=False))

    await house.pass_time(timedelta(minutes=16))
    await Clock(house.house).upkeep()
    await house.drain()

    assert len(house.slack.messages(GWEN)) == 1


async def test_people_who_are_added_by_escalation_get_it_directly(house: Running) -> None:
    offer(
        house,
        channel="#on-call",
        policy=Policy(approvers=(OKEY,)),
        sla=Sla(respond_within=timedelta(hours=8), escalate=((timedelta(hours=2), (CLEO, OTTO)),)),
    )
    thread = await asked(house)
    await wait_out(house, timedelta(hours=2, minutes=1))

    (copy,) = house.slack.messages(CLEO)
    assert house.slack.messages(OTTO) == []
    assert (await house.slack.click(CLEO, copy, "signoff.approve")).acked
    await house.drain()
    assert (await house.thread(thread)).status == "done"


async def test_a_membership_that_slack_would_not_say_at_first_is_made_up_for(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house, policy=OUTSIDE)
    house.slack.fault("conversations.members", "server_error")
    await asked(house)
    assert len(house.cards(FINANCE)) == 1
    assert house.slack.messages(OKEY) == []

    await house.pass_time(timedelta(minutes=11))
    await Clock(house.house).upkeep()
    await house.drain()

    assert len(house.slack.messages(OKEY)) == 1


async def test_somebody_who_joins_a_group_later_gets_it_too_and_nobody_gets_it_twice(house: Running) -> None:
    offer(house, channel="#support-review", policy=Policy(approvers=("@finance-managers",)))
    await asked(house)
    house.slack.state.set_group("S01FINMGR", MAYA, FINN, DANA)
    for _ in range(2):
        await house.pass_time(timedelta(minutes=6))
        await Clock(house.house).upkeep()
        await house.drain()

    assert [len(house.slack.messages(user)) for user in (MAYA, FINN, DANA)] == [1, 1, 1]


async def test_without_the_scope_to_read_members_the_card_is_delivered_all_the_same(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "conversations.members", "missing_scope")
    offer(house, policy=OUTSIDE)
    thread = await asked(house)

    assert (await house.approval(thread)).delivery == "delivered"
    assert told_ops(house) == []


async def test_a_group_that_does_not_exist_is_not_asked_for_at_every_card(house: Running) -> None:
    offer(house, policy=Policy(approvers=("@gone", MAYA)))
    for n in range(5):
        await asked(house, f"Pay {n}")

    assert calls(house, "usergroups.list") == 1


async def test_a_group_that_does_not_exist_is_reported_when_it_is_met(house: Running) -> None:
    offer(house, policy=Policy(approvers=("@gone", MAYA)))
    await asked(house)
    await house.pass_time(timedelta(minutes=6))
    await Clock(house.house).upkeep()
    await house.drain()

    (told,) = told_ops(house)
    assert "no user group @gone" in told


async def test_a_quorum_that_cannot_be_reached_is_reported_when_it_is_met(house: Running) -> None:
    offer(house, policy=Policy(approvers=(MAYA, ROSA), approvals=2))
    await asked(house)

    (told,) = told_ops(house)
    assert "needs 2 approvals, and only 1 may give one" in told

    house.slack.delete_message(FINANCE, house.card(FINANCE)["ts"])
    await house.execute("update messages set wanted = wanted + 1 where kind = 'card'")
    await retried(house)
    (told,) = house.slack.messages(OPS)
    assert f"/p{house.card(FINANCE)['ts'].replace('.', '')}|The card>" in str(told["blocks"])


async def test_a_quorum_that_a_deactivated_voter_leaves_out_of_reach_is_reported(house: Running) -> None:
    offer(house, policy=Policy(approvers=(MAYA, FINN), approvals=2))
    await asked(house)
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()
    assert told_ops(house) == []
    house.slack.state.set_user(replace(house.slack.state.users[MAYA], deleted=True))

    await house.pass_time(timedelta(minutes=6))
    await Clock(house.house).upkeep()
    await house.drain()

    (told,) = told_ops(house)
    assert "needs 2 approvals, and only 1 may give one" in told


async def test_a_second_reason_why_nobody_can_decide_is_told_too_and_each_once(house: Running) -> None:
    offer(house, policy=Policy(approvers=("@gone", MAYA, FINN), approvals=2))
    await asked(house)
    await house.click(MAYA, FINANCE, "signoff.approve")
    house.slack.state.set_user(replace(house.slack.state.users[MAYA], deleted=True))
    for _ in range(3):
        await house.pass_time(timedelta(minutes=6))
        await Clock(house.house).upkeep()
        await house.drain()

    first, second = told_ops(house)
    assert "only 1 may give one" not in first
    assert "only 1 may give one" in second


async def test_who_has_a_copy_is_reminded_under_it_until_they_have_voted(house: Running) -> None:
    hour = timedelta(hours=1)
    offer(
        house,
        channel="#support-review",
        policy=Policy(approvers=("@finance-managers", CLEO), approvals=3),
        sla=Sla(respond_within=8 * hour, remind_after=(hour, 2 * hour)),
    )
    await asked(house)
    await wait_out(house, hour + timedelta(minutes=1))
    (copy, reminder) = house.slack.messages(FINN)
    assert reminder["thread_ts"] == copy["ts"]
    assert f"Still waiting for <@{FINN}>" in reminder["text"]

    await house.slack.click(MAYA, house.slack.messages(MAYA)[0], "signoff.approve")
    await house.drain()
    await wait_out(house, hour)

    assert [len(house.slack.messages(user)) for user in (MAYA, FINN, CLEO)] == [2, 3, 0]


async def test_who_left_the_group_is_not_reminded_under_their_copy(house: Running) -> None:
    hour = timedelta(hours=1)
    offer(
        house,
        channel="#support-review",
        policy=Policy(approvers=("@finance-managers",)),
        sla=Sla(respond_within=8 * hour, remind_after=(hour,)),
    )
    await asked(house)
    house.slack.state.set_group("S01FINMGR", FINN)
    await house.house.directory.refresh_groups()
    await wait_out(house, hour + timedelta(minutes=1))

    assert [len(house.slack.messages(user)) for user in (MAYA, FINN)] == [1, 2]


async def test_who_left_the_group_has_a_copy_without_buttons_until_they_are_back(house: Running) -> None:
    offer(house, channel="#support-review", policy=Policy(approvers=("@finance-managers",)))
    await asked(house)
    house.slack.state.set_group("S01FINMGR", FINN)
    await house.house.directory.refresh_groups()
    await tick(house)

    (left,), (stayed,) = house.slack.messages(MAYA), house.slack.messages(FINN)
    assert not has_buttons(left)
    assert "You are no longer asked to decide this" in str(left["blocks"])
    assert has_buttons(stayed)

    house.slack.state.set_group("S01FINMGR", FINN, MAYA)
    await house.house.directory.refresh_groups()
    await tick(house)
    assert has_buttons(house.slack.messages(MAYA)[0])


@pytest.mark.parametrize("change", [{"is_restricted": True}, {"deleted": True}])
async def test_who_may_never_decide_any_more_has_a_copy_without_buttons(
    house: Running, change: dict[str, bool]
) -> None:
    offer(house, channel="#support-review", policy=Policy(approvers=("@finance-managers",)))
    await asked(house)
    before = house.slack.state.users[MAYA]
    house.slack.state.set_user(replace(before, **change))
    await house.pass_time(timedelta(minutes=61))
    await Clock(house.house).upkeep()
    await tick(house)

    (left,), (stayed,) = house.slack.messages(MAYA), house.slack.messages(FINN)
    assert not has_buttons(left)
    assert has_buttons(stayed)

    house.slack.state.set_user(before)
    await house.pass_time(timedelta(minutes=16))
    await Clock(house.house).upkeep()
    await tick(house)
    assert has_buttons(house.slack.messages(MAYA)[0])


async def test_whom_a_revised_request_asks_no_more_has_a_copy_without_buttons(house: Running) -> None:
    offer(house, channel="#on-call", policy=Policy(approvers=(OKEY, CLEO, ROSA), self_approval=True))
    await asked(house)
    assert [has_buttons(house.slack.messages(user)[0]) for user in (CLEO, ROSA)] == [True, True]
    narrower = Policy(approvers=(OKEY, ROSA)).model_dump_json()
    await house.execute("update approvals set policy = %s", narrower)
    await house.execute("update messages set wanted = wanted + 1")
    await retried(house)

    assert [has_buttons(house.slack.messages(user)[0]) for user in (CLEO, ROSA)] == [False, False]


async def test_a_copy_nobody_knows_of_is_rewritten_to_point_at_the_known_one(house: Running) -> None:
    house.slack.state.bot_scopes = house.slack.state.bot_scopes - {"im:history"}
    offer(house, policy=OUTSIDE)
    await asked(house)
    (copy,) = house.slack.messages(OKEY)
    await house.execute(
        "update messages set ts = null, channel_id = null, drawn = 0, posting_since = signoff_now(), "
        "woken_at = '-infinity' where kind = 'direct_card'"
    )
    await retried(house)
    unknown, live = house.slack.messages(OKEY)
    assert unknown["ts"] == copy["ts"]

    await house.slack.click(OKEY, unknown, "signoff.approve")
    await house.drain()

    rewritten, _ = house.slack.messages(OKEY)
    assert not has_buttons(rewritten)
    assert live["ts"].replace(".", "") in str(rewritten["blocks"])

    house.slack.delete_message(live["channel"], live["ts"])
    await house.execute("update messages set wanted = wanted + 1 where kind = 'direct_card'")
    await retried(house)
    rewritten, anew = house.slack.messages(OKEY)
    assert anew["ts"].replace(".", "") in str(rewritten["blocks"])
