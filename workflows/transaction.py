"""Transactions: what is over 10,000 EUR or scores over 0.8 asks a finance manager, the rest flows."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.approvals import ApprovalRequest, Decision, Fallback, Policy, Sla, Workflow, ask, effect_key
from workflows import effects
from workflows.transactions.risk import ASK_ABOVE, RISKY_ABOVE, Risk, Transaction, earlier_ones, weighed
from workflows.wording import deciders, refusal, sentence

SENT = "transaction"
"""The kind of effect that sends money; what it holds is what the next score is worked out from."""


_CENT = Decimal("0.01")
"""Said beside the places, since JSON Schema, and so the form, knows multiples alone."""


class Transfer(BaseModel):
    """What will be sent, as far as an approver may change it; payee and account stay."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    amount: Annotated[Decimal, Field(gt=0, le=10_000_000, decimal_places=2, multiple_of=_CENT)] = Field(
        title="Amount"
    )
    reference: str = Field(default="", max_length=140, title="Reference")


class State(TypedDict, total=False):
    """The transaction as it was started, then what the nodes made of it; all plain JSON."""

    account: str
    payee: str
    amount: str
    currency: str
    country: str
    at: str
    reference: str
    transfer: dict[str, Any]
    risk: dict[str, Any]
    auto: str | None
    asked_again: str | None
    decision: dict[str, Any]
    result: Literal["sent", "rejected", "expired"]
    outcome: str


def draft(state: State) -> dict[str, Any]:
    transaction = _transaction(state)
    transfer = Transfer(amount=transaction.amount, reference=transaction.reference)
    return {"transfer": transfer.model_dump(mode="json"), "asked_again": None}


def weigh(state: State) -> dict[str, Any]:
    """Work out what the next node asks, or why it need not."""
    risk = _weighed(state, _transfer(state))
    # What a person has looked at once goes back to a person, however harmless it has become.
    flows = not risk.asks and not state["asked_again"]
    auto = f"{risk.euros:,} EUR at a risk of {risk.score:.2f}, within both limits" if flows else None
    return {"risk": risk.model_dump(mode="json"), "auto": auto}


def approval(state: State) -> dict[str, Any]:
    """Ask; everything that the request says was worked out before."""
    return {"decision": ask(_request(state), auto=state["auto"]).answer()}


def review(state: State) -> Command[Literal["weigh", "send", "decline"]]:
    """Look at what was approved, against what has left the account meanwhile."""
    decision = Decision.model_validate(state["decision"])
    if not decision.approved:
        return Command(goto="decline")
    try:
        transfer = Transfer.model_validate(decision.proposal)
    except ValidationError as error:
        told = f"What was approved is not a valid transfer: {error.errors()[0]['msg']}."
        return Command(goto="weigh", update={"asked_again": told})
    update: dict[str, Any] = {"transfer": transfer.model_dump(mode="json")}
    now, shown = _weighed(state, transfer), Risk.model_validate(state["risk"])
    if now.asks and (worse := now.beyond(shown)):
        return Command(goto="weigh", update=update | {"asked_again": f"Riskier than when asked: {worse}."})
    return Command(goto="send", update=update)


def send(state: State) -> dict[str, Any]:
    """Send the money, once; a second run of this node finds it sent."""
    transaction, transfer = _transaction(state), _transfer(state)
    decision, risk = Decision.model_validate(state["decision"]), Risk.model_validate(state["risk"])
    approved_by = f"policy ({state['auto']})" if decision.by.kind == "policy" else deciders(decision)
    data = transaction.model_dump(mode="json") | transfer.model_dump(mode="json")
    effects.record(effect_key(SENT), SENT, data | {"risk": risk.score, "approved_by": approved_by})
    return {"result": "sent", "outcome": f"Sent {_told(state)}, approved by {approved_by}."}


def decline(state: State) -> dict[str, Any]:
    decision = Decision.model_validate(state["decision"])
    return {
        "result": "expired" if decision.by.kind == "timeout" else "rejected",
        "outcome": sentence(f"Not sent ({_told(state)}): {refusal(decision)}"),
    }


def _request(state: State) -> ApprovalRequest:
    transaction, transfer, risk = _transaction(state), _transfer(state), Risk.model_validate(state["risk"])
    schema = Transfer.model_json_schema()
    schema["properties"]["amount"]["title"] = f"Amount in {transaction.currency}"
    why = [f"over {ASK_ABOVE:,} EUR"] if risk.euros > ASK_ABOVE else []
    why += [f"a risk over {RISKY_ABOVE}"] if risk.score > RISKY_ABOVE else []
    parts = [f"- {part.told}: {part.weight:.2f}" for part in risk.parts]
    paragraphs = [state["asked_again"], f"Asked because: {' and '.join(why)}." if why else None]
    return ApprovalRequest(
        title=f"Send {_told(state)}",
        summary="\n\n".join([part for part in paragraphs if part] + ["\n".join(["What counts:", *parts])]),
        fields={
            "From": transaction.account,
            "To": f"{transaction.payee} ({transaction.country})",
            "Counts as": f"{risk.euros:,} EUR",
            "Risk": f"{risk.score:.2f} of 1",
            "Requested": f"{transaction.at:%Y-%m-%d %H:%M %Z}",
        },
        proposal=transfer.model_dump(mode="json"),
        proposal_schema=schema,
        risk="high" if risk.score > RISKY_ABOVE else "low",
    )


def _told(state: State) -> str:
    return f"{state['payee']} {_transfer(state).amount:,.2f} {state['currency']}"


def _weighed(state: State, transfer: Transfer) -> Risk:
    """Weigh what would be sent against everything that has left the account so far."""
    transaction = _transaction(state).model_copy(update={"amount": transfer.amount})
    sent = effects.recorded(kind=SENT, holding={"account": transaction.account})
    return weighed(transaction, earlier_ones(effect.data for effect in sent))


def _transaction(state: State) -> Transaction:
    return Transaction.model_validate({k: v for k, v in state.items() if k in Transaction.model_fields})


def _transfer(state: State) -> Transfer:
    return Transfer.model_validate(state["transfer"])


builder = StateGraph(State)
for node in (draft, weigh, approval, review, send, decline):
    builder.add_node(node.__name__, node)
builder.add_edge(START, "draft")
builder.add_edge("draft", "weigh")
builder.add_edge("weigh", "approval")
builder.add_edge("approval", "review")
builder.add_edge("send", END)
builder.add_edge("decline", END)

workflow = Workflow(
    name="transaction",
    description="Sends money: by policy, unless it is over 10,000 EUR or its risk score is over 0.8.",
    graph=builder,
    input=Transaction,
    channel="#finance-approvals",
    policy=Policy(approvers=("@finance-managers",)),
    sla=Sla(
        respond_within=timedelta(hours=4),
        remind_after=(timedelta(hours=1),),
        escalate=((timedelta(hours=2), ("@finance-directors",)),),
        fallback=Fallback.reject(),
    ),
)

samples: dict[str, dict[str, Any]] = {
    "small": {
        "account": "Operating account",
        "payee": "Stadtwerke Kiel",
        "amount": "412.80",
        "currency": "EUR",
        "country": "DE",
        "at": "2026-11-20T10:15:00+01:00",
        "reference": "Electricity, October",
    },
    "large": {
        "account": "Operating account",
        "payee": "Nordbau GmbH",
        "amount": "18500.00",
        "currency": "EUR",
        "country": "DE",
        "at": "2026-11-20T11:00:00+01:00",
        "reference": "Second instalment, warehouse",
    },
    "risky": {
        "account": "Operating account",
        "payee": "Golden Lotus Trading",
        "amount": "4900.00",
        "currency": "USD",
        "country": "MM",
        "at": "2026-11-21T02:40:00+01:00",
        "reference": "Invoice 7",
    },
}
