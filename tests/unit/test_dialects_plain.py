"""Graphs written as tutorials write them, our own request, and values that are nobody's dialect."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from deciding import answer, decided, timed_out
from pydantic import BaseModel

from bot.approvals.canonical import canonical
from bot.approvals.dialects import End, Original, Resume, read, reply
from bot.approvals.errors import BadAnswer, BadRequest
from bot.slack.blocks.rich import markdown

ASKED = read("Delete the index?")


def test_our_own_request_is_answered_with_the_whole_decision():
    asked = read({"signoff": 1, "title": "Pay Acme", "proposal": {"amount": 5}}, {"type": "object"})
    decision = decided(asked, "approve")

    assert asked.dialect == "signoff"
    assert answer(asked, decision) == Resume(decision.answer())


def test_text_is_asked_by_its_first_line_and_told_by_the_rest():
    asked = read("Delete the index?\n\nIt has 3 shards.")

    assert (asked.dialect, asked.request.title) == ("plain", "Delete the index?")
    assert asked.request.summary == "It has 3 shards."
    assert asked.request.allow == ("approve", "reject", "respond")


def test_a_dict_is_asked_by_its_question_with_short_values_as_facts_and_larger_ones_as_json():
    asked = read({"question": "Deploy?", "build": 7, "green": True, "changes": [{"id": 1}]})

    assert asked.request.title == "Deploy?"
    assert asked.request.fields == {"build": "7", "green": "true"}
    assert '"changes"' in asked.request.summary


def test_a_dicts_long_texts_stand_under_their_names_letter_by_letter():
    draft = "Dear Ann,\n\n  ```\n# not *bold*\n```\nYours"
    asked = read({"question": "Send it?", "to": "Ann", "draft": draft, "log": [["a"]], "why": "y" * 301})

    assert asked.request.fields == {"to": "Ann"}
    elements = markdown(asked.request.summary, 2_000)
    texts = ["".join(part["text"] for part in element["elements"]) for element in elements]
    assert [text.strip() for text in texts if text.strip()] == [
        *("draft", draft, "why", "y" * 301),
        '{\n  "log": [\n    [\n      "a"\n    ]\n  ]\n}',
    ]


def test_what_objects_and_lists_hold_is_told_by_itself_instead_of_as_json():
    call = {
        "name": "mail",
        "args": {"to": ["ann", "bo"], "cc": [], "body": "Hi\nAnn", "plan": ["x" * 200] * 2},
    }
    asked = read({"question": "Send it?", "tool_call": call, "labels": ["a, b", "c"], "meta": {}})

    assert asked.request.fields == {
        "tool_call \u203a name": "mail",
        "tool_call \u203a args \u203a to": "ann, bo",
    }
    elements = markdown(asked.request.summary, 2_000)
    texts = ["".join(part["text"] for part in element["elements"]) for element in elements]
    assert [text.strip() for text in texts if text.strip()] == [
        *("tool_call \u203a args \u203a body", "Hi\nAnn"),
        *("tool_call \u203a args \u203a plan", f"1. {'x' * 200}\n2. {'x' * 200}"),
        *("labels", "1. a, b\n2. c"),
        '{\n  "tool_call \u203a args \u203a cc": [],\n  "meta": {}\n}',
    ]


def test_values_that_would_have_one_name_are_not_opened():
    asked = read({"a": {"b": 1}, "a \u203a b": 2})

    assert asked.request.fields == {"a \u203a b": "2"}
    assert '"a": {' in asked.request.summary


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ({"query": "How many?"}, "How many?"),
        ({"task": "Review the summary", "summary": "…"}, "Review the summary"),
        ({"server": "github", "tool": "create_issue"}, "create_issue"),
        ({"tool": "create_issue", "message": "Open it?"}, "Open it?"),
    ],
)
def test_what_tutorials_ask_with_is_the_title(asked, title):
    assert read(asked).request.title == title


@pytest.mark.parametrize("value", ["x" * 5000, {"question": "y" * 5000}, {f"k{n}": n for n in range(300)}])
def test_nothing_that_is_asked_is_cut_away(value):
    request = read(value).request
    shown = f"{request.summary} {request.fields}"

    assert all(str(part) in shown for part in (value.values() if isinstance(value, dict) else [value]))


def test_undeclared_an_approval_resumes_with_a_dict_that_tutorials_read():
    said = answer(ASKED, decided(ASKED, "approve", comment="go"))

    assert (said.value["approved"], said.value["decision"], said.value.get("reason")) == (
        True,
        "approve",
        "go",
    )


@pytest.mark.parametrize(
    "decision",
    [
        decided(ASKED, "reject", comment="no"),
        decided(ASKED, "respond", text="why?"),
        timed_out(ASKED),
        timed_out(ASKED, "approve"),
        timed_out(ASKED, "approve", forced=True),
    ],
    ids=["refusal", "words", "timeout", "timeout that approves", "as drafted"],
)
def test_undeclared_only_a_persons_approval_resumes(decision):
    assert isinstance(answer(ASKED, decision), End)


def test_the_reason_of_an_end_says_who_decided_it_and_why():
    assert (
        answer(ASKED, decided(ASKED, "reject", comment="too late")).reason == "rejected by a person: too late"
    )
    assert answer(ASKED, timed_out(ASKED)).reason == "rejected since nobody answered: sla_timeout"


@pytest.mark.parametrize(
    ("expected", "verdict", "value"),
    [
        ("bool", "approve", True),
        ("bool", "reject", False),
        ("bool", "respond", False),
        ("text", "approve", "approve"),
        ("text", "reject", "reject"),
        ("text", "respond", "use blue"),
    ],
)
def test_a_declared_reply_answers_every_verdict(expected, verdict, value):
    text = "use blue" if verdict == "respond" else None

    assert answer(ASKED, decided(ASKED, verdict, text=text), expected) == Resume(value)


def test_a_declared_dict_is_sent_for_a_refusal_too():
    said = answer(ASKED, decided(ASKED, "reject", comment="no"), "dict").value

    assert (said["approved"], said["decision"], said["reason"]) == (False, "reject", "no")


@pytest.mark.parametrize("value", [None, 0, [], {"a": [1, None]}, "x", False])
def test_a_declared_function_may_answer_any_json(value):
    assert answer(ASKED, decided(ASKED, "reject"), lambda _: value) == Resume(value)


@pytest.mark.parametrize("value", [object(), {1: 2}, float("nan"), datetime(2026, 1, 1, tzinfo=UTC)])
def test_what_a_function_returns_must_be_json(value):
    with pytest.raises(BadAnswer, match="cannot be sent"):
        answer(ASKED, decided(ASKED, "approve"), lambda _: value)


def test_a_function_that_raises_says_so_in_one_line():
    with pytest.raises(BadAnswer, match="ZeroDivisionError"):
        answer(ASKED, decided(ASKED, "approve"), lambda _: 1 // 0)


def test_an_answer_to_a_schema_that_takes_only_objects_is_checked():
    asked = read("Go?", {"type": "object", "required": ["go"]})

    assert asked.dialect == "plain"
    with pytest.raises(BadAnswer, match="'go' is a required property"):
        answer(asked, decided(asked, "approve"))


@pytest.mark.parametrize("value", [5, 1.5, None, True, [1, 2], []])
def test_other_json_is_shown_as_it_is_and_can_be_answered_in_words(value):
    asked = read(value)

    assert asked.dialect == "plain"
    assert "respond" in asked.request.allow
    canonical(asked.request.payload())


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 1, tzinfo=UTC),
        {"when": datetime(2026, 1, 1, tzinfo=UTC)},
        {"a", "b"},
        object(),
        float("inf"),
        {1: "one"},
        "nul \x00",
        "half \ud800",
        b"bytes",
        "y" * 600_000,
        "```\n<!channel>",
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_else_gets_a_safe_card(value):
    asked = read(value)
    canonical(asked.request.payload())

    if asked.dialect == "raw":
        assert asked.request.allow == ("respond", "reject")
        assert asked.request.summary.count("```") == 2
        assert asked.original == Original(None, None)


def test_what_is_no_json_reads_the_same_on_every_run():
    class Thing:
        pass

    first, second = ({"thing": Thing(), "tags": {f"t{n}" for n in range(9)}} for _ in range(2))

    assert read(first).request.payload() == read(second).request.payload()


def test_a_value_that_contains_itself_or_cannot_be_written_is_still_asked():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    endless: list = []
    endless.append(endless)

    assert "…" in read(endless).request.summary
    assert "cannot be written" in read(Broken()).request.summary


def test_a_change_beyond_the_cut_changes_what_is_asked():
    assert read("y" * 600_000 + "a").request.payload() != read("y" * 600_000 + "b").request.payload()


def test_a_model_is_asked_as_its_json():
    class Question(BaseModel):
        question: str
        amount: int

    asked = read(Question(question="Pay?", amount=5))

    assert (asked.request.title, asked.request.fields) == ("Pay?", {"amount": "5"})


def test_a_foreign_answer_without_what_was_asked_is_refused():
    with pytest.raises(BadAnswer, match="not kept"):
        reply(decided(ASKED, "approve"), "batched", None)


def test_a_request_of_ours_that_is_wrong_is_refused_with_the_field():
    with pytest.raises(BadRequest, match="title"):
        read({"signoff": 1})


def test_what_is_kept_of_an_interrupt_survives_storage():
    original = Original({"a": 1}, {"type": "object"})

    assert Original.of(original.to_json()) == original
    assert Original.of(None) is None
