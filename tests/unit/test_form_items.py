"""Lists of objects: a line each, edited one at a time, kept in a draft until the form is submitted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_form import INTEGER, STRING, assert_slack_takes, submitted

from bot.emulator.blockkit import problems
from bot.slack.form import (
    UNTOUCHED,
    Draft,
    Errors,
    Filled,
    Item,
    Spot,
    form,
    item_at,
    read,
    read_item,
    rows_at,
    spot_of,
)

Json = Any

STEP = {
    "type": "object",
    "properties": {
        "host": STRING,
        "tries": {**INTEGER, "minimum": 1},
        "tags": {"type": "array", "items": STRING},
        "sub": {"type": "array", "items": {"$ref": "#/$defs/Step"}},
    },
    "required": ["host", "tries"],
}
PLAN = {
    "type": "object",
    "properties": {
        "steps": {"type": "array", "items": {"$ref": "#/$defs/Step"}, "minItems": 1, "maxItems": 4},
        "title": {**STRING, "minLength": 3},
    },
    "required": ["steps", "title"],
    "$defs": {"Step": STEP},
}
STEPS = "f:0"


def a_plan(*steps: Json) -> Json:
    every = steps or ({"host": "db-1", "tries": 2, "x": 1e22}, {"host": "db-2", "tries": 3})
    return {"title": "Scale down", "steps": list(every)}


def opened(
    value: Json, number: int, draft: Draft = UNTOUCHED, schema: Json = PLAN, rows: str = STEPS
) -> Item:
    item = item_at(schema, value, draft, Spot(rows, number))
    assert item is not None
    return item


def kept(value: Json, number: int, edits: Json, draft: Draft = UNTOUCHED) -> Draft:
    """Open an object, type, and keep it."""
    item = opened(value, number, draft)
    result = read_item(PLAN, value, draft, item, submitted(item.blocks, edits))
    assert isinstance(result, Draft), result
    return Draft.of_json(json.loads(json.dumps(result.to_json())))


def without(value: Json, number: int, draft: Draft = UNTOUCHED) -> Draft:
    rows = rows_at(PLAN, value, STEPS)
    assert rows is not None
    return draft.without(rows, number)


def lines(value: Json, draft: Draft = UNTOUCHED, schema: Json = PLAN) -> list[str]:
    return [block["text"]["text"] for block in form(schema, value, draft=draft) if block["type"] == "section"]


def buttons(value: Json, draft: Draft = UNTOUCHED) -> list[str]:
    rows = [block for block in form(PLAN, value, draft=draft) if block["type"] == "actions"]
    return [f"{row['block_id']} {one['text']['text']}" for row in rows for one in row["elements"]]


def test_each_object_has_a_line_that_tells_it_and_buttons() -> None:
    value = a_plan()

    assert lines(value) == [
        "1. Host: db-1 \u00b7 Tries: 2 \u00b7 X: 1e+22",
        "2. Host: db-2 \u00b7 Tries: 3",
    ]
    assert buttons(value) == [
        "b:f:0/0 Edit",
        "b:f:0/0 Remove",
        "b:f:0/1 Edit",
        "b:f:0/1 Remove",
        "b:f:0/add Add",
    ]
    assert problems("modal", form(PLAN, value)) == []
    assert spot_of("b:f:0/1") == Spot(STEPS, 1)
    assert spot_of("b:f:0/-2") == Spot(STEPS, -2)
    assert spot_of("b:nonsense") is None


def test_a_line_calls_values_by_their_titles_as_the_objects_own_form_does() -> None:
    table = {"type": "object", "properties": {"name": {**STRING, "title": "Table"}, "rows": INTEGER}}
    schema = {
        "properties": {"details": {"type": "array", "items": {"$ref": "#/$defs/T"}}},
        "$defs": {"T": table},
    }
    value = {"details": [{"name": "orders", "rows": 12}]}

    assert lines(value, schema=schema) == ["1. Table: orders \u00b7 Rows: 12"]


def test_an_edited_object_comes_back_with_its_types_and_the_others_are_the_very_objects_they_were() -> None:
    value = a_plan()
    draft = kept(value, 1, {"Tries": {"value": "9"}, "Tags": {"value": "a\nb"}})

    result = read(PLAN, value, submitted(form(PLAN, value, draft=draft)), draft)

    assert isinstance(result, Filled)
    assert result.value["steps"] == [value["steps"][0], {"host": "db-2", "tries": 9, "tags": ["a", "b"]}]
    assert result.value["steps"][0] is value["steps"][0]
    assert value == a_plan()
    assert lines(value, draft)[1] == "2. Host: db-2 \u00b7 Tries: 9 (edited)"


def test_an_object_is_edited_again_from_where_it_was_left_and_back_to_what_it_was() -> None:
    value = a_plan()
    draft = kept(value, 1, {"Tries": {"value": "9"}})
    again = kept(value, 1, {"Host": {"value": "db-9"}}, draft)
    back = kept(value, 1, {"Host": {"value": "db-2"}, "Tries": {"value": "3"}}, again)

    assert again.lists[STEPS][1].changed == {"host": "db-9", "tries": 9}
    result = read(PLAN, value, {}, back)
    assert isinstance(result, Filled)
    assert result.value["steps"] is value["steps"]


def test_an_object_that_is_only_looked_at_changes_nothing() -> None:
    value = a_plan()
    draft = kept(value, 0, {})

    result = read(PLAN, value, {}, draft)

    assert isinstance(result, Filled)
    assert result.value["steps"] is value["steps"]


def test_objects_are_removed_by_what_they_are_and_not_by_where_they_stand() -> None:
    value = a_plan({"host": "a", "tries": 1}, {"host": "b", "tries": 1}, {"host": "c", "tries": 1})
    draft = without(value, 0)

    assert without(value, 0, draft) == draft  # the click repeated
    assert lines(value, draft) == ["1. Host: b \u00b7 Tries: 1", "2. Host: c \u00b7 Tries: 1"]
    draft = without(value, 2, draft)
    assert read(PLAN, value, {}, draft) == Filled(a_plan({"host": "b", "tries": 1}))


def test_objects_are_added_last_and_edited_like_any_other() -> None:
    value = a_plan()
    draft = kept(value, -1, {"Host": {"value": "db-3"}, "Tries": {"value": "1"}})
    rows = rows_at(PLAN, value, STEPS)
    assert rows is not None
    assert draft.next_number(rows) == -2
    draft = kept(value, -2, {"Host": {"value": "db-4"}, "Tries": {"value": "2"}}, draft)
    draft = kept(value, -1, {"Tries": {"value": "7"}}, draft)

    assert lines(value, draft)[2:] == [
        "3. Host: db-3 \u00b7 Tries: 7 (added)",
        "4. Host: db-4 \u00b7 Tries: 2 (added)",
    ]
    result = read(PLAN, value, {}, draft)
    assert isinstance(result, Filled)
    assert result.value["steps"][2:] == [{"host": "db-3", "tries": 7}, {"host": "db-4", "tries": 2}]


def test_a_list_that_is_absent_is_made_by_adding_to_it() -> None:
    schema = {"properties": {"steps": {"type": "array", "items": STEP}}, "$defs": {"Step": STEP}}
    item = opened({}, -1, schema=schema)
    state = submitted(item.blocks, {"Host": {"value": "a"}, "Tries": {"value": "1"}})

    draft = read_item(schema, {}, UNTOUCHED, item, state)

    assert isinstance(draft, Draft)
    assert read(schema, {}, {}) == Filled({})
    assert read(schema, {}, {}, draft) == Filled({"steps": [{"host": "a", "tries": 1}]})


def test_a_list_inside_an_object_is_edited_too() -> None:
    schema = {"properties": {"plan": {"$ref": "#/$defs/Plan"}}, "$defs": {"Step": STEP, "Plan": PLAN}}
    value = {"plan": a_plan(), "other": [[1]]}
    item = opened(value, 0, schema=schema, rows="f:1.0")
    draft = read_item(schema, value, UNTOUCHED, item, submitted(item.blocks, {"Tries": {"value": "4"}}))

    assert isinstance(draft, Draft)
    result = read(schema, value, {}, draft)
    assert isinstance(result, Filled)
    assert result.value["plan"]["steps"][0] == {"host": "db-1", "tries": 4, "x": 1e22}
    assert result.value["plan"]["steps"][1] is value["plan"]["steps"][1]


def test_bounds_of_a_list_take_the_buttons_away_that_would_break_them() -> None:
    assert "b:f:0/0 Remove" not in buttons(a_plan({"host": "a", "tries": 1}))
    full = a_plan(*({"host": f"{n}", "tries": 1} for n in range(4)))
    assert "b:f:0/add Add" not in buttons(full)
    assert "b:f:0/add Add" in buttons(full, without(full, 2))
    assert "at least 1 and at most 4" in str(form(PLAN, full))


def test_what_is_wrong_with_an_object_is_said_at_its_field_and_nothing_of_what_is_around_it() -> None:
    value = a_plan() | {"title": "x"}
    item = opened(value, 1)

    result = read_item(PLAN, value, UNTOUCHED, item, submitted(item.blocks, {"Tries": {"value": "0"}}))

    assert result == Errors({"f:0/1.3": "Must be at least 1."})


def test_what_is_wrong_with_an_object_that_was_not_opened_is_said_with_its_place() -> None:
    value = a_plan({"host": "a", "tries": 0})

    assert read(PLAN, value, {}) == Errors({}, "Steps: item 1, at tries: Must be at least 1.")


def test_the_same_object_twice_is_said_of_the_list() -> None:
    schema = {**PLAN, "properties": {**PLAN["properties"], "steps": {"type": "array", "uniqueItems": True}}}
    value = a_plan({"host": "a"}, {"host": "a"})

    assert read(schema, value, {}) == Errors({}, "Steps: Holds the same value twice.")


def test_a_list_in_an_object_of_a_list_stays_and_says_so() -> None:
    value = a_plan({"host": "a", "tries": 1, "sub": [{"host": "b", "tries": 2}]})

    (left,) = [block for block in opened(value, 0).blocks if block["type"] == "rich_text"]

    assert left["elements"][0]["elements"][1]["text"] == (
        " stays as it is (a list in an object of a list is not edited here)"
    )


@pytest.mark.parametrize("count", [21, 5_000])
def test_a_list_of_too_many_objects_stays_and_says_so(count: int) -> None:
    value = {"steps": [{"host": "a", "tries": 1}] * count, "title": "abc"}
    (left,) = [block for block in form(PLAN, value) if block["type"] == "rich_text"]

    assert f"(of its {count} objects a form can hold 20)" in str(left)
    result = read({}, value, {})
    assert isinstance(result, Filled)
    assert result.value["steps"] is value["steps"]


def test_many_lists_share_what_room_there_is_and_rows_are_added_only_while_there_is_some() -> None:
    of_ten = {"type": "array", "items": STEP}
    schema = {"properties": {f"list_{n}": of_ten for n in range(6)}, "$defs": {"Step": STEP}}
    value = {f"list_{n}": [{"host": "\U0001f600" * 300, "tries": 1}] * 10 for n in range(6)}
    draft = UNTOUCHED
    added = 0
    while any(
        block["block_id"] == "b:f:0/add" for block in form(schema, value, draft=draft) if "block_id" in block
    ):
        rows = rows_at(schema, value, "f:0")
        assert rows is not None
        item = item_at(schema, value, draft, Spot("f:0", draft.next_number(rows)))
        assert item is not None
        state = submitted(item.blocks, {"Host": {"value": "a"}, "Tries": {"value": "1"}})
        draft = read_item(schema, value, draft, item, state)
        added += 1

    blocks = form(schema, value, draft=draft)
    assert added == 5
    assert len(blocks) <= 90
    assert len(json.dumps(blocks)) < 250_000
    assert "there is no room left to edit it in this form" in str(blocks)


def test_objects_of_which_it_is_not_plain_what_they_are_are_edited_and_not_added() -> None:
    cat = {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": INTEGER}}
    dog = {"type": "object", "properties": {"kind": {"const": "dog"}, "tricks": STRING}}
    schema = {"properties": {"steps": {"type": "array", "items": {"oneOf": [cat, dog]}}}}
    value = {"steps": [{"kind": "cat", "lives": 9}, {"kind": "dog", "tricks": "sit"}]}
    item = opened(value, 1, schema=schema)

    assert [b["label"]["text"] for b in item.blocks if b["type"] == "input"] == ["Tricks"]
    assert item_at(schema, value, UNTOUCHED, Spot(STEPS, -1)) is None
    assert "Items can be edited and removed, not added." in str(form(schema, value))


def test_a_draft_of_another_proposal_breaks_nothing() -> None:
    value = a_plan()
    strange = Draft.of_json({STEPS: [0, 7, [-1, {"host": 5}]], "f:99": [1]})

    assert len(lines(value, strange)) == 2
    assert isinstance(read(PLAN, value, {}, strange), Errors)
    assert item_at(PLAN, value, strange, Spot(STEPS, 7)) is None
    assert item_at(PLAN, value, strange, Spot("f:99", 0)) is None


@pytest.mark.parametrize("told", [[], 5, {"f:0": 5}, {"f:0": ["a"]}, {"f:0": [[0]]}, {"f:0": [[0, []]]}])
def test_what_is_no_draft_is_refused(told: Json) -> None:
    with pytest.raises(ValueError, match="no "):
        Draft.of_json(told)


def test_a_hostile_object_makes_a_line_that_slack_takes() -> None:
    value = {"steps": [{"<!channel>\u202e": "*_~`\x00" * 500, "n": None}, {"deep": [{"a": []}]}, {}]}
    blocks = form(None, value)

    assert problems("modal", blocks) == []
    for block in blocks:
        assert_slack_takes(block)
