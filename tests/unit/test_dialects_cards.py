"""What every dialect asks can be drawn: a card and, where it can be edited, a modal that Slack takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from slack_rows import GROUPS, NOW, approval, decision, elements, judge, judge_view, thread
from slack_rows import read as words_of

from bot.approvals.dialects import Answering, Asked, breakpoint_request, read
from bot.approvals.workflow import Reply
from bot.postgres.rows import Approval
from bot.slack.cards.card import CardView, card
from bot.slack.token import Token
from bot.slack.views.modals import approve_note_modal, edit_modal, reject_modal, respond_modal

HOSTILE = "<!channel> <@U0EVE0001> ``` *x* <https://evil.example|click>\n" * 40


def batch(calls: int) -> dict:
    args = {HOSTILE[:120]: HOSTILE, "deep": {"a": [{"b": HOSTILE}]}, "n": 1e300, "": None}
    return {
        "action_requests": [
            {"name": f"tool-{n} <!here>", "args": args, "description": HOSTILE} for n in range(calls)
        ],
        "review_configs": [
            {
                "action_name": f"tool-{n} <!here>",
                "allowed_decisions": ["approve", "edit", "reject", "respond"],
            }
            for n in range(calls)
        ],
    }


ASKS = {
    "batched": read(batch(1)),
    "several": read(batch(3)),
    "fifty": read(batch(50)),
    "inbox": read(
        {"action_request": {"action": HOSTILE[:190], "args": {"a": HOSTILE}}, "config": {"allow_edit": True}}
    ),
    "schema": read(
        {"question": HOSTILE},
        {"type": "object", "properties": {HOSTILE: {"type": "string", "title": HOSTILE, "default": HOSTILE}}},
    ),
    "choice": read("Which?", {"enum": [f"{n} {HOSTILE}" for n in range(100)]}),
    "plain": read({HOSTILE: HOSTILE, "title": HOSTILE}),
    "raw": read({1: HOSTILE, "x": {HOSTILE}}),
    "breakpoint": Asked(breakpoint_request(HOSTILE, "before", {HOSTILE: HOSTILE}), "breakpoint"),
}


def shown_as(asked: Asked, expected: Reply | None = None, **changes: Any) -> Approval:
    """Return the row of a pause as a worker writes it."""
    how = {"dialect": asked.dialect, "answering": Answering.to(asked, expected)}
    return approval(asked.request, **how | changes)


@pytest.mark.parametrize("name", ASKS)
def test_slack_takes_its_card_and_nobody_is_mentioned(name: str) -> None:
    shown = shown_as(ASKS[name])
    drawn = card(
        CardView(approval=shown, thread=thread(), now=NOW, message_id="card:a1", version=1, groups=GROUPS)
    )

    judge(drawn.blocks)
    parsed = [b for b in drawn.blocks if b["type"] == "section"]
    assert "<!channel>" not in json.dumps(parsed)
    assert "<!here>" not in json.dumps(parsed)
    assert words_of(drawn.blocks)


@pytest.mark.parametrize("name", [name for name, asked in ASKS.items() if "edit" in asked.request.allow])
def test_slack_takes_its_modal(name: str) -> None:
    judge_view(edit_modal(Token("a1", 1), shown_as(ASKS[name])))


def drawn(asked: Asked, expected: Reply | None = None, **changes: Any) -> list[dict[str, Any]]:
    view = CardView(
        approval=shown_as(asked, expected, **changes), thread=thread(), now=NOW, message_id="m", version=1
    )
    return card(view).blocks


def labels(blocks: list[dict[str, Any]]) -> list[str]:
    return [element["text"]["text"] for element in elements(blocks) if element["type"] == "button"]


TERMS = read("Terms?", {"type": "object", "properties": {"cap": {"type": "integer"}}})


def test_a_question_is_answered_and_not_approved() -> None:
    view = edit_modal(Token("a1", 1), shown_as(TERMS))

    assert labels(drawn(TERMS)) == ["Reject", "Answer"]
    assert (view["title"]["text"], view["submit"]["text"]) == ("Answer", "Send answer")
    assert "same answer" in words_of(view["blocks"])
    assert "Needs *2 answers*" in words_of(drawn(TERMS))
    said = decision(proposal={"cap": 7}, edited=("cap",))
    settled = drawn(TERMS, status="decided", decision=said, decided_at=NOW, proposal={"cap": 7})
    assert "Answered" in words_of(settled)
    assert "pproved" not in words_of(settled)


def test_several_actions_are_decided_each() -> None:
    view = edit_modal(Token("a1", 1), shown_as(ASKS["several"]))

    assert labels(drawn(ASKS["several"]))[:3] == ["Approve", "Reject", "Decide each"]
    assert (view["title"]["text"], view["submit"]["text"]) == ("Decide each", "Send decisions")
    assert "Edit" in labels(drawn(ASKS["batched"]))


def test_arguments_that_nobody_may_edit_stand_before_the_decision_on_their_call() -> None:
    calls = [{"name": name, "args": {"to": "acme", "copies": 2}} for name in ("wire", "mail")]
    reviews = [
        {"action_name": "wire", "allowed_decisions": ["approve", "reject"]},
        {"action_name": "mail", "allowed_decisions": ["approve", "edit"]},
    ]
    asked = read({"action_requests": calls, "review_configs": reviews})
    view = edit_modal(Token("a1", 1), shown_as(asked))

    judge_view(view)
    assert [_named(block) for block in view["blocks"] if block["type"] in ("input", "rich_text")] == [
        "1. wire: to stays as it is",
        "1. wire: copies stays as it is",
        "1. wire",
        "1. wire: words",
        "2. mail",
        "2. mail: to",
        "2. mail: copies",
    ]


def _named(block: dict[str, Any]) -> str:
    if block["type"] == "input":
        return str(block["label"]["text"])
    return "".join(one["text"] for one in block["elements"][0]["elements"])


def test_what_ends_the_workflow_is_said_before_it_does() -> None:
    plain = read("Pay?")

    assert "Rejecting it, or answering in words, ends the workflow." in words_of(drawn(plain))
    assert "Rejecting it ends the workflow." in words_of(drawn(TERMS))
    for asked, reply in ((plain, "dict"), (plain, lambda decision: None), (ASKS["several"], None)):
        assert "ends the workflow" not in words_of(drawn(asked, reply))
    for modal in (reject_modal, respond_modal):
        assert "end it." in words_of(modal(Token("a1", 1), shown_as(plain))).replace("ends", "end")
        assert "end it." not in words_of(modal(Token("a1", 1), shown_as(plain, "dict")))


def test_words_that_are_the_answer_are_not_said_to_run_nothing() -> None:
    modal = respond_modal(Token("a1", 1), shown_as(read("Pay?"), "text"))

    assert "as its answer" in words_of(modal)
    assert "runs anything" not in words_of(modal)
    assert "2 people must give the same answer" in words_of(modal)


def test_a_form_does_not_say_that_a_workflow_gets_words_that_it_does_not() -> None:
    for modal in (reject_modal, respond_modal, approve_note_modal):
        assert "learns only that" in words_of(modal(Token("a1", 1), shown_as(read("Pay?"), "bool")))
        assert "learns only that" not in words_of(modal(Token("a1", 1), shown_as(read("Pay?"), "dict")))
