"""Contracts: drafted from a deal, read by counsel where a clause touches liability, then assembled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.approvals import ApprovalRequest, Decision, Fallback, Policy, Sla, Workflow, ask, effect_key
from workflows import effects
from workflows.contracts.clauses import LONGEST, Clause, digest, drafted
from workflows.contracts.redraft import redrafted
from workflows.contracts.terms import Deal
from workflows.wording import deciders, refusal, sentence


class Reviewed(BaseModel):
    """What counsel decides about, and may rewrite."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    text: str = Field(min_length=1, max_length=LONGEST, title="The clause")


class State(TypedDict, total=False):
    """The deal as it was started, then what the nodes made of it; all plain JSON."""

    supplier: str
    customer: str
    services: str
    fee: str
    currency: str
    starts: str
    months: int
    notice_days: int
    payment_days: int
    cap: str | None
    indemnity: bool
    personal_data: bool
    law: str
    special: list[str]
    clauses: list[dict[str, Any]]
    at: int
    told: str | None
    decision: dict[str, Any]
    document: str
    result: Literal["assembled", "rejected", "expired"]
    outcome: str


def draft(state: State) -> dict[str, Any]:
    return {"clauses": [clause.model_dump() for clause in drafted(_deal(state))], "told": None}


def next_clause(state: State) -> Command[Literal["counsel", "assemble"]]:
    """Find the next clause that counsel has not read as it stands; an edit may have made one of any."""
    clauses = _clauses(state)
    at = next((place for place, clause in enumerate(clauses) if clause.open), None)
    if at is None:
        return Command(goto="assemble")
    return Command(goto="counsel", update={"at": at})


def counsel(state: State) -> dict[str, Any]:
    """Ask; everything that the request says was worked out before."""
    return {"decision": ask(_request(state)).answer()}


def review(state: State) -> Command[Literal["next_clause", "redraft", "abandon"]]:
    decision = Decision.model_validate(state["decision"])
    match decision.verdict:
        case "respond":
            return Command(goto="redraft")
        case "approve":
            try:
                text = Reviewed.model_validate(decision.proposal).text
            except ValidationError as error:
                told = f"What was approved is not a clause: {error.errors()[0]['msg']}."
                return Command(goto="next_clause", update={"told": told})
            clause = _clauses(state)[state["at"]].approved(text, deciders(decision))
            return Command(goto="next_clause", update={"told": None, **_with(state, clause)})
        case _:
            return Command(goto="abandon")


def redraft(state: State) -> dict[str, Any]:
    """Write the clause anew as counsel said; then it is asked about again, whatever it says now."""
    decision, clause = Decision.model_validate(state["decision"]), _clauses(state)[state["at"]]
    words = (decision.text or "").strip() or "(no words)"
    written, how = redrafted(clause, words, _deal(state))
    told = f"Counsel asked: “{words[:500]}”\n\n{how}"
    return {"told": told, **_with(state, written)}


def assemble(state: State) -> dict[str, Any]:
    """Make the document of the reviewed text, once; a second run of this node finds it made."""
    clauses, deal = _clauses(state), _deal(state)
    unread = [clause.heading for clause in clauses if clause.open]
    if unread:
        raise ValueError(f"nobody has read: {', '.join(unread)}")
    document = _document(deal, clauses)
    readers = {clause.heading: clause.by for clause in clauses if clause.by}
    data = {"title": _title(deal), "text": document, "sha256": digest(document), "reviewed": readers}
    effects.record(effect_key("document"), "contract", data)
    by = " and ".join(dict.fromkeys(readers.values())) or "nobody, since no clause touches liability"
    told = f"Assembled {_title(deal)}: {len(clauses)} clauses, {len(readers)} of them read by {by}."
    return {"document": document, "result": "assembled", "outcome": told}


def abandon(state: State) -> dict[str, Any]:
    decision, clause = Decision.model_validate(state["decision"]), _clauses(state)[state["at"]]
    expired = decision.by.kind == "timeout"
    return {
        "result": "expired" if expired else "rejected",
        "outcome": sentence(
            f"No contract was made: the clause on {clause.heading.lower()}, {refusal(decision)}"
        ),
    }


def _request(state: State) -> ApprovalRequest:
    deal, clauses = _deal(state), _clauses(state)
    clause = clauses[state["at"]]
    left = [one.heading for one in clauses if one.open and one is not clause]
    touches = ", ".join(clause.touches) or "nothing now"
    after = f"After it: {', '.join(left)}." if left else "It is the last one."
    return ApprovalRequest(
        title=f"{clause.heading}: clause {state['at'] + 1} of {_title(deal)}",
        summary="\n\n".join(part for part in (state["told"], f"It touches {touches}. {after}") if part),
        fields={
            "Parties": f"{deal.supplier}, {deal.customer}",
            "Fee": f"{deal.money(deal.fee)} a year",
            "Drafted by": clause.drafted_by,
        },
        proposal=Reviewed(text=clause.text),
        allow=("approve", "edit", "reject", "respond"),
        risk="high" if "indemnity" in clause.touches or "liability" in clause.touches else "low",
    )


def _document(deal: Deal, clauses: list[Clause]) -> str:
    numbered = [f"{number}. {one.heading}\n\n{one.text}" for number, one in enumerate(clauses, 1)]
    parties = f"between {deal.supplier} and {deal.customer}"
    return "\n\n".join(["SERVICES CONTRACT", parties, *numbered]) + "\n"


def _title(deal: Deal) -> str:
    return f"the contract of {deal.supplier} with {deal.customer}"


def _with(state: State, clause: Clause) -> dict[str, Any]:
    """Return the update that puts the clause in its place."""
    dumped = list(state["clauses"])
    dumped[state["at"]] = clause.model_dump()
    return {"clauses": dumped}


def _deal(state: State) -> Deal:
    return Deal.model_validate({k: v for k, v in state.items() if k in Deal.model_fields})


def _clauses(state: State) -> list[Clause]:
    return [Clause.model_validate(clause) for clause in state["clauses"]]


builder = StateGraph(State)
for node in (draft, next_clause, counsel, review, redraft, assemble, abandon):
    builder.add_node(node.__name__, node)
builder.add_edge(START, "draft")
builder.add_edge("draft", "next_clause")
builder.add_edge("counsel", "review")
builder.add_edge("redraft", "counsel")
builder.add_edge("assemble", END)
builder.add_edge("abandon", END)

workflow = Workflow(
    name="contract",
    description="Drafts a contract from a deal; counsel reads and edits each clause that touches liability.",
    graph=builder,
    input=Deal,
    channel="#support-review",
    policy=Policy(approvers=("@compliance",)),
    sla=Sla(
        respond_within=timedelta(days=2),
        remind_after=(timedelta(days=1),),
        calendar="business",
        timezone="Europe/Berlin",
        holidays="DE",
        fallback=Fallback.reject(),
    ),
)

samples: dict[str, dict[str, Any]] = {
    "hosting": {
        "supplier": "Northwind Hosting Ltd",
        "customer": "Acme GmbH",
        "services": "hosting of the web shop, with support on working days",
        "fee": "48000.00",
        "starts": "2027-01-01",
        "months": 24,
        "indemnity": True,
        "personal_data": True,
        "special": [
            "Northwind Hosting Ltd pays a penalty of EUR 500.00 for each hour beyond four of an outage"
        ],
    },
    "workshop": {
        "supplier": "Baker & Co",
        "customer": "Kiel City Library",
        "services": "two workshops on reading aloud",
        "fee": "1800.00",
        "starts": "2027-02-01",
        "months": 2,
        "law": "Germany",
    },
}
