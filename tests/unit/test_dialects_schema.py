"""Interrupts that come with the schema of their answer."""

from __future__ import annotations

import time

import pytest
from deciding import answer, decided, timed_out
from pydantic import BaseModel, Field

from bot.approvals import checking
from bot.approvals.checking import Uncheckable, misfits
from bot.approvals.dialects import End, Resume, read
from bot.approvals.errors import BadAnswer, BadRequest
from bot.slack.form import Errors, Filled, form
from bot.slack.form import read as read_form


class Party(BaseModel):
    name: str


class Terms(BaseModel):
    """What counsel must fill in."""

    cap: int = Field(ge=1)
    law: str = "German"
    note: str | None = None
    party: Party | None = None


TERMS = Terms.model_json_schema()


def test_an_object_is_a_form_of_its_fields_with_their_defaults():
    asked = read({"question": "Which terms?", "deal": "Acme"}, TERMS)
    request = asked.request

    assert asked.dialect == "schema"
    assert (request.title, request.fields) == ("Which terms?", {"deal": "Acme"})
    assert request.summary == "What counsel must fill in."
    assert request.proposal == {"law": "German"}
    assert request.allow == ("edit", "reject")
    assert {
        block["label"]["text"]
        for block in form(request.proposal_schema, request.proposal)
        if "label" in block
    } >= {
        "Cap",
        "Law",
    }


def test_the_filled_form_is_the_answer():
    asked = read("Terms?", TERMS)

    assert answer(asked, decided(asked, "approve", proposal={"cap": 5, "law": "French"})) == Resume(
        {"cap": 5, "law": "French"}
    )


def test_the_modal_and_the_answer_refuse_the_same():
    asked = read("Terms?", TERMS)
    schema = asked.request.proposal_schema

    for wrong in ({"law": "x"}, {"cap": 0}, {"cap": "5"}, {"cap": 1, "party": {}}):
        assert isinstance(read_form(schema, wrong, {}), Errors)
        with pytest.raises(BadAnswer, match="does not fit"):
            answer(asked, decided(asked, "approve", proposal=wrong))
    assert isinstance(read_form(schema, {"cap": 1}, {}), Filled)


def test_a_refusal_ends_the_thread_unless_a_function_has_words_for_it():
    asked = read("Terms?", TERMS)
    refusals = (decided(asked, "reject", comment="no"), timed_out(asked))

    assert all(isinstance(answer(asked, refusal), End) for refusal in refusals)
    assert all(isinstance(answer(asked, refusal, "dict"), End) for refusal in refusals), (
        "a schema whose fields all have defaults would take that dict for an answer"
    )
    assert answer(asked, refusals[0], lambda _: {"cap": 1}) == Resume({"cap": 1})
    with pytest.raises(BadAnswer, match="cap"):
        answer(asked, refusals[0], lambda _: {"cap": 0})


def test_a_fallback_answers_with_the_defaults_where_they_are_complete_and_ends_where_not():
    incomplete = read("Terms?", TERMS)
    complete = read(
        "Law?", {"type": "object", "properties": {"law": {"type": "string", "default": "German"}}}
    )

    assert isinstance(answer(incomplete, timed_out(incomplete, "approve", forced=True)), End)
    assert answer(complete, timed_out(complete, "approve", forced=True)) == Resume({"law": "German"})


def test_yes_or_no_is_two_buttons_and_a_timeout_is_no():
    asked = read("Delete it?", {"type": "boolean"})

    assert asked.request.allow == ("approve", "reject")
    assert answer(asked, decided(asked, "approve")) == Resume(value=True)
    assert answer(asked, decided(asked, "reject")) == Resume(value=False)
    assert answer(asked, timed_out(asked)) == Resume(value=False)


def test_an_enum_is_a_choice_that_keeps_its_types():
    asked = read("How many?", {"enum": [1, "1", None, True]})
    options = asked.request.options

    assert [answer(asked, decided(asked, "choose", choice=o.id)).value for o in options] == [
        1,
        "1",
        None,
        True,
    ]
    with pytest.raises(BadAnswer, match="not on offer"):
        answer(asked, decided(asked, "choose", choice="7"))


def test_constants_are_a_choice_under_their_titles():
    ship = {"const": "yes", "title": "Ship it", "description": "Customers see it at once."}
    for schema in ({"oneOf": [ship, {"const": "no"}]}, {"type": "string", "anyOf": [ship, {"const": "no"}]}):
        asked = read("Ship?", schema)
        yes, no = asked.request.options

        assert (yes.label, yes.description, no.label) == ("Ship it", "Customers see it at once.", "no")
        assert answer(asked, decided(asked, "choose", choice=yes.id)) == Resume("yes")
    assert [one.label for one in read("Sure?", {"type": "string", "const": "sure"}).request.options] == [
        "sure"
    ]


def test_an_object_may_leave_out_that_it_is_one():
    asked = read("Who?", {"properties": {"name": {"type": "string"}}, "required": ["name"]})

    assert asked.request.allow == ("edit", "reject")
    assert answer(asked, decided(asked, "approve", proposal={"name": "Ann"})) == Resume({"name": "Ann"})


def test_a_date_is_picked_and_not_typed():
    asked = read("When?", {"type": "string", "format": "date"})

    (field,) = form(asked.request.proposal_schema, asked.request.proposal)
    assert field["element"]["type"] == "datepicker"
    assert answer(asked, decided(asked, "approve", proposal={"answer": "2026-11-22"})) == Resume("2026-11-22")


def test_the_options_of_an_enum_of_text_are_named_by_themselves():
    asked = read("Which?", {"type": "string", "enum": ["legal", "finance"]})

    assert [option.id for option in asked.request.options] == ["legal", "finance"]


def test_text_is_answered_in_words_that_are_checked():
    asked = read("Which host?", {"type": "string", "maxLength": 5})

    assert asked.request.allow == ("respond", "reject")
    assert answer(asked, decided(asked, "respond", text="db1")) == Resume("db1")
    with pytest.raises(BadAnswer, match="too long"):
        answer(asked, decided(asked, "respond", text="db-from-far-away"))


def test_anything_else_is_one_field_of_a_form():
    asked = read("How many?", {"type": "integer", "minimum": 1})

    assert answer(asked, decided(asked, "approve", proposal={"answer": 3})) == Resume(3)
    for wrong in ({"answer": 0}, {}, {"other": 1}):
        with pytest.raises(BadAnswer):
            answer(asked, decided(asked, "approve", proposal=wrong))


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": "object", "additionalProperties": True}])
def test_a_schema_that_takes_anything_asks_no_more_than_none(schema):
    assert read("Go?", schema).dialect == "plain"


def test_a_value_that_is_no_json_is_shown_raw_over_the_form():
    asked = read({"who": {"a", "b"}}, TERMS)

    assert "not plain JSON" in asked.request.summary
    assert answer(asked, decided(asked, "approve", proposal={"cap": 5})) == Resume({"cap": 5})


def test_a_recursive_model_is_asked():
    class Node(BaseModel):
        name: str
        child: Node | None = None

    asked = read("Tree?", Node.model_json_schema())

    assert asked.request.allow == ("edit", "reject")
    assert answer(asked, decided(asked, "approve", proposal={"name": "a", "child": {"name": "b"}}))


@pytest.mark.parametrize("kept", ["$defs", "definitions"])
def test_a_schema_that_is_a_reference_is_followed_wherever_it_leads(kept):
    reply = {"type": "object", "properties": {"go": {"type": "boolean"}}, "additionalProperties": False}
    asked = read("Go?", {"$ref": f"#/{kept}/Reply", kept: {"Reply": reply}})
    several = read("Go?", {"type": "array", "items": {"$ref": f"#/{kept}/Reply"}, kept: {"Reply": reply}})

    assert (asked.dialect, several.dialect) == ("schema", "schema")
    assert answer(asked, decided(asked, "approve", proposal={"go": True})) == Resume({"go": True})
    answered = decided(several, "approve", proposal={"answer": [{"go": True}]})
    assert misfits(several.request.proposal_schema, answered.proposal) == []
    assert answer(several, answered) == Resume([{"go": True}])


# Hostile schemas.


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "object", "properties": {"a": {"$ref": "https://evil.example/x.json"}}}, "points at"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}}, "points at"),
        ({"type": "object", "properties": {"a": {"type": "wrong"}}}, "not a valid JSON Schema"),
        ({"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}}, "in circles"),
    ],
)
def test_what_cannot_be_checked_is_not_sent(schema, reason):
    asked = read("?", schema)

    with pytest.raises(BadAnswer, match=reason):
        answer(asked, decided(asked, "approve", proposal={"a": 1}))


def test_a_pattern_cannot_hang_the_answer():
    schema = {
        "type": "object",
        "properties": {"a": {"pattern": "^(a+)+$"}},
        "patternProperties": {"^(a+)+$": {}},
        "additionalProperties": False,
    }
    asked = read("?", schema)
    started = time.monotonic()
    with pytest.raises(BadAnswer, match="does not fit"):
        answer(asked, decided(asked, "approve", proposal={"a": "a" * 50 + "!", "a" * 50 + "!": 1}))

    assert time.monotonic() - started < 1


def test_references_that_multiply_are_given_up():
    definitions = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 4} for n in range(20)}
    definitions["d20"] = {"type": "string"}
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": definitions}
    asked = read("?", schema)

    with pytest.raises(BadAnswer, match="takes too long"):
        answer(asked, decided(asked, "approve", proposal={"a": "x"}))


def test_a_schema_too_large_to_keep_is_refused():
    with pytest.raises(BadRequest, match="bytes"):
        read("?", {"type": "object", "properties": {"a": {"description": "x" * 600_000}}})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"patternProperties": {rf"\w{{60}}{n}": {} for n in range(200)}}, {"a": "x"}),
        ({"allOf": [{"pattern": rf"\w{{60}}{n}"} for n in range(200)]}, "x"),
        ({"items": {"enum": [{"x": n} for n in range(5_000)]}}, [{"x": -1}] * 5_000),
    ],
)
def test_a_schema_that_is_short_and_costs_much_is_given_up(monkeypatch, schema, value):
    monkeypatch.setattr(checking, "_WORK", 200_000)

    with pytest.raises(Uncheckable, match="takes too long"):
        misfits(schema, value)


@pytest.mark.parametrize(
    "dialect", ["https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"]
)
@pytest.mark.parametrize("place", ["inside", "at its root"])
def test_a_dialect_that_a_schema_names_does_not_take_its_bounds_away(monkeypatch, dialect, place):
    costly = {"$schema": dialect, "pattern": "^a"}
    schema = {"properties": {"a": costly if place == "inside" else {"$ref": "#"}}, **costly}
    monkeypatch.setattr(checking, "_WORK", 1_000)

    with pytest.raises(Uncheckable, match="takes too long"):
        misfits(schema, {"a": "ab"})


OLDER = {
    "type": "object",
    "required": ["pair", "share"],
    "properties": {
        "pair": {"items": [{"type": "string"}, {"type": "number"}], "additionalItems": False},
        "same": {"$ref": "#/properties/pair/items/1"},
        "share": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1},
        "note": {"type": "string", "nullable": True},
        "nothing": {"type": "null", "nullable": True},
        "items": {"enum": [{"items": [1]}, "none"]},
        "colour": {"allOf": [{"$ref": "#/definitions/colour"}], "nullable": True},
    },
    "dependentRequired": {"items": ["pair"]},
    "definitions": {"colour": {"enum": ["red", "blue"]}},
}


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ({"pair": ["a", 1], "share": 1, "same": 2, "note": None, "items": {"items": [1]}}, []),
        ({"pair": [1, 1], "share": 1}, ["$.pair[0]"]),
        ({"pair": ["a", 1, 2], "share": 1, "same": "x"}, ["$.pair", "$.same"]),
        ({"pair": ["a"], "share": 0}, ["$.share"]),
        ({"pair": ["a"], "share": 1, "colour": None}, []),
        ({"pair": ["a"], "share": 1, "colour": "pink"}, ["$.colour"]),
    ],
)
def test_a_schema_of_an_older_draft_is_checked_as_that_meant_it(value, wrong):
    assert sorted(error.json_path for error in misfits(OLDER, value)) == wrong


def test_beside_a_tuple_of_an_older_draft_the_rest_is_edited():
    held = {"pair": ["a", 1], "share": 1, "note": None, "colour": None}
    blocks = {b["label"]["text"]: b["block_id"] for b in form(OLDER, held) if b["type"] == "input"}

    typed = {blocks["Share"]: {"value": {"value": "0.5"}}}

    assert blocks.keys() == {"Share", "Same", "Note", "Colour"}
    assert read_form(OLDER, held, typed) == Filled(held | {"share": 0.5})


def test_a_schema_of_many_wrong_types_is_refused_soon():
    began = time.process_time()

    with pytest.raises(Uncheckable, match="not a valid JSON Schema"):
        misfits({"type": [{"a": n} for n in range(2_000)]}, {})

    assert time.process_time() - began < 2


def test_a_pattern_that_python_does_not_know_is_checked_nevertheless():
    schema = {"properties": {"name": {"pattern": r"^\p{Lu}\p{L}+$"}}}

    assert misfits(schema, {"name": "Åsa"}) == []
    assert len(misfits(schema, {"name": "Åsa 2"})) == 1


def test_what_a_check_costs_is_the_same_on_every_machine_and_at_every_moment(monkeypatch):
    schema = {"pattern": "^a", "enum": ["ab", "b"]}
    monkeypatch.setattr(checking, "_WORK", 2 * 100 + 40_000 + len("ab") + 2)

    assert [misfits(schema, "ab") for _ in range(3)] == [[], [], []]
    monkeypatch.setattr(checking, "_WORK", checking._WORK - 1)
    for _ in range(3):
        with pytest.raises(Uncheckable, match="takes too long"):
            misfits(schema, "ab")


def test_the_items_of_a_long_list_are_told_apart_as_json_schema_does():
    unique = {"uniqueItems": True}

    assert misfits(unique, [*({"a": n} for n in range(10_000)), 1, True, "1", [1], {"1": 1}]) == []
    for twice in ([1, 1.0], [{"a": [1]}, {"a": [1.0]}], [None, None]):
        assert [error.message for error in misfits(unique, twice)] == [f"{twice!r} has non-unique elements"]
    assert misfits({"enum": [True, {"a": 1}]}, {"a": 1.0}) == []
    assert len(misfits({"enum": [True]}, 1)) == 1
