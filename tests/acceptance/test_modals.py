"""Forms that decide: opened for those who may, recorded before they close, else kept with what was typed."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from fixtures_decisions import MODULE, PAYMENT, Asked, asking, editable
from fixtures_house import DANA, FINANCE, FINN, MAYA, OTTO, Row, Running, running_house

from bot.emulator import modals as slack_modals
from bot.emulator import payloads
from bot.emulator.delivery import Ack


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    async with running_house(database, extra=(MODULE,)) as running:
        yield running


def block(view: Row, label: str) -> Row:
    """The input whose label begins so."""
    (found,) = [
        b for b in view["blocks"] if b["type"] == "input" and b["label"]["text"].lower().startswith(label)
    ]
    return found


def shown(view: Row) -> str:
    return json.dumps(view, ensure_ascii=False)


def mrkdwn(value: Any) -> Iterator[str]:
    """Every text in which Slack would see a mention or a link; rich text is none."""
    match value:
        case {"type": "mrkdwn", "text": str(text)}:
            yield text
        case {"blocks": blocks, "text": str(fallback)}:
            yield fallback
            yield from mrkdwn(blocks)
        case dict():
            for inner in value.values():
                yield from mrkdwn(inner)
        case list():
            for inner in value:
                yield from mrkdwn(inner)


async def submit_raw(house: Running, user: str, view: Row, **typed: Any) -> Ack:
    """Submit what Slack's own client would not let anybody type, by label."""
    values = {
        block(view, label)["block_id"]: {
            block(view, label)["element"]["action_id"]: {"type": "plain_text_input", "value": value}
        }
        for label, value in typed.items()
    }
    slack = house.slack.state
    trigger = slack.screens.issue(user, slack.now(), in_modal=True)
    payload = payloads.submission(slack, user, view, values, trigger)
    return slack_modals.carry_out(house.slack.line, user, view, await house.slack.deliver(payload))


async def menu_entry(desk: Asked, words: str) -> str:
    elements = [e for b in desk.card()["blocks"] for e in b.get("elements", []) if e["type"] == "overflow"]
    return next(o["value"] for o in elements[0]["options"] if words in o["text"]["text"].lower())


# A reason


async def test_a_rejection_asks_for_a_reason_which_the_card_the_workflow_and_the_audit_get(
    house: Running,
) -> None:
    desk = await asking(house, MAYA)
    view = await desk.open(MAYA, "signoff.reject")
    assert "Pay Acme" in shown(view)

    ack = await house.slack.submit(MAYA, view, {"words": "the invoice is not ours"})
    await house.drain()

    assert ack.acked
    assert house.slack.views(MAYA) == []
    assert "the invoice is not ours" in str(desk.card()["blocks"])
    decision = (await house.thread(desk.thread_id)).result["decision"]
    assert decision["comment"] == "the invoice is not ours"
    (event,) = [e for e in await desk.events() if e["event"] == "approval.decided"]
    assert event["data"]["decision"]["comment"] == "the invoice is not ours"


@pytest.mark.parametrize("blank", ["   ", "\n\t", "\x00", " \x00 "])
async def test_a_reason_must_say_something(house: Running, blank: str) -> None:
    desk = await asking(house, MAYA)
    view = await desk.open(MAYA, "signoff.reject")

    ack = await submit_raw(house, MAYA, view, reason=blank)

    assert "a few words" in ack.field_errors["words"]
    assert (await desk.approval()).status == "pending"


@pytest.mark.parametrize(
    ("hostile", "kept"),
    [
        ("a\x00b", "ab"),
        ("half \ud83d of one", "half \ufffd of one"),
        ("bell \x07 and \u202eoverride", "bell \x07 and \u202eoverride"),
        ("<!channel> <@U02FINN> <https://evil.example|Acme>", None),
        ("😀" * 3000, None),
        ("```*_~`" * 100, None),
    ],
    ids=["nul", "surrogate", "controls", "mentions", "emoji", "mrkdwn"],
)
async def test_hostile_words_are_kept_as_text_and_break_nothing(
    house: Running, hostile: str, kept: str | None
) -> None:
    desk = await asking(house, MAYA)
    view = await desk.open(MAYA, "signoff.reject")

    ack = await submit_raw(house, MAYA, view, reason=hostile)
    await house.drain()

    assert (ack.acked, ack.error, ack.field_errors) == (True, None, {})
    assert (await desk.approval()).decision.comment == (kept or hostile)
    parsed = " ".join(mrkdwn(house.slack.messages(FINANCE)))
    assert "Rejected" in parsed
    assert "<!channel>" not in parsed
    assert f"<@{FINN}>" not in parsed
    assert "<https://evil.example" not in parsed
    (card,) = await house.rows("select error, wanted, drawn from messages where kind = 'card'")
    assert card["error"] is None
    assert card["drawn"] == card["wanted"]


# An edit


async def test_every_type_of_field_comes_back_as_what_it_was(house: Running) -> None:
    desk = await asking(house, MAYA, **editable())
    view = await desk.open(MAYA, "signoff.edit")
    values = {
        block(view, "vendor")["block_id"]: "Acme GmbH",
        block(view, "amount")["block_id"]: "12399.50",
        block(view, "seats")["block_id"]: "39",
        block(view, "pay")["block_id"]: "2026-12-04",
    }

    await house.slack.submit(MAYA, view, values)
    await house.drain()

    decision = (await house.thread(desk.thread_id)).result["decision"]
    assert decision["proposal"] == {
        "vendor": "Acme GmbH",
        "amount": "12399.50",
        "seats": 39,
        "urgent": False,
        "pay_on": "2026-12-04",
        "category": "software",
    }
    assert sorted(decision["edited"]) == ["amount", "pay_on", "seats", "vendor"]


async def test_a_field_that_does_not_fit_says_so_and_the_form_stays(house: Running) -> None:
    desk = await asking(house, MAYA, **editable())
    view = await desk.open(MAYA, "signoff.edit")
    amount, seats = block(view, "amount")["block_id"], block(view, "seats")["block_id"]

    ack = await submit_raw(house, MAYA, view, amount="lots", seats="forty")

    assert set(ack.field_errors) == {amount, seats}
    assert house.slack.views(MAYA) == [view]
    assert (await desk.approval()).status == "pending"
    assert [e["event"] for e in await desk.events()] == ["thread.started", "approval.asked"]


@pytest.mark.parametrize("unstorable", ["Ac\x00me", "Ac\ud83dme"])
async def test_an_edited_text_that_cannot_be_stored_is_an_error_at_the_form(
    house: Running, unstorable: str
) -> None:
    desk = await asking(house, MAYA, **editable())
    view = await desk.open(MAYA, "signoff.edit")

    ack = await submit_raw(house, MAYA, view, vendor=unstorable)

    assert ack.acked
    assert ack.field_errors
    assert (await desk.approval()).status == "pending"


async def test_a_form_whose_approval_was_decided_meanwhile_says_by_whom_and_keeps_what_was_typed(
    house: Running,
) -> None:
    desk = await asking(house, MAYA, FINN, **editable())
    view = await desk.open(MAYA, "signoff.edit")
    await desk.click(FINN)

    ack = await house.slack.submit(MAYA, view, {block(view, "vendor")["block_id"]: "Acme Holding"})

    assert ack.acked
    (told,) = house.slack.views(MAYA)
    assert f"approved by <@{FINN}>" in shown(told)
    assert "Acme Holding" in shown(told)
    assert "submit" not in told or told["submit"] is None
    assert await desk.refusals() == [(MAYA, "settled")]
    assert (await desk.approval()).decision.proposal == PAYMENT


async def test_what_was_mistyped_too_late_is_told_as_too_late(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, **editable())
    view = await desk.open(MAYA, "signoff.edit")
    await desk.click(FINN)

    ack = await submit_raw(house, MAYA, view, amount="lots")

    assert ack.field_errors == {}
    assert f"approved by <@{FINN}>" in shown(house.slack.views(MAYA)[0])
    assert await desk.refusals() == [(MAYA, "settled")]


async def test_a_form_whose_revision_changed_meanwhile_says_who_changed_it(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, DANA, approvals=2, **editable())
    mine = await desk.open(MAYA, "signoff.edit")
    theirs = await desk.open(FINN, "signoff.edit")
    await house.slack.submit(FINN, theirs, {block(theirs, "seats")["block_id"]: "30"})

    await house.slack.submit(MAYA, mine, {block(mine, "seats")["block_id"]: "20"})

    (told,) = house.slack.views(MAYA)
    assert f"<@{FINN}> changed this" in shown(told)
    assert "20" in shown(told)
    assert (await desk.approval()).proposal["seats"] == 30
    assert await desk.refusals() == [(MAYA, "outdated")]


async def test_a_rejection_typed_while_somebody_approved_says_who_was_first(house: Running) -> None:
    desk = await asking(house, MAYA, FINN)
    view = await desk.open(MAYA, "signoff.reject")
    await desk.click(FINN)

    await house.slack.submit(MAYA, view, {"words": "certainly not"})

    (told,) = house.slack.views(MAYA)
    assert f"approved by <@{FINN}>" in shown(told)
    assert "certainly not" in shown(told)


async def test_what_was_typed_is_named_as_the_form_named_it(house: Running) -> None:
    schema = {"properties": {"a": {"type": "string", "title": "R&D <new>"}, "b": {"enum": ["P&L", "x"]}}}
    desk = await asking(house, MAYA, FINN, **editable(proposal={"a": "1", "b": "x"}, proposal_schema=schema))
    view = await desk.open(MAYA, "signoff.edit")
    await desk.click(FINN)
    picked = block(view, "b")

    await house.slack.submit(MAYA, view, {block(view, "r&d")["block_id"]: "2 & 3", picked["block_id"]: "0"})

    (told,) = house.slack.views(MAYA)
    assert "R&D <new>" in shown(told)
    assert "2 & 3" in shown(told)
    assert "P&L" in shown(told)
    assert "&amp;" not in shown(told)


async def test_what_was_typed_stays_in_sight_where_it_is_too_long_for_an_acknowledgement(
    house: Running,
) -> None:
    desk = await asking(house, MAYA, FINN)
    view = await desk.open(MAYA, "signoff.reject")
    await desk.click(FINN)
    typed = "\u652f" * 2900

    ack = await house.slack.submit(MAYA, view, {"words": typed})

    assert ack.acked, ack.detail
    below, told = house.slack.views(MAYA)
    assert f"approved by <@{FINN}>" in shown(told)
    assert f"approved by <@{FINN}>" in shown(below)
    assert shown(below).count("\u652f") == 2900
    await house.slack.close(MAYA, told)
    assert [one["id"] for one in house.slack.views(MAYA)] == [view["id"]]


async def test_what_was_typed_stays_in_the_form_where_slack_does_not_redraw_it(house: Running) -> None:
    desk = await asking(house, MAYA, FINN)
    view = await desk.open(MAYA, "signoff.reject")
    await desk.click(FINN)
    house.slack.fault("views.update", "server_error")

    ack = await house.slack.submit(MAYA, view, {"words": "\u652f" * 2900})

    assert list(ack.field_errors) == ["words"]
    assert [one["id"] for one in house.slack.views(MAYA)] == [view["id"]]


async def test_a_submission_that_slack_repeats_is_recorded_once(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, approvals=2, **editable())
    view = await desk.open(MAYA, "signoff.edit")

    ack = await house.slack.submit(MAYA, view, {block(view, "seats")["block_id"]: "30"}, times=3)

    assert ack.acked
    assert [again.body for again in ack.repeats] == [None, None]
    assert (await desk.approval()).revision == 2
    assert [e["event"] for e in await desk.events()].count("approval.vote") == 1


@pytest.mark.parametrize(
    ("action", "typed"), [("signoff.reject", {"words": "no"}), ("signoff.edit", {"seats": "30"})]
)
async def test_a_form_whose_acknowledgement_was_lost_closes_at_the_next_try_and_nobody_else_was_first(
    house: Running, action: str, typed: Row
) -> None:
    desk = await asking(house, MAYA, **editable())
    view = await desk.open(MAYA, action)
    values = {block(view, label)["block_id"] if label == "seats" else label: typed[label] for label in typed}
    house.slack.drop_acks()
    assert not (await house.slack.submit(MAYA, view, values)).acked
    before = (await desk.approval()).decision

    ack = await house.slack.submit(MAYA, view, values)

    assert (ack.acked, ack.body) == (True, None)
    assert house.slack.views(MAYA) == []
    assert (await desk.approval()).decision == before is not None


async def test_a_submission_after_the_decision_changes_nothing(house: Running) -> None:
    desk = await asking(house, MAYA)
    view = await desk.open(MAYA, "signoff.reject")
    await house.slack.submit(MAYA, copy.deepcopy(view), {"words": "no"})
    before = (await desk.approval()).decision

    ack = await submit_raw(house, MAYA, view, reason="no, never")

    assert ack.body["response_action"] == "update"
    assert f"already rejected by <@{MAYA}>" in shown(ack.body["view"])
    assert (await desk.approval()).decision == before


@pytest.mark.parametrize("metadata", ["", "s2.x.1", "x" * 3000, "s1.0123456789abcdef.1", "s1.a.1\x00"])
async def test_a_form_of_nobody_knows_what_is_answered_and_changes_nothing(
    house: Running, metadata: str
) -> None:
    desk = await asking(house, MAYA)
    view = copy.deepcopy(await desk.open(MAYA, "signoff.reject"))
    view["private_metadata"] = metadata

    ack = await submit_raw(house, MAYA, view, reason="typed in vain")

    assert ack.acked
    assert "do not know this button" in shown(house.slack.views(MAYA)[-1])
    assert "typed in vain" in shown(house.slack.views(MAYA)[-1])
    assert (await desk.approval()).status == "pending"


async def test_a_form_of_another_version_is_never_closed_in_silence(house: Running) -> None:
    desk = await asking(house, MAYA)
    view = copy.deepcopy(await desk.open(MAYA, "signoff.reject"))
    view["callback_id"] = "signoff.form.from_the_future"

    ack = await submit_raw(house, MAYA, view, reason="typed in vain")

    assert ack.body["response_action"] == "update"
    assert "do not know" in shown(ack.body)
    assert "typed in vain" in shown(ack.body)


async def test_somebody_who_may_not_decide_cannot_submit_a_form_either(house: Running) -> None:
    desk = await asking(house, MAYA)
    view = await desk.open(MAYA, "signoff.reject")
    slack = house.slack.state
    state = {"words": {"value": {"type": "plain_text_input", "value": "typed in vain"}}}
    payload = payloads.submission(slack, OTTO, view, state, slack.screens.issue(OTTO, slack.now()))

    ack = await house.slack.deliver(payload)

    assert "not among those" in shown(ack.body)
    assert "Pay Acme" in shown(ack.body), "the form is gone that named it"
    assert "typed in vain" in shown(ack.body)
    assert await desk.refusals() == [(OTTO, "not_listed")]


async def test_a_form_stays_as_it_is_while_slack_does_not_say_that_its_person_may_decide(
    house: Running,
) -> None:
    desk = await asking(house, MAYA)
    view = await desk.open(MAYA, "signoff.reject")
    await house.pass_time(timedelta(minutes=16))
    house.slack.fault("users.info", "dropped", times=5)

    first = await house.slack.submit(MAYA, view, {"words": "too dear"})
    house.slack.faults.clear()
    await house.slack.submit(MAYA, view, {"words": "too dear"})

    assert "could not check with Slack" in first.field_errors["words"]
    assert await desk.refusals() == [(MAYA, "unchecked")]
    assert (await desk.approval()).decision.comment == "too dear"


# Opening


async def test_a_form_that_slack_does_not_open_is_said_and_the_click_is_acknowledged(house: Running) -> None:
    desk = await asking(house, MAYA)
    house.slack.fault("views.open", "server_error")

    ack = await desk.click(MAYA, "signoff.reject")

    assert ack.acked
    assert "click again" in await desk.told(MAYA)
    assert await desk.open(MAYA, "signoff.reject")


async def test_a_trigger_that_has_expired_is_said_too(house: Running) -> None:
    desk = await asking(house, MAYA)
    payload = desk.payload(MAYA, "signoff.reject") | {"trigger_id": "1.2.expired"}

    ack = await house.slack.deliver(payload)

    assert ack.acked
    assert "click again" in await desk.told(MAYA)


async def test_a_click_that_opens_a_form_does_not_wait_for_the_form(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await asking(house, MAYA)
    slow, opening = asyncio.Event(), house.house.client.views_open

    async def slowly(**view: Any) -> Any:
        await slow.wait()
        return await opening(**view)

    monkeypatch.setattr(house.house.client, "views_open", slowly)
    ack = await desk.click(MAYA, "signoff.reject")

    assert ack.acked
    assert house.slack.views(MAYA) == []
    slow.set()
    await house.slack.until(lambda: house.slack.views(MAYA))


async def test_opening_a_form_records_nothing(house: Running) -> None:
    desk = await asking(house, MAYA, **editable())
    before = await desk.events()

    for action_id in ("signoff.reject", "signoff.edit"):
        view = await desk.open(MAYA, action_id)
        await house.slack.close(MAYA, view)

    assert await desk.events() == before
    assert await desk.votes() == {}


async def test_everything_can_be_read_page_by_page_by_whoever_sees_the_card(house: Running) -> None:
    desk = await asking(house, MAYA, summary="word " * 12_000 + "the very end")
    view = await desk.open(OTTO, "signoff.whole")
    seen = shown(view)
    for _ in range(20):
        buttons = [e["action_id"] for b in view["blocks"] for e in b.get("elements", []) if "action_id" in e]
        if "signoff.page.next" not in buttons:
            break
        version = view["hash"]
        assert (await house.slack.click(OTTO, view, "signoff.page.next")).acked
        await house.slack.until(lambda version=version: house.slack.views(OTTO)[-1]["hash"] != version)
        view = house.slack.views(OTTO)[-1]
        seen += shown(view)

    assert "the very end" in seen
    assert await desk.refusals() == []


async def test_a_page_that_cannot_be_turned_is_said(house: Running) -> None:
    desk = await asking(house, MAYA, summary="word " * 12_000)
    view = await desk.open(OTTO, "signoff.whole")
    payload = copy.deepcopy(house.slack.click_payload(OTTO, view, "signoff.page.next"))
    house.slack.fault("views.update", "server_error")
    assert (await house.slack.deliver(payload)).acked
    for value in ("s9.x.1#p1", "s1.0123456789abcdef.1#p1"):
        payload["actions"][0]["value"] = value
        assert (await house.slack.deliver(payload)).acked

    told = await house.slack.until(lambda: len(house.slack.messages(OTTO)) > 2 and house.slack.messages(OTTO))
    assert sorted(one["text"].split(";")[0] for one in told) == [
        "I do not know this button",
        "I do not know this button",
        "Slack did not let me show that",
    ]


async def test_an_entry_of_another_version_is_told_and_shows_nothing(house: Running) -> None:
    desk = await asking(house, MAYA)
    option = await menu_entry(desk, "note")
    payload = desk.payload(MAYA, "signoff.more", option=option)
    payload["actions"][0]["selected_option"]["value"] = option.replace("#note", "#later")

    assert (await house.slack.deliver(payload)).acked

    assert "do not know this button" in await desk.told(MAYA)
    assert house.slack.views(MAYA) == []


async def test_a_settled_card_can_still_be_read_whole(house: Running) -> None:
    desk = await asking(house, MAYA, summary="word " * 2_000)
    await desk.click(MAYA)
    await house.drain()

    view = await desk.open(OTTO, "signoff.whole")

    assert "word word" in shown(view)


async def test_a_page_number_that_cannot_be_is_brought_into_range(house: Running) -> None:
    desk = await asking(house, MAYA, summary="word " * 12_000)
    view = await desk.open(OTTO, "signoff.whole")
    payload = copy.deepcopy(house.slack.click_payload(OTTO, view, "signoff.page.next"))
    for page in ("p999999999999999", "p", "x", "p-1"):
        approval = await desk.approval()
        payload["actions"][0]["value"] = f"s1.{approval.approval_id}.1#{page}"

        assert (await house.slack.deliver(payload)).acked


async def test_what_is_risky_asks_to_confirm_and_what_destroys_looks_dangerous(house: Running) -> None:
    desk = await asking(house, MAYA, risk="high")
    (approve,) = [
        e
        for b in desk.card()["blocks"]
        for e in b.get("elements", [])
        if e.get("action_id") == "signoff.approve"
    ]
    assert approve["confirm"]
    assert approve["style"] == "primary"

    desk = await asking(house, MAYA, destructive=True)
    (approve,) = [
        e
        for b in desk.card()["blocks"]
        for e in b.get("elements", [])
        if e.get("action_id") == "signoff.approve"
    ]
    assert approve["style"] == "danger"
    view = await desk.open(MAYA, "signoff.more", option=await menu_entry(desk, "note"))
    assert "destructive" in shown(view)
