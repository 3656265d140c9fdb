"""What a kept state must fit: types come back as they went, and what does not fit is named."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict

import pytest
from pydantic import BaseModel, ConfigDict, Field

from bot.approvals import ApprovalRequest, By, Decision, Workflow
from bot.approvals.canonical import canonical
from bot.approvals.request import parse_request
from bot.approvals.state import Misfit, Older, StateContract
from bot.approvals.workflow import BadWorkflow


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str


class Claim(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount: Decimal
    due: date | None = None
    colour: Colour = Colour.RED
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    note: str | None = None


class State(BaseModel):
    claim: dict[str, Any] | Claim | None = None
    total: Decimal
    pet: Cat | None = None


NOW = datetime(2026, 1, 2, tzinfo=UTC)
CLAIM = Claim(amount=Decimal("12.50"), due=date(2026, 1, 2), colour=Colour.GREEN, pet=Dog(name="Rex"))
CONTRACT = StateContract(State)


# Out and in.


def test_enums_unions_decimals_and_dates_come_back_from_a_request_as_they_went():
    asked = parse_request(ApprovalRequest(title="pay?", proposal=CLAIM).payload())
    decision = Decision(verdict="approve", by=By(kind="policy"), proposal=asked.proposal, decided_at=NOW)
    back = Decision.model_validate_json(canonical(decision.answer()))

    assert Claim.model_validate(back.proposal) == CLAIM


@pytest.mark.parametrize("proposal", [{"note": None}, {}, {"note": ""}, {"note": None, "a": {"b": None}}])
def test_what_is_null_stays_null_and_what_is_absent_stays_absent(proposal):
    asked = parse_request(ApprovalRequest(title="pay?", proposal=proposal).payload())

    assert asked.proposal == proposal
    assert list(asked.proposal) == list(proposal)


def test_a_state_of_plain_json_fits_and_so_does_one_of_instances():
    assert CONTRACT.mended({"claim": CLAIM.model_dump(mode="json"), "total": "12.50"}, 1, None) == {}
    assert CONTRACT.mended({"claim": CLAIM, "total": Decimal(1), "pet": Cat(lives=9)}, 1, None) == {}


# What does not fit.


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, "total: Field required"),
        ({"total": "much"}, "total: Input should be a valid decimal"),
        ({"total": 1, "pet": {"kind": "cat"}}, "pet.lives: Field required"),
        ({"total": 1, "pet": Cat.model_construct(kind="cat")}, "pet.lives: Field required"),
        ({"total": 1, "claim": CLAIM.model_copy(update={"colour": "blue"})}, "claim.colour: Input should be"),
        ({"total": 1, "other": [Cat.model_construct(kind="dog", lives=1)]}, "other[0].kind: Input should be"),
    ],
)
def test_what_does_not_fit_is_named_even_inside_instances_that_were_built_unchecked(values, named):
    with pytest.raises(Misfit) as misfit:
        CONTRACT.mended(values, 1, None)

    assert named in str(misfit.value)
    assert "\n" not in str(misfit.value)


def test_a_line_names_some_fields_and_counts_the_rest():
    class Wide(BaseModel):
        a: int
        b: int
        c: int
        d: int
        e: int
        f: int
        g: int
        h: int

    with pytest.raises(Misfit, match=r"f: Field required; and 2 more\."):
        StateContract(Wide).mended({}, 1, None)


# Older states.


class V3(BaseModel):
    cents: int


def to_two(state: dict[str, Any]) -> dict[str, Any]:
    return {"euros": state.pop("amount")}


def to_three(state: dict[str, Any]) -> dict[str, Any]:
    return {"cents": int(Decimal(state["euros"]) * 100)}


def test_migrations_lead_from_one_version_to_the_next_and_leave_what_was_kept_alone():
    contract, stored = StateContract(V3, 3, {1: to_two, 2: to_three}), {"amount": "12.50"}

    assert contract.mended({}, 1, Older(stored, updated=False)) == {"cents": 1250}
    assert contract.mended({}, 2, Older({"euros": "1"}, updated=False)) == {"cents": 100}
    assert stored == {"amount": "12.50"}


def test_what_was_sent_already_is_not_migrated_twice_and_what_did_not_change_is_not_sent():
    contract = StateContract(V3, 2, {1: lambda state: {"cents": state["cents"] * 100}})

    assert contract.mended({"cents": 100}, 1, Older({"cents": 1}, updated=True)) == {}
    assert contract.mended({"cents": 0}, 1, Older({"cents": 0}, updated=False)) == {}


def test_a_migration_that_raises_or_misses_the_model_says_so_and_so_does_a_missing_one():
    with pytest.raises(Misfit, match=r"migration from version 1 of the state raised KeyError: 'euros'"):
        StateContract(V3, 2, {1: to_three}).mended({}, 1, Older({}, updated=False))
    with pytest.raises(Misfit, match=r"cents: Field required\. Declare migrate=\{1: …\}"):
        StateContract(V3, 3, {2: to_three}).mended({}, 1, Older({"amount": "1"}, updated=False))
    with pytest.raises(Misfit, match="cents: Field required"):
        StateContract(V3, 2, {1: to_two}).mended({}, 1, Older({"amount": "1"}, updated=False))


def test_code_that_is_older_than_the_state_leaves_it_alone():
    with pytest.raises(Misfit, match="deploy the newer code again"):
        StateContract(V3, 1).mended({"cents": 1}, 2, None)


# The declaration.


class Plain(TypedDict):
    total: int


def graph_of(schema: Any) -> Any:
    return type("Graph", (), {"state_schema": schema})


def test_a_graphs_own_pydantic_schema_is_its_contract_unless_another_is_declared():
    assert Workflow(name="demo", graph=graph_of(State)).contract == StateContract(State)
    assert Workflow(name="demo", graph=graph_of(State), state=V3).contract == StateContract(V3)
    assert Workflow(name="demo", graph=graph_of(Plain)).contract is None


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        ({"state_version": 0}, "use 1 or more"),
        ({"state": V3, "migrate": {1: to_two}}, "leads past state_version 1"),
        ({"state": V3, "state_version": 2, "migrate": {0: to_two}}, "leads past state_version 2"),
        ({"state_version": 2, "migrate": {1: to_two}}, "migrate needs state"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused_in_a_line(declared, complaint):
    with pytest.raises(BadWorkflow, match=complaint):
        Workflow(name="demo", graph=graph_of(Plain), **declared)
