"""Schemas and values made to break the form: it keeps Slack's limits, ends soon, and changes nothing."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_form import STRING, assert_slack_takes, of, submitted

from bot.emulator.blockkit import problems
from bot.slack.form import UNTOUCHED, Draft, Errors, Filled, Spot, form, item_at, read, read_item
from bot.slack.form.fields import fields
from bot.slack.form.plan import plan

Json = Any


def test_five_hundred_keys_fit_one_view_and_all_come_back() -> None:
    value = {f"key_{n}": "x" * 50 for n in range(500)}
    blocks = form(None, value)
    edits = {"Key 0": {"value": "y"}}

    assert len(blocks) <= 90
    assert blocks[-1]["elements"][0]["text"].startswith("411 more stay as they are: Key ")
    assert read(None, value, submitted(blocks, edits)) == Filled({**value, "key_0": "y"})
    assert all(len(json.dumps(block)) < 10_000 for block in blocks)


def test_long_texts_in_many_fields_stay_below_the_size_of_a_view() -> None:
    value = {f"key_{n}": "😀" * 1400 for n in range(60)}
    blocks = form(None, value)

    assert len(json.dumps(blocks)) < 250_000
    assert any(block["type"] == "rich_text" for block in blocks)
    assert read(None, value, submitted(blocks)) == Filled(value)


def test_an_object_without_anything_to_edit_still_makes_a_form() -> None:
    assert [block["type"] for block in form(None, {})] == ["context"]
    assert read(None, {}, {}) == Filled({})


@pytest.mark.parametrize(
    "key", ["", " ", "\x00", "a.b[0]", "<!channel>", "\u202e", "k" * 5000, "😀" * 200, "*_~`"]
)
def test_strange_keys_make_safe_labels_and_ids(key: str) -> None:
    (block,) = form(None, {key: "a"})

    assert re.fullmatch(r"f:\d+", block["block_id"])
    assert block["label"]["type"] == "plain_text"
    assert_slack_takes(block)
    assert read(None, {key: "a"}, {"f:0": {"value": {"value": "b"}}}) == Filled({key: "b"})


def test_of_more_kinds_of_object_than_a_menu_holds_what_is_none_is_not_taken() -> None:
    kinds = [{"properties": {"kind": {"const": n}, "text": STRING}, "required": ["kind"]} for n in range(120)]
    schema = {"properties": {"what": {"oneOf": kinds}}, "required": ["what"]}
    kind, text = (block["block_id"] for block in form(schema, {}) if block["type"] == "input")

    for typed in ("[1]", '{"a": 1}', "null", "1.5", "true"):
        wrong = {kind: {"value": {"value": typed}}, text: {"value": {"value": "a"}}}
        assert isinstance(read(schema, {}, wrong), Errors)
    right = {kind: {"value": {"value": "7"}}, text: {"value": {"value": "a"}}}
    assert read(schema, {}, right) == Filled({"what": {"kind": 7, "text": "a"}})


def test_options_are_opaque_and_told_apart_however_long() -> None:
    names = ["x" * 100 + "1", "x" * 100 + "2", "", "<@U0>"]
    (block,) = form(of({"enum": names}), {"field": names[1]})

    assert [option["value"] for option in block["element"]["options"]] == ["0", "1", "2", "3"]
    assert [option["text"]["text"][:3] for option in block["element"]["options"]] == [
        "1. ",
        "2. ",
        "(em",
        "<@U",
    ]
    assert_slack_takes(block)


def deep(levels: int, leaf: Json) -> Json:
    for _ in range(levels):
        leaf = {"a": [leaf]}
    return leaf


def test_deep_values_are_shown_as_far_as_they_go_and_returned_untouched() -> None:
    value = {"deep": deep(5_000, 1), "flat": "a"}
    blocks = form(None, value)

    result = read(None, value, submitted(blocks, {"Flat": {"value": "b"}}))

    assert isinstance(result, Filled)
    assert result.value["deep"] is value["deep"]
    assert result.value["flat"] == "b"


DOUBLING = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)} | {"d40": STRING}
BAD_SCHEMAS = {
    "a reference to itself": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
    "a cycle": {
        "properties": {"a": {"$ref": "#/$defs/a"}},
        "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}},
    },
    "a remote reference": {"$ref": "https://example.com/schema.json"},
    "a file": {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
    "nowhere": {"properties": {"a": {"$ref": "#/$defs/none"}}},
    "doubling": {"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": DOUBLING},
    "no schema": {"type": 5, "properties": [1], "required": "a", "anyOf": 3},
    "odd parts": {"properties": {"a": {"enum": "abc", "title": 5, "description": [], "maxLength": "x"}}},
    "an unknown type": {"properties": {"a": {"type": "sting"}}},
    "deep": deep(100_000, STRING) | {"not": deep(100_000, STRING)},
}


@pytest.mark.parametrize("schema", [pytest.param(schema, id=name) for name, schema in BAD_SCHEMAS.items()])
def test_a_schema_that_cannot_be_checked_is_a_general_complaint_and_soon(schema: Json) -> None:
    began = time.process_time()
    blocks = form(schema, {"a": "x"})
    result = read(schema, {"a": "x"}, submitted(blocks))

    assert time.process_time() - began < 5
    assert isinstance(result, Errors)
    assert result.general is not None
    assert result.general.startswith("An edit cannot be checked: the proposal's schema ")
    for block in blocks:
        assert_slack_takes(block)


@pytest.mark.parametrize(
    "pattern",
    ["^(a+)+$", "^(a|a)*$", "^(a*)*b", "a*a*a*a*a*a*a*a*b", "(.*.*.*.*)=", "^(?=(a+)+$)a", r"(a+)\1+$"],
)
def test_a_pattern_made_to_hang_does_not(pattern: str) -> None:
    schema = of({**STRING, "pattern": pattern}) | {
        "patternProperties": {pattern: {}},
        "additionalProperties": False,
    }
    schema["unevaluatedProperties"] = False
    began = time.process_time()

    read(schema, {"field": "a"}, {"f:0": {"value": {"value": "a" * 2_900 + "!"}}})

    assert time.process_time() - began < 5


def test_a_decimals_own_pattern_is_checked_though_it_looks_ahead() -> None:
    pattern = r"^(?!^[-+.]*$)[+-]?0*\d{0,6}\.?\d{0,2}0*$"
    schema = of({"anyOf": [{"type": "number"}, {**STRING, "pattern": pattern}]})

    assert read(schema, {"field": "1.50"}, {"f:0": {"value": {"value": "1.25"}}}) == Filled({"field": "1.25"})
    assert isinstance(read(schema, {"field": "1.50"}, {"f:0": {"value": {"value": "1.255"}}}), Errors)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), ANYTHING, max_size=3)
WORDS = st.sampled_from(
    (
        *(
            "type",
            "enum",
            "const",
            "anyOf",
            "oneOf",
            "allOf",
            "$ref",
            "properties",
            "items",
            "format",
            "default",
        ),
        *(
            "title",
            "description",
            "readOnly",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "maxLength",
            "minItems",
        ),
        *("pattern", "not", "multipleOf", "uniqueItems", "$id", "$anchor", "$dynamicRef", "required"),
    )
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
FORMATS = st.sampled_from(["date", "date-time", "time", "email", "uri", "uuid", "#/properties/a", "#"])
ODD_SCHEMAS = st.recursive(
    ANYTHING | TYPES | FORMATS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@example(schema={"type": "string"}, value=None, needed=True)
@given(st.dictionaries(WORDS, ODD_SCHEMAS, max_size=4), ANYTHING, st.booleans())
def test_no_schema_and_no_value_breaks_the_form_or_is_changed_by_it(
    schema: Json, value: Json, needed: bool
) -> None:
    full = of(schema, required=needed)
    blocks = form(full, {"field": value})

    result = read(full, {"field": value}, submitted(blocks, by_slack=False))

    if isinstance(result, Filled):
        assert result.value["field"] is value
    for block in blocks:
        assert_slack_takes(block)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=3), st.lists(OBJECTS, max_size=3) | ANYTHING, max_size=3))
def test_no_object_of_a_list_is_changed_by_being_looked_at(value: Json) -> None:
    for rows in plan(fields(None, value)).rows():
        for number in range(len(rows.held)):
            item = item_at(None, value, UNTOUCHED, Spot(rows.field.block_id, number))
            assert item is not None
            draft = read_item(None, value, UNTOUCHED, item, submitted(item.blocks))
            assert isinstance(draft, Draft)
            result = read(None, value, {}, Draft.of_json(json.loads(json.dumps(draft.to_json()))))
            assert isinstance(result, Filled)
            assert all(result.value[key] is value[key] for key in value)
            assert problems("modal", item.blocks) == []


@settings(max_examples=200, deadline=None)
@given(ANYTHING, st.sampled_from(["string", "integer", "number", "boolean"]))
def test_no_state_breaks_the_reading(state: Json, name: str) -> None:
    read(
        of({"type": name}),
        {},
        {"f:0": {"value": {"value": state, "selected_option": state, "selected_options": state}}},
    )


def test_a_block_that_the_view_did_not_have_is_left_as_it_was() -> None:
    assert read(of(STRING), {"field": "a"}, {}) == Filled({"field": "a"})
