"""What is kept of how a run changed a state: few, short, and without secrets."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from typing import Annotated, TypedDict

import pytest
from pydantic import BaseModel, SecretStr

from bot.approvals import Workflow
from bot.approvals.difference import LONGEST, MOST, difference, worded
from bot.approvals.secrets import Secrets

PLAIN = Secrets.of(())


class Login(BaseModel):
    user: str
    pin: SecretStr | None = None


class Folder(BaseModel):
    parent: Folder | None = None
    combination: SecretStr


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    login: Login
    then: Callable[[int], str]
    folder: list[Folder]


def said(before, after, secrets=PLAIN):
    return [worded(told) for told in difference(before, after, secrets)]


def test_each_leaf_that_differs_is_told_with_both_sides():
    assert said({"amount": "10", "a": {"b": 1}}, {"amount": "20", "a": {"b": 1}, "note": None}) == [
        'amount: "10" → "20"',
        "note: (nothing) → null",
    ]
    assert said({"gone": [1]}, {}) == ["gone: [1] → (nothing)"]


def test_what_was_appended_to_a_list_is_one_change_with_its_count_at_any_depth():
    assert said({"messages": ["a"]}, {"messages": ["a", "b", "c"]}) == ['messages: +2 ["b", "c"]']
    assert said({"a": {"b": []}}, {"a": {"b": [{"x": 1}]}}) == ['a.b: +1 [{"x": 1}]']
    assert said({"l": [1, 2]}, {"l": [9, 2, 3]}) == ["l[0]: 1 → 9", "l: +1 [3]"]


def test_equal_states_have_no_difference():
    assert difference({"a": [1, {"token": "x"}]}, {"a": [1, {"token": "x"}]}, PLAIN) == []


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "Password2",
        "api_key",
        "X-Api-Key",
        "apiKey",
        "access_token",
        "Authorization",
        "client-secret",
    ],
)
def test_what_is_named_like_a_secret_is_masked_at_any_depth_and_its_change_still_told(name):
    before, after = {"a": [{name: "hush-1"}]}, {"a": [{name: "hush-2"}]}
    (told,) = difference(before, after, PLAIN)

    assert "hush" not in json.dumps(told)
    assert told["kind"] == "changed"
    (whole,) = difference({}, after, PLAIN)
    assert "hush" not in json.dumps(whole)
    (appended,) = difference({"a": []}, after, PLAIN)
    assert "hush" not in worded(appended)


def test_a_secret_that_is_a_number_an_object_or_a_list_is_masked_whole():
    after = {"pin_secret": 1234, "credentials": {"user": "ann"}, "cookies": ["a"]}

    assert all("•••" in line for line in said({}, after))


def test_numbers_that_count_tokens_are_no_secret_and_nothing_is_hidden_where_nothing_is():
    assert said({"total_tokens": 1}, {"total_tokens": 2}) == ["total_tokens: 1 → 2"]
    assert said({"token": None}, {"token": "x"}) == ['token: null → "•••"']


def test_declared_names_and_fields_of_pydantics_secret_types_are_masked():
    workflow = Workflow(name="demo", graph=type("G", (), {"state_schema": State}), secrets=("IBAN",))

    assert said({}, {"login": {"user": "ann", "pin": "99"}, "iban": "DE1"}, workflow.hides) == [
        'login: (nothing) → {"user": "ann", "pin": "•••"}',
        'iban: (nothing) → "•••"',
    ]
    inner = {"folder": [{"parent": {"combination": "99"}}]}
    assert "99" not in str(said({}, inner, workflow.hides)), "however deep a type that holds itself goes"


def test_what_is_hidden_shows_itself_in_no_form():
    hidden = PLAIN.hidden({"password": "hush"})

    assert "hush" not in f"{hidden} {hidden['password']} {hidden['password']!r}"


def test_long_values_are_cut_with_their_length_and_many_changes_counted():
    (told,) = difference({"draft": "a"}, {"draft": "b" * 5000}, PLAIN)
    assert told["after"].endswith("… (5,000 characters)")
    assert len(told["after"]) < LONGEST + 30
    (grown,) = difference({"m": []}, {"m": ["x" * 9000, "y"]}, PLAIN)
    assert (grown["count"], len(grown["after"]) < LONGEST + 30) == (2, True)
    (named,) = difference({}, {"k" * 5000: 1}, PLAIN)
    assert len(named["path"]) < LONGEST + 30

    many = difference({}, {f"k{n}": n for n in range(100)}, PLAIN)
    assert len(many) == MOST
    assert worded(many[-1]) == f"… and {100 - MOST + 1} more"


def test_a_cut_inside_a_value_that_holds_a_secret_does_not_show_it():
    (told,) = difference({}, {"call": {"password": "hush", "body": "z" * 500}}, PLAIN)

    assert "hush" not in json.dumps(told)
