"""What a node raised is told in one line that says what is wrong."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from bot.approvals import ApprovalRequest
from bot.approvals.errors import SignoffError
from bot.engine.raised import line, trace


def test_a_model_that_does_not_fit_is_told_by_its_first_field_and_what_is_wrong_there() -> None:
    with pytest.raises(ValidationError) as raised:
        ApprovalRequest(title="", summary=5)  # type: ignore[arg-type]

    assert line(raised.value) == (
        "ValidationError: ApprovalRequest: title: String should have at least 1 character (and 1 more)"
    )


def test_an_error_is_told_by_its_type_and_first_line_and_a_refusal_in_its_own_words() -> None:
    assert line(ValueError("no such account\nin the books")) == "ValueError: no such account"
    assert line(KeyError()) == "KeyError"
    assert line(SignoffError("Send a flatter one.")) == "Send a flatter one."


def test_a_traceback_quotes_no_value_that_did_not_fit() -> None:
    class Account(BaseModel):
        pin: int
        owner: str

    given = {"pin": "hush, input_type=str] hush"}
    with pytest.raises(ValidationError) as raised:
        Account.model_validate(given)

    told = trace(raised.value)
    assert "hush" not in told.partition("Error: ")[2]
    assert "owner\n  Field required [type=missing, input_type=dict]" in told


def test_what_a_node_raised_holds_no_password_where_ops_read_it() -> None:
    error = ConnectionError("no answer of postgresql://books:hunter2@db/books, password=hunter3")

    assert line(error) == "ConnectionError: no answer of postgresql://books:***@db/books, password=***"
    assert "hunter" not in trace(error)
