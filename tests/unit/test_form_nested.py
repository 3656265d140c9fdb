"""Objects and lists inside a proposal: opened, edited in place, and what is beside them left as it is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from test_form import DECIMAL, INTEGER, NUMBER, STRING, assert_slack_takes, edited, element, of, submitted

from bot.slack.form import Errors, Filled, form, read

Json = Any

WINDOW = {
    "type": "object",
    "properties": {"start": {"type": "string", "format": "date"}, "hours": {**INTEGER, "minimum": 1}},
    "required": ["start", "hours"],
}
CHANGE = {
    "type": "object",
    "properties": {
        "rollback": {
            "type": "object",
            "description": "What happens if it fails.",
            "properties": {"to": STRING, "window": {"anyOf": [{"$ref": "#/$defs/Window"}, {"type": "null"}]}},
            "required": ["to"],
        },
        "target": STRING,
    },
    "required": ["rollback", "target"],
    "$defs": {"Window": WINDOW},
}


def change(window: Json = None) -> Json:
    return {"rollback": {"to": "v1", "window": window}, "target": "db", "as_is": {"deep": [[1.50]]}}


def headings(blocks: list[Json]) -> list[str]:
    return [block["text"]["text"] for block in blocks if block["type"] == "header"]


def labels(blocks: list[Json]) -> list[str]:
    return [block["label"]["text"] for block in blocks if block["type"] == "input"]


def test_an_object_is_opened_under_a_heading_after_the_plain_fields() -> None:
    blocks = form(CHANGE, change({"start": "2026-12-01", "hours": 4}))

    assert labels(blocks) == ["Target", "To", "Start", "Hours"]
    assert headings(blocks) == ["Rollback", "Rollback \u203a Window"]
    assert "What happens if it fails." in str(blocks)
    for block in blocks:
        assert_slack_takes(block)


def test_an_edit_inside_an_object_leaves_everything_beside_it_the_very_object_it_was() -> None:
    value = change({"start": "2026-12-01", "hours": 4})

    result = read(CHANGE, value, submitted(form(CHANGE, value), {"Hours": {"value": "6"}}))

    assert result == Filled(
        {**value, "rollback": {"to": "v1", "window": {"start": "2026-12-01", "hours": 6}}}
    )
    assert list(result.value) == list(value)
    assert result.value["as_is"] is value["as_is"]
    assert value["rollback"]["window"]["hours"] == 4


def test_an_object_that_nothing_was_done_to_is_the_very_object_it_was() -> None:
    value = change({"start": "2026-12-01", "hours": 4})

    result = read(CHANGE, value, submitted(form(CHANGE, value), {"Target": {"value": "db-2"}}))

    assert isinstance(result, Filled)
    assert result.value["rollback"] is value["rollback"]


@pytest.mark.parametrize("window", [None, "absent"])
def test_an_object_that_may_stay_absent_does_until_one_of_its_fields_is_filled(window: Json) -> None:
    value = change()
    if window == "absent":
        del value["rollback"]["window"]
    blocks = form(CHANGE, value)

    assert read(CHANGE, value, submitted(blocks)) == Filled(value)
    assert [b["optional"] for b in blocks if b["type"] == "input"] == [False, False, True, True]
    half = read(CHANGE, value, submitted(blocks, {"Hours": {"value": "3"}}))
    assert half == Errors({next(b["block_id"] for b in blocks if "Start" in str(b)): "Needs a value."})
    whole = submitted(blocks, {"Hours": {"value": "3"}, "Start": {"selected_date": "2026-12-01"}})
    result = read(CHANGE, value, whole)
    assert isinstance(result, Filled)
    assert result.value["rollback"]["window"] == {"hours": 3, "start": "2026-12-01"}


def test_what_is_wrong_inside_an_object_is_said_at_its_field() -> None:
    value = change({"start": "2026-12-01", "hours": 4})
    blocks = form(CHANGE, value)
    (hours,) = [b["block_id"] for b in blocks if b["type"] == "input" and b["label"]["text"] == "Hours"]

    result = read(CHANGE, value, submitted(blocks, {"Hours": {"value": "0"}}))

    assert result == Errors({hours: "Must be at least 1."})


def test_an_object_with_defaults_takes_them_only_when_it_is_touched() -> None:
    schema = {"properties": {"o": {"type": "object", "properties": {"a": INTEGER, "b": INTEGER}}}}
    schema["properties"]["o"]["default"] = {"a": 1, "b": 2}
    blocks = form(schema, {})

    assert read(schema, {}, submitted(blocks)) == Filled({})
    assert read(schema, {}, submitted(blocks, {"B": {"value": "3"}})) == Filled({"o": {"a": 1, "b": 3}})


def test_the_alternative_that_the_constants_name_is_opened() -> None:
    cat = {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": INTEGER}}
    dog = {"type": "object", "properties": {"kind": {"const": "dog"}, "tricks": STRING}}
    schema = of({"oneOf": [cat, dog]})
    value = {"field": {"kind": "dog", "tricks": "roll"}}
    blocks = form(schema, value)

    assert labels(blocks) == ["Tricks"]
    result = read(schema, value, submitted(blocks, {"Tricks": {"value": "sit"}}))
    assert result == Filled({"field": {"kind": "dog", "tricks": "sit"}})


def test_objects_are_opened_three_deep_and_say_so_below_that() -> None:
    value = {"a": {"b": {"c": {"d": {"e": 1}, "here": "x"}}}}
    blocks = form(None, value)

    assert headings(blocks) == ["A", "A \u203a B", "A \u203a B \u203a C"]
    (left,) = [block for block in blocks if block["type"] == "rich_text"]
    named, why = [text["text"] for text in left["elements"][0]["elements"]]
    assert named == "A \u203a B \u203a C \u203a D"
    assert why == " stays as it is (it is nested too deeply to be edited here)"
    result = read(None, value, submitted(blocks, {"Here": {"value": "y"}}))
    assert isinstance(result, Filled)
    assert result.value["a"]["b"]["c"]["d"] is value["a"]["b"]["c"]["d"]


def test_a_type_that_holds_itself_is_opened_as_far_as_it_goes_and_one_further() -> None:
    node = {
        "type": "object",
        "properties": {"name": STRING, "next": {"$ref": "#/$defs/Node"}},
        "required": ["name"],
    }
    schema = {"$ref": "#/$defs/Node", "$defs": {"Node": node}}
    value = {"name": "a", "next": {"name": "b"}}
    blocks = form(schema, value)

    assert headings(blocks) == ["Next", "Next \u203a Next"]
    assert read(schema, value, submitted(blocks)) == Filled(value)


def test_an_object_in_which_nothing_can_be_edited_is_shown_in_one_piece() -> None:
    (_, left) = form(None, {"o": {"a": [[1]], "b": [[2]]}})

    assert left["elements"][0]["elements"][0]["text"] == "O"


def test_what_has_no_room_stays_as_it_is_and_is_named_with_what_is_around_it() -> None:
    value = {f"part_{n}": {f"field_{m}": "x" for m in range(30)} for n in range(5)}
    blocks = form(None, value)

    assert len(blocks) <= 90
    assert len(labels(blocks)) == 77  # of 80 blocks, three are headings
    assert "stays as it is" in str(blocks)
    assert "Part 4" in blocks[-1]["elements"][0]["text"]
    assert read(None, value, submitted(blocks)) == Filled(value)


# Lists in one field


LINES = {"type": "array", "items": STRING}
NUMBERS = {"type": "array", "items": INTEGER}


@pytest.mark.parametrize(
    ("schema", "before", "typed", "after"),
    [
        (LINES, ["a", "b"], "a\nb\nc", ["a", "b", "c"]),
        (LINES, ["a", "b"], "b", ["b"]),
        (LINES, ["a"], "  b \n\n\r\n c\r\n", ["b", "c"]),
        (LINES, [" padded "], "padded\nnew", [" padded ", "new"]),
        (LINES, ["a"], None, []),
        (LINES, [], "a", ["a"]),
        ({**LINES, "items": {"enum": ["a", "b"]}}, ["a", "a"], "a\na\nb", ["a", "a", "b"]),
        ({**LINES, "items": {**STRING, "format": "date"}}, ["2026-11-20"], "2026-11-21", ["2026-11-21"]),
        (NUMBERS, [1, 2], "2\n30", [2, 30]),
        ({**LINES, "items": NUMBER}, [1.0, 2.5], "1\n2.5\n3", [1.0, 2.5, 3.0]),
        ({**LINES, "items": DECIMAL}, ["1.50", "2.00"], "1.50\n3.10", ["1.50", "3.10"]),
        ({"type": "array"}, ["a"], "a\nb", ["a", "b"]),
        ({"type": "array"}, [1, 2.5], "1\n2.5\n3", [1, 2.5, 3]),
    ],
)
def test_a_list_comes_back_line_by_line_in_the_types_it_had(
    schema: Json, before: Json, typed: Json, after: Json
) -> None:
    result = edited(schema, {"field": before}, {"value": typed})["field"]

    assert result == after
    assert [type(one) for one in result] == [type(one) for one in after]


def test_lines_that_stay_are_the_very_items_they_were() -> None:
    before = [10**30, 5, 10**30 + 1]

    result = edited(NUMBERS, {"field": before}, {"value": f"{10**30 + 1}\n{10**30}"})["field"]

    assert result[0] is before[2]
    assert result[1] is before[0]


def test_an_emptied_list_that_may_not_be_empty_is_null_or_absent_or_missed() -> None:
    some = {**LINES, "minItems": 1}

    assert edited({"anyOf": [some, {"type": "null"}]}, {"field": ["a"]}, {"value": None}) == {"field": None}
    assert edited(some, {"field": ["a"]}, {"value": None}, required=False) == {}
    assert read(of(some), {"field": ["a"]}, {"f:0": {"value": {"value": None}}}) == Errors(
        {"f:0": "Needs a value."}
    )


@pytest.mark.parametrize(
    ("schema", "before", "typed", "message"),
    [
        ({**LINES, "minItems": 2}, ["a", "b"], "a", "Needs at least 2 lines (it has 1)."),
        ({**LINES, "maxItems": 2}, ["a", "b"], "a\nb\nc", "At most 2 lines fit (it has 3); take some out."),
        ({**LINES, "uniqueItems": True}, ["a"], "a\nb\na", "“a” is there twice; each line must differ."),
        ({**LINES, "items": {**STRING, "maxLength": 2}}, ["a"], "a\nabc", "Line 2: At most 2 characters fit"),
        ({**LINES, "items": {"enum": ["a", "b"]}}, ["a", "a"], "a\nc", "Line 2: Must be one of a, b."),
        (NUMBERS, [1], "1\ntwo", "Line 2: Write a whole number in plain digits, such as 12."),
        ({**NUMBERS, "items": {**INTEGER, "maximum": 5}}, [1], "1\n6", "Line 2: Must be at most 5."),
        (LINES, ["a"], "a\nb\x07", "Line 2: Holds invisible control characters"),
        (LINES, ["a"], "x" * 3001, "At most 3,000 characters fit (it has 3,001); shorten it."),
        (LINES, ["a"], ["b"], "Could not be read; type it again."),
    ],
)
def test_what_is_wrong_with_a_list_is_said_at_its_field(
    schema: Json, before: Json, typed: Json, message: str
) -> None:
    result = read(of(schema), {"field": before}, {"f:0": {"value": {"value": typed}}})

    assert isinstance(result, Errors)
    assert result.general is None
    assert message in result.by_block["f:0"]


def test_a_list_says_how_it_is_written_and_what_it_takes() -> None:
    (block,) = form(of({**NUMBERS, "minItems": 2, "maxItems": 9, "uniqueItems": True}), {"field": [1, 2]})

    assert block["element"]["multiline"] is True
    assert block["element"]["initial_value"] == "1\n2"
    expected = "One item per line. A whole number. At least 2 lines. At most 9 lines. No line twice."
    assert block["hint"]["text"] == expected


def test_bounds_are_said_as_people_write_numbers() -> None:
    schema = of({**NUMBER, "exclusiveMinimum": 0.0, "maximum": 1000000.0})
    (block,) = form(schema, {"field": 5})

    assert block["hint"]["text"] == "A number, more than 0 and at most 1,000,000."
    assert (block["element"]["min_value"], block["element"]["max_value"]) == ("0", "1000000")
    too_much = read(schema, {"field": 5}, {"f:0": {"value": {"value": "2000000"}}})
    assert too_much == Errors({"f:0": "Must be at most 1,000,000."})


def test_a_list_of_a_million_items_is_shown_soon() -> None:
    value = {"field": ["x"] * 1_000_000}

    assert form(of(LINES), value)[-1]["type"] == "rich_text"
    assert (
        element({**LINES, "items": {"enum": ["a"]}}, {"field": ["a"] * 1_500})["type"] == "plain_text_input"
    )


class Odd(BaseModel):
    labels: dict[str, str]
    pair: tuple[int, str]
    either: int | str
    free: Any
    limits: dict[str, int] | None
    extra: dict[str, int] = {}


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        (('{"a": "b"}', '[1, "x"]', "5", "later", ""), ({"a": "b"}, [1, "x"], 5, "later", None)),
        (
            ("{\u201ca\u201d: \u201cb\u201d}", '[1, "x"]', '"5"', "[null]", '{"a": 1}'),
            ({"a": "b"}, [1, "x"], "5", [None], {"a": 1}),
        ),
    ],
)
def test_what_must_be_there_and_has_no_field_of_its_own_is_written_as_json(typed: Json, taken: Json) -> None:
    schema, keys = Odd.model_json_schema(), ("labels", "pair", "either", "free", "limits")
    blocks = [block for block in form(schema, {}) if block["type"] == "input"]

    answer = read(schema, {}, written(blocks, typed))

    assert answer == Filled(dict(zip(keys, taken, strict=True)))
    assert blocks[0]["hint"]["text"] == 'Written as JSON, such as: {"name": "text"}'
    for block in blocks:
        assert_slack_takes(block)


def test_what_is_wrong_with_written_json_is_said_at_its_field() -> None:
    schema = Odd.model_json_schema()
    blocks = [block for block in form(schema, {}) if block["type"] == "input"]
    typed = ('{"a": 5}', "1, x", str(10**30), "", '{"a": NaN}')

    wrong = read(schema, {}, written(blocks, typed))

    assert [wrong.by_block.get(block["block_id"]) for block in blocks] == [
        "At a: Must be text.",
        'Must be JSON, such as: [1, "text"]',
        "Holds a whole number of more than 64 bits; send it as text.",
        "Needs a value.",
        "Holds NaN or infinity, which JSON does not know.",
    ]


def test_examples_of_many_large_objects_leave_the_other_fields_theirs() -> None:
    large = {"type": "object", "properties": {f"p{n}": STRING for n in range(150)}}
    keys = [f"f{n}" for n in range(100)]
    properties = {key: {"type": "object", "additionalProperties": large} for key in keys}

    shown = labels(form({"properties": {**properties, "z": INTEGER}, "required": keys[:60]}, {}))

    assert shown[-1] == "Z"


def written(blocks: list[Json], typed: Json) -> Json:
    return {block["block_id"]: {"value": {"value": text}} for block, text in zip(blocks, typed, strict=True)}


class Publish(BaseModel):
    type: Literal["publish"] = "publish"


class Rewrite(BaseModel):
    type: Literal["rewrite"] = "rewrite"
    text: Annotated[str, Field(min_length=3)]
    note: str | None = None


class Drop(BaseModel):
    type: Literal["drop"] = "drop"
    note: str | None = None


class Ruled(BaseModel):
    ruling: Annotated[Publish | Rewrite | Drop, Field(discriminator="type")]
    later: Publish | Drop | None = None


RULED = Ruled.model_json_schema()


@pytest.mark.parametrize(
    ("typed", "ruling"),
    [
        ({"type": 0}, {"type": "publish"}),
        ({"type": 0, "note": "not for this one"}, {"type": "publish"}),
        ({"type": 1, "text": "Better", "note": "why"}, {"type": "rewrite", "text": "Better", "note": "why"}),
        ({"type": 2, "note": "why"}, {"type": "drop", "note": "why"}),
    ],
)
def test_a_kind_of_object_is_chosen_and_only_its_own_fields_are_sent(typed: Json, ruling: Json) -> None:
    assert read(RULED, {}, ruled(typed)) == Filled({"ruling": ruling})


def test_what_the_chosen_kind_of_object_lacks_is_said_at_its_field() -> None:
    blocks = [block for block in form(RULED, {}) if block["type"] == "input"]
    labels = {block["label"]["text"]: block["block_id"] for block in reversed(blocks)}

    for block in blocks:
        assert_slack_takes(block)
    assert labels.keys() == {"Type", "Text (rewrite)", "Note (rewrite, drop)", "Note (drop)"}
    assert read(RULED, {}, ruled({})) == Errors({labels["Type"]: "Needs a value."})
    assert read(RULED, {}, ruled({"type": 1})) == Errors({labels["Text (rewrite)"]: "Needs a value."})
    assert read(RULED, {}, ruled({"type": 1, "text": "No"})) == Errors(
        {labels["Text (rewrite)"]: "Needs at least 3 characters (it has 2)."}
    )


def ruled(typed: Json) -> Json:
    """Fill in the first object: a place for its type, and texts."""
    ids = {"note": "f:1.0", "text": "f:1.1", "type": "f:1.2"}
    states = {
        key: {"selected_option": {"value": str(value)}} if key == "type" else {"value": value}
        for key, value in typed.items()
    }
    return {ids[key]: {"value": state} for key, state in states.items()}


class Where(BaseModel):
    city: str
    zone: str | None


class Move(BaseModel):
    type: Literal["move"] = "move"
    to: Where
    why: str | None
    steps: list[Where]
    labels: dict[str, int]


class Stay(BaseModel):
    type: Literal["stay"] = "stay"


class Plan(BaseModel):
    move: Annotated[Move | Stay, Field(discriminator="type")]
    later: Move | None = None


def test_what_the_chosen_kind_of_object_must_hold_is_filled_in_as_in_any_other() -> None:
    schema = Plan.model_json_schema()
    states = {"f:1.3": {"selected_option": {"value": "0"}}, "f:1.0": {"value": '{"a": 1}'}}
    states |= {"f:1.2.0": {"value": "Rome"}}

    assert read(schema, {}, {}) == Errors({"f:1.3": "Needs a value."})
    assert read(schema, {}, filled(states)) == Filled(
        {
            "move": {
                "type": "move",
                "to": {"city": "Rome", "zone": None},
                "why": None,
                "steps": [],
                "labels": {"a": 1},
            }
        }
    )
    assert read(schema, {}, filled({"f:1.3": {"selected_option": {"value": "1"}}})) == Filled(
        {"move": {"type": "stay"}}
    )
    assert read(schema, {}, filled({"f:1.3": {"selected_option": {"value": "0"}}})) == Errors(
        {"f:1.0": "Needs a value.", "f:1.2.0": "Needs a value."}
    )


def test_an_object_that_may_stay_absent_is_asked_for_all_that_it_must_hold() -> None:
    schema = Plan.model_json_schema()
    stay = {"f:1.3": {"selected_option": {"value": "1"}}}
    later = {"f:0.2.0": {"value": "Oslo"}, "f:0.0": {"value": "{}"}}

    assert read(schema, {}, filled(stay | later)) == Filled(
        {
            "move": {"type": "stay"},
            "later": {"to": {"city": "Oslo", "zone": None}, "why": None, "steps": [], "labels": {}},
        }
    )
    assert read(schema, {}, filled(stay | {"f:0.0": {"value": "{}"}})) == Errors(
        {"f:0.2.0": "Needs a value."}
    )


def filled(states: Json) -> Json:
    return {block: {"value": state} for block, state in states.items()}
