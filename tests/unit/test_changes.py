"""What an edit changed: every leaf, by content and by type."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.approvals.changes import MISSING, Change, changes

KEYS = st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}, [("a.b[1].c", 2, 3)]),
        ({}, {"a": None}, [("a", MISSING, None)]),
        ({"a": None}, {}, [("a", None, MISSING)]),
        ({"a": [1, 2]}, {"a": [1]}, [("a[1]", 2, MISSING)]),
        ({"a": []}, {"a": [{"b": 1}]}, [("a[0]", MISSING, {"b": 1})]),
        ({"a": [{"b": 1}, {"b": 2}, 3]}, {"a": [{"b": 2}, 3]}, [("a[0]", {"b": 1}, MISSING)]),
        ([1, 2, 3], [1, 9, 2, 3], [("[1]", MISSING, 9)]),
        ([1, 2, 3, 4], [8, 3, 4], [("[0]", 1, 8), ("[1]", 2, MISSING)]),
        ([1, 1, 1], [1, 1], [("[2]", 1, MISSING)]),
        ([1, True], [True], [("[0]", 1, MISSING)]),
        ({"a": {"b": 1}}, {"a": [1]}, [("a", {"b": 1}, [1])]),
        ({"a.b": 1}, {"a.b": 2}, [('["a.b"]', 1, 2)]),
        ({"x": {'"]\\': 1}}, {"x": {'"]\\': 2}}, [('x["\\"]\\\\"]', 1, 2)]),
        ({"": 1}, {"": 2}, [('[""]', 1, 2)]),
        ("a", "b", [("", "a", "b")]),
        ({"a": 1, "b": 2}, {"b": 3, "c": 4, "a": 0}, [("a", 1, 0), ("b", 2, 3), ("c", MISSING, 4)]),
    ],
)
def test_each_changed_leaf_is_named_with_both_sides(before: Any, after: Any, expected: list[Any]) -> None:
    assert [(c.path, c.before, c.after) for c in changes(before, after)] == expected


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), (1, 1.0), (1, "1"), (None, ""), ([], {})])
def test_values_that_only_python_calls_equal_are_changes(old: Any, new: Any) -> None:
    assert [c.kind for c in changes({"a": old}, {"a": new})] == ["changed"]


def test_absence_is_not_null_in_the_json() -> None:
    added, removed, changed = Change("a", MISSING, None), Change("b", None, MISSING), Change("c", 1, None)

    assert added.to_json() == {"path": "a", "kind": "added", "after": None}
    assert removed.to_json() == {"path": "b", "kind": "removed", "before": None}
    assert changed.to_json() == {"path": "c", "kind": "changed", "before": 1, "after": None}


def test_no_depth_of_nesting_is_too_much() -> None:
    def nested(leaf: int) -> Any:
        value: Any = leaf
        for _ in range(3_000):
            value = [value]
        return value

    (change,) = changes(nested(1), nested(2))

    assert (change.path, change.before, change.after) == ("[0]" * 3_000, 1, 2)


def test_lists_of_other_lengths_at_every_depth_cost_no_more_than_they_hold() -> None:
    def nested(more: int) -> Any:
        value: Any = 0
        for _ in range(300):
            value = [value, *[1] * more]
        return value

    assert len(changes(nested(1), nested(2))) == 300


@given(JSON)
def test_a_copy_has_no_changes(value: Any) -> None:
    assert changes(value, copy.deepcopy(value)) == ()


@given(JSON, JSON)
def test_values_with_different_json_have_changes_at_paths_of_their_own(before: Any, after: Any) -> None:
    found = changes(before, after)
    written = [json.dumps(value, sort_keys=True) for value in (before, after)]

    assert bool(found) == (written[0] != written[1])
    assert len({change.path for change in found}) == len(found)
