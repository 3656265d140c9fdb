"""Content that is published after review: once the draft is written the graph stops (`interrupt_after`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from pydantic import ValidationError

from bot.approvals import (
    ApprovalRequest,
    Breakpoints,
    Decision,
    Fallback,
    Policy,
    Sla,
    Workflow,
    effect_key,
)
from workflows import effects
from workflows.content_reviews.draft import Brief, Draft, drafted, findings
from workflows.wording import deciders, refusal

_NOTHING_FOUND = "A careful reader found nothing to object to."


class State(TypedDict, total=False):
    """The brief as it was started, then what the nodes made of it; all plain JSON."""

    title: str
    kind: str
    audience: str
    points: list[str]
    source: str | None
    draft: dict[str, Any]
    findings: list[str]
    instructions: list[str]
    decision: dict[str, Any] | None
    result: Literal["published", "withdrawn"]
    outcome: str


def write(state: State) -> dict[str, Any]:
    """Write the draft, anew where the reviewer answered in words; the graph stops after this node."""
    brief, told = _brief(state), list(state.get("instructions", []))
    if decision := _decision(state):
        told.append(decision.text or "(no words)")
    draft = drafted(brief, tuple(told))
    return {
        "draft": draft.model_dump(),
        "findings": findings(draft, brief),
        "instructions": told,
        "decision": None,
    }


def answered(decision: Decision) -> dict[str, Any]:
    """Go on as if `write` had returned the reviewer's decision, with the draft as they left it."""
    update: dict[str, Any] = {"decision": decision.answer()}
    return update | {"draft": decision.proposal} if decision.approved else update


def reviewed(state: State) -> Literal["publish", "write", "withdraw"]:
    """Choose what is next; until there is a decision the graph waits where it stopped, before `publish`."""
    decision = _decision(state)
    match decision.verdict if decision else "approve":
        case "approve":
            return "publish"
        case "respond":
            return "write"
        case _:
            return "withdraw"


def publish(state: State) -> dict[str, Any]:
    """Publish, once; a draft that nobody has approved, or that is none any more, is never published."""
    decision = Decision.model_validate(state["decision"])
    try:
        draft = Draft.model_validate(state["draft"])
    except ValidationError:
        return {"result": "withdrawn", "outcome": "Withdrawn: what was approved is not a valid draft."}
    data = {
        "kind": _brief(state).kind,
        **draft.model_dump(),
        "approved_by": deciders(decision),
        "open": findings(draft, _brief(state)),
    }
    effects.record(effect_key("publication"), "publication", data)
    edited = ", after edits" if decision.edited else ""
    return {"result": "published", "outcome": f"Published: approved by {deciders(decision)}{edited}."}


def withdraw(state: State) -> dict[str, Any]:
    return {
        "result": "withdrawn",
        "outcome": f"Withdrawn: {refusal(Decision.model_validate(state['decision']))}.",
    }


def request(state: State) -> ApprovalRequest:
    brief, found = _brief(state), state["findings"]
    told = [f"Rewritten as told: {words}" for words in state["instructions"][-1:]]
    said = ["A careful reader says:", *(f"- {line}" for line in found)] if found else [_NOTHING_FOUND]
    return ApprovalRequest(
        title=f"Publish the {brief.kind} “{brief.title}”",
        summary="\n".join([*told, *said]),
        fields={"Audience": brief.audience, "Source": brief.source or "none given"},
        proposal=Draft.model_validate(state["draft"]),
        allow=("approve", "edit", "reject", "respond"),
        risk="high" if any(line.startswith(("It promises", "No source")) for line in found) else "low",
    )


def _brief(state: State) -> Brief:
    return Brief.model_validate({k: v for k, v in state.items() if k in Brief.model_fields})


def _decision(state: State) -> Decision | None:
    kept = state.get("decision")
    return Decision.model_validate(kept) if kept else None


builder = StateGraph(State)
for node in (write, publish, withdraw):
    builder.add_node(node.__name__, node)
builder.add_edge(START, "write")
builder.add_conditional_edges("write", reviewed)
builder.add_edge("publish", END)
builder.add_edge("withdraw", END)

workflow = Workflow(
    name="content_review",
    description="Drafts a post, a newsletter or a release note, and publishes it once a reviewer approves.",
    graph=builder.compile(interrupt_after=["write"]),
    input=Brief,
    channel="#support-review",
    policy=Policy(approvers=("@compliance",)),
    sla=Sla(
        respond_within=timedelta(days=2),
        remind_after=(timedelta(days=1),),
        calendar="business",
        timezone="Europe/Berlin",
        fallback=Fallback.reject(),
    ),
    breakpoints=Breakpoints(show=request, answered=answered),
)

samples: dict[str, dict[str, Any]] = {
    "post": {
        "title": "Invoices in one click",
        "points": ["Invoices can be sent from the order page", "Nothing changes for those sent so far"],
    },
    "boast": {
        "title": "The best checkout there is",
        "kind": "release note",
        "points": ["The checkout is 40 % faster", "It is guaranteed to work in every browser"],
    },
}
