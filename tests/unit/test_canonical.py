"""Canonical JSON: equal values have equal bytes, and what is no JSON is refused in one line."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.approvals.canonical import DEEPEST, LARGEST, canonical, payload_hash
from bot.approvals.errors import BadRequest

WHOLE = st.integers(-(2**63), 2**64 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_it_reads_back_as_the_same_value(value: Any) -> None:
    assert json.loads(canonical(value)) == value


@given(st.dictionaries(TEXT, JSON, max_size=6), st.randoms())
def test_the_order_of_keys_does_not_matter(value: dict[str, Any], random: Any) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert payload_hash({key: value[key] for key in keys}) == payload_hash(value)


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (1, 1.0), (0, False), ("1", 1), (None, "null"), ([], {}), ("a", "a ")]
)
def test_values_of_different_types_have_different_hashes(one: Any, other: Any) -> None:
    assert payload_hash(one) != payload_hash(other)


def test_a_hash_is_64_hexadecimal_digits() -> None:
    assert len(payload_hash({})) == 64
    assert int(payload_hash({}), 16)


def test_it_has_no_spaces_and_keeps_letters_as_they_are() -> None:
    assert canonical({"b": [1, 2], "ä": "ö 😀"}) == '{"b":[1,2],"ä":"ö 😀"}'.encode()


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "NaN"),
        ([float("inf")], "infinity"),
        ({"a": "b\x00"}, "NUL"),
        ({"a\x00": 1}, "NUL"),
        ("\ud83d", "surrogate"),
        ({1: 2}, "keys are text"),
        (Decimal("1.5"), "Decimal"),
        ({"a": {1, 2}}, "set"),
        (b"bytes", "bytes"),
        ({"wei": 2**64}, "64 bits"),
        ([-(2**63) - 1], "64 bits"),
        ([10**5000], "64 bits"),
        (nested(DEEPEST + 1), "deeper"),
        ("x" * LARGEST, "at most"),
    ],
)
def test_what_is_not_plain_json_is_refused_with_what_is_wrong(value: Any, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        canonical(value)


def test_the_deepest_and_the_largest_are_still_taken() -> None:
    assert canonical(nested(DEEPEST))
    assert len(canonical("x" * (LARGEST - 2))) == LARGEST


def test_a_cycle_is_refused_as_too_deep() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(BadRequest, match="deeper"):
        canonical(loop)
