"""What changed from one request to the next at the same pause."""

from __future__ import annotations

from typing import Any

import pytest

from bot.approvals import ApprovalRequest, Option
from bot.approvals.changes import MISSING
from bot.approvals.since import since

BEFORE: dict[str, Any] = {"title": "Deploy shop", "proposal": {"to": ["a", "b"]}, "basis": "f00"}


def told(**after: Any) -> list[tuple[str, Any, Any]]:
    changes = since(ApprovalRequest(**BEFORE), ApprovalRequest(**BEFORE | after))
    return [(change.path, change.before, change.after) for change in changes]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({}, []),
        ({"basis": "ba5"}, [("basis", "f00", "ba5")]),
        ({"basis": None}, [("basis", "f00", None)]),
        ({"proposal": {"to": ["a"]}}, [("to[1]", "b", MISSING)]),
        ({"fields": {"Total (EUR)": "12"}}, [("Total (EUR)", MISSING, "12")]),
        ({"links": {"Build": "https://x.example"}}, [("Build", MISSING, "https://x.example")]),
        ({"title": "Deploy blog", "summary": "Mind it."}, [("title", "Deploy shop", "Deploy blog")]),
        ({"risk": "high", "destructive": True}, [("risk", "low", "high"), ("destructive", False, True)]),
        ({"options": (Option(id="x", label="X"),)}, [("x", MISSING, "X")]),
    ],
)
def test_all_that_people_read_is_compared(after: dict[str, Any], expected: list[Any]) -> None:
    assert told(**after)[: len(expected)] == expected
    assert bool(told(**after)) is bool(expected)


def test_the_proposal_comes_first_and_its_basis_last() -> None:
    changed = told(proposal={"to": ["a", "c"]}, fields={"Head": "c"}, basis="ba5")

    assert [path for path, *_ in changed] == ["to[1]", "Head", "basis"]
