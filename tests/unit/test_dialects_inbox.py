"""The agent inbox's HumanInterrupt, alone and in a list."""

from __future__ import annotations

from itertools import product

import pytest
from deciding import answer, decided, timed_out

from bot.approvals.dialects import End, Resume, read
from bot.approvals.errors import BadAnswer, BadRequest

KINDS = {
    "allow_accept": "approve",
    "allow_edit": "edit",
    "allow_ignore": "reject",
    "allow_respond": "respond",
}


def human(action="Review Triage", args=None, description="An *e-mail*", **allows):
    config = dict.fromkeys(KINDS, True) if not allows else {**dict.fromkeys(KINDS, False), **allows}
    args = {"to": "bob", "urgent": False} if args is None else args
    return {
        "action_request": {"action": action, "args": args},
        "config": config,
        "description": description,
    }


def test_its_action_is_the_title_and_its_description_the_text():
    asked = read(human())

    assert asked.dialect == "inbox"
    assert (asked.request.title, asked.request.summary) == ("Review Triage", "An *e-mail*")
    assert asked.request.proposal == {"to": "bob", "urgent": False}


@pytest.mark.parametrize("allowed", [c for c in product([True, False], repeat=4) if any(c)])
def test_each_combination_of_what_it_allows_has_its_buttons(allowed):
    allows = dict(zip(KINDS, allowed, strict=True))

    assert set(read(human(**allows)).request.allow) == {KINDS[key] for key, on in allows.items() if on}


def test_it_is_answered_in_a_list_whether_it_came_in_one_or_not():
    for value in (human(), [human()]):
        asked = read(value)
        assert answer(asked, decided(asked, "reject")) == Resume([{"type": "ignore", "args": None}])


def test_a_bare_one_is_answered_bare_only_where_that_is_declared():
    bare, listed = read(human()), read([human()])

    assert answer(bare, decided(bare, "reject"), "dict") == Resume({"type": "ignore", "args": None})
    assert answer(listed, decided(listed, "reject"), "dict") == Resume([{"type": "ignore", "args": None}])


def test_an_edit_keeps_the_types_and_the_action():
    asked = read(human())
    edited = {"to": "ann", "urgent": True}

    assert answer(asked, decided(asked, "approve", proposal=edited)).value == [
        {"type": "edit", "args": {"action": "Review Triage", "args": edited}}
    ]


def test_a_timeout_ignores_where_that_is_allowed_and_ends_the_thread_where_not():
    patient, stubborn = read(human()), read(human(allow_accept=True, allow_respond=True))

    assert answer(patient, timed_out(patient)).value[0]["type"] == "ignore"
    assert isinstance(answer(stubborn, timed_out(stubborn)), End)


def test_what_it_does_not_allow_is_refused():
    asked = read(human(allow_ignore=True))

    for verdict, said in (("approve", {}), ("respond", {"text": "hi"}), ("choose", {"choice": "a"})):
        with pytest.raises(BadAnswer):
            answer(asked, decided(asked, verdict, **said))


def test_several_in_a_list_are_decided_each_and_answered_in_their_order():
    asked = read([human("first"), human("second", allow_accept=True, allow_ignore=True)])
    filled = {**asked.request.proposal, "1-first": "respond", "1-words": "later", "2-second": "reject"}

    assert asked.request.title == "2 actions: first, second"
    assert answer(asked, decided(asked, "approve", proposal=filled)).value == [
        {"type": "response", "args": "later"},
        {"type": "ignore", "args": None},
    ]


def test_an_action_without_arguments_has_nothing_to_edit():
    asked = read(human(args={}))

    assert "edit" not in asked.request.allow
    assert asked.request.proposal is None


@pytest.mark.parametrize(
    "value",
    [
        human(allow_accept=False),
        human(action=""),
        human(action=None),
        human(args="ls"),
        [human(), human(allow_accept="yes")],
        human(args={"x": object()}),
    ],
)
def test_a_broken_one_is_refused(value):
    with pytest.raises(BadRequest):
        read(value)


@pytest.mark.parametrize(
    "value",
    [
        [],
        [human(), "and then?"],
        {"action_request": {"action": "x"}},
        {"action_request": "x", "config": {"allow_accept": True}},
        {"action_request": {"action": "x"}, "config": {"theme": "dark"}},
    ],
)
def test_what_only_looks_like_one_is_plain(value):
    assert read(value).dialect == "plain"
