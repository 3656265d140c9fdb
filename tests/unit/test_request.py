"""The request, version 1: what outsiders may send, what it means, and what is refused."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, ValidationError, computed_field
from pydantic.alias_generators import to_camel

from bot.approvals import ApprovalRequest, Policy, Sla, ask
from bot.approvals.errors import BadRequest
from bot.approvals.request import Option, parse_request

LEAST = {"signoff": 1, "title": "Pay Acme"}


class Payment(BaseModel):
    to: str
    amount: Decimal


PAYMENT = Payment(to="Acme", amount=Decimal("12400.00"))


class Colour(Enum):
    RED = "red"


def test_a_title_is_enough() -> None:
    request = parse_request(LEAST)
    assert request.title == "Pay Acme"
    assert request.allow == ("approve", "reject")


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({}, ("approve", "reject")),
        ({"proposal": {"a": 1}}, ("approve", "reject", "edit")),
        ({"proposal": "text"}, ("approve", "reject")),
        ({"proposal": [1]}, ("approve", "reject")),
        ({"options": [{"id": "a", "label": "A"}]}, ()),
        ({"options": [{"id": "a", "label": "A"}], "allow": ["reject"]}, ("reject",)),
        ({"allow": ["respond"]}, ("respond",)),
    ],
)
def test_what_can_be_answered_follows_from_what_is_asked(given: Any, allowed: tuple[str, ...]) -> None:
    assert parse_request(LEAST | given).allow == allowed


def test_what_is_no_request_is_refused_in_a_line_that_says_what_to_write() -> None:
    with pytest.raises(BadRequest, match=r"ask\(\) takes an ApprovalRequest, not a dict"):
        ask({"title": "Pay Acme"})  # type: ignore[arg-type]


def test_a_model_unfolds_into_plain_json_with_its_schema() -> None:
    request = ApprovalRequest(title="Pay", proposal=PAYMENT)
    assert request.proposal == {"to": "Acme", "amount": "12400.00"}
    assert request.proposal_schema is not None
    assert set(request.proposal_schema["properties"]) == {"to", "amount"}


class Renamed(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    pays_to: str


class ReadAs(BaseModel):
    pays_to: str = Field(validation_alias="paysTo")


class WrittenAs(BaseModel):
    pays_to: str = Field(serialization_alias="paysTo")


class Holding(BaseModel):
    inner: WrittenAs


@pytest.mark.parametrize(
    ("model", "proposal"),
    [
        (Renamed(paysTo="Acme"), {"paysTo": "Acme"}),
        (ReadAs(paysTo="Acme"), {"pays_to": "Acme"}),
        (WrittenAs(pays_to="Acme"), {"pays_to": "Acme"}),
        (Holding(inner=WrittenAs(pays_to="Acme")), {"inner": {"pays_to": "Acme"}}),
    ],
)
def test_a_model_with_aliases_is_written_under_the_keys_of_its_schema(model: Any, proposal: Any) -> None:
    request = ApprovalRequest(title="Pay", proposal=model)
    assert request.proposal == proposal
    assert request.proposal_schema is not None
    assert list(request.proposal_schema["properties"]) == list(proposal)
    assert request.proposal_schema["properties"][next(iter(proposal))].get("title") in ("Pays To", None)
    assert type(model).model_validate(request.proposal, by_name=isinstance(model, ReadAs)) == model


def test_what_a_model_computes_is_no_part_of_the_proposal_since_no_edit_of_it_would_count() -> None:
    request = ApprovalRequest(title="Order", proposal=Order(pieces=2, price=3))
    assert request.proposal == {"pieces": 2, "price": 3}


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    pieces: int
    price: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> int:
        return self.pieces * self.price


@dataclass
class Move:
    to: str
    on: date


@dataclass
class Holder:
    lock: threading.Event


def test_a_dataclass_can_be_edited_as_a_model_can() -> None:
    request = ApprovalRequest(title="Move", proposal=Move("Acme", date(2026, 1, 12)))
    assert request.proposal == {"to": "Acme", "on": "2026-01-12"}
    assert request.allow == ("approve", "reject", "edit")
    assert request.proposal_schema is not None
    assert request.proposal_schema["properties"]["on"]["format"] == "date"


def test_what_is_in_a_proposal_and_is_no_json_is_refused_by_its_name() -> None:
    with pytest.raises((BadRequest, ValueError), match="Event"):
        ApprovalRequest(title="Hold", proposal=Holder(threading.Event())).payload()


class Priced(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    at: Annotated[threading.Event, PlainSerializer(lambda _: "noon", return_type=str)]


def test_a_model_that_pydantic_has_no_schema_of_goes_by_the_one_that_is_given() -> None:
    given = {"type": "object"}
    request = ApprovalRequest(title="Pay", proposal=Priced(at=threading.Event()), proposal_schema=given)
    assert (request.proposal, request.proposal_schema) == ({"at": "noon"}, given)


def test_the_schema_of_plain_json_may_be_said_by_a_model() -> None:
    request = ApprovalRequest(title="Pay", proposal={"to": "Acme"}, proposal_schema=Payment)
    assert request.proposal_schema == ApprovalRequest(title="Pay", proposal=PAYMENT).proposal_schema


def test_facts_are_written_as_a_person_reads_them() -> None:
    facts = {
        "Amount": Decimal("12.50"),
        "Due": date(2026, 1, 12),
        "Colour": Colour.RED,
        "Paid": False,
        "No": 3,
    }
    request = ApprovalRequest(title="Pay", fields=facts)
    assert request.fields == {
        "Amount": "12.50",
        "Due": "2026-01-12",
        "Colour": "red",
        "Paid": "no",
        "No": "3",
    }


def test_no_number_of_a_proposal_becomes_null_on_its_way_to_a_person() -> None:
    with pytest.raises(BadRequest, match="NaN"):
        ApprovalRequest(title="Pay", proposal={"score": float("nan")}).payload()


def test_a_payload_reads_back_as_the_same_request() -> None:
    request = ApprovalRequest(
        title="Pay",
        proposal={"a": 1},
        options=(Option(id="x", label="X"),),
        policy=Policy(approvals=2),
        sla=Sla(respond_within=timedelta(hours=4)),
    )
    again = parse_request(request.payload())
    assert again.payload() == request.payload()
    assert again.policy is not None
    assert again.policy.model_fields_set == {"approvals"}
    assert request.payload()["sla"] == {"respond_within": "PT4H"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "   "}, "title"),
        ({"title": "x" * 2001}, "title"),
        ({"title": None}, "title"),
        ({"signoff": 2}, "signoff"),
        ({"unknown": 1}, "unknown"),
        ({"risk": "extreme"}, "risk"),
        ({"allow": ["run"]}, "allow"),
        ({"links": {"a": "javascript:alert(1)"}}, "links"),
        ({"links": {"a": "file:///etc/passwd"}}, "links"),
        ({"allow": ["edit"], "proposal": "text"}, "edited"),
        ({"allow": ["edit"]}, "edited"),
        ({"options": [{"id": "a", "label": "A"}, {"id": "a", "label": "B"}]}, "same id"),
        ({"options": [{"id": "", "label": "A"}]}, "options.0.id"),
        ({"options": [{"id": str(n), "label": "A"} for n in range(101)]}, "options"),
        ({"policy": {"approvers": ["nobody"]}}, "policy.approvers"),
        ({"policy": {"approvals": 0}}, "policy.approvals"),
        ({"policy": {"who": 1}}, "policy.who"),
        ({"basis": ""}, "basis"),
        ({"basis": "x" * 501}, "basis"),
        ({"basis": 7}, "basis"),
        ({"auto": ""}, "auto"),
        ({"summary": "a\x00b"}, "NUL"),
        ({"proposal": {"x": float("nan")}}, "NaN"),
    ],
)
def test_what_is_wrong_is_refused_and_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest, match=field.replace(".", r"\.")):
        parse_request(LEAST | given)


@pytest.mark.parametrize("payload", [None, 1, "text", [], [LEAST]])
def test_what_is_no_object_is_refused(payload: Any) -> None:
    with pytest.raises(BadRequest):
        parse_request(payload)


def test_numbers_among_the_facts_become_text() -> None:
    assert parse_request(LEAST | {"fields": {"Seats": 40, "Share": 0.5}}).fields == {
        "Seats": "40",
        "Share": "0.5",
    }


def test_a_request_cannot_be_changed_after_it_was_made() -> None:
    request = parse_request(LEAST)
    with pytest.raises(ValidationError):
        request.title = "Pay somebody else"  # type: ignore[misc]


def test_a_payload_too_large_to_ask_about_is_refused() -> None:
    with pytest.raises(BadRequest, match="bytes"):
        ApprovalRequest(title="Pay", proposal={"x": "y" * 600_000}).payload()


def test_a_request_without_a_basis_keeps_the_hash_that_it_had_before_there_was_one() -> None:
    assert "basis" not in ApprovalRequest(title="pay?").payload()
    assert ApprovalRequest(title="pay?", basis="w1").payload()["basis"] == "w1"


class Node(BaseModel):
    name: str = ""
    inner: Any = None


def _circles() -> list[tuple[Any, str]]:
    itself: dict[str, Any] = {}
    itself["me"] = itself
    deep: dict[str, Any] = {"steps": [{"of": None}]}
    deep["steps"][0]["of"] = deep["steps"]
    model = Node(name="a")
    model.inner = {"back": model}
    return [
        (itself, "me is the whole of it again"),
        (deep, r"steps\[0\]\.of is steps again"),
        (model, r"inner\.back is the whole of it again"),
    ]


@pytest.mark.parametrize(("proposal", "named"), _circles())
def test_a_proposal_that_refers_to_itself_is_refused_in_a_line_when_the_request_is_made(proposal, named):
    with pytest.raises(BadRequest, match=named) as refused:
        ApprovalRequest(title="pay?", proposal=proposal)

    assert "\n" not in str(refused.value)


def test_the_same_value_in_two_places_is_no_circle():
    shared = {"host": "a"}

    assert ApprovalRequest(title="pay?", proposal={"one": shared, "two": [shared, shared]}).payload()
