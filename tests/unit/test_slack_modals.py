"""Modals open on what is decided, carry a token and nothing else, and lose nothing that was typed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_rows import (
    ANA,
    BOB,
    EVE,
    GROUPS,
    NOW,
    approval,
    decided,
    decision,
    elements,
    judge_view,
    read,
    states,
    texts,
    thread,
    vote,
)

from bot.approvals.correction import Correction
from bot.approvals.request import ApprovalRequest, Option
from bot.approvals.sla import Fallback, Sla
from bot.slack.blocks.text import units
from bot.slack.cards.outcome import by_whom
from bot.slack.cards.refusals import refusal
from bot.slack.form import Draft, Item, Spot, item_at
from bot.slack.token import Token
from bot.slack.views.editing import Editing
from bot.slack.views.modals import (
    approve_note_modal,
    complaining,
    edit_modal,
    item_modal,
    refusal_view,
    reject_modal,
    respond_modal,
    taken_modal,
    whole_modal,
)
from bot.slack.views.paging import slices, whole_pages
from bot.slack.views.submitted import typed

TOKEN = Token("a1", 1)


@pytest.mark.parametrize("build", [reject_modal, approve_note_modal, respond_modal, edit_modal])
def test_every_form_names_what_is_decided_and_for_whom_and_carries_the_token_only(build: Any) -> None:
    view = build(TOKEN, approval(), thread())

    judge_view(view)
    assert view["private_metadata"] == "s1.a1.1"
    assert view["callback_id"].startswith("signoff.form.")
    assert "Pay Acme 12,400.00 USD" in read(view)
    assert f"Asked by <@{ANA}>" in read(view)


def test_a_rejection_needs_a_reason_of_at_most_3000_characters() -> None:
    asks = reject_modal(TOKEN, approval())["blocks"][-1]

    assert not asks.get("optional")
    assert asks["element"] | {"max_length": 3000, "multiline": True} == asks["element"]
    assert (asks["block_id"], asks["element"]["action_id"]) == ("words", "value")


def test_submit_names_the_action() -> None:
    labels = [
        build(TOKEN, approval())["submit"]["text"] for build in (reject_modal, respond_modal, edit_modal)
    ]

    assert labels == ["Reject", "Send answer", "Approve edited"]


def test_an_edit_is_filled_in_and_warns_that_earlier_votes_are_void_only_where_several_decide() -> None:
    several = edit_modal(TOKEN, approval())
    one = edit_modal(TOKEN, approval(policy=approval().policy.model_copy(update={"approvals": 1})))

    assert "voids earlier votes" in read(several)
    assert "voids earlier votes" not in read(one)
    assert "12400" in json.dumps(one)


LISTED = ApprovalRequest(
    title="Run this",
    proposal={"window": {"hours": 2}, "steps": [{"host": "a", "tries": 1}, {"host": "b", "tries": 2}]},
    proposal_schema={
        "properties": {
            "window": {"properties": {"hours": {"type": "integer"}}, "required": ["hours"]},
            "steps": {
                "type": "array",
                "items": {"properties": {"host": {"type": "string"}, "tries": {"type": "integer"}}},
            },
        }
    },
)
DRAFT = Draft.of_json({"f:0": [0, [1, {"tries": 9}], [-1, {"host": "c"}]]})


def an_item(number: int) -> Item:
    schema, value = LISTED.proposal_schema, LISTED.proposal
    assert isinstance(value, dict)
    item = item_at(schema, value, DRAFT, Spot("f:0", number))
    assert item is not None
    return item


def test_an_edit_modal_remembers_what_was_done_to_its_lists_and_shows_it() -> None:
    view = edit_modal(TOKEN, approval(LISTED), thread(), DRAFT)

    judge_view(view)
    assert Editing.parse(view["private_metadata"]) == Editing(TOKEN, DRAFT)
    assert "3. Host: c (added)" in read(view)


def test_one_object_of_a_list_opens_in_a_modal_that_decides_nothing() -> None:
    spot = Spot("f:0", 1)
    view = item_modal(Editing(TOKEN, DRAFT, spot), an_item(1))

    judge_view(view)
    assert Editing.parse(view["private_metadata"]) == Editing(TOKEN, DRAFT, spot)
    assert "Steps, item 2" in read(view)
    assert "Nothing is approved yet" in read(view)
    assert view["submit"]["text"] == "Keep"


@pytest.mark.parametrize(
    "told", ["", None, "s1.a1.1 {", "s1.a1.1 []", 's1.a1.1 {"lists":5}', 's1.a1.1 {"open":[1]}', "x {}"]
)
def test_a_memory_that_is_none_is_refused(told: Any) -> None:
    assert Editing.parse(told) is None


def test_what_does_not_fit_into_a_views_memory_is_known_beforehand() -> None:
    assert Editing(TOKEN, Draft.of_json({"f:0": [[0, {"a": "😀" * 1400}]]})).fits
    assert not Editing(TOKEN, Draft.of_json({"f:0": [[0, {"a": "😀" * 1500}]]})).fits


def test_a_memory_holds_nothing_that_slack_would_make_an_entity_of() -> None:
    kept = Editing(TOKEN, Draft.of_json({"f:0": [[0, {"a": "R&D <b> &amp;"}]]}))

    assert not set(kept.encode()) & set("&<>")
    assert Editing.parse(kept.encode()) == kept


def test_a_form_without_a_field_says_what_is_wrong_above_it_once_and_loses_nothing() -> None:
    view = edit_modal(TOKEN, approval(LISTED), thread(), DRAFT) | {"id": "V1", "hash": "1", "state": {}}
    once = complaining(view, "Steps: <!channel>")
    twice = complaining(once, "Steps: no")

    for told in (once, twice):
        judge_view(told)
        assert told["private_metadata"] == view["private_metadata"]
        assert len(told["blocks"]) == len(view["blocks"]) + 1
    assert "<!channel>" not in read(once)


def test_what_was_typed_is_told_under_its_heading_with_what_was_done_to_lists() -> None:
    view = edit_modal(TOKEN, approval(LISTED), thread(), DRAFT)
    state = {"f:1.0": {"value": {"type": "number_input", "value": "7"}}}

    assert typed(view | {"state": {"values": state}}) == {
        "Window \u203a Hours": "7",
        "Steps": ["item 1 as it was", "item 2 with:\n  tries: 9", "added:\n  host: c"],
    }


def test_everything_is_shown_over_pages_and_nothing_is_lost() -> None:
    long = "".join(f"line {n}\n" for n in range(30_000))
    shown = approval(ApprovalRequest(title="Read this", summary=long, proposal={"a": [1, {"b": None}]}))
    pages = len(whole_pages(shown))
    views = [whole_modal(shown, page) for page in range(pages)]

    for view in views:
        judge_view(view)
        assert len(json.dumps(view)) < 250_000
    runs = [text for view in views for text in texts(view["blocks"])]
    assert long.strip() in "".join(text for text in runs if text.startswith("line ") or text[:1].isdigit())
    assert '"b": null' in read(views[-1])


def test_paging_leads_from_the_first_page_to_the_last() -> None:
    shown = approval(ApprovalRequest(title="Read this", summary="x" * 100_000))
    last = len(whole_pages(shown)) - 1

    def turns(page: int) -> dict[str, str]:
        return {e["action_id"]: e["value"] for e in elements(whole_modal(shown, page)["blocks"])}

    assert turns(0) == {"signoff.page.next": "s1.a1.1#p1"}
    assert turns(1) == {"signoff.page.previous": "s1.a1.1#p0", "signoff.page.next": "s1.a1.1#p2"}
    assert turns(last) == turns(last + 50) == {"signoff.page.previous": f"s1.a1.1#p{last - 1}"}


def test_everything_names_people_and_times_as_slack_does_and_shows_the_summary_as_its_card() -> None:
    request = ApprovalRequest(title="Read this", summary="**Bold**\n```\n  code\n```")
    view = whole_modal(approval(request, due_at=NOW))

    judge_view(view)
    rules = {part["type"]: part for part in view["blocks"][-1]["elements"][1]["elements"]}
    assert rules["user"]["user_id"] == BOB
    assert rules["date"]["timestamp"] == int(NOW.timestamp())
    assert "@finance-managers" in read(view)
    assert "Bold" in texts(view["blocks"])
    assert "```" not in read(view)


def test_everything_says_as_the_card_does_what_happens_if_nobody_answers() -> None:
    request = ApprovalRequest(title="Ship?", allow=(), options=(Option(id="o1", label="A & B"),))
    sla = Sla(respond_within=timedelta(days=1), fallback=Fallback.choose("o1"))

    assert "\nIf nobody answers, I take “A & B”." in read(whole_modal(approval(request, sla=sla)))
    assert "\nIf nobody answers, I will not run it." in read(whole_modal(approval()))


@pytest.mark.parametrize(
    ("marks", "warning"),
    [
        ({"risk": "high"}, "This is marked as high risk. Approving counts at once."),
        ({"destructive": True}, "This action is destructive. Approving counts at once."),
    ],
)
def test_a_note_warns_of_what_its_approval_would_have_asked_to_confirm(marks: Any, warning: str) -> None:
    shown = approval(ApprovalRequest(title="Drop it", **marks))

    assert warning in read(approve_note_modal(TOKEN, shown))
    assert "counts at once" not in read(approve_note_modal(TOKEN, approval()))


def test_a_short_request_needs_no_paging() -> None:
    assert elements(whole_modal(approval())["blocks"]) == []


@given(st.text(max_size=200), st.integers(2, 30))
def test_slices_lose_nothing_and_fit(text: str, limit: int) -> None:
    parts = list(slices(text, limit))

    assert "".join(parts) == text
    assert all(0 < units(part) <= limit for part in parts)


def test_who_was_first_is_said_and_what_was_typed_stays_in_sight_as_it_was_typed() -> None:
    said = 'cheaper,\nand "better"'
    taken = taken_modal(decided(decision()), None, {"Amount": "9000", "Why": said, "Note": None, "Days": []})

    judge_view(taken)
    assert f"already approved by <@{BOB}> (<!date^" in read(taken)
    written = "".join(texts(taken["blocks"]))
    assert f"Amount: 9000Why:\n{said}Note: (empty)Days: (empty)" in written
    assert "submit" not in taken


def test_whatever_was_typed_is_shown_whole_over_blocks_that_fit() -> None:
    filled = {f"Field {n}": f"{n} " + "word " * (560 * (n % 3)) for n in range(20)}
    taken = taken_modal(decided(decision()), None, filled)

    judge_view(taken)
    written = "".join(texts(taken["blocks"]))
    assert all(text in written for text in filled.values() if len(text) < 2800)
    assert written.count("word ") == sum(text.count("word ") for text in filled.values())


@pytest.mark.parametrize(
    ("state", "heading"),
    [
        ("approved", "Already decided"),
        ("by policy", "Already decided"),
        ("timed out", "Too late"),
        ("cancelled", "No longer open"),
        ("superseded", "No longer open"),
    ],
)
def test_a_form_that_came_too_late_is_headed_by_what_is_so(state: str, heading: str) -> None:
    assert taken_modal(states()[state], None)["title"]["text"] == heading


@pytest.mark.parametrize(
    ("state", "why", "words"),
    [
        ("timed out", None, "). Nobody answered. I did not run it. Your answer was not recorded."),
        ("timed out, as drafted", None, "). Went out as drafted (forced). Your answer was not"),
        ("cancelled", "not needed.", "it was cancelled: not needed. Nothing"),
    ],
)
def test_who_is_too_late_hears_what_came_of_it(state: str, why: str | None, words: str) -> None:
    assert words in refusal("settled", replace(states()[state], closed_why=why), thread=thread())


def test_an_edit_by_somebody_else_meanwhile_is_named() -> None:
    taken = taken_modal(replace(approval(), revision=2), BOB, {"Reason": "my words"})

    assert taken["title"]["text"] == "Changed meanwhile"
    assert f"<@{BOB}> changed this while you were typing" in read(taken)
    assert "my words" in read(taken)


def test_where_an_edit_and_a_correction_came_nobody_is_named_for_the_last_change() -> None:
    corrected = Correction(schema={}, values={"centre": "1"}, fixed={"centre": "2"}, by=ANA)
    taken = taken_modal(replace(approval(), revision=3, edited_by=BOB, correction=corrected), BOB)

    assert "Somebody changed this while you were typing" in read(taken)


def test_a_refusal_takes_the_place_of_a_form() -> None:
    view = refusal_view(refusal("own", approval(), GROUPS))

    judge_view(view)
    assert "You asked for this yourself" in read(view)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("not_listed", "Only <!subteam^S01FINMGR> or <@U0BOB0001> can decide it."),
        ("own", "somebody else must decide it"),
        ("guest", "Guests may not"),
        ("bot", "Apps may not"),
        ("deactivated", "Deactivated"),
        ("foreign", "other workspaces"),
        ("unchecked", "could not check"),
        ("voters_unchecked", "those who voted before you may still"),
        ("outdated", "<https://slack.example/1|the live card>"),
        ("stray", "<https://slack.example/1|the live card>"),
        ("unknown", "do not know this button"),
        ("not_allowed", "cannot be answered that way"),
    ],
)
def test_every_refusal_says_why_and_what_to_do(kind: Any, words: str) -> None:
    assert words in refusal(kind, approval(), GROUPS, "https://slack.example/1")
    assert "None" not in refusal(kind), "nor does it need an approval"


def test_a_policy_without_approvers_is_said_to_name_nobody() -> None:
    alone = approval(policy=approval().policy.model_copy(update={"approvers": ()}))

    assert "names nobody who may." in refusal("not_listed", alone)


def test_who_started_what_another_asked_for_is_told_just_that() -> None:
    asked, started = (refusal("own", approval(), user=user, thread=thread()) for user in (ANA, BOB))

    assert asked.startswith("You asked for this yourself")
    assert started.startswith("You started this yourself")


def test_nobody_who_hears_that_they_may_not_decide_is_named_among_those_who_can() -> None:
    alone = approval(policy=approval().policy.model_copy(update={"approvers": (BOB,)}))

    assert refusal("guest", approval(), GROUPS, user=BOB).endswith("Only <!subteam^S01FINMGR> can decide it.")
    assert refusal("own", alone, user=BOB).endswith("Its policy names nobody else who may.")
    assert "can decide it" not in refusal("foreign", decided(decision()), GROUPS), "nobody can any more"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("approved", "already approved by <@U0BOB0001>"),
        ("edited and approved", "already approved with edits by <@U0BOB0001>"),
        ("rejected", "already rejected by <@U0BOB0001>"),
        ("answered", "already answered by"),
        ("by policy", "already approved by policy"),
        ("timed out", "This timed out"),
        ("timed out, as drafted", "This timed out"),
        ("cancelled", "it was cancelled"),
        ("superseded", "a new card asks about it"),
        ("orphaned", "no longer waits"),
    ],
)
def test_a_second_click_is_told_what_holds(state: str, words: str) -> None:
    assert words in refusal("settled", states()[state])


@pytest.mark.parametrize("known", [None, approval()])
def test_who_is_too_late_for_what_is_not_known_to_be_settled_yet_is_told_so_all_the_same(known: Any) -> None:
    assert refusal("settled", known) == "This has been settled meanwhile. Nothing was changed."


@pytest.mark.parametrize(("at", "stamp"), [(NOW, " (<!date^"), (None, ": it was cancelled")])
def test_what_is_closed_says_when_where_that_is_known_and_that_nothing_was_changed(
    at: Any, stamp: str
) -> None:
    told = refusal("settled", approval(status="cancelled", decided_at=at))
    assert told.startswith(f"This is closed{stamp}")
    assert told.endswith(": it was cancelled. Nothing was changed.")


def test_of_those_who_answered_in_words_only_who_said_what_was_taken_is_named_as_having_decided() -> None:
    votes = (vote(EVE, "respond", text="Monday"), vote(BOB, "respond", text="Friday"))
    made = decision("respond", text="Friday", votes=votes)
    assert by_whom(decided(made, dialect="plain")) == f"<@{BOB}>"
    assert by_whom(decided(made, dialect="signoff")) == f"<@{EVE}> and <@{BOB}>"


def test_a_timeout_is_never_told_as_somebodys_no() -> None:
    for state, shown in states().items():
        if state.startswith(("timed out", "never")):
            assert "ejected" not in refusal("settled", shown)


def test_everything_of_a_settled_approval_holds_the_decision() -> None:
    shown = decided(decision("reject", comment="too dear"), decided_at=NOW)

    assert "too dear" in read(whole_modal(shown))
