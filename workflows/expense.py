"""Expense claims: paid by policy if small, by a finance manager if not, by two people if large."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from pydantic import BaseModel, Field, ValidationError

from bot.approvals import Decision, Fallback, Policy, Sla, Workflow, ask, effect_key
from workflows import effects
from workflows.expenses.claim import (
    AUTO_BELOW,
    ExpenseClaim,
    PaymentProposal,
    first_proposal,
    identities,
    in_euro,
    people_needed,
)
from workflows.expenses.request import payment_request
from workflows.wording import deciders, refusal, sentence


class State(TypedDict, total=False):
    """The claim as it was started, then what the nodes made of it; all plain JSON."""

    vendor: str
    amount: str
    currency: str
    date: str
    employee: str
    description: str
    category: str | None
    invoice: str | None
    due: str | None
    payment: dict[str, Any]
    euros: str
    duplicates: list[dict[str, Any]]
    people: int
    auto: str | None
    asked_again: str | None
    invalid: str
    decision: dict[str, Any]
    result: Literal["paid", "rejected", "expired"]
    outcome: str


def draft(state: State) -> dict[str, Any]:
    """Make a payment of the claim."""
    return {"payment": first_proposal(_claim(state)).model_dump(mode="json")}


def weigh(state: State) -> dict[str, Any]:
    """Work out what the next node asks: how many people, and what they should know."""
    claim, payment = _claim(state), _payment(state)
    euros, duplicates = in_euro(payment.amount, claim.currency), _duplicates(claim, payment)
    people = people_needed(euros, duplicate=bool(duplicates))
    return {
        "euros": str(euros),
        "duplicates": duplicates,
        "people": people,
        "auto": f"under {AUTO_BELOW:,} EUR, and not paid before" if people == 0 else None,
    }


def approval(state: State) -> dict[str, Any]:
    """Ask; everything that the request says was worked out before."""
    request = payment_request(
        _claim(state),
        _payment(state),
        euros=state["euros"],
        people=state["people"],
        duplicates=state["duplicates"],
        asked_again=state.get("asked_again"),
    )
    decision = ask(request, auto=state["auto"])
    return {"decision": decision.answer()}


def review(state: State) -> Command[Literal["weigh", "pay", "decline"]]:
    """Look at what was approved: an edit, or time, may have made it something else than was asked."""
    decision = Decision.model_validate(state["decision"])
    if not decision.approved:
        return Command(goto="decline")
    try:
        payment = PaymentProposal.model_validate(decision.proposal)
    except ValidationError as error:
        return Command(goto="decline", update={"invalid": _first(error)})
    update: dict[str, Any] = {"payment": payment.model_dump(mode="json")}
    if reason := _reason_to_ask_again(state, payment, decision):
        return Command(goto="weigh", update=update | {"asked_again": reason})
    return Command(goto="pay", update=update)


def pay(state: State) -> dict[str, Any]:
    """Pay, once; a second run of this node finds the payment made."""
    claim, decision = _claim(state), Decision.model_validate(state["decision"])
    payment = _payment(state)
    approved_by = f"policy ({state['auto']})" if decision.by.kind == "policy" else deciders(decision)
    effects.record(
        effect_key("payment"),
        "payment",
        payment.model_dump(mode="json")
        | {"currency": claim.currency, "identities": identities(claim, payment), "approved_by": approved_by},
    )
    what = f"{payment.vendor} {payment.amount:,} {claim.currency} on {payment.date}"
    return {"result": "paid", "outcome": f"Paid {what}, approved by {approved_by}."}


def decline(state: State) -> dict[str, Any]:
    decision, payment = Decision.model_validate(state["decision"]), _payment(state)
    what = f"{payment.vendor}, {payment.amount:,} {state['currency']}"
    why = f"what was approved is not valid, {state['invalid']}" if "invalid" in state else refusal(decision)
    return {
        "result": "expired" if decision.by.kind == "timeout" else "rejected",
        "outcome": sentence(f"Not paid ({what}): {why}"),
    }


class Correctable(BaseModel):
    """What whoever decides may put right of the claim itself, beside the payment that is proposed."""

    description: str = Field(default="", max_length=2000, title="What it was for")
    employee: str = Field(min_length=1, max_length=200, title="Who spent it")


def _claim(state: State) -> ExpenseClaim:
    return ExpenseClaim.model_validate({k: v for k, v in state.items() if k in ExpenseClaim.model_fields})


def _payment(state: State) -> PaymentProposal:
    return PaymentProposal.model_validate(state["payment"])


def _duplicates(claim: ExpenseClaim, payment: PaymentProposal) -> list[dict[str, Any]]:
    """Find payments that look like this one, each once."""
    found = [
        effect
        for identity in identities(claim, payment)
        for effect in effects.recorded(kind="payment", holding={"identities": [identity]})
    ]
    return [
        {"key": key, "vendor": e.data["vendor"], "amount": e.data["amount"], "date": e.data["date"]}
        for key, e in {effect.key: effect for effect in found}.items()
    ]


def _reason_to_ask_again(state: State, payment: PaymentProposal, decision: Decision) -> str | None:
    claim = _claim(state)
    duplicates = _duplicates(claim, payment)
    needed = people_needed(in_euro(payment.amount, claim.currency), duplicate=bool(duplicates))
    known = {duplicate["key"] for duplicate in state["duplicates"]}
    if any(duplicate["key"] not in known for duplicate in duplicates):
        return "It looks like a payment made before, which the last card did not show."
    if needed > state["people"]:
        was, becomes = _payment(state).amount, f"{payment.amount:,} {claim.currency}"
        change = f"{deciders(decision)} changed the amount from {was:,} to {becomes}"
        return f"{change}, which {needed} people must approve."
    return None


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'proposal'}: {first['msg']}"


builder = StateGraph(State)
for node in (draft, weigh, approval, review, pay, decline):
    builder.add_node(node.__name__, node)
builder.add_edge(START, "draft")
builder.add_edge("draft", "weigh")
builder.add_edge("weigh", "approval")
builder.add_edge("approval", "review")
builder.add_edge("pay", END)
builder.add_edge("decline", END)

workflow = Workflow(
    name="expense",
    description="Pays an invoice: by policy under 500 EUR, then by a finance manager, above 10,000 by two.",
    graph=builder,
    input=ExpenseClaim,
    channel="#finance-approvals",
    corrections=Correctable,
    policy=Policy(approvers=("@finance-managers",)),
    sla=Sla(
        respond_within=timedelta(days=1),
        remind_after=(timedelta(hours=4),),
        escalate=((timedelta(hours=6), ("@finance-directors",)),),
        calendar="business",
        timezone="Europe/Berlin",
        holidays="DE",
        fallback=Fallback.reject(),
    ),
)

samples: dict[str, dict[str, Any]] = {
    "lunch": {
        "vendor": "Trattoria Lucia",
        "amount": "84.50",
        "currency": "EUR",
        "date": "2026-11-12",
        "employee": "Rosa",
        "description": "Lunch with the auditors",
    },
    "hotel": {
        "vendor": "Hotel Adler",
        "amount": "1240.00",
        "currency": "EUR",
        "date": "2026-11-09",
        "employee": "Rosa",
        "description": "Four nights in Hamburg for the migration, two rooms",
        "invoice": "https://invoices.example.com/adler/20417",
    },
    "acme": {
        "vendor": "Acme",
        "amount": "12400.00",
        "currency": "USD",
        "date": "2026-11-03",
        "due": "2026-12-03",
        "employee": "Rosa",
        "description": "Annual licences, 40 seats",
        "invoice": "https://invoices.example.com/acme/2026-118",
    },
}
