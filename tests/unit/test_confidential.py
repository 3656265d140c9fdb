"""Which values of a proposal are masked, and how."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from bot.approvals.changes import changes
from bot.approvals.confidential import confidential, veiled, veiled_changes
from bot.approvals.correction import Correction
from bot.approvals.dialects.checking import check
from bot.approvals.errors import BadAnswer
from bot.approvals.secrets import MASKED
from bot.slack.form import read


class Door(BaseModel):
    name: str
    code: SecretStr | None = None


class House(BaseModel):
    doors: list[Door]
    keys: list[SecretStr] = []
    by_room: dict[str, SecretStr] = {}
    password_policy: str = "long"


NAMES = confidential(House.model_json_schema())


def test_what_the_schema_calls_a_password_is_confidential_and_not_what_is_only_called_so() -> None:
    assert sorted(NAMES) == ["by_room", "code", "keys"]
    assert confidential(None) == confidential({"properties": {"a": True}}) == frozenset()


def test_a_confidential_value_is_masked_wherever_it_stands_and_what_is_empty_is_told() -> None:
    held = {"doors": [{"name": "front", "code": "1"}, {"name": "back", "code": None}], "keys": ["k"]}

    assert veiled(held, NAMES) == {
        "doors": [{"name": "front", "code": MASKED}, {"name": "back", "code": None}],
        "keys": MASKED,
    }
    assert veiled(held, frozenset()) is held


def test_a_change_tells_that_something_confidential_changed_and_not_how() -> None:
    before = {"doors": [{"name": "a", "code": "s-1"}], "by_room": {"x.y": "s-2"}}
    after = {"doors": [{"name": "b", "code": "s-3"}, {"name": "c", "code": "s-4"}], "by_room": {"x.y": "s-5"}}

    told = [change.to_json() for change in veiled_changes(changes(before, after), NAMES)]

    assert "s-" not in str(told)
    assert {"path": "doors[0].code", "kind": "changed", "before": MASKED, "after": MASKED} in told
    assert {"path": "doors[1]", "kind": "added", "after": {"name": "c", "code": MASKED}} in told


def test_a_password_is_found_behind_references_and_in_tuples_and_patterns_and_soon() -> None:
    round_ = {
        f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{(n + k) % 60}"} for k in (1, 2, 3)]} for n in range(60)
    }
    schema = {
        "properties": {
            "a": {"$ref": "#/$defs/pin"},
            "b": {"prefixItems": [{"type": "string"}, {"$ref": "#/$defs/pin"}]},
            "c": {"patternProperties": {"^x": {"format": "password"}}},
            "d": {"$ref": "#/$defs/d0"},
            "e": {"$ref": "https://example.com/pin"},
            "f": {"items": [{"type": "string"}, {"$ref": "#/$defs/pin"}]},
            "g": {"items": [{"type": "string"}], "additionalItems": {"$ref": "#/$defs/pin"}},
        },
        "$defs": {"pin": {"type": "string", "format": "password"}, **round_},
    }

    assert sorted(confidential(schema)) == ["a", "b", "c", "f", "g"]


def test_a_proposal_that_is_an_object_of_passwords_is_masked_under_every_key() -> None:
    every = {"additionalProperties": {"format": "password"}}
    by_reference = {
        "$ref": "#/$defs/keys",
        "$defs": {"keys": {"patternProperties": {"^k": {"format": "password"}}}},
    }
    for schema in (every, by_reference):
        names = confidential(schema)

        assert veiled({"k1": "secret", "k2": ""}, names) == {"k1": MASKED, "k2": ""}
        (change,) = veiled_changes(changes({"k1": "secret"}, {"k1": "other"}), names)
        assert (change.before, change.after) == (MASKED, MASKED)


def test_references_that_lead_back_to_each_other_hide_no_password_whichever_is_followed_first() -> None:
    definitions = {
        "a": {"anyOf": [{"$ref": "#/$defs/b"}, {"format": "password"}]},
        "b": {"anyOf": [{"$ref": "#/$defs/a"}]},
    }
    for order in ("ab", "ba"):
        properties = {f"{place}{name}": {"$ref": f"#/$defs/{name}"} for place, name in enumerate(order)}

        assert confidential({"properties": properties, "$defs": definitions}) == frozenset(properties)


def test_a_password_is_found_however_deeply_it_is_nested_or_referred_to() -> None:
    definitions = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(3000)}
    told = {"properties": {"deep": {"$ref": "#/$defs/d0"}}}
    for _ in range(900):
        told = {"anyOf": [told]}

    assert confidential(told | {"$defs": definitions | {"d3000": {"format": "password"}}}) == {"deep"}


@pytest.mark.parametrize("key", ['a "b"', "a\\b", 'a\\"b', "a.b", ""])
def test_a_change_is_masked_whatever_characters_its_key_has(key: str) -> None:
    (told,) = veiled_changes(changes({"in": [{key: "s-1"}]}, {"in": [{key: "s-2"}]}), frozenset({key}))

    assert (told.before, told.after) == (MASKED, MASKED)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"minProperties": 3}, {"password": "s-1", "keys": []}),
        ({"not": {"required": ["password"]}}, {"password": "s-1"}),
        ({"properties": {"password": {"minLength": 9}}}, {"password": "s-1"}),
        ({"properties": {"keys": {"prefixItems": [{}], "items": False}}}, {"keys": ["s-1", "s-2"]}),
        ({"properties": {"keys": {"unevaluatedItems": False}}}, {"keys": ["s-1"]}),
        ({"additionalProperties": False}, {"other": "s-1"}),
    ],
)
def test_what_is_wrong_with_an_answer_is_said_without_its_passwords(rule: Any, value: Any) -> None:
    one = {"format": "password"}
    schema = {"allOf": [rule], "$defs": {"a": {"properties": {"password": one, "keys": one}}}}

    with pytest.raises(BadAnswer) as refused:
        check(schema, value, "The answer")
    assert "s-" not in str(refused.value)
    assert "s-" not in str(read(schema, value, {}))


def test_a_correction_tells_that_a_password_changed_and_not_how() -> None:
    correction = Correction(
        Door.model_json_schema(), {"name": "a", "code": "s-1"}, {"name": "b", "code": "s-2"}
    )

    assert [(change.path, change.before, change.after) for change in correction.told] == [
        ("name", "a", "b"),
        ("code", MASKED, MASKED),
    ]
