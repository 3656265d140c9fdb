"""The card says, in every state, what holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_rows import (
    ANA,
    BOB,
    EVE,
    GROUPS,
    NOW,
    OPTIONS,
    PENDING,
    REQUEST,
    actions,
    approval,
    decided,
    decision,
    elements,
    expired,
    judge,
    read,
    states,
    thread,
    vote,
)

from bot.approvals.changes import Change, changes
from bot.approvals.policy import Policy
from bot.approvals.request import ApprovalRequest, Option
from bot.approvals.sla import Fallback
from bot.slack.blocks.values import Piece, edits
from bot.slack.cards.card import CardView, Drawn, card
from bot.slack.cards.proposed import proposal

STATES = states(REQUEST.model_copy(update={"options": OPTIONS}))


def draw(shown: Any, **view: Any) -> Drawn:
    values = {"thread": thread(), "now": NOW, "message_id": "card:a1", "version": 1, "groups": GROUPS}
    return card(CardView(approval=shown, **values | view))


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_a_valid_message_with_buttons_only_while_it_is_open(state: str) -> None:
    drawn = draw(STATES[state])

    judge(drawn.blocks)
    assert ("signoff.approve" in actions(drawn.blocks)) == (state in PENDING)
    assert ("signoff.choose.0" in actions(drawn.blocks)) == (state in PENDING)
    assert "Pay Acme 12,400.00 USD" in drawn.text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("pending", "Needs *2 approvals* by <!subteam^S01FINMGR> or <@U0BOB0001>"),
        ("pending", "If nobody answers, I will not run it."),
        ("undelivered", "Not delivered to its channel: not_in_channel"),
        ("held", "*Overdue* since"),
        ("edited", "Revision 2, edited by <@U0EVE0001>, earlier votes are void"),
        ("noticed", "⚠️ policy.approvals: refused &lt;!here&gt;"),
        ("escalated", "Escalated to @directors and <@U0EVE0001>"),
        ("approved", "*Approved* by <@U0BOB0001> and <@U0EVE0001>"),
        ("edited and approved", "*Approved with edits* by <@U0BOB0001>"),
        ("rejected", "*Rejected* by <@U0BOB0001>"),
        ("rejected", "I will not run it."),
        ("rejected", "Not <!channel> now"),
        ("answered", "*Answered* by <@U0BOB0001>"),
        ("answered", "Ask *finance*"),
        ("chosen", "*Answered with “Option 0”* by <@U0BOB0001>"),
        ("by policy", "*Approved by policy*: under 500"),
        ("timed out", "*Timed out*, nobody answered. I did not run it."),
        ("timed out, approved", "it ran unapproved, as its workflow declares"),
        ("timed out, chosen", "I took “Option 0”, as its workflow declares"),
        ("timed out, as drafted", "*Timed out*: went out as drafted (forced)."),
        ("timed out, cancelled", "I did not run it, and ended the workflow."),
        ("never delivered", "*Never delivered* (channel_not_found): nobody was asked. I did not run it."),
        ("cancelled", "*Cancelled*. I did not run it."),
        ("superseded", "The decision by <@U0BOB0001> was not used."),
        ("orphaned", "The decision by <@U0BOB0001> reached nobody."),
    ],
)
def test_each_state_says_what_holds(state: str, words: str) -> None:
    assert words in read(draw(STATES[state]).blocks)


@pytest.mark.parametrize(
    ("status", "why", "words"),
    [
        ("cancelled", "not needed.", "*Cancelled*: not needed. I did not run it."),
        ("cancelled", "the workflow failed: <!channel>", "the workflow failed: &lt;!channel&gt;. I did not"),
        ("superseded", "the workflow was retried", "*Superseded*: the workflow was retried. A new card asks"),
        ("superseded", None, "*Superseded*. A new card asks about it."),
    ],
)
def test_what_is_closed_says_why_it_was_whatever_its_workflow_does_since(
    status: Any, why: str | None, words: str
) -> None:
    closed = approval(status=status, decided_at=NOW, closed_why=why)
    assert words in read(draw(closed, thread=thread(status="running")).blocks)


@pytest.mark.parametrize("fallback", [Fallback.reject(), Fallback.approve(), Fallback.as_drafted()])
def test_too_few_answers_are_not_told_as_none(fallback: Fallback) -> None:
    shown = read(draw(expired(fallback, votes=(vote(BOB),))).blocks)

    assert f"only <@{BOB}> answered" in shown
    assert "nobody answered" not in shown
    assert "· <!date^" in shown, "when"


@pytest.mark.parametrize("fallback", [Fallback.approve(), Fallback.as_drafted()])
def test_a_fallback_whose_workflow_was_ended_first_is_told_as_not_run(fallback: Fallback) -> None:
    ended = thread(status="cancelled", cancel_reason="not needed")
    shown = read(draw(expired(fallback), thread=ended).blocks)

    assert "Its workflow was ended first, so I did not run it." in shown
    applied = replace(expired(fallback), applied_at=NOW)
    assert "ended first" not in read(draw(applied, thread=ended).blocks)


@pytest.mark.parametrize("state", [name for name in STATES if name.startswith(("timed", "never"))])
def test_silence_is_never_shown_as_a_persons_no(state: str) -> None:
    shown = read(draw(STATES[state]).blocks) + draw(STATES[state]).text

    assert "ejected" not in shown
    assert BOB not in shown


def test_the_first_lines_say_what_by_when_and_at_whose_request() -> None:
    blocks = draw(approval()).blocks

    assert blocks[0]["text"]["text"] == "Pay Acme 12,400.00 USD"
    assert f"Asked by <@{ANA}> · *expense* workflow" in blocks[1]["text"]["text"]
    assert "Due *<!date^1795186800^" in blocks[1]["text"]["text"]


def test_a_starter_who_is_not_the_requester_is_named_beside_them() -> None:
    blocks = draw(approval(), thread=thread(starter="api:billing")).blocks

    assert f"Asked by <@{ANA}>, started by billing (API)" in read(blocks)


def test_votes_say_who_and_how_many_are_needed() -> None:
    shown = read(draw(approval(), votes=(vote(BOB), vote(EVE, "reject"))).blocks)

    assert f"Approved by <@{BOB}> · 1 of 2 needed" in shown
    assert f"Rejected by <@{EVE}> · 1 of 1 needed to end it" in shown


def test_edits_show_each_field_before_and_after() -> None:
    after = {**REQUEST.proposal, "amount": 9000.0}
    shown = read(draw(decided(decision(proposal=after), proposal=after, edited_by=BOB)).blocks)

    assert "amount :  12400.0  →  9000.0" in shown


def test_an_edit_of_what_one_person_decides_voids_nothing() -> None:
    shown = read(draw(replace(STATES["edited"], policy=Policy(approvers=(BOB,)))).blocks)

    assert f"Revision 2, edited by <@{EVE}> " in shown
    assert "void" not in shown


def test_an_edit_inside_a_value_is_told_under_the_title_that_the_form_has_for_it() -> None:
    changed = changes({"2-args-to": ["ann"], "a.b": [1]}, {"2-args-to": ["bob"], "a.b": [2]})

    told = str(edits(changed, called={"2-args-to": "2. mail: to", "a": "Other"}).elements)

    assert "'2. mail: to[0]'" in told
    assert '["a.b"][0]' in told


def test_what_holds_more_than_facts_is_still_read_as_facts_where_it_can_be() -> None:
    value = {
        "to": "Acme",
        "address": {"street": "Main St", "zip": "12345"},
        "lines": [{"sku": "A1", "qty": 2}, {"sku": "B2", "qty": 1, "note": None}],
        "terms": "Paid at once.\nNo discount.",
        "where": {"id": {"lt": 5}},
        "same": 1,
    }
    shown = proposal(value, 1500, called={"to": "Pay", "same": "Pay"})
    assert told(shown) == (
        "Pay: Acme\naddress \u203a street: Main St\naddress \u203a zip: 12345\n"
        "lines 1: sku: A1 · qty: 2\nlines 2: sku: B2 · qty: 1 · note: (none)\nPay: 1"
        "|terms|Paid at once.\nNo discount."
        '|where|{\n  "id": {\n    "lt": 5\n  }\n}'
    )
    assert shown.whole
    cut = proposal(value, 180)
    assert told(cut).endswith("|… and 2 more values")
    assert not cut.whole


@pytest.mark.parametrize("value", ["12\u202e34", "two  spaces", " "])
@pytest.mark.parametrize("where", [lambda of: of, lambda of: {"in": of}, lambda of: {"rows": [of]}])
def test_a_value_that_is_not_shown_as_it_is_has_its_button_wherever_it_stands(where: Any, value: str) -> None:
    assert not proposal(where({"account": value}), 500).whole


@pytest.mark.parametrize("name", ["n" * 120, "12\u202e34"])
@pytest.mark.parametrize("value", [1, "word " * 50, {"deep": {"er": 1}}])
def test_a_name_that_is_not_shown_as_it_is_has_its_button_too(name: str, value: Any) -> None:
    assert proposal({"name": value}, 5000).whole
    assert not proposal({name: value}, 5000).whole
    assert not edits(changes({"same": 1}, {"same": 1, name: value})).whole


@pytest.mark.parametrize("where", [lambda text: text, lambda text: {"Words": text}])
@pytest.mark.parametrize("hidden", ["pay\u202eno", "\t" * 200])
def test_prose_that_is_not_shown_as_it_is_has_its_button_though_it_fits(where: Any, hidden: str) -> None:
    prose = "word " * 50
    assert proposal(where(prose), 500).whole
    assert not proposal(where(prose + hidden + "."), 500).whole


TABS = "a\tb" * 230


@pytest.mark.parametrize(
    "cut",
    [
        {"title": TABS},
        {"summary": TABS * 2},
        {"links": {"l" * 120: "https://example.com/1"}},
        {"links": {"Invoice": f"https://example.com/{'1' * 200}"}},
        {"options": (Option(id="o1", label="Go", description="\t" * 200 + "all the way"),)},
        {"options": (Option(id="o1", label="\U0001f600" * 300),)},
    ],
)
def test_whatever_is_cut_on_a_card_has_its_button_though_it_seemed_to_fit(cut: dict[str, Any]) -> None:
    assert "signoff.whole" in actions(draw(approval(ApprovalRequest(**{"title": "Pay"} | cut))).blocks)


def test_an_option_whose_button_has_no_room_for_it_is_told_above() -> None:
    tabs = "a\tb" * 20 + "the end"
    request = ApprovalRequest(title="Which?", allow=(), options=(Option(id="o1", label=tabs[-75:]),))
    assert "the end" in read(draw(approval(request)).blocks)


def test_a_reason_or_a_notice_that_is_cut_has_its_button_too() -> None:
    reason = decided(decision("reject", comment=TABS + "no"))
    assert actions(draw(reason).blocks) == ["signoff.whole"]
    for notices in (("n" * 600,), ("\n> " * 150,), ("note",) * 6):
        assert "signoff.whole" in actions(draw(approval(notices=notices)).blocks)


def told(piece: Piece) -> str:
    return "|".join("".join(run["text"] for run in element["elements"]) for element in piece.elements)


def test_what_was_refused_is_struck_through_and_what_was_approved_is_not() -> None:
    def struck(state: str) -> bool:
        return "'strike': True" in str(draw(STATES[state]).blocks)

    assert struck("rejected")
    assert struck("timed out")
    assert not struck("approved")
    assert not struck("pending")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("running", "Handing the answer to the workflow …"),
        ("failed", "The workflow failed after this: ValueError: no money."),
        ("done", "The workflow is done: Paid."),
        ("cancelled", "The workflow ended: the card was lost"),
        ("orphaned", "The workflow lost its place after this"),
    ],
)
def test_a_settled_card_says_what_the_workflow_did_next(status: str, words: str) -> None:
    after = thread(
        status=status,
        error="ValueError: no money",
        result={"outcome": "Paid."},
        cancel_reason="the card was lost",
    )

    assert words in read(draw(decided(decision()), thread=after).blocks)


def test_a_card_says_that_its_answer_is_held_and_why() -> None:
    held = thread(status="waiting", error="amount: Field required.", retry_at=NOW)

    assert "Not handed on yet: amount: Field required." in read(draw(decided(decision()), thread=held).blocks)


def test_an_applied_answer_is_no_longer_being_handed_over() -> None:
    applied = decided(decision(), applied_at=NOW)

    assert "is running" in read(draw(applied, thread=thread(status="running")).blocks)
    assert "waits for people again" in read(draw(applied).blocks)


def test_approve_is_the_one_emphasised_button_and_reject_is_plain() -> None:
    styles = {e["action_id"]: e.get("style") for e in elements(draw(approval()).blocks)}

    assert styles["signoff.approve"] == "primary"
    assert {style for name, style in styles.items() if name != "signoff.approve"} == {None}


@pytest.mark.parametrize(
    ("changes", "style", "confirms"),
    [({}, "primary", False), ({"risk": "high"}, "primary", True), ({"destructive": True}, "danger", True)],
)
def test_danger_and_confirmation_come_from_what_approving_does(
    changes: dict[str, Any], style: str, confirms: bool
) -> None:
    approve = elements(draw(approval(REQUEST.model_copy(update=changes))).blocks)[0]

    assert approve["style"] == style
    assert approve.get("confirm", {}).get("style") == (style if confirms else None)


@pytest.mark.parametrize("title", ["Pay Acme 12,400.00 USD", "x" * 150, "\N{PARTY POPPER}" * 150])
def test_who_confirms_what_was_edited_is_told_that_its_title_is_older(title: str) -> None:
    request = REQUEST.model_copy(update={"title": title, "risk": "high"})
    asked, edited = approval(request), approval(request, edited_by=EVE, revision=2)

    (before, after) = (
        next(each for each in elements(draw(one).blocks) if each["action_id"] == "signoff.approve")
        for one in (asked, edited)
    )

    assert "edited" not in before["confirm"]["text"]["text"]
    told = after["confirm"]["text"]["text"]
    assert "It was edited since: the proposal shown is what counts." in told
    assert told.endswith("This is marked as high risk.")


def test_the_buttons_are_those_that_the_request_allows() -> None:
    asked = ApprovalRequest(title="What now?", allow=("respond",))

    assert actions(draw(approval(asked)).blocks) == ["signoff.respond", "signoff.more"]


def test_few_options_are_buttons_and_many_are_a_menu() -> None:
    few = ApprovalRequest(title="Which?", options=OPTIONS)
    many = ApprovalRequest(title="Which?", options=[Option(id=f"o{n}", label=f"L{n}") for n in range(6)])

    shown = draw(approval(few)).blocks
    menu = elements(draw(approval(many)).blocks)[0]
    assert actions(shown)[:3] == ["signoff.choose.0", "signoff.choose.1", "signoff.choose.2"]
    assert "What 1 does" in read(shown)
    assert menu["action_id"] == "signoff.choose"
    assert menu["options"][5]["value"] == "s1.a1.1#5"


def test_a_direct_card_mentions_nobody_else_and_leads_to_the_channel() -> None:
    drawn = draw(approval(), audience="direct", permalink="https://slack.example/archives/C1/p1")

    shown = read(drawn.blocks)
    assert "You may decide this." in shown
    assert "subteam" not in shown
    assert "<https://slack.example/archives/C1/p1|" in shown


def test_an_empty_policy_says_that_nobody_may_decide() -> None:
    assert "Nobody may decide this" in read(draw(approval(policy=Policy())).blocks)


def test_block_ids_are_new_on_every_drawing_and_action_ids_stay() -> None:
    first, second = draw(approval(), version=1), draw(approval(), version=2)

    assert not {b["block_id"] for b in first.blocks} & {b["block_id"] for b in second.blocks}
    assert actions(first.blocks) == actions(second.blocks)


def test_drawing_the_same_row_again_is_the_same_message() -> None:
    assert draw(approval()) == draw(approval())


def test_metadata_holds_the_message_id_and_nothing_of_the_request() -> None:
    assert draw(approval()).metadata == {
        "event_type": "signoff_message",
        "event_payload": {"message_id": "card:a1"},
    }


def test_what_is_cut_can_be_shown_whole_while_open_and_after() -> None:
    long = approval(REQUEST.model_copy(update={"summary": "word " * 2000}))
    settled = replace(long, status="decided", decision=decision(), decided_at=NOW)

    assert "signoff.whole" in actions(draw(long).blocks)
    assert actions(draw(settled).blocks) == ["signoff.whole"]
    assert "signoff.whole" not in actions(draw(approval()).blocks)


def test_a_list_that_is_cut_can_be_shown_whole() -> None:
    recipients = [f"person-{n}@a-long-company-name.example" for n in range(20)]
    drawn = draw(approval(REQUEST.model_copy(update={"proposal": {"recipients": recipients}})))
    assert recipients[-1] not in str(drawn.blocks)
    assert "signoff.whole" in actions(drawn.blocks)


def test_a_long_reason_can_be_read_whole_on_the_settled_card() -> None:
    drawn = draw(decided(decision("reject", comment="No. " * 400, proposal=None)))
    assert actions(drawn.blocks) == ["signoff.whole"]


def test_an_overdue_card_after_an_outage_can_still_be_decided() -> None:
    held = approval(due_at=NOW - timedelta(minutes=5))

    assert "and held: it can still be decided" in read(draw(held).blocks)
    assert "you can" not in read(draw(held, audience="former").blocks)
    assert "signoff.approve" in actions(draw(held).blocks)


@pytest.mark.parametrize("status", ["failed", "running"])
def test_a_pending_card_tells_of_its_workflows_failure_only(status: str) -> None:
    shown = read(draw(approval(), thread=thread(status=status, error="boom")).blocks)

    assert ("The workflow failed meanwhile: boom" in shown) == (status == "failed")


def test_what_is_asked_again_says_what_changed_by_the_names_that_people_know() -> None:
    asked = REQUEST.model_copy(
        update={"proposal_schema": {"properties": {"amount": {"title": "Total"}}}, "basis": "beef"}
    )
    changed = (Change("amount", 1.0, 12400.0), Change("basis", "f00d", "beef"))
    again = draw(approval(asked, revision=2, changed=changed, asked_again=1))

    judge(again.blocks)
    told = " ".join(read(again.blocks).split())
    assert "Asked again, since this changed before the answer took effect : before → after" in told
    assert "Total : 1.0 → 12400.0 Based on : f00d → beef" in told
    assert again.text.startswith("Asked again: Pay Acme")


def test_what_changed_while_it_waited_does_not_speak_of_an_answer() -> None:
    revised = draw(approval(revision=2, changed=(Change("amount", 1.0, 12400.0),)))

    assert "Changed since it was first asked" in read(revised.blocks)
    assert revised.text.startswith("Approval needed: ")


def test_a_thousand_changes_leave_the_buttons() -> None:
    changed = tuple(Change(f"k{n}", "<!here>" * 50, "*" * 3000) for n in range(1000))
    drawn = draw(approval(changed=changed, asked_again=1))

    judge(drawn.blocks)
    assert "signoff.approve" in actions(drawn.blocks)
    assert "more changes" in read(drawn.blocks)


def test_a_question_needs_answers_and_stays_unanswered() -> None:
    question = read(draw(approval(ApprovalRequest(title="Which?", options=OPTIONS))).blocks)

    assert "Needs *2 answers* by" in question
    assert "If nobody answers, it stays unanswered." in question


def test_what_takes_only_words_is_a_question() -> None:
    drawn = draw(approval(ApprovalRequest(title="Answer this step", allow=("respond", "reject"))))

    assert "Needs *2 answers* by" in read(drawn.blocks)
    assert drawn.text.startswith("Answer needed")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("timed out", "*Timed out*, nobody answered. It stays unanswered."),
        ("timed out, cancelled", "It stays unanswered, and I ended the workflow."),
    ],
)
def test_a_question_that_timed_out_stays_unanswered(state: str, words: str) -> None:
    question = states(ApprovalRequest(title="Which?", options=OPTIONS))[state]

    assert words in read(draw(question).blocks)
