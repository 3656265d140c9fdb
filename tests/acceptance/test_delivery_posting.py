"""A message is in Slack once, whatever dies between posting it and noting it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asking import (
    asked,
    begin,
    calls,
    card_row,
    dying_as_it_notes,
    offer,
    retried,
    shows_nothing,
    wait_out,
    whispered,
)
from fixtures_house import FINANCE, FINN, MAYA, OPS, ROSA, Running

from bot.approvals import Policy, Sla
from bot.facts import claims, deliveries
from workflows.expense import samples

HISTORY = {"channels:history", "groups:history", "im:history", "mpim:history"}


def forbid_history(house: Running) -> None:
    house.slack.state.bot_scopes = house.slack.state.bot_scopes - HISTORY


async def begun(house: Running, message_id: str) -> claims.Claim:
    """Be the worker that has begun to draw, and is paused there."""
    async with house.house.work.connection() as conn:
        claimed = await claims.claim(conn, message_id, "#signoff-ops")
    assert claimed is not None
    return claimed


async def noted(house: Running, claimed: claims.Claim, place: tuple[str, str]) -> None:
    """Be the worker that notes at last where it has posted; what follows from that is done."""
    async with house.house.work.connection() as conn:
        await deliveries.drawn(conn, house.house.queue, claimed, *place)
    await house.drain()


async def die_after_posting(house: Running, message_id: str) -> None:
    """Be the worker that posts and dies before it has noted that."""
    await house.house.delivery._show(await begun(house, message_id))


async def one_message(house: Running) -> str:
    (row,) = await house.rows("select message_id from messages where drawn = 0")
    return row["message_id"]


async def run_on(house: Running, thread: str) -> None:
    """Run a thread to where it waits or ends; nothing is drawn."""
    await house.house.engine.converge(thread, house.house.queue)


async def start_without_drawing(house: Running) -> str:
    """Run a thread to its pause while nobody draws; returns the card's id."""
    await run_on(house, await begin(house))
    return await one_message(house)


async def settle_without_drawing(house: Running, monkeypatch: pytest.MonkeyPatch, thread: str) -> str:
    """Approve the only card and run its thread to its end while nobody draws; returns the outcome's id."""
    shows_nothing(house, monkeypatch)
    await house.click(MAYA, FINANCE, "signoff.approve")
    await run_on(house, thread)
    (row,) = await house.rows("select message_id from messages where kind = 'outcome'")
    return row["message_id"]


async def test_a_card_is_posted_once_and_its_row_says_where(house: Running) -> None:
    offer(house)
    thread = await asked(house)
    await house.house.delivery.draw((await card_row(house, thread))["message_id"])

    assert len(house.cards(FINANCE)) == 1
    row = await card_row(house, thread)
    assert (row["channel_id"], row["ts"], row["drawn"]) == (FINANCE, house.card(FINANCE)["ts"], 1)


async def test_a_post_whose_answer_was_lost_is_found_again_by_its_metadata(house: Running) -> None:
    offer(house)
    house.slack.fault("chat.postMessage", "posted_but_dropped")
    thread = await asked(house)
    assert (await card_row(house, thread))["ts"] is None

    await retried(house)

    assert len(house.cards(FINANCE)) == 1
    assert (await card_row(house, thread))["ts"] == house.card(FINANCE)["ts"]
    assert (await house.approval(thread)).delivery == "delivered"
    assert (await house.click(MAYA, FINANCE, "signoff.approve")).acked
    await house.drain()
    assert (await house.thread(thread)).status == "done"


async def test_a_worker_that_died_after_posting_leaves_one_live_card(house: Running) -> None:
    offer(house)
    card = await start_without_drawing(house)
    await die_after_posting(house, card)
    await house.drain()
    assert len(house.cards(FINANCE)) == 1

    await retried(house)

    assert len(house.cards(FINANCE)) == 1
    (row,) = await house.rows("select ts, drawn, posting_since from messages")
    assert (row["ts"], row["drawn"], row["posting_since"]) == (house.card(FINANCE)["ts"], 1, None)


async def test_a_post_that_was_found_again_stays_the_card_where_slack_refuses_to_draw_it_for_now(
    house: Running,
) -> None:
    offer(house)
    house.slack.fault("chat.postMessage", "posted_but_dropped")
    house.slack.fault("chat.update", "ratelimited")
    thread = await asked(house)

    await retried(house, times=2)

    assert len(house.cards(FINANCE)) == 1
    row = await card_row(house, thread)
    assert (row["ts"], row["posting_since"]) == (house.card(FINANCE)["ts"], None)


async def test_a_post_is_found_under_hundreds_of_later_messages(house: Running) -> None:
    offer(house)
    card = await start_without_drawing(house)
    await die_after_posting(house, card)
    ours = house.card(FINANCE)["ts"]
    for n in range(450):
        await house.slack.say(OTHER, FINANCE, f"chatter {n}")

    await retried(house)

    (row,) = await house.rows("select ts from messages where kind = 'card'")
    assert row["ts"] == ours


async def test_without_history_the_card_is_posted_again_and_the_unknown_copy_is_refused_and_rewritten(
    house: Running,
) -> None:
    forbid_history(house)
    offer(house)
    house.slack.fault("chat.postMessage", "posted_but_dropped")
    thread = await asked(house)
    await retried(house)
    unknown, live = house.cards(FINANCE)
    assert (await card_row(house, thread))["ts"] == live["ts"]

    assert (await house.slack.click(MAYA, unknown, "signoff.approve")).acked
    await house.drain()

    assert "old copy" in await whispered(house, MAYA)
    assert (await house.approval(thread)).status == "pending"
    rewritten, live = house.cards(FINANCE)
    assert "old copy" in rewritten["text"]
    assert live["ts"].replace(".", "") in str(rewritten["blocks"])
    assert not [block for block in rewritten["blocks"] if block["type"] == "actions"]

    house.slack.delete_message(FINANCE, live["ts"])
    await house.execute("update messages set wanted = wanted + 1 where kind = 'card'")
    await retried(house)
    rewritten, anew = house.cards(FINANCE)
    assert anew["ts"].replace(".", "") in str(rewritten["blocks"])
    assert (await house.slack.click(MAYA, anew, "signoff.approve")).acked
    await house.drain()
    assert (await house.thread(thread)).status == "done"


def buttons(card: dict[str, Any]) -> bool:
    return any(block["type"] == "actions" for block in card["blocks"])


async def test_a_copy_that_was_clicked_before_it_was_noted_is_the_card(house: Running) -> None:
    forbid_history(house)
    offer(house)
    house.slack.fault("chat.postMessage", "posted_but_dropped")
    thread = await asked(house)

    assert (await house.click(MAYA, FINANCE, "signoff.approve")).acked
    await house.drain()
    await retried(house)

    (card,) = house.cards(FINANCE)
    assert not buttons(card)
    assert (await card_row(house, thread))["ts"] == card["ts"]
    assert (await house.approval(thread)).delivery == "delivered"
    assert (await house.thread(thread)).status == "done"


async def test_even_who_may_not_decide_shows_by_a_click_where_the_card_is(house: Running) -> None:
    forbid_history(house)
    offer(house)
    house.slack.fault("chat.postMessage", "posted_but_dropped")
    thread = await asked(house)

    await house.click(OTHER, FINANCE, "signoff.approve")
    await house.drain()
    await retried(house)

    (card,) = house.cards(FINANCE)
    assert buttons(card)
    assert (await card_row(house, thread))["ts"] == card["ts"]
    assert (await house.approval(thread)).delivery == "delivered"


async def test_a_click_while_its_own_worker_is_about_to_note_the_card_leaves_one(house: Running) -> None:
    offer(house)
    card = await start_without_drawing(house)
    paused = await begun(house, card)
    place = await house.house.delivery._show(paused)
    assert (await house.click(MAYA, FINANCE, "signoff.approve")).acked
    await house.drain()

    await noted(house, paused, place)

    (shown,) = house.cards(FINANCE)
    assert not buttons(shown)
    assert await house.rows("select 1 from messages where kind = 'stray' or wanted > drawn") == []


async def test_a_click_on_the_first_copy_while_a_second_is_posted_makes_the_second_point_at_it(
    house: Running,
) -> None:
    forbid_history(house)
    offer(house)
    card = await start_without_drawing(house)
    await die_after_posting(house, card)
    (first,) = house.cards(FINANCE)
    await house.pass_time(timedelta(seconds=61))
    paused = await begun(house, card)
    place = await house.house.delivery._show(paused)
    assert (await house.slack.click(MAYA, first, "signoff.approve")).acked
    await house.drain()

    await noted(house, paused, place)

    live, copy = house.cards(FINANCE)
    assert (live["ts"], copy["ts"]) == (first["ts"], place[1])
    assert not buttons(live)
    assert not buttons(copy)
    assert "old copy" in copy["text"]
    assert live["ts"].replace(".", "") in str(copy["blocks"])
    assert await house.rows("select 1 from messages where wanted > drawn") == []


async def test_a_click_elsewhere_does_not_count_while_the_card_is_being_posted(house: Running) -> None:
    forbid_history(house)
    offer(house)
    await house.run("expense", samples["hotel"], ROSA)
    await house.house.directory.channels.find("#finance-approvals")
    elsewhere = house.card(FINANCE)
    house.slack.fault("chat.postMessage", "posted_but_dropped")
    thread = await asked(house)
    click = house.slack.click_payload(MAYA, house.card(FINANCE), "signoff.approve")
    click["container"] |= {"channel_id": OPS, "message_ts": elsewhere["ts"]}

    await house.slack.deliver(click)

    assert (await house.approval(thread)).status == "pending"
    assert (await card_row(house, thread))["ts"] is None


async def test_a_reply_whose_answer_was_lost_is_found_again_in_its_thread(house: Running) -> None:
    offer(house, sla=Sla(respond_within=timedelta(hours=8), remind_after=(timedelta(hours=1),)))
    await asked(house)
    house.slack.fault("chat.postMessage", "posted_but_dropped")
    await wait_out(house, timedelta(hours=1, minutes=1))
    # Slack's clock is not the shifted one: let the intent be as old as Slack thinks the post is.
    await house.execute("update messages set posting_since = clock_timestamp() where kind = 'reminder'")
    await retried(house)

    replies = [m for m in house.slack.messages(FINANCE) if "Still waiting" in m["text"]]
    assert len(replies) == 1
    (row,) = await house.rows("select ts from messages where kind = 'reminder'")
    assert row["ts"] == replies[0]["ts"]


async def test_a_direct_message_whose_answer_was_lost_is_found_again(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house)
    outcome = await settle_without_drawing(house, monkeypatch, await asked(house))
    await die_after_posting(house, outcome)
    await retried(house)

    assert len(house.slack.messages(ROSA)) == 1
    (row,) = await house.rows("select ts from messages where kind = 'outcome'")
    assert row["ts"] == house.slack.messages(ROSA)[0]["ts"]


async def test_while_history_cannot_be_read_an_unknown_post_is_not_repeated(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house)
    house.slack.fault("chat.postMessage", "posted_but_dropped")
    await asked(house)
    house.slack.fault("conversations.history", "ratelimited", retry_after=30)
    await retried(house)
    house.slack.fault("conversations.history", "server_error")
    await retried(house)
    house.slack.fault("conversations.history", "dropped")
    await retried(house)
    assert len(house.cards(FINANCE)) == 1
    assert calls(house, "chat.postMessage") == 1

    await retried(house)

    assert len(house.cards(FINANCE)) == 1
    (row,) = await house.rows("select ts from messages where kind = 'card'")
    assert row["ts"] == house.card(FINANCE)["ts"]


async def test_workers_that_draw_one_message_at_once_post_it_once(house: Running) -> None:
    offer(house)
    card = await start_without_drawing(house)

    await asyncio.gather(*(house.house.delivery.draw(card) for _ in range(5)))

    assert len(house.cards(FINANCE)) == 1
    assert calls(house, "chat.postMessage") == 1


async def test_what_a_worker_has_begun_to_draw_is_left_to_it_until_its_lease_has_ended(
    house: Running,
) -> None:
    offer(house)
    card = await start_without_drawing(house)
    first = await begun(house, card)

    async with house.house.work.connection() as conn:
        assert await claims.claim(conn, card, "#signoff-ops") is None
    await house.pass_time(claims.LEASE)
    second = await begun(house, card)

    assert first.unknown_since is None
    assert second.unknown_since is not None


async def test_of_workers_that_take_a_message_at_once_one_gets_it(house: Running) -> None:
    offer(house)
    card = await start_without_drawing(house)
    waits = "select 1 from pg_locks where pid = %s and not granted"
    async with house.house.work.connection() as one, house.house.work.connection() as other:
        async with one.transaction():
            first = await claims.claim(one, card, "#signoff-ops")
            second = asyncio.create_task(claims.claim(other, card, "#signoff-ops"))
            while not await house.rows(waits, other.info.backend_pid):
                pass

        assert first is not None
        assert await second is None


async def test_what_must_wait_is_drawn_by_nobody_before_its_time(house: Running) -> None:
    offer(house)
    card = await start_without_drawing(house)
    first = await begun(house, card)

    async with house.house.work.connection() as conn:
        await deliveries.later(conn, first, timedelta(minutes=5), posted="no")
        assert await claims.claim(conn, card, "#signoff-ops") is None
    await house.pass_time(timedelta(minutes=5))

    await begun(house, card)


async def test_messages_go_one_at_a_time_for_no_longer_than_slack_s_refusal_is_recent(house: Running) -> None:
    offer(house)
    for title in ("Pay one", "Pay two"):
        await run_on(house, await begin(house, title))
    refused = "insert into slack_rates select target, signoff_now() - %s from messages limit 1"
    await house.execute(refused, claims.PACED)

    cards = [await begun(house, row["message_id"]) for row in await house.rows("select * from messages")]

    assert [card.rate for card in cards] == [cards[0].message.target] * 2


async def test_the_late_post_of_a_paused_worker_is_rewritten_to_point_at_the_live_card(
    house: Running,
) -> None:
    offer(house)
    card = await start_without_drawing(house)
    paused = await begun(house, card)
    await retried(house)
    (live,) = house.cards(FINANCE)

    await house.house.delivery._draw(paused)
    await house.drain()

    first, late = house.cards(FINANCE)
    assert first == live | {"blocks": first["blocks"]}
    assert [b for b in first["blocks"] if b["type"] == "actions"]
    assert "old copy" in late["text"]
    assert live["ts"].replace(".", "") in str(late["blocks"])


async def test_a_paused_worker_whose_post_was_found_meanwhile_does_not_spoil_the_live_card(
    house: Running,
) -> None:
    offer(house)
    card = await start_without_drawing(house)
    paused = await begun(house, card)
    place = await house.house.delivery._show(paused)
    await retried(house)

    await noted(house, paused, place)

    (live,) = house.cards(FINANCE)
    assert [block for block in live["blocks"] if block["type"] == "actions"]
    assert await house.rows("select 1 from messages where kind = 'stray'") == []


async def test_a_post_taken_for_a_stray_and_then_found_is_the_live_card_again(house: Running) -> None:
    offer(house)
    card = await start_without_drawing(house)
    await die_after_posting(house, card)
    (posted,) = house.cards(FINANCE)
    approval = (await house.rows("select approval_id from approvals"))[0]["approval_id"]
    await house.execute(
        "insert into messages (message_id, kind, approval_id, target, body, priority) "
        "values (%s, 'stray', %s, %s, jsonb_build_object('ts', %s::text), 50)",
        f"stray:{FINANCE}:{posted['ts']}",
        approval,
        FINANCE,
        posted["ts"],
    )

    await retried(house, 3)

    (live,) = house.cards(FINANCE)
    assert [block for block in live["blocks"] if block["type"] == "actions"]
    assert await house.rows("select 1 from messages where wanted > drawn") == []


async def test_a_post_rewritten_as_a_stray_while_it_was_being_found_is_made_right_again(
    house: Running,
) -> None:
    offer(house)
    card = await start_without_drawing(house)
    await die_after_posting(house, card)
    (posted,) = house.cards(FINANCE)
    await house.pass_time(timedelta(seconds=61))
    finder = await begun(house, card)
    place = await house.house.delivery._show(finder)
    await house.execute(
        "insert into messages (message_id, kind, approval_id, target, body, attempts) "
        "select %s, 'stray', approval_id, %s, jsonb_build_object('ts', %s::text), 9 from approvals",
        f"stray:{FINANCE}:{posted['ts']}",
        FINANCE,
        posted["ts"],
    )
    await house.house.delivery.draw(f"stray:{FINANCE}:{posted['ts']}")
    assert "old copy" in house.card(FINANCE)["text"]

    with dying_as_it_notes():
        await noted(house, finder, place)
    assert await house.rows("select 1 from messages where kind = 'card' and wanted > drawn")
    await noted(house, finder, place)

    assert [block for block in house.card(FINANCE)["blocks"] if block["type"] == "actions"]


async def test_a_late_update_cannot_leave_old_buttons_on_a_settled_card(house: Running) -> None:
    offer(house)
    thread = await asked(house)
    card = (await card_row(house, thread))["message_id"]
    await house.execute("update messages set wanted = wanted + 1")
    paused = await begun(house, card)
    await house.pass_time(timedelta(seconds=61))
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()

    await house.house.delivery._draw(paused)
    await house.drain()

    assert not [block for block in house.card(FINANCE)["blocks"] if block["type"] == "actions"]
    assert "Approved" in house.card(FINANCE)["text"]


async def test_a_second_copy_of_a_plain_message_is_taken_away(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house)
    paused = await begun(house, await settle_without_drawing(house, monkeypatch, await asked(house)))
    await retried(house)

    await house.house.delivery._draw(paused)
    await house.drain()

    assert len(house.slack.messages(ROSA)) == 1


async def test_a_change_during_an_update_is_drawn_by_the_same_worker(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house, policy=Policy(approvers=(MAYA, FINN), approvals=2))
    thread = await asked(house)
    card = await card_row(house, thread)
    client = house.house.client
    real = client.chat_update
    changed: list[int] = []

    async def update(**given: Any) -> Any:
        if not changed:
            changed.append(1)
            await house.execute("update messages set wanted = wanted + 1 where kind = 'card'")
        return await real(**given)

    monkeypatch.setattr(client, "chat_update", update)
    await house.execute("update messages set wanted = wanted + 1 where kind = 'card'")
    await house.house.delivery.draw(card["message_id"])

    row = await card_row(house, thread)
    assert (row["wanted"], row["drawn"]) == (3, 3)


async def test_a_timeout_after_the_post_posts_nothing_twice(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house)
    client = house.house.client
    real = client.chat_postMessage

    async def slow(**given: Any) -> Any:
        await real(**given)
        raise TimeoutError

    monkeypatch.setattr(client, "chat_postMessage", slow)
    thread = await asked(house)
    monkeypatch.setattr(client, "chat_postMessage", real)
    await retried(house)

    assert len(house.cards(FINANCE)) == 1
    assert (await house.approval(thread)).delivery == "delivered"


async def test_each_message_says_its_point_without_blocks(house: Running) -> None:
    offer(house, sla=Sla(respond_within=timedelta(hours=8), remind_after=(timedelta(hours=1),)))
    await asked(house)
    await wait_out(house, timedelta(hours=2))
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()

    said = [m["text"] for m in [*house.slack.messages(FINANCE), *house.slack.messages(ROSA)]]
    assert len(said) == 4
    assert all("Pay Acme" in text or "Approved" in text for text in said)


OTHER = "U07OTTO"
