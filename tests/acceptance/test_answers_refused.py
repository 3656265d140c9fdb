"""An answer that a graph could not take is refused where it is given, and costs nobody what they typed."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import foreign
import gated_agents
import pytest
from asking import wait_out, whispered
from fixtures_house import FINANCE, FINN, MAYA, OPS, Row, Running, running_house

from bot.approvals import Fallback, Policy, Sla
from bot.emulator import payloads

GIVEN = {"messages": [{"role": "user", "content": "go"}]}
NEEDS_A_CAP = {"type": "object", "properties": {"cap": {"type": "integer"}}, "required": ["cap"]}
DAY = timedelta(days=1)


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    gated_agents.ran.clear()
    async with running_house(
        database,
        SIGNOFF_WORKFLOWS="gated_agents:refunder",
        SIGNOFF_DEFAULT_CHANNEL="#finance-approvals",
        SIGNOFF_DEFAULT_APPROVERS=MAYA,
    ) as running:
        yield running


async def opened(house: Running, user: str, action_id: str) -> Row:
    before = len(house.slack.views(user))
    assert (await house.click(user, FINANCE, action_id)).acked
    await house.slack.until(lambda: len(house.slack.views(user)) > before)
    return house.slack.views(user)[-1]


def field(view: Row, label: str) -> str:
    (found,) = [
        b["block_id"] for b in view["blocks"] if b["type"] == "input" and label in b["label"]["text"].lower()
    ]
    return str(found)


async def refused(house: Running, thread_id: str) -> list[Row]:
    return [e["data"] for e in await house.audit(thread_id) if e["event"] == "approval.refused"]


async def test_an_edit_that_the_tool_does_not_take_is_refused_at_its_field_and_then_mended(
    house: Running,
) -> None:
    thread_id = await house.run("refunder", GIVEN)
    view = await opened(house, MAYA, "signoff.edit")
    amount = field(view, "amount")

    ack = await house.slack.submit(MAYA, view, {amount: "22"})

    assert list(ack.field_errors) == [amount]
    assert "multiple of 5" in ack.field_errors[amount]
    assert (await house.approval(thread_id)).status == "pending"

    ack = await house.slack.submit(MAYA, view, {amount: "70"})
    await house.drain()

    assert ack.acked
    assert gated_agents.ran == [("refund", (70.0, "Rosa"))]


async def test_words_that_do_not_fit_stay_in_the_modal_with_the_reason(house: Running) -> None:
    schema = {"type": "string", "minLength": 10, "pattern": "^INV-"}
    thread_id = await foreign.asked(house, "Which invoice?", schema)
    view = await opened(house, MAYA, "signoff.respond")

    ack = await house.slack.submit(MAYA, view, {"words": "the blue one"})

    assert "does not match" in ack.field_errors["words"]
    assert house.slack.views(MAYA) == [view]
    approval = await house.approval(thread_id)
    assert (approval.status, approval.decision) == ("pending", None)
    assert await house.rows("select from votes") == []
    (attempt,) = await refused(house, thread_id)
    assert (attempt["why"], attempt["verdict"]) == ("unfit", "respond")
    assert "does not match" in attempt["wrong"]

    assert (await house.slack.submit(MAYA, view, {"words": "INV-2026-11"})).acked
    await house.drain()
    assert (await house.thread(thread_id)).result == {"got": ["INV-2026-11"]}


async def test_a_button_whose_answer_does_not_fit_is_answered_privately_with_the_reason(
    house: Running,
) -> None:
    schema = {"type": "string", "enum": ["no <!here>", "go ahead"], "maxLength": 8}
    thread_id = await foreign.asked(house, "Deploy?", schema)

    ack = await house.click(MAYA, FINANCE, "signoff.choose.0")

    assert ack.acked
    told = await whispered(house, MAYA)
    assert "does not fit" in told
    assert "not recorded" in told
    assert "<!here>" not in told
    assert (await house.approval(thread_id)).status == "pending"

    await house.click(MAYA, FINANCE, "signoff.choose.1")
    await house.drain()
    assert (await house.thread(thread_id)).result == {"got": ["go ahead"]}


async def test_a_vote_that_could_not_decide_is_refused_before_the_others_are_asked(house: Running) -> None:
    policy = Policy(approvers=(MAYA, FINN), approvals=2, rejections=2)
    schema = {"type": "string", "enum": ["a", "bb"], "minLength": 2}
    thread_id = await foreign.asked(house, "Which?", schema, policy=policy)

    await house.click(MAYA, FINANCE, "signoff.choose.0")

    await whispered(house, MAYA)
    assert await house.rows("select from votes") == []
    assert len(await refused(house, thread_id)) == 1


async def test_an_approval_from_before_its_answer_was_kept_is_judged_by_the_engine(house: Running) -> None:
    thread_id = await foreign.asked(house, "Which invoice?", {"type": "string", "minLength": 10})
    await house.execute("update approvals set answering = null")
    view = await opened(house, MAYA, "signoff.respond")

    await house.slack.submit(MAYA, view, {"words": "short"})
    await house.drain()

    thread = await house.thread(thread_id)
    assert (thread.status, "does not fit" in thread.error) == ("failed", True)


async def test_a_reply_function_runs_in_workers_alone(house: Running) -> None:
    def reply(decision: Any) -> Any:
        raise LookupError("no such account")

    thread_id = await foreign.asked(house, "Pay?", reply=reply)

    ack = await house.click(MAYA, FINANCE, "signoff.approve")
    assert ack.acked
    assert (await house.approval(thread_id)).status == "decided"
    await house.drain()

    thread = await house.thread(thread_id)
    assert (thread.status, "no such account" in thread.error) == ("failed", True)
    assert (await house.approval(thread_id)).decision is not None
    assert f"signoff retry {thread_id}" in str(house.slack.messages(OPS))


@pytest.mark.parametrize(
    ("value", "schema", "fallback"),
    [
        ("Which invoice?", {"type": "string"}, Fallback.approve()),
        ("Which?", {"type": "string", "enum": ["a", "bb"], "minLength": 2}, Fallback.choose("a")),
        ("Which?", {"type": "string", "enum": ["a", "b"]}, Fallback.choose("c")),
        (
            "Terms?",
            NEEDS_A_CAP,
            Fallback.as_drafted(),
        ),
        ("Pay?", None, Fallback.approve()),
        ("Pay\x00?", None, Fallback.as_drafted()),
    ],
)
async def test_a_fallback_that_is_no_answer_runs_nothing_and_says_so(
    house: Running, value: str, schema: Any, fallback: Fallback
) -> None:
    sla = Sla(respond_within=DAY, fallback=fallback)
    thread_id = await foreign.asked(house, value, schema, sla=sla)
    card = str(house.card(FINANCE)["blocks"])
    unsaid = "I will not run it" if "signoff.approve" in card else "it stays unanswered"
    assert f"If nobody answers, {unsaid}." in card

    await wait_out(house, DAY + timedelta(minutes=1))

    approval = await house.approval(thread_id)
    assert (approval.status, approval.decision.verdict) == ("expired", "reject")
    thread = await house.thread(thread_id)
    assert (thread.status, thread.result) == ("cancelled", None)
    shown = str(house.card(FINANCE)["blocks"])
    assert "is not an answer to this, so I did not run it" in shown
    told = str(house.slack.messages(OPS))
    assert f"the declared fallback ({fallback.kind}) is not an answer to what was asked" in told
    assert f"signoff show {thread_id}" in told


SHAPES = {
    "batched": (foreign.BATCHED, None, {}, "signoff.approve"),
    "per_call": (foreign.PER_CALL, foreign.ONE_CALL, {}, "signoff.approve"),
    "inbox": (foreign.INBOX, None, {}, "signoff.approve"),
    "schema": ("Which?", {"type": "string", "enum": ["a", "b"]}, {}, "signoff.choose.0"),
    "plain": ({"question": "Pay?"}, None, {"reply": "dict"}, "signoff.approve"),
    "plain, undeclared": ("Pay?", None, {}, "signoff.approve"),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_stale_a_double_and_a_late_click_change_nothing(house: Running, shape: str) -> None:
    value, schema, declared, action_id = SHAPES[shape]
    thread_id = await foreign.asked(house, value, schema, **declared)
    approval = await house.approval(thread_id)
    assert approval.dialect == shape.partition(",")[0]
    fresh = copy.deepcopy(house.slack.click_payload(MAYA, house.card(FINANCE), action_id))
    late = copy.deepcopy(house.slack.click_payload(FINN, house.card(FINANCE), action_id))
    stale = copy.deepcopy(fresh)
    stale["actions"][0]["value"] = f"s1.{approval.approval_id}.7"

    assert (await house.slack.deliver(stale)).acked
    assert "out of date" in await whispered(house, MAYA)
    assert await house.approval(thread_id) == approval

    for _ in range(2):
        assert (await house.slack.deliver(fresh)).acked
    decided = await house.approval(thread_id)
    assert decided.status == "decided"
    await house.drain()
    done = await house.thread(thread_id)
    assert (done.status, len(done.result["got"])) == ("done", 1)

    assert (await house.slack.deliver(late)).acked
    await house.drain()
    assert "already" in await whispered(house, FINN)
    assert (await house.approval(thread_id)).decision == decided.decision
    assert await house.thread(thread_id) == done


@pytest.mark.parametrize(
    ("value", "schema", "action_id", "typed"),
    [
        ("Pay\x00?", None, "signoff.respond", {"words": "no"}),
        (
            "Terms?",
            NEEDS_A_CAP,
            "signoff.edit",
            {"cap": "7"},
        ),
        (foreign.BATCHED, None, "signoff.edit", {}),
    ],
    ids=["raw", "schema", "batched"],
)
async def test_a_form_that_is_sent_twice_too_late_or_of_an_older_card_changes_nothing(
    house: Running, value: Any, schema: Any, action_id: str, typed: Row
) -> None:
    thread_id = await foreign.asked(house, value, schema, reply="dict")
    approval = await house.approval(thread_id)
    view = await opened(house, MAYA, action_id)
    theirs = await opened(house, FINN, action_id)
    typed = {(key if key == "words" else field(view, key)): text for key, text in typed.items()}
    stale = copy.deepcopy(view) | {"private_metadata": f"s1.{approval.approval_id}.7"}

    ack = await house.slack.deliver(_submission(house, MAYA, stale, typed))
    assert "typing" in json.dumps(ack.body)
    assert await house.approval(thread_id) == approval

    ack = await house.slack.submit(MAYA, view, typed, times=2)
    assert ack.acked
    await house.drain()
    decided, done = await house.approval(thread_id), await house.thread(thread_id)
    assert (decided.status, done.status, len(done.result["got"])) == ("decided", "done", 1)

    ack = await house.slack.deliver(_submission(house, FINN, theirs, typed))
    assert "already" in json.dumps(ack.body)
    assert (await house.approval(thread_id)).decision == decided.decision
    assert await house.thread(thread_id) == done


def _submission(house: Running, user: str, view: Row, typed: Row) -> Row:
    slack = house.slack.state
    values = {
        block_id: {"value": {"type": "plain_text_input", "value": text}} for block_id, text in typed.items()
    }
    return payloads.submission(slack, user, view, values, slack.screens.issue(user, slack.now()))


async def test_one_person_cannot_type_the_answer_that_two_must_give(house: Running) -> None:
    policy = Policy(approvers=(MAYA, FINN), approvals=2)
    thread_id = await foreign.asked(house, "Pay?", reply="text", policy=policy)
    view = await opened(house, MAYA, "signoff.respond")
    assert "2 people" in json.dumps(view)

    await house.slack.submit(MAYA, view, {"words": "approve"})
    await house.drain()

    assert (await house.approval(thread_id)).status == "pending"
    assert f"Answered “approve” by <@{MAYA}> · 1 of 2 needed" in str(house.card(FINANCE)["blocks"])
    await house.slack.submit(FINN, await opened(house, FINN, "signoff.respond"), {"words": "approve"})
    await house.drain()
    assert (await house.thread(thread_id)).result == {"got": ["approve"]}
