"""How votes become a decision, through the buttons and forms of the card."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from asking import retried
from fixtures_decisions import MODULE, PAYMENT, Asked, asking, editable
from fixtures_house import CLEO, DANA, FINANCE, FINN, MAYA, OTTO, ROSA, Running, running_house

from workflows import datasource_question

GENERAL = "C05GENERAL"


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    async with running_house(database, extra=(MODULE,)) as running:
        yield running


async def rejected(desk: Asked, user: str, reason: str = "too much") -> None:
    view = await desk.open(user, "signoff.reject")
    assert (await desk.house.slack.submit(user, view, {"words": reason})).acked


async def edited(desk: Asked, user: str, **values: str) -> None:
    """Change fields of the payment, by the block that shows them."""
    view = await desk.open(user, "signoff.edit")
    ack = await desk.house.slack.submit(user, view, fields(view, **values))
    assert ack.acked
    assert not ack.field_errors


def fields(view: dict[str, object], **values: str) -> dict[str, str]:
    """Address a form's fields by what their labels begin with."""
    found = {}
    for name, value in values.items():
        (block,) = [
            b for b in view["blocks"] if b["type"] == "input" and b["label"]["text"].lower().startswith(name)
        ]
        found[block["block_id"]] = value
    return found


async def test_one_approval_decides_and_resumes_the_workflow(house: Running) -> None:
    desk = await asking(house, MAYA)

    await desk.click(MAYA)
    await house.drain()

    thread = await house.thread(desk.thread_id)
    assert thread.status == "done"
    decision = thread.result["decision"]
    assert (decision["verdict"], decision["by"]) == ("approve", {"kind": "human", "user": MAYA})
    assert [vote["standing"] for vote in decision["votes"]] == ["named"]
    assert f"Approved by <@{MAYA}>" in house.card(FINANCE)["text"]


async def test_the_right_by_which_somebody_decided_is_kept(house: Running) -> None:
    desk = await asking(house, "@finance-managers")

    await desk.click(FINN)

    (vote,) = (await desk.approval()).decision.votes
    assert vote.standing.startswith("@finance-managers, membership checked ")


async def test_two_must_approve_and_the_card_counts_them(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, DANA, approvals=2)

    await desk.click(MAYA)
    await house.drain()
    assert (await desk.approval()).status == "pending"
    assert "1 of 2" in str(house.card(FINANCE)["blocks"])

    await desk.click(DANA)
    await house.drain()
    decision = (await desk.approval()).decision
    assert decision.by.user == DANA
    assert [vote.user for vote in decision.votes] == [MAYA, DANA]


async def test_a_person_in_two_groups_and_named_too_counts_once(house: Running) -> None:
    desk = await asking(house, FINN, "@finance-managers", "@finance-directors", approvals=2)

    await desk.click(FINN)
    await desk.click(FINN)

    assert await desk.votes() == {FINN: "approve"}
    assert (await desk.approval()).status == "pending"


async def test_saying_the_same_again_leaves_no_second_note_and_no_second_audit_row(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, approvals=2)

    await desk.click(MAYA, times=3)
    await desk.click(MAYA)

    assert await desk.told(MAYA, 3) == (
        f"You have already said so, and it counts once. Approved by <@{MAYA}> · 1 of 2 needed"
    )
    await house.drain()

    assert [event["event"] for event in await desk.events()].count("approval.vote") == 1
    assert len(house.slack.messages(FINANCE)) == 2


async def test_somebody_may_change_their_mind_until_it_is_decided(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, DANA, approvals=2, rejections=2)
    await desk.click(MAYA)

    await rejected(desk, MAYA)
    assert await desk.votes() == {MAYA: "reject"}
    await desk.click(FINN)
    assert (await desk.approval()).status == "pending"
    await rejected(desk, DANA, "not this quarter")

    decision = (await desk.approval()).decision
    assert (decision.verdict, decision.by.user, decision.comment) == ("reject", DANA, "not this quarter")


async def test_one_rejection_ends_it_where_two_would_have_to_approve(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, approvals=2)
    await desk.click(MAYA)

    await rejected(desk, FINN)
    await house.drain()

    thread = await house.thread(desk.thread_id)
    assert thread.result["decision"]["verdict"] == "reject"
    assert [vote["verdict"] for vote in thread.result["decision"]["votes"]] == ["approve", "reject"]


async def test_an_edit_approves_what_was_edited_with_its_types_kept(house: Running) -> None:
    desk = await asking(house, MAYA, **editable())

    await edited(desk, MAYA, amount="12000.00", seats="38")
    await house.drain()

    decision = (await house.thread(desk.thread_id)).result["decision"]
    assert decision["proposal"] == PAYMENT | {"amount": "12000.00", "seats": 38}
    assert sorted(decision["edited"]) == ["amount", "seats"]
    shown = str(house.card(FINANCE)["blocks"])
    assert "12400.00" in shown
    assert "12000.00" in shown
    assert MAYA in shown
    (vote,) = [event for event in await desk.events() if event["event"] == "approval.vote"]
    assert {"path": "seats", "kind": "changed", "before": 40, "after": 38} in vote["data"]["changes"]


async def test_who_edited_is_kept_where_the_edit_decides_at_once(house: Running) -> None:
    desk = await asking(house, MAYA, **editable())

    await edited(desk, MAYA, seats="38")

    assert (await desk.approval()).edited_by == MAYA


async def test_an_edit_voids_earlier_votes_and_counts_as_the_editors_own(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, DANA, approvals=2, **editable())
    await desk.click(MAYA)

    await edited(desk, FINN, seats="38")
    await house.drain()

    approval = await desk.approval()
    assert (approval.status, approval.revision, approval.edited_by) == ("pending", 2, FINN)
    assert await desk.votes() == {FINN: "approve"}
    await desk.click(MAYA)
    decision = (await desk.approval()).decision
    assert decision.proposal["seats"] == 38
    assert [vote.user for vote in decision.votes] == [FINN, MAYA]


async def test_a_card_of_before_the_edit_decides_nothing(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, DANA, approvals=2, **editable())
    before = desk.payload(DANA)
    await edited(desk, FINN, seats="38")

    ack = await house.slack.deliver(before)

    assert ack.acked
    assert "out of date" in await desk.told(DANA)
    assert await desk.votes() == {FINN: "approve"}


async def test_submitting_an_edit_form_unchanged_is_a_plain_approval(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, DANA, approvals=2, **editable())
    await desk.click(MAYA)

    await edited(desk, FINN)

    approval = await desk.approval()
    assert (approval.status, approval.revision, approval.decision.edited) == ("decided", 1, ())


async def test_those_who_choose_must_agree_on_one_option(house: Running) -> None:
    options = [{"id": f"o{n}", "label": f"Option {n}"} for n in range(3)]
    desk = await asking(house, MAYA, FINN, DANA, approvals=2, allow=[], options=options)

    await desk.click(MAYA, "signoff.choose.0")
    await desk.click(FINN, "signoff.choose.1")
    assert (await desk.approval()).status == "pending"
    await desk.click(DANA, "signoff.choose.1")

    decision = (await desk.approval()).decision
    assert (decision.verdict, decision.choice) == ("choose", "o1")


async def test_an_answered_card_says_that_its_workflow_has_the_answer_and_waits_again(house: Running) -> None:
    thread_id = await house.run("datasource_question", datasource_question.samples["revenue"], ROSA)
    await house.click(ROSA, GENERAL, "signoff.choose.0")
    await house.drain()

    assert [a.status for a in await house.approvals(thread_id)] == ["decided", "pending"]
    answered = house.cards(GENERAL)[0]
    assert "The workflow has the answer, and waits for people again." in str(answered["blocks"])


async def test_an_answered_card_of_a_workflow_that_was_taken_away_says_that_it_is_held_and_goes_on_after(
    house: Running,
) -> None:
    desk = await asking(house, MAYA)
    entry = house.house.catalog.entries.pop("asked")
    await desk.click(MAYA)
    await house.drain()

    held = "Not handed on yet: Workflow asked is not in this worker's catalog. The decision stands"
    assert held in str(desk.card()["blocks"])
    drawn = await house.rows("select wanted from messages where kind = 'card'")
    await retried(house, 2)
    assert await house.rows("select wanted from messages where kind = 'card'") == drawn

    house.house.catalog.entries["asked"] = entry
    await retried(house, 1)
    assert "The workflow is done" in str(desk.card()["blocks"])


@pytest.mark.parametrize("count", [1, 5, 20])
async def test_each_of_the_options_can_be_chosen(house: Running, count: int) -> None:
    options = [{"id": f"o{n}", "label": f"Option {n}"} for n in range(count)]
    desk = await asking(house, MAYA, allow=["reject"], options=options)
    elements = [e for b in desk.card()["blocks"] if b["type"] == "actions" for e in b["elements"]]
    choosing = [e for e in elements if e["action_id"].startswith("signoff.choose")]
    assert choosing

    if choosing[0]["type"] == "static_select":
        assert len(choosing[0]["options"]) == count
        await desk.click(MAYA, choosing[0]["action_id"], option=choosing[0]["options"][-1]["value"])
    else:
        assert len(choosing) == count
        await desk.click(MAYA, choosing[-1]["action_id"])

    assert (await desk.approval()).decision.choice == f"o{count - 1}"


async def test_an_option_that_is_out_of_range_is_refused(house: Running) -> None:
    options = [{"id": f"o{n}", "label": f"Option {n}"} for n in range(3)]
    desk = await asking(house, MAYA, allow=[], options=options)
    for forged in ("3", "99999", "9" * 200, "-1", "٣"):
        payload = desk.payload(MAYA, "signoff.choose.0")
        payload["actions"][0]["action_id"] = f"signoff.choose.{forged}"

        assert (await house.slack.deliver(payload)).acked

    await desk.told(MAYA, 5)
    assert (await desk.approval()).status == "pending"


async def test_an_answer_in_words_ends_it_like_a_rejection_and_runs_nothing(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, approvals=2, allow=["approve", "respond"])
    view = await desk.open(MAYA, "signoff.respond")

    await house.slack.submit(MAYA, view, {"words": "ask again in December"})
    await house.drain()

    decision = (await house.thread(desk.thread_id)).result["decision"]
    assert (decision["verdict"], decision["text"]) == ("respond", "ask again in December")


async def test_a_note_goes_with_an_approval(house: Running) -> None:
    desk = await asking(house, MAYA)
    (menu,) = [
        element
        for block in desk.card()["blocks"]
        for element in block.get("elements", [])
        if element.get("type") == "overflow"
    ]
    (note,) = [o["value"] for o in menu["options"] if "note" in o["text"]["text"].lower()]
    view = await desk.open(MAYA, "signoff.more", option=note)

    await house.slack.submit(MAYA, view, {"words": "as agreed with Dana"})
    await house.drain()

    assert (await desk.approval()).decision.comment == "as agreed with Dana"
    assert "as agreed with Dana" in str(house.card(FINANCE)["blocks"])


async def test_whoever_comes_second_is_told_who_was_first(house: Running) -> None:
    desk = await asking(house, MAYA, FINN)
    late = desk.payload(FINN)
    await desk.click(MAYA)

    ack = await house.slack.deliver(late)

    assert ack.acked
    told = await desk.told(FINN)
    assert f"already approved by <@{MAYA}>" in told
    assert " at " in told
    assert await desk.refusals() == [(FINN, "settled")]


async def test_a_click_after_the_deadline_is_late_even_before_the_clock_has_looked(house: Running) -> None:
    desk = await asking(house, MAYA)
    await house.pass_time(timedelta(days=31))
    await house.slack_was_reachable()

    ack = await desk.click(MAYA)

    assert ack.acked
    assert "timed out" in await desk.told(MAYA)
    approval = await desk.approval()
    assert (approval.status, approval.decision.by.kind) == ("expired", "timeout")
    events = [event["event"] for event in await desk.events()]
    assert events[-2:] == ["approval.expired", "approval.refused"]


async def test_a_click_after_the_deadline_counts_where_slack_had_been_out_of_reach(house: Running) -> None:
    desk = await asking(house, MAYA)
    await house.pass_time(timedelta(days=31))
    await house.execute(
        "update slack_workspace set ok_since = signoff_now() - interval '5 minutes', "
        "checked_at = signoff_now()"
    )

    assert (await desk.click(MAYA)).acked

    assert (await desk.approval()).decision.by.user == MAYA


async def test_a_direct_copy_of_the_card_works_like_the_card(house: Running) -> None:
    desk = await asking(house, MAYA, CLEO)
    (copy,) = house.slack.messages(CLEO)

    ack = await house.slack.click(CLEO, copy, "signoff.approve")
    await house.drain()

    assert ack.acked
    assert (await desk.approval()).decision.by.user == CLEO
    assert f"Approved by <@{CLEO}>" in house.card(FINANCE)["text"]
    assert f"Approved by <@{CLEO}>" in house.slack.messages(CLEO)[0]["text"]


async def test_a_refusal_in_a_direct_copy_is_told_there(house: Running) -> None:
    desk = await asking(house, MAYA, CLEO)
    (copy,) = [m for m in house.slack.messages(CLEO) if "actions" in str(m["blocks"])]
    await desk.click(MAYA)

    ack = await house.slack.click(CLEO, copy, "signoff.approve")

    assert ack.acked
    assert "already approved" in await desk.told(CLEO)


async def test_the_requester_is_told_the_outcome_directly(house: Running) -> None:
    desk = await asking(house, MAYA)

    await desk.click(MAYA)
    await house.drain()

    assert any("Acme" in message["text"] for message in house.slack.messages(ROSA))
    assert OTTO not in str(house.slack.messages(ROSA))
