"""What Slack refuses, and what was wrong on our side, waits, is mended, or is reported once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from asking import BOTH, asked, calls, card_row, offer, refuse, retried, tick, told_ops, wait_out, whispered
from fixtures_house import FINANCE, FINN, MAYA, OPS, ROSA, Running, running_house
from langgraph.graph import START, StateGraph

from bot.approvals import ApprovalRequest, Policy, Sla, Workflow, ask
from bot.clock import Clock
from bot.facts.claims import Claim
from bot.facts.threads import cancel, redraw, retry
from bot.slack.blocks.drawn import Drawn
from bot.slack.messages.render import render

BOT = "U00SIGNOFF"


async def mend(house: Running, thread: str, **channels: str) -> None:
    approval_id = (await house.approval(thread)).approval_id
    async with house.house.work.connection() as conn:
        assert await redraw(conn, house.house.queue, approval_id, "cli:ops", channels)
    await house.drain()


def change_channel(house: Running, channel: str, **change: object) -> None:
    known = house.slack.state.conversations[channel].channel
    house.slack.state.set_channel(replace(known, **change))  # type: ignore[arg-type]


def has_buttons(message: dict[str, object]) -> bool:
    blocks = message.get("blocks") or []
    assert isinstance(blocks, list)
    return any(block["type"] == "actions" for block in blocks)


@pytest.mark.parametrize("kind", ["server_error", "dropped"])
async def test_a_failing_slack_is_tried_again(house: Running, kind: str) -> None:
    offer(house)
    house.slack.fault("chat.postMessage", kind, times=2)  # type: ignore[arg-type]
    thread = await asked(house)
    await retried(house, 2)

    assert len(house.cards(FINANCE)) == 1
    assert (await house.approval(thread)).delivery == "delivered"


@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "internal_error", "service_unavailable"])
async def test_a_broken_set_up_loses_nothing_and_is_drawn_once_it_is_mended(
    house: Running, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    offer(house)
    refuse(monkeypatch, "chat.postMessage", code, times=3)
    thread = await asked(house)
    await retried(house, 2)
    assert house.cards(FINANCE) == []
    assert (await house.approval(thread)).delivery == "pending"

    await retried(house)

    assert len(house.cards(FINANCE)) == 1
    assert told_ops(house) == []


@pytest.mark.parametrize(
    ("channel", "code", "hint"),
    [
        ("#nowhere", "channel_not_found", "correct its name"),
        ("#secret", "not_in_channel", "/invite @signoff"),
        ("#old", "is_archived", "Unarchive"),
        ("", "no channel is set for it", "Declare its channel in the Workflow"),
    ],
)
async def test_a_card_that_cannot_be_delivered_is_reported_once_with_how_to_mend_it(
    house: Running, channel: str, code: str, hint: str
) -> None:
    offer(house, channel=channel)
    thread = await asked(house)
    await retried(house, 3)

    approval = await house.approval(thread)
    assert (approval.delivery, approval.delivery_error) == ("failed", code)
    (told,) = told_ops(house)
    assert channel in told
    assert code in told
    assert hint in told
    assert f"signoff redraw {approval.approval_id}" in told
    assert approval.delivered_at is None


async def test_redrawing_after_the_bot_was_invited_delivers_and_starts_the_clock_then(house: Running) -> None:
    change_channel(house, FINANCE, members=frozenset({MAYA, FINN}))
    offer(house, sla=Sla(respond_within=timedelta(hours=4)))
    thread = await asked(house)
    assert (await house.approval(thread)).delivery_error == "not_in_channel"
    await house.pass_time(timedelta(hours=2))
    await house.slack.join(BOT, FINANCE)

    await mend(house, thread)

    approval = await house.approval(thread)
    assert (approval.delivery, approval.delivery_error) == ("delivered", None)
    assert approval.delivered_at is not None
    assert approval.due_at == approval.delivered_at + timedelta(hours=4)
    assert approval.delivered_at >= approval.created_at + timedelta(hours=2)
    assert "Not delivered" not in str(house.card(FINANCE)["blocks"])
    assert len(told_ops(house)) == 1
    assert (await house.click(MAYA, FINANCE, "signoff.approve")).acked
    await house.drain()
    assert (await house.thread(thread)).status == "done"


@pytest.mark.parametrize("channel", ["#nowhere", "#old", ""])
async def test_redrawing_after_the_workflow_names_another_channel_delivers_there(
    house: Running, channel: str
) -> None:
    offer(house, channel=channel)
    thread = await asked(house)

    await mend(house, thread, asking="#finance-approvals", other="#general")

    approval = await house.approval(thread)
    assert (approval.delivery, approval.channel) == ("delivered", "#finance-approvals")
    assert len(house.cards(FINANCE)) == 1
    assert len(told_ops(house)) == 1
    (entry,) = await house.rows("select body from audit where body like '%%approval.redrawn%%'")
    assert "#finance-approvals" in entry["body"]
    assert (await house.click(MAYA, FINANCE, "signoff.approve")).acked
    await house.drain()
    assert (await house.thread(thread)).status == "done"


async def test_redrawing_leaves_a_card_that_was_posted_where_it_is(house: Running) -> None:
    offer(house)
    thread = await asked(house)

    await mend(house, thread, asking="#general")

    assert (await house.approval(thread)).channel == "#finance-approvals"
    assert len(house.cards(FINANCE)) == 1


async def test_redrawing_what_is_still_wrong_tells_ops_again(house: Running) -> None:
    offer(house, channel="#old")
    thread = await asked(house)
    await mend(house, thread)

    assert len(told_ops(house)) == 2


@pytest.mark.parametrize("times", [2, 6])
async def test_a_card_that_we_fail_to_draw_is_tried_again_and_then_reported(
    house: Running, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    fails = iter(range(times))

    def shaky(claimed: Claim) -> Drawn:
        if claimed.message.kind == "card" and next(fails, None) is not None:
            raise KeyError("title")
        return render(claimed)

    monkeypatch.setattr(house.house.delivery, "_render", shaky)
    offer(house)
    thread = await asked(house)
    await retried(house, 1)
    row = await card_row(house, thread)
    assert (row["lease"], row["error"], told_ops(house)) == (None, None, [])

    await retried(house, 6)

    if times == 2:
        assert len(house.cards(FINANCE)) == 1
        assert told_ops(house) == []
    else:
        assert house.cards(FINANCE) == []
        (told,) = told_ops(house)
        assert "A card could not be delivered to #finance-approvals: KeyError: 'title'" in told
        assert "a fault in Signoff" in told
        await mend(house, thread)
        assert len(house.cards(FINANCE)) == 1


async def test_a_request_that_nobody_ever_saw_is_rejected_at_its_deadline_and_ops_know(
    house: Running,
) -> None:
    offer(house, channel="#old", sla=Sla(respond_within=timedelta(hours=4)))
    thread = await asked(house)
    await wait_out(house, timedelta(hours=4, minutes=1))
    await retried(house, 2)

    approval = await house.approval(thread)
    assert approval.status == "expired"
    assert approval.decision is not None
    assert (approval.decision.verdict, approval.decision.reason) == ("reject", "never_delivered")
    delivery, expiry = told_ops(house)
    assert "could not be delivered" in delivery
    assert "never delivered" in expiry
    assert "signoff doctor" in expiry
    assert (await house.thread(thread)).status == "done"
    assert await house.rows("select 1 from messages where wanted > drawn and error is null") == []


async def test_a_card_that_was_not_posted_in_time_is_not_told_as_an_outage_of_slack(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house, sla=Sla(respond_within=timedelta(hours=4)))
    refuse(monkeypatch, "chat.postMessage", "internal_error", times=1)
    await asked(house)
    await wait_out(house, timedelta(hours=4, minutes=1))  # with no worker that draws

    (expiry,) = told_ops(house)
    assert "never delivered" in expiry
    assert "no worker posted its card in time, or Slack did not take it" in expiry


async def test_replies_of_a_card_that_cannot_be_delivered_are_no_news_of_their_own(house: Running) -> None:
    offer(
        house,
        channel="#old",
        policy=Policy(approvers=(MAYA, FINN), approvals=2),
        sla=Sla(respond_within=timedelta(hours=4), remind_after=(timedelta(hours=1),)),
    )
    await asked(house)
    await wait_out(house, timedelta(hours=5))
    await retried(house, 2)
    jobs = await house.rows("select count(*) from procrastinate_jobs where status = 'todo'")

    assert jobs == [{"count": 0}]
    assert len(told_ops(house)) == 2


@pytest.mark.parametrize("channel", ["", "#nowhere", "#old"])
async def test_an_ops_channel_that_fails_is_tried_again_without_a_loop_and_told_when_mended(
    database: str, channel: str
) -> None:
    async with running_house(database, SIGNOFF_OPS_CHANNEL=channel) as house:
        offer(house, channel="#secret")
        await asked(house)
        await retried(house, 3)
        messages = await house.rows("select message_id, error from messages where kind = 'ops'")
        assert len(messages) == 1
        assert messages[0]["error"]
        posts = calls(house, "chat.postMessage")
        assert posts <= 2

        house.house.delivery._ops_channel = "#signoff-ops"
        await house.pass_time(timedelta(minutes=6))
        await Clock(house.house).upkeep()
        await house.drain()

        assert len(told_ops(house)) == 1


async def test_a_deleted_card_is_posted_again_when_it_changes(house: Running) -> None:
    offer(house, policy=Policy(approvers=(MAYA, FINN), approvals=2))
    thread = await asked(house)
    house.slack.delete_message(FINANCE, house.card(FINANCE)["ts"])
    await house.execute("update messages set wanted = wanted + 1")
    await house.house.delivery.draw((await card_row(house, thread))["message_id"])

    (card,) = house.cards(FINANCE)
    assert has_buttons(card)
    assert (await house.click(MAYA, FINANCE, "signoff.approve")).acked
    await house.click(FINN, FINANCE, "signoff.approve")
    await house.drain()
    assert (await house.thread(thread)).status == "done"


async def test_a_deleted_card_is_noticed_and_posted_again_while_it_waits(house: Running) -> None:
    offer(house, sla=Sla(respond_within=timedelta(hours=8)))
    thread = await asked(house)
    due = (await house.approval(thread)).due_at
    house.slack.delete_message(FINANCE, house.card(FINANCE)["ts"])
    await house.pass_time(timedelta(minutes=6))

    await Clock(house.house).upkeep()
    await house.drain()

    (card,) = house.cards(FINANCE)
    assert has_buttons(card)
    assert (await house.approval(thread)).due_at == due


async def test_a_card_that_is_there_is_left_alone_by_the_check(house: Running) -> None:
    offer(house)
    await asked(house)
    await house.pass_time(timedelta(minutes=6))
    await Clock(house.house).upkeep()
    await house.drain()

    assert len(house.cards(FINANCE)) == 1
    assert calls(house, "chat.update") == 0
    assert calls(house, "chat.getPermalink") == 1


async def test_a_pending_card_in_a_channel_that_was_archived_is_reported(house: Running) -> None:
    offer(house)
    thread = await asked(house)
    change_channel(house, FINANCE, is_archived=True)
    await mend(house, thread)

    (told,) = told_ops(house)
    assert "is_archived" in told
    assert (await house.approval(thread)).delivery == "delivered"


async def test_a_card_whose_private_channel_lost_the_bot_is_reported_once_and_redrawn_when_mended(
    house: Running,
) -> None:
    offer(house)
    thread = await asked(house)
    members = house.slack.state.conversations[FINANCE].channel.members
    change_channel(house, FINANCE, is_private=True, members=members - {BOT})
    for _ in range(3):
        await house.pass_time(timedelta(minutes=6))
        await Clock(house.house).upkeep()
        await house.drain()
    (problem,) = told_ops(house)
    assert "channel_not_found" in problem

    change_channel(house, FINANCE, members=members)
    await mend(house, thread)

    assert (await card_row(house, thread))["error"] is None
    assert len(house.cards(FINANCE)) == 1


async def test_a_reminder_goes_where_its_card_is_also_when_that_channel_was_renamed(house: Running) -> None:
    offer(house, sla=Sla(respond_within=timedelta(hours=8), remind_after=(timedelta(hours=1),)))
    await asked(house)
    change_channel(house, FINANCE, name="money")

    await wait_out(house, timedelta(hours=2))

    (reminder,) = [m for m in house.slack.messages(FINANCE) if m.get("thread_ts") not in (None, m["ts"])]
    assert reminder["thread_ts"] == house.card(FINANCE)["ts"]
    assert told_ops(house) == []


async def test_a_card_deleted_after_it_was_settled_stays_deleted(house: Running) -> None:
    offer(house)
    thread = await asked(house)
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()
    card = house.card(FINANCE)["ts"]
    for message in house.slack.messages(FINANCE)[::-1]:
        house.slack.delete_message(FINANCE, message["ts"])
    await mend(house, thread)
    await retried(house, 2)

    assert [m for m in house.cards(FINANCE) if m["ts"] == card or has_buttons(m)] == []
    assert await house.rows("select 1 from messages where wanted > drawn and error is null") == []


@pytest.mark.parametrize("unseen", [False, True])
async def test_a_reminder_under_a_deleted_card_brings_the_card_back_first(
    house: Running, unseen: bool
) -> None:
    offer(house, sla=Sla(respond_within=timedelta(hours=8), remind_after=(timedelta(hours=1),)))
    await asked(house)
    house.slack.delete_message(FINANCE, house.card(FINANCE)["ts"])
    if unseen:  # whether it came to stand in the channel is not known
        house.slack.fault("chat.postMessage", "posted_but_dropped")
    await wait_out(house, timedelta(hours=1, minutes=1))
    # Slack's clock is not the shifted one: let the intent be as old as Slack thinks the post is.
    await house.execute(
        "update messages set posting_since = clock_timestamp() where posting_since is not null"
    )
    await retried(house, 2)

    (card,) = house.cards(FINANCE)
    assert has_buttons(card)
    (reminder,) = [m for m in house.slack.messages(FINANCE) if "Still waiting" in m["text"]]
    assert reminder["thread_ts"] == card["ts"]


async def test_what_replies_to_a_settled_card_that_somebody_deleted_does_not_stand_in_the_channel(
    house: Running,
) -> None:
    offer(house)
    await asked(house)
    card = house.card(FINANCE)
    await house.slack.click(MAYA, card, "signoff.approve")
    house.slack.delete_message(FINANCE, card["ts"])
    await house.drain()
    await retried(house)

    assert house.slack.messages(FINANCE) == []
    assert await house.rows("select 1 from messages where wanted > drawn") == []


@pytest.mark.parametrize("code", ["edit_window_closed", "block_mismatch", "cant_update_message"])
async def test_a_settled_card_that_cannot_be_changed_has_its_outcome_below(
    house: Running, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    offer(house)
    thread = await asked(house)
    refuse(monkeypatch, "chat.update", code)
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()
    await retried(house)

    card, *replies = house.slack.messages(FINANCE)
    assert has_buttons(card)
    assert any("Approved" in reply["text"] for reply in replies)
    assert {reply["thread_ts"] for reply in replies} == {card["ts"]}
    assert told_ops(house) == []
    assert await house.rows("select 1 from messages where wanted > drawn") == []
    assert (await house.slack.click(FINN, card, "signoff.approve")).acked
    await house.drain()
    assert "already approved" in await whispered(house, FINN)
    assert (await house.thread(thread)).status == "done"


async def test_a_pending_card_that_cannot_be_changed_is_posted_anew_and_the_old_one_refused(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house, policy=Policy(approvers=(MAYA, FINN), approvals=2))
    await asked(house)
    refuse(monkeypatch, "chat.update", "edit_window_closed")
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()
    await retried(house)

    old, new = house.cards(FINANCE)
    assert "1 of 2" in str(new["blocks"])
    await house.slack.click(FINN, old, "signoff.approve")
    await house.drain()
    assert "old copy" in await whispered(house, FINN)


async def test_a_proxys_page_instead_of_slacks_answer_is_tried_again(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiohttp import web

    from bot.emulator import webapi

    pages = [
        web.Response(status=200, text="<html>blocked</html>", content_type="text/html"),
        web.Response(status=200, text="{broken", content_type="application/json"),
        web.Response(status=403, text="forbidden", content_type="text/html"),
        web.Response(status=503, text="maintenance", content_type="text/plain"),
    ]
    answer = house.slack.api._respond

    def respond(body: dict[str, object]) -> web.Response:
        return pages.pop() if pages else answer(body)

    assert webapi.METHODS
    offer(house)
    monkeypatch.setattr(house.slack.api, "_respond", respond)
    thread = await asked(house)
    await retried(house, 5)

    assert len(house.cards(FINANCE)) == 1
    assert (await house.approval(thread)).delivery == "delivered"
    assert told_ops(house) == []


async def test_the_requester_is_told_in_the_thread_and_directly_and_nobody_else_is(house: Running) -> None:
    offer(house)
    await asked(house)
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()

    note = house.slack.messages(FINANCE)[-1]
    assert note["thread_ts"] == house.card(FINANCE)["ts"]
    assert "Approved" in note["text"]
    (told,) = house.slack.messages(ROSA)
    assert "Approved" in told["text"]
    assert house.slack.messages(MAYA) == []
    assert house.slack.messages(FINN) == []
    assert house.slack.messages(OPS) == []


async def test_the_requester_is_told_that_a_request_was_called_off_and_why(house: Running) -> None:
    offer(house)
    thread = await asked(house)
    async with house.house.work.connection() as conn:
        await cancel(conn, house.house.queue, thread, "wrong invoice", "cli:ops")
    await house.drain()

    (told,) = house.slack.messages(ROSA)
    assert "Your request Pay Acme" in told["text"]
    assert "Cancelled: wrong invoice" in told["text"]
    assert "Cancelled: wrong invoice" in house.slack.messages(FINANCE)[-1]["text"]


async def test_the_requester_of_what_was_approved_is_told_that_it_was_called_off_before_it_ran(
    house: Running,
) -> None:
    offer(house)
    thread = await asked(house)
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.house.desk.showing.idle()
    assert "Approved" in str(house.slack.messages(ROSA))
    async with house.house.work.connection() as conn:
        await cancel(conn, house.house.queue, thread, "wrong invoice", "cli:ops")
    await house.drain()

    (told,) = house.slack.messages(ROSA)
    assert "The workflow ended: wrong invoice" in str(told["blocks"])


async def test_a_card_whose_workflow_failed_meanwhile_says_why_and_so_is_the_requester_told(
    house: Running,
) -> None:
    def pay(state: dict[str, Any]) -> None:
        ask(ApprovalRequest(title="Pay Acme"))

    accounts: list[str] = []

    def book(state: dict[str, Any]) -> None:
        ask(ApprovalRequest(title="Book it"))
        if not accounts:
            raise ValueError("no such account")

    graph = StateGraph(dict)
    for node in (pay, book):
        graph.add_node(node.__name__, node)
        graph.add_edge(START, node.__name__)
    both = Workflow(name="both", graph=graph, channel="#finance-approvals", policy=BOTH, retries=0)
    house.house.catalog.add(both, "both")
    thread = await house.run("both", {}, ROSA)
    (booking,) = [card for card in house.cards(FINANCE) if "Book it" in card["text"]]

    await house.slack.click(MAYA, booking, "signoff.approve")
    await house.drain()

    why = "Cancelled: the workflow failed: ValueError: no such account"
    (card,) = [card for card in house.cards(FINANCE) if "Pay Acme" in card["text"]]
    assert why in card["text"]
    assert any(f"Your request Pay Acme\n🚫 {why}" in told["text"] for told in house.slack.messages(ROSA))
    after = "The workflow failed after this: ValueError: no such account."
    assert after in str(house.slack.messages(ROSA)), "of what was approved they had heard no more than that"

    accounts.append("4711")
    async with house.house.work.connection() as conn:
        await retry(conn, house.house.queue, thread, "cli:ops")
    await house.drain()
    assert after not in str(house.slack.messages(ROSA))


async def test_a_requester_who_left_is_reported_and_the_card_settles_all_the_same(house: Running) -> None:
    offer(house)
    thread = await asked(house)
    await house.execute("update threads set requester = 'U10LEFT'")
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()
    await tick(house, timedelta(minutes=2), 2)

    assert (await house.thread(thread)).status == "done"
    (told,) = told_ops(house)
    assert "U10LEFT" in told
    assert "They may have left the workspace" in told
