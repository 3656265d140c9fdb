"""Wrong input: every complaint at once, each at its field, each saying how to mend it."""

from __future__ import annotations

from typing import Any

import pytest
from test_form import DECIMAL, INTEGER, MOMENT, NUMBER, STRING, of, pick, submitted

from bot.slack.form import Errors, Filled, form, read

Json = Any
CENTS = {"anyOf": [{"type": "number", "multipleOf": 0.01}, {"type": "string"}]}
DATE = {"type": "string", "format": "date"}
TAGS = {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 2}


@pytest.mark.parametrize(
    ("schema", "before", "state", "message"),
    [
        (INTEGER, 1, {"value": "two"}, "Write a whole number in plain digits, such as 12."),
        (INTEGER, 1, {"value": "1,000"}, "Write a whole number in plain digits, such as 12."),
        (INTEGER, 1, {"value": "1.5"}, "Must be a whole number, such as 12."),
        (INTEGER, 1, {"value": "1e3"}, "Must be a whole number, such as 12."),
        (INTEGER, 1, {"value": "٣"}, "Write a whole number in plain digits, such as 12."),
        (INTEGER, 1, {"value": "9" * 4000}, "Write a whole number in plain digits, such as 12."),
        (INTEGER, 1, {"value": str(2**64)}, "Too large for this field; write a smaller number."),
        (NUMBER, 1, {"value": str(2**64)}, "Too large for this field; write a smaller number."),
        (NUMBER, 1.5, {"value": "NaN"}, "Write a number in plain digits, such as 12.50."),
        (NUMBER, 1.5, {"value": "Infinity"}, "Write a number in plain digits, such as 12.50."),
        (NUMBER, 1.5, {"value": "1e999"}, "Too large for this field; write a smaller number."),
        (NUMBER, 1.5, {"value": "0.1234567890123456789"}, "the nearest it can is 0.12345678901234568."),
        (DECIMAL, "1.50", {"value": "nan"}, "Write a number in plain digits, such as 12.50."),
        (DECIMAL, "1.50", {"value": "-1"}, "Must be at least 0."),
        ({**INTEGER, "minimum": 1, "maximum": 3}, 2, {"value": "0"}, "Must be at least 1."),
        ({**INTEGER, "minimum": 1, "maximum": 3}, 2, {"value": "4"}, "Must be at most 3."),
        ({**NUMBER, "exclusiveMinimum": 0}, 2, {"value": "0"}, "Must be more than 0."),
        ({**NUMBER, "exclusiveMaximum": 1}, 0.5, {"value": "1"}, "Must be less than 1."),
        ({**NUMBER, "multipleOf": 0.1}, 0.5, {"value": "0.35"}, "Must be a multiple of 0.1."),
        (CENTS, "1.50", {"value": "1.505"}, "Must be a multiple of 0.01."),
        ({**STRING, "minLength": 3}, "abc", {"value": "ab"}, "Needs at least 3 characters (it has 2)."),
        (
            {**STRING, "maxLength": 3},
            "abc",
            {"value": "abcd"},
            "At most 3 characters fit (it has 4); shorten it.",
        ),
        ({**STRING, "pattern": "^[a-z]+$"}, "abc", {"value": "ABC"}, "Must match the pattern ^[a-z]+$"),
        ({**STRING, "format": "uuid"}, None, {"value": "x"}, "Must be a UUID, such as 123e4567"),
        (
            {**STRING, "format": "email"},
            "a@b.org",
            {"value": "nobody"},
            "Must be an email address, such as name@",
        ),
        (
            {**STRING, "format": "uri"},
            "https://a.org",
            {"value": "nowhere"},
            "Must be a full address, such as",
        ),
        (
            {**STRING, "format": "duration"},
            "PT4H",
            {"value": "4 h"},
            "Must be an ISO 8601 duration, such as PT4H",
        ),
        (STRING, "a", {"value": None}, "Needs a value."),
        (STRING, "a", {"value": "a\x00b"}, "Holds invisible control characters"),
        (STRING, "a", {"value": "x" * 3001}, "At most 3,000 characters fit (it has 3,001); shorten it."),
        (DATE, "2026-11-20", {"selected_date": "2026-02-30"}, "Pick a date."),
        (DATE, "2026-11-20", {"selected_date": None}, "Needs a value."),
        (MOMENT, "2026-11-20T10:00:00Z", {"selected_date_time": "soon"}, "Pick a date and a time."),
        (TAGS, ["a", "b"], {"selected_options": [{"value": "2"}]}, "Pick at least 2."),
        ({**TAGS, "maxItems": 2}, ["a", "b"], pick(0, 1, 2), "Pick at most 2."),
        ({"enum": ["a", "b"]}, "a", pick(7), "Pick from the list."),
        ({"enum": ["a", "b"]}, "c", {"selected_option": None}, "Must be one of a, b."),
        ({"enum": [f"n{n}" for n in range(200)]}, "n1", {"value": "m1"}, "Must be one of n0, n1, n2"),
        (INTEGER, "five", {"value": None}, "Must be a whole number."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(schema: Json, before: Json, state: Json, message: str) -> None:
    full = of(schema)
    values = {"f:0": {"value": state}}

    result = read(full, {"field": before}, values)

    assert isinstance(result, Errors)
    assert result.general is None
    assert message in result.by_block["f:0"]
    assert "\n" not in result.by_block["f:0"]


def test_everything_wrong_is_said_at_once() -> None:
    schema = {
        "properties": {
            "count": INTEGER,
            "name": {**STRING, "minLength": 2},
            "size": {**INTEGER, "maximum": 3},
            "x": {},
        },
        "required": ["count", "name", "size", "x"],
    }
    value = {"count": 1, "name": "ab", "size": 1, "x": {}}
    edits = {"Count": {"value": "many"}, "Name": {"value": "a"}, "Size": {"value": "4"}}

    result = read(schema, value, submitted(form(schema, value), edits))

    assert isinstance(result, Errors)
    assert sorted(result.by_block) == ["f:0", "f:1", "f:2"]


def test_a_wrong_value_in_a_field_that_is_only_shown_is_a_general_complaint() -> None:
    schema = {"properties": {"a": STRING, "steps": {"type": "array", "items": INTEGER}}}
    value = {"a": "x", "steps": [1, "two"]}

    result = read(schema, value, submitted(form(schema, value), {"A": {"value": "y"}}))

    assert result == Errors({}, "“steps”, which this form does not edit: At [1]: Must be a whole number.")


def test_a_rule_over_several_fields_is_a_general_complaint() -> None:
    schema = {"properties": {"a": INTEGER, "b": INTEGER}, "maxProperties": 1}

    result = read(schema, {"a": 1, "b": 2}, submitted(form(schema, {"a": 1, "b": 2})))

    assert isinstance(result, Errors)
    assert result.by_block == {}
    assert result.general is not None
    assert result.general.startswith("The proposal as a whole does not fit: ")


def test_a_conditional_requirement_is_said_at_the_field_that_is_missing() -> None:
    schema = {
        "properties": {"go": {"type": "boolean"}, "why": STRING},
        "required": ["go"],
        "if": {"properties": {"go": {"const": True}}},
        "then": {"required": ["why"]},
    }

    result = read(schema, {"go": False}, submitted(form(schema, {"go": False}), {"Go": pick(0)}))

    assert result == Errors({"f:1": "Needs a value."})


def test_an_optional_value_names_the_rule_it_breaks_rather_than_the_alternatives() -> None:
    schema = of({"anyOf": [{**STRING, "minLength": 3}, {"type": "null"}]})

    result = read(schema, {"field": None}, {"f:0": {"value": {"value": "ab"}}})

    assert result == Errors({"f:0": "Needs at least 3 characters (it has 2)."})


def test_a_value_that_does_not_fit_its_field_is_named_and_can_be_replaced() -> None:
    schema = of(INTEGER)
    (block,) = form(schema, {"field": "five"})

    assert "initial_value" not in block["element"]
    assert block["hint"]["text"] == 'A whole number. Now "five", which does not fit this field.'
    assert read(schema, {"field": "five"}, submitted([block], {"Field": {"value": "5"}})) == Filled(
        {"field": 5}
    )


def test_multiples_are_exact_where_floats_are_not() -> None:
    schema = of({**NUMBER, "multipleOf": 0.1})

    assert read(schema, {"field": 0.1}, {"f:0": {"value": {"value": "0.3"}}}) == Filled({"field": 0.3})


def test_a_naive_moment_fits_its_format() -> None:
    schema, value = of(MOMENT), {"field": "2026-11-20T10:00:00"}

    assert read(schema, value, submitted(form(schema, value))) == Filled(value)


def test_a_required_field_that_is_missing_takes_the_default_on_show() -> None:
    schema = of({**INTEGER, "default": 5})

    assert read(schema, {}, submitted(form(schema, {}))) == Filled({"field": 5})
    assert read(of(INTEGER), {}, {"f:0": {"value": {"value": None}}}) == Errors({"f:0": "Needs a value."})


@pytest.mark.parametrize(
    "items", [STRING, {"enum": ["a", "b"]}, {"type": "object", "properties": {"a": STRING}}]
)
def test_a_required_list_that_is_missing_is_empty_unless_it_needs_some(items: Json) -> None:
    schema = {"type": "array", "items": items}

    assert read(of(schema), {}, submitted(form(of(schema), {}))) == Filled({"field": []})
    assert isinstance(read(of({**schema, "minItems": 1}), {}, {}), Errors)
