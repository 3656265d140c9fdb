"""What a graph is resumed with: plain JSON that says who decided, and nothing that nobody knows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from bot.approvals import By, Decision, Vote

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
VOTE = Vote(user="U01MAYA", verdict="approve", at=NOW, standing="named")
DECIDED = Decision(
    verdict="approve", by=By(kind="human", user="U01MAYA"), proposal=1, decided_at=NOW, votes=(VOTE,)
)


def test_an_answer_is_plain_json_that_reads_back_as_the_decision() -> None:
    answer = DECIDED.answer()
    assert json.loads(json.dumps(answer)) == answer
    assert Decision.model_validate(answer) == DECIDED
    assert answer["forced"] is False


def test_an_answer_names_a_basis_only_where_its_request_had_one() -> None:
    assert "basis" not in DECIDED.answer()
    assert DECIDED.model_copy(update={"basis": "w1"}).answer() == DECIDED.answer() | {"basis": "w1"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "allow"},
        {"approved": True},
        {"by": {"kind": "human", "user": "U01MAYA", "bot": True}},
        {"by": {"kind": "model"}},
        {"signoff": 2},
    ],
)
def test_what_is_not_exactly_a_decision_is_no_answer(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Decision.model_validate(DECIDED.answer() | wrong)
