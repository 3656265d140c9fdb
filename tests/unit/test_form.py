"""The edit form there and back: what is shown, what a person does, what comes back."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, HttpUrl, SecretStr
from slack_sdk.models.blocks import Block as SdkBlock
from slack_sdk.models.blocks import InputBlock

from bot.approvals.secrets import MASKED
from bot.slack.form import UNTOUCHED as UNTOUCHED_DRAFT
from bot.slack.form import Filled, Spot, form, item_at, read
from bot.slack.form.fields import fields
from bot.slack.form.plan import plan

Json = Any
UNTOUCHED = object()


def submitted(
    blocks: list[Json], edits: dict[str, Json] | None = None, *, by_slack: bool = True
) -> dict[str, Json]:
    """Turn the blocks into `state.values` as Slack does; `edits` are element states by the field's label.

    Slack keeps a required field from being empty; what is not sent `by_slack` may be.
    """
    values = {}
    for block in blocks:
        if block["type"] == "input":
            state = (edits or {}).get(block["label"]["text"], UNTOUCHED)
            state = as_shown(block["element"]) if state is UNTOUCHED else state
            assert block["optional"] or any(state.values()) or not by_slack, (
                f"Slack would not let {block['block_id']} be empty"
            )
            values[block["block_id"]] = {
                block["element"]["action_id"]: {"type": block["element"]["type"], **state}
            }
    return values


def as_shown(element: Json) -> Json:
    match element["type"]:
        case "static_select" | "radio_buttons":
            return {"selected_option": element.get("initial_option")}
        case "multi_static_select":
            return {"selected_options": element.get("initial_options", [])}
        case "datepicker":
            return {"selected_date": element.get("initial_date")}
        case "timepicker":
            return {"selected_time": element.get("initial_time")}
        case "datetimepicker":
            return {"selected_date_time": element.get("initial_date_time")}
        case _:
            return {"value": element.get("initial_value")}


def of(schema: Json, *, required: bool = True) -> Json:
    """Wrap one property's schema into that of an object with the one key `field`."""
    return {"type": "object", "properties": {"field": schema}, "required": ["field"] if required else []}


def element(schema: Json, value: Json, *, required: bool = True) -> Json:
    (block,) = form(of(schema, required=required), value)
    return block["element"]


def edited(schema: Json, value: Json, state: Json, *, required: bool = True) -> Json:
    """Do one edit of the one field and return the proposal."""
    full = of(schema, required=required)
    blocks = form(full, value)
    result = read(full, value, submitted(blocks, {blocks[0]["label"]["text"]: state}))
    assert isinstance(result, Filled), result
    return result.value


def pick(*places: int) -> Json:
    chosen = [{"text": {"type": "plain_text", "text": "…"}, "value": str(place)} for place in places]
    return {"selected_options": chosen} if len(chosen) != 1 else {"selected_option": chosen[0]}


class Colour(Enum):
    red = "red"
    blue = "blue"


class Step(BaseModel):
    host: str
    tries: int


class Everything(BaseModel):
    text: str = Field(max_length=80, description="What it says.")
    long: str = Field(max_length=2000)
    count: int = Field(ge=1, le=10)
    ratio: float = Field(gt=0, lt=1)
    amount: Decimal = Field(ge=0)
    dry: bool
    colour: Colour
    size: Literal[1, 2, 3]
    tags: set[Literal["a", "b", "c"]]
    on: date
    at: time
    starts: datetime
    ref: UUID
    mail: Annotated[str, Field(json_schema_extra={"format": "email"})]
    page: HttpUrl
    steps: list[Step]
    first: Step
    names: list[str]
    note: str | None = None
    limit: int | None = None
    tint: Colour | None = Colour.red
    ends: datetime | None = None
    kind: Literal["only"] = "only"


def everything() -> Everything:
    return Everything(
        text="Hallo",
        long="One\nTwo",
        count=3,
        ratio=0.1,
        amount=Decimal("12400.00"),
        dry=False,
        colour=Colour.blue,
        size=2,
        tags={"a", "c"},
        on=date(2026, 11, 20),
        at=time(16, 30, 12),
        starts=datetime(2026, 11, 20, 16, 30, 12, 345000, UTC),
        ref=UUID("123e4567-e89b-12d3-a456-426614174000"),
        mail="name@example.com",
        page=HttpUrl("https://example.com/page"),
        steps=[Step(host="db-1", tries=2)],
        first=Step(host="db-2", tries=1),
        names=["x", "y"],
    )


def test_a_pydantic_model_gets_a_fitting_element_for_each_kind_of_field() -> None:
    blocks = form(Everything.model_json_schema(), everything().model_dump(mode="json"))

    assert {b["label"]["text"]: b["element"]["type"] for b in blocks if b["type"] == "input"} == {
        "Text": "plain_text_input",
        "Long": "plain_text_input",
        "Count": "number_input",
        "Ratio": "number_input",
        "Amount": "number_input",
        "Dry": "radio_buttons",
        "Colour": "static_select",
        "Size": "static_select",
        "Tags": "multi_static_select",
        "On": "datepicker",
        "At": "timepicker",
        "Starts": "datetimepicker",
        "Ref": "plain_text_input",
        "Mail": "email_text_input",
        "Page": "url_text_input",
        "Note": "plain_text_input",
        "Limit": "number_input",
        "Tint": "static_select",
        "Ends": "datetimepicker",
        "Names": "plain_text_input",
        "Host": "plain_text_input",
        "Tries": "number_input",
    }
    left = [b["elements"][0]["elements"][0]["text"] for b in blocks if b["type"] == "rich_text"]
    assert left == ["Kind"]
    assert [b["text"]["text"] for b in blocks if b["type"] == "header"] == ["Steps", "First"]


def test_a_pydantic_model_comes_back_as_it_went() -> None:
    schema, value = Everything.model_json_schema(), everything().model_dump(mode="json")

    assert read(schema, value, submitted(form(schema, value))) == Filled(value)
    assert Everything.model_validate(value) == everything()


def test_a_pydantic_model_comes_back_with_each_edit_in_its_type() -> None:
    schema, value = Everything.model_json_schema(), everything().model_dump(mode="json")
    edits = {
        "Count": {"value": "7"},
        "Ratio": {"value": "0.25"},
        "Amount": {"value": "12500.50"},
        "Dry": pick(0),
        "Size": pick(2),
        "Starts": {"selected_date_time": 1_800_000_000},
        "Note": {"value": "soon"},
        "Limit": {"value": "5"},
        "Tint": pick(1),
    }

    result = read(schema, value, submitted(form(schema, value), edits))

    assert isinstance(result, Filled)
    changed = {k: v for k, v in result.value.items() if v != value[k]}
    assert json.dumps(changed) == json.dumps(
        {
            "count": 7,
            "ratio": 0.25,
            "amount": "12500.50",
            "dry": True,
            "size": 3,
            "starts": "2027-01-15T08:00:00Z",
            "note": "soon",
            "limit": 5,
            "tint": "blue",
        }
    )
    assert result.value["steps"] is value["steps"]
    assert Everything.model_validate(result.value).amount == Decimal("12500.50")


INTEGER, NUMBER, STRING = {"type": "integer"}, {"type": "number"}, {"type": "string"}
DECIMAL = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}
MOMENT = {"type": "string", "format": "date-time"}


@pytest.mark.parametrize(
    ("schema", "before", "state", "after"),
    [
        (STRING, "a", {"value": "b"}, "b"),
        (STRING, "a\r\nb", {"value": "a\nc"}, "a\r\nc"),
        (INTEGER, 1, {"value": "2"}, 2),
        (INTEGER, 1, {"value": " +2.0 "}, 2),
        (INTEGER, 2**60 + 1, {"value": str(2**60 + 3)}, 2**60 + 3),
        (NUMBER, 0.1, {"value": "0.3"}, 0.3),
        (NUMBER, 5.0, {"value": "6"}, 6.0),
        (NUMBER, 5, {"value": "6"}, 6),
        (NUMBER, 5, {"value": "6.5"}, 6.5),
        (DECIMAL, "1.50", {"value": "1.25"}, "1.25"),
        (DECIMAL, "1.50", {"value": "1e2"}, "100"),
        (DECIMAL, "1.50", {"value": "12345678901234567890.12"}, "12345678901234567890.12"),
        (DECIMAL, 1.5, {"value": "1.25"}, 1.25),
        ({"type": "boolean"}, True, pick(1), False),
        ({"enum": [1, 2.5, "1", True]}, 1, pick(3), True),
        ({"enum": [1, 2.5, "1", True]}, 1, pick(1), 2.5),
        ({"oneOf": [{"const": "a", "title": "Ay"}, {"const": "b"}]}, "a", pick(1), "b"),
        ({"type": "string", "format": "date"}, "2026-11-20", {"selected_date": "2026-11-21"}, "2026-11-21"),
        (
            {"type": "string", "format": "time"},
            "10:00:05+02:00",
            {"selected_time": "11:30"},
            "11:30:00+02:00",
        ),
        (MOMENT, "2026-11-20T10:00:00Z", {"selected_date_time": 1_800_000_000}, "2027-01-15T08:00:00Z"),
        (
            MOMENT,
            "2026-11-20T10:00:00+05:30",
            {"selected_date_time": 1_800_000_000},
            "2027-01-15T13:30:00+05:30",
        ),
        (
            MOMENT,
            "2026-11-20T10:00:00-08:00",
            {"selected_date_time": 1_800_000_000},
            "2027-01-15T00:00:00-08:00",
        ),
        (MOMENT, "2026-11-20T10:00:00", {"selected_date_time": 1_800_000_000}, "2027-01-15T08:00:00"),
        ({"anyOf": [INTEGER, STRING]}, 1, {"value": "2"}, 2),
        ({"anyOf": [INTEGER, STRING]}, "1", {"value": "2"}, "2"),
        ({"type": ["integer", "null"]}, 1, {"value": "2"}, 2),
        ({}, 1, {"value": "2"}, 2),
        ({}, "1", {"value": "2"}, "2"),
    ],
)
def test_an_edit_comes_back_in_the_type_it_has_in_the_proposal(
    schema: Json, before: Json, state: Json, after: Json
) -> None:
    value = edited(schema, {"field": before}, state)["field"]

    assert (type(value), value) == (type(after), after)


ALL_OF_MANY = {"type": "array", "items": {"$ref": "#/$defs/E"}, "minItems": 1}


@pytest.mark.parametrize(
    ("before", "places", "after"),
    [(["c", "a"], [0, 2, 1], ["c", "a", "b"]), (["a", "b"], [1], ["b"]), (["a"], [2, 1], ["c", "b"])],
)
def test_what_stays_picked_keeps_its_order(before: Json, places: list[int], after: Json) -> None:
    schema = {**of(ALL_OF_MANY), "$defs": {"E": {"enum": ["a", "b", "c"]}}}
    value = {"field": before}
    state = {"selected_options": [{"value": str(place)} for place in places]}

    assert read(schema, value, submitted(form(schema, value), {"Field": state})) == Filled({"field": after})


@pytest.mark.parametrize(
    ("schema", "before", "required", "after"),
    [
        ({"anyOf": [STRING, {"type": "null"}]}, {"field": "a"}, True, {"field": None}),
        ({"anyOf": [STRING, {"type": "null"}]}, {"field": "a"}, False, {"field": None}),
        (STRING, {"field": "a"}, False, {}),
        (STRING, {"field": ""}, True, {"field": ""}),
        (STRING, {"field": ""}, False, {"field": ""}),
        (STRING, {}, False, {}),
        ({"anyOf": [STRING, {"type": "null"}]}, {}, False, {}),
        ({"anyOf": [STRING, {"type": "null"}]}, {"field": None}, True, {"field": None}),
        (INTEGER, {"field": 1}, False, {}),
        ({**INTEGER, "default": 5}, {}, False, {}),
        ({"enum": ["a", None]}, {"field": "a"}, True, {"field": None}),
        ({"type": "boolean"}, {"field": True}, False, {}),
        ({"type": "array", "items": {"enum": ["a"]}}, {"field": ["a"]}, True, {"field": []}),
        ({"type": "array", "items": {"enum": ["a"]}, "minItems": 1}, {"field": ["a"]}, False, {}),
        ({"type": "string", "format": "date"}, {"field": "2026-11-20"}, False, {}),
        (MOMENT, {"field": "2026-11-20T10:00:00Z"}, False, {}),
        ({}, {"field": None}, True, {"field": None}),
    ],
)
def test_an_emptied_field_is_null_or_absent_and_absence_stays(
    schema: Json, before: Json, required: bool, after: Json
) -> None:
    nothing = {"value": None, "selected_option": None, "selected_date": None, "selected_date_time": None}

    assert edited(schema, before, nothing, required=required) == after


def test_not_set_is_an_option_because_a_choice_cannot_be_taken_back() -> None:
    schema = {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}
    offered = element(schema, {"field": None})

    assert [option["value"] for option in offered["options"]] == ["0", "1", "none"]
    assert offered["initial_option"] == offered["options"][-1]
    assert edited(schema, {"field": "a"}, {"selected_option": offered["options"][-1]}) == {"field": None}


def test_an_alternative_is_offered_under_its_own_title() -> None:
    rated = {"title": "Rating", "oneOf": [{"const": 1, "title": "Poor"}, {"const": 2}]}

    (block,) = form({"properties": {"rating": rated}, "required": ["rating"]}, {})

    assert [option["text"]["text"] for option in block["element"]["options"]] == ["Poor", "2"]


class Refund(BaseModel):
    kind: Literal["refund"]
    agreed: Literal[True]
    note: str | None
    window: Annotated[dict[str, int], Field(json_schema_extra={"properties": {"days": {}}})] | None


def test_what_must_be_there_and_can_only_be_one_thing_or_nothing_is_filled_in_unless_it_is_a_yes() -> None:
    schema = Refund.model_json_schema()
    agreed = {"selected_option": {"text": {"type": "plain_text", "text": "Yes"}, "value": "0"}}

    filled = read(schema, {}, submitted(form(schema, {}), {"Agreed": agreed}))

    assert filled == Filled({"kind": "refund", "agreed": True, "note": None, "window": None})
    silent = read(schema, {}, submitted(form(schema, {}), {"Agreed": agreed}) | {"f:0": {}})
    assert silent.by_block == {"f:0": "Needs a value."}


def test_a_default_is_on_show_and_absent_until_it_is_changed() -> None:
    schema = {**INTEGER, "default": 5}

    assert element(schema, {}, required=False)["initial_value"] == "5"
    assert edited(schema, {}, {"value": "5"}, required=False) == {}
    assert edited(schema, {}, {"value": "6"}, required=False) == {"field": 6}


@pytest.mark.parametrize(
    ("schema", "original", "typed"),
    [
        (DECIMAL, "12400.00", {"value": "12400"}),
        (DECIMAL, "0012.50", {"value": "12.5"}),
        (NUMBER, 1e-7, {"value": "0.0000001"}),
        (INTEGER, 10**30, {"value": str(10**30)}),
        (INTEGER, 5.0, {"value": "5"}),
        (STRING, "a draft\n", {"value": "a draft"}),
        (MOMENT, "2026-11-20T10:00:42.5+00:00", {"selected_date_time": 1_795_168_800}),
        ({"type": "string", "format": "time"}, "10:00:42", {"selected_time": "10:00"}),
    ],
)
def test_what_a_client_rewrites_without_changing_stays_the_original_object(
    schema: Json, original: Json, typed: Json
) -> None:
    value = {"field": original}

    assert edited(schema, value, typed)["field"] is original


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**53 + 1, "plain_text_input"),
        (1e300, "plain_text_input"),
        (0.1234567890123456, "plain_text_input"),
        (123456789012345, "number_input"),
        (-0.25, "number_input"),
        (1e-7, "number_input"),
    ],
)
def test_a_number_that_a_double_could_change_is_typed_as_text(value: Json, kind: str) -> None:
    assert element(NUMBER, {"field": value})["type"] == kind


@pytest.mark.parametrize(
    ("schema", "value", "limits"),
    [
        ({**INTEGER, "minimum": 1, "maximum": 10}, 5, ("1", "10")),
        ({**INTEGER, "exclusiveMinimum": 1, "exclusiveMaximum": 10.5}, 5, ("2", "10")),
        ({**NUMBER, "exclusiveMinimum": 0.0, "maximum": 1e-2}, 0.005, ("0", "0.01")),
        ({**INTEGER, "minimum": 1}, 0, (None, None)),
        ({**INTEGER, "minimum": 10, "maximum": 1}, 5, (None, None)),
        ({**INTEGER, "minimum": -(10**40)}, 5, (None, None)),
    ],
)
def test_bounds_reach_the_client_as_strings_unless_slack_could_refuse_them(
    schema: Json, value: Json, limits: Json
) -> None:
    shown = element(schema, {"field": value})

    assert (shown.get("min_value"), shown.get("max_value")) == limits


def test_a_hint_says_the_description_and_the_bounds_in_words() -> None:
    schema = of({**INTEGER, "minimum": 1, "exclusiveMaximum": 10, "description": "How many."})

    (block,) = form(schema, {"field": 3})

    assert block["hint"]["text"] == "How many. A whole number, at least 1 and less than 10."


LEFT = [
    ({"type": "object"}, {"b": [[1]]}),
    ({"type": "object"}, {}),
    ({"type": "array", "items": STRING}, ["a\nb"]),
    ({"type": "array", "items": STRING}, ["a", ""]),
    ({"type": "array", "items": STRING}, ["x" * 1500, "y" * 1500]),
    ({"type": "array", "items": {"type": ["string", "null"]}}, ["a", None]),
    ({"type": "array"}, [1, True]),
    ({"type": "array", "items": {"type": "boolean"}}, [True]),
    ({"type": "array", "items": {"type": "array"}}, [[1]]),
    ({"type": "array", "prefixItems": [STRING, INTEGER]}, ["a", 1]),
    ({"type": "array"}, []),
    ({"type": "array"}, [{"a": 1}, 2]),
    ({"type": "array"}, [{"a": 1}] * 21),
    (STRING, "x" * 3001),
    (STRING, "😀" * 1501),
    (STRING, "a\x1b[31m"),
    (STRING, "safe\u202egnp.exe"),
    ({**STRING, "readOnly": True}, "a"),
    ({"const": "a"}, "a"),
    ({"anyOf": [{"type": "object"}, {"type": "object", "title": "Other"}]}, {"a": 1}),
    ({"type": "object", "readOnly": True}, {"a": 1}),
]


@pytest.mark.parametrize(("schema", "value"), LEFT)
def test_what_no_field_shows_whole_is_shown_and_left_as_it_is(schema: Json, value: Json) -> None:
    proposal = {"field": value, "other": "x"}
    full = {"type": "object", "properties": {"field": schema, "other": STRING}}
    blocks = form(full, proposal)
    (left,) = [block for block in blocks if block["type"] == "rich_text"]

    result = read(full, proposal, submitted(blocks, {"Other": {"value": "y"}}))

    named, stays = [text["text"] for text in left["elements"][0]["elements"]]
    assert named == "Field"
    assert stays.startswith(" stays as it is")
    assert result == Filled({"field": value, "other": "y"})
    assert result.value["field"] is value
    assert_slack_takes(left)


def test_hidden_characters_are_written_out_where_a_value_is_only_shown() -> None:
    (_, left) = form(None, {"field": "safe\u202egnp.exe\x00"})

    assert left["elements"][1]["elements"][0]["text"] == '"safe\\u202egnp.exe\\u0000"'


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#/nowhere"},
        {"$ref": "#/properties/field"},
        False,
    ],
)
def test_what_the_schema_does_not_tell_is_left_as_it_is(schema: Json) -> None:
    (_, left) = form(of(schema), {"field": "a"})

    assert left["type"] == "rich_text"


def test_text_that_needs_room_gets_many_lines() -> None:
    assert element({**STRING, "maxLength": 151}, {"field": "a"})["multiline"] is True
    assert element({**STRING, "maxLength": 150}, {"field": "a"})["multiline"] is False
    assert element(STRING, {"field": "a\nb"})["multiline"] is True
    assert element(STRING, {"field": "a" * 101})["multiline"] is True
    assert element(STRING, {"field": "a"})["multiline"] is False


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("1999-01-01T00:00:00Z", "plain_text_input"),
        ("2300-01-01T00:00:00Z", "plain_text_input"),
        ("tomorrow", "plain_text_input"),
        ("2026-11-20 10:00:00+01:00", "datetimepicker"),
    ],
)
def test_a_moment_that_slacks_picker_cannot_hold_is_typed(value: str, kind: str) -> None:
    assert element(MOMENT, {"field": value})["type"] == kind


def test_without_a_schema_the_value_tells_the_kinds() -> None:
    value = {"s": "a", "i": 1, "f": 0.5, "b": True, "n": None, "o": {"x": 1}, "l": [1]}
    blocks = form(None, value)

    assert [b["element"]["type"] for b in blocks if b["type"] == "input"] == [
        "plain_text_input",
        "number_input",
        "number_input",
        "radio_buttons",
        "plain_text_input",
        "plain_text_input",
        "number_input",
    ]
    assert read(None, value, submitted(blocks)) == Filled(value)
    edits = {"I": {"value": "2"}, "N": {"value": "now"}, "B": pick(1)}
    assert read(None, value, submitted(blocks, edits)) == Filled({**value, "i": 2, "n": "now", "b": False})


def test_block_ids_do_not_depend_on_the_order_of_keys() -> None:
    schema = {"properties": {"b": STRING, "a": STRING}}
    turned = {"properties": {"a": STRING, "b": STRING}}
    ids = [{b["label"]["text"]: b["block_id"] for b in form(s, {"a": "", "b": ""})} for s in (schema, turned)]

    assert ids[0] == ids[1] == {"A": "f:0", "B": "f:1"}


def test_labels_that_read_the_same_are_told_apart() -> None:
    blocks = form(None, {"a_b": "1", "a b": "2", "replicaCount": "3"})

    assert [b["label"]["text"] for b in blocks] == ["A b (a_b)", "A b (a b)", "Replica count"]


def test_the_proposal_given_is_not_changed() -> None:
    value = {"field": "a"}
    before = deepcopy(value)

    edited(STRING, value, {"value": "b"})

    assert value == before


TEXTS = st.text(st.characters(codec="utf-8"), max_size=120)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=0, max_value=10**9)
ZONES = st.sampled_from(["", "Z", "+00:00", "-08:00", "+05:30"])
MOMENTS = st.builds(lambda at, zone: at.isoformat() + zone, st.datetimes(), ZONES)
SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | TEXTS


@st.composite
def enums(draw: st.DrawFn) -> tuple[Json, Json]:
    values = draw(st.lists(SCALARS, min_size=1, max_size=6, unique_by=json.dumps))
    return {"enum": values}, draw(st.sampled_from(values))


@st.composite
def lists_of_enums(draw: st.DrawFn) -> tuple[Json, Json]:
    values = draw(st.lists(st.integers() | TEXTS, min_size=1, max_size=6, unique=True))
    return {"type": "array", "items": {"enum": values}}, draw(st.lists(st.sampled_from(values), max_size=7))


def fixed(schema: Json, values: st.SearchStrategy[Json]) -> st.SearchStrategy[tuple[Json, Json]]:
    return values.map(lambda value: (schema, value))


OBJECT = {"type": "object", "properties": {"on": {"type": "boolean"}, "inner": {"type": "object"}}}
OBJECTS = st.fixed_dictionaries(
    {"on": st.booleans()}, optional={"inner": st.dictionaries(TEXTS, SCALARS, max_size=2)}
)
PROPERTIES = st.one_of(
    fixed(STRING, TEXTS),
    fixed({"type": "string", "maxLength": 500}, TEXTS),
    fixed(INTEGER, st.integers()),
    fixed({"type": "integer", "minimum": -5, "exclusiveMaximum": 6}, st.integers(-5, 5)),
    fixed(NUMBER, st.floats(allow_nan=False, allow_infinity=False) | st.integers()),
    fixed(DECIMAL, DECIMALS.map(str)),
    fixed({"type": "boolean"}, st.booleans()),
    fixed({"type": "string", "format": "date"}, st.dates().map(str)),
    fixed(
        {"type": "string", "format": "time"}, st.builds(lambda at, zone: str(at) + zone, st.times(), ZONES)
    ),
    fixed(MOMENT, MOMENTS),
    fixed({"type": "string", "format": "uuid"}, st.uuids().map(str)),
    fixed({"type": "string", "format": "email"}, st.emails()),
    fixed({"type": "array", "items": STRING}, st.lists(TEXTS, max_size=3)),
    fixed({"type": "object"}, st.dictionaries(TEXTS, SCALARS, max_size=3)),
    fixed({"type": "array", "items": NUMBER}, st.lists(st.integers() | st.floats(0, 1), max_size=3)),
    fixed(OBJECT, OBJECTS),
    fixed({"type": "array", "items": OBJECT}, st.lists(OBJECTS, max_size=3)),
    fixed({}, SCALARS | st.floats(allow_nan=False)),
    enums(),
    lists_of_enums(),
)


@st.composite
def proposals(draw: st.DrawFn) -> tuple[Json, Json]:
    """Draw an object's schema with any mix of properties, and a value that conforms to it."""
    drawn = draw(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), PROPERTIES, max_size=6))
    properties, value, required, definitions = {}, {}, [], {}
    for place, (key, (schema, example)) in enumerate(drawn.items()):
        nullable, by_reference, needed = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
        if by_reference:
            definitions[f"D{place}"] = schema
            schema = {"$ref": f"#/$defs/D{place}"}  # noqa: PLW2901
        properties[key] = {"anyOf": [schema, {"type": "null"}]} if nullable else schema
        if needed:
            required.append(key)
        if needed or draw(st.booleans()):
            value[key] = None if nullable and draw(st.booleans()) else example
    return {"type": "object", "properties": properties, "required": required, "$defs": definitions}, value


@settings(max_examples=200, deadline=None)
@given(proposals(), st.booleans())
def test_any_proposal_submitted_unchanged_comes_back_exactly(drawn: tuple[Json, Json], typed: bool) -> None:
    schema, value = drawn
    schema = schema if typed else None
    blocks = form(schema, value)

    result = read(schema, value, submitted(blocks))

    assert result == Filled(value)
    assert list(result.value) == list(value)
    assert all(result.value[key] is value[key] for key in value)
    for block in blocks:
        assert_slack_takes(block)


def assert_slack_takes(block: Json) -> None:
    """Hold a block against slack_sdk's models and the limits that they do not know."""
    parsed = SdkBlock.parse(block)
    assert parsed is not None
    parsed.validate_json()
    json.dumps(block).encode("utf-8")
    if block["type"] == "input":
        InputBlock(**{k: v for k, v in block.items() if k != "type"}).to_dict()
        assert 1 <= len(block["label"]["text"]) <= 150
        shown = block["element"]
        assert (
            len(shown.get("initial_value", "").encode("utf-16-le")) // 2
            <= shown.get("max_length", 3000)
            <= 3000
        )
        assert shown.get("initial_value") != ""
        offered = [option["text"]["text"] for option in shown.get("options", [])]
        assert len(offered) <= (10 if shown["type"] == "radio_buttons" else 100)
        assert all(1 <= len(text) <= 75 for text in offered)
        assert len(set(offered)) == len(offered)


def test_what_the_schema_fixes_keeps_its_place_only_while_nothing_that_is_edited_needs_the_room():
    schema = {
        "properties": {
            **{f"fixed{n}": {"type": "string", "readOnly": True} for n in range(30)},
            **{f"open{n}": {"type": "string"} for n in range(70)},
        }
    }
    value = dict.fromkeys(schema["properties"], "x")

    blocks = form(schema, value)

    kinds = [block["type"] for block in blocks]
    assert kinds.count("input") == 70
    assert kinds[:2] == ["input", "input"]
    few = form(schema, {key: value[key] for key in value if key in ("fixed0", "open0")})
    assert [block["type"] for block in few][:2] == ["rich_text", "input"]


class Key(BaseModel):
    name: str
    code: SecretStr


class Vault(BaseModel):
    pin: SecretStr
    old: SecretStr | None = None
    words: list[SecretStr]
    by_room: dict[str, SecretStr]
    keys: list[Key]
    first: Key


def test_what_is_confidential_is_kept_or_replaced_and_never_shown() -> None:
    schema, key = Vault.model_json_schema(), {"name": "front", "code": "s-1"}
    held = {"pin": "s-2", "words": ["s-3"], "by_room": {"a": "s-4"}, "keys": [key], "first": key}
    blocks = form(schema, held)

    assert re.search(r"s-\d", json.dumps(blocks)) is None
    assert read(schema, held, submitted(blocks)) == Filled(held)
    assert read(
        schema, held, submitted(blocks, {"Pin": {"value": "n-1"}, "Words": {"value": "a\nb"}})
    ) == Filled({**held, "pin": "n-1", "words": ["a", "b"]})
    (rows,) = plan(fields(schema, held)).rows()
    item = item_at(schema, held, UNTOUCHED_DRAFT, Spot(rows.field.block_id, 0))
    assert item is not None
    assert "s-1" not in json.dumps(item.blocks)
    for block in [*blocks, *item.blocks]:
        assert_slack_takes(block)


def test_what_stands_for_a_password_that_is_not_set_is_not_shown_either() -> None:
    pin = {"type": "string", "format": "password", "default": "s-1"}
    pins = {"type": "array", "prefixItems": [pin], "default": ["s-2"]}
    keys = {"type": "array", "prefixItems": [{"type": "object", "properties": {"pin": pin}}]}
    schema = {"properties": {"pin": pin, "pins": pins, "keys": keys}, "required": ["pin", "pins", "keys"]}
    blocks = form(schema, {})

    assert re.search(r"s-\d", json.dumps(blocks)) is None
    assert MASKED in json.dumps(blocks, ensure_ascii=False)
    typed = submitted(blocks, {"Pins": {"value": '["n-1"]'}, "Keys": {"value": '[{"pin": "n-2"}]'}})
    assert read(schema, {}, typed) == Filled({"pin": "s-1", "pins": ["n-1"], "keys": [{"pin": "n-2"}]})


def test_a_password_that_is_not_set_is_typed_like_other_text() -> None:
    schema = Vault.model_json_schema()
    (pin, *_) = (block for block in form(schema, {}) if block["type"] == "input")

    assert pin["optional"] is False
    assert pin["hint"]["text"] == "Kept off the card."
