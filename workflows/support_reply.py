"""Answers to customers: a draft that breaks no rule goes out at once, others wait for an officer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from pydantic import ValidationError

from bot.approvals import ApprovalRequest, Decision, Fallback, Policy, Sla, Workflow, ask, effect_key
from workflows import effects
from workflows.support_replies.compliance import Flag, breaches, without_breaches
from workflows.support_replies.draft import Reply, SupportCase, drafted
from workflows.wording import deciders, refusal, sentence


class State(TypedDict, total=False):
    """The case as it was started, then what the nodes made of it; all plain JSON."""

    customer: str
    message: str
    product: dict[str, Any]
    refund: str | None
    currency: str
    reply: dict[str, Any]
    flags: list[dict[str, Any]]
    instruction: str | None
    escalated: bool
    decision: dict[str, Any] | None
    result: Literal["sent", "sent as drafted", "withheld"]
    outcome: str


def draft(state: State) -> dict[str, Any]:
    return {"reply": drafted(_case(state)).model_dump(), "instruction": None}


def screen(state: State) -> Command[Literal["officer", "send"]]:
    """Hold the draft against the rules; what an officer has steered goes back to an officer in any case."""
    flags = breaches(_reply(state).text)
    held = bool(flags or state["instruction"])
    update = {"flags": [flag.model_dump() for flag in flags], "escalated": held, "decision": None}
    return Command(goto="officer" if held else "send", update=update)


def officer(state: State) -> dict[str, Any]:
    """Ask; everything that the request says was worked out before."""
    return {"decision": ask(request(state)).answer()}


def review(state: State) -> Command[Literal["send", "redraft", "withhold"]]:
    decision = Decision.model_validate(state["decision"])
    match decision.verdict:
        case "respond":
            return Command(goto="redraft")
        case "approve":
            try:
                reply = Reply.model_validate(decision.proposal)
            except ValidationError:
                return Command(goto="withhold")
            return Command(goto="send", update={"reply": reply.model_dump()})
        case _:
            return Command(goto="withhold")


def redraft(state: State) -> dict[str, Any]:
    """Take out what broke a rule and put the officer's words in its place; then it is looked at again."""
    decision = Decision.model_validate(state["decision"])
    opening, _, closing = without_breaches(_reply(state).text).rpartition("\n\n")
    parts = [opening, (decision.text or "").strip(), closing]
    text = "\n\n".join(part for part in parts if part)[:3000] or _reply(state).text
    return {"reply": Reply(text=text).model_dump(), "instruction": decision.text or "(no words)"}


def send(state: State) -> dict[str, Any]:
    """Send the answer, once; a second run of this node finds it sent."""
    decision = Decision.model_validate(state["decision"]) if state["decision"] else None
    forced = decision is not None and decision.forced
    data = {
        "to": state["customer"],
        "text": _reply(state).text,
        "approved_by": deciders(decision) if decision else "the rules, none of which it breaks",
        "forced": forced,
        "reason": decision.reason if decision else None,
        "breaks": [flag.reason for flag in breaches(_reply(state).text)],
    }
    effects.record(effect_key("reply"), "reply", data)
    how = _how_it_went(decision)
    return {"escalated": False, "result": "sent as drafted" if forced else "sent", "outcome": how}


def withhold(state: State) -> dict[str, Any]:
    decision = Decision.model_validate(state["decision"])
    why = "what was approved is not a valid answer" if decision.approved else refusal(decision)
    return {"escalated": False, "result": "withheld", "outcome": sentence(f"Withheld: {why}")}


def _how_it_went(decision: Decision | None) -> str:
    if decision is None:
        return "Sent: it breaks no rule."
    if decision.forced:
        return "Sent as drafted, unseen by an officer: nobody answered in time."
    edited = ", after edits" if decision.edited else ""
    return f"Sent: approved by {deciders(decision)}{edited}."


def request(state: State) -> ApprovalRequest:
    case, flags = _case(state), [Flag.model_validate(flag) for flag in state["flags"]]
    found = [f"- {flag.rule}: {flag.reason}" for flag in flags] or ["- nothing left"]
    steered = [f"Redrafted as told: {state['instruction']}"] if state["instruction"] else []
    return ApprovalRequest(
        title=f"Answer {case.customer} about {case.product.name}",
        summary="\n".join([*steered, "What the rules found in the draft:", *found]),
        fields={"Customer": case.customer, "Product": case.product.name, "Wrote": case.message[:500]},
        proposal=_reply(state),
        allow=("approve", "edit", "reject", "respond"),
        risk="high" if any(flag.rule == "personal data" for flag in flags) else "low",
    )


def _case(state: State) -> SupportCase:
    return SupportCase.model_validate({k: v for k, v in state.items() if k in SupportCase.model_fields})


def _reply(state: State) -> Reply:
    return Reply.model_validate(state["reply"])


builder = StateGraph(State)
for node in (draft, screen, officer, review, redraft, send, withhold):
    builder.add_node(node.__name__, node)
builder.add_edge(START, "draft")
builder.add_edge("draft", "screen")
builder.add_edge("officer", "review")
builder.add_edge("redraft", "screen")
builder.add_edge("send", END)
builder.add_edge("withhold", END)

workflow = Workflow(
    name="support_reply",
    description="Answers a customer; a held draft that nobody reviews in 4 hours goes out, marked forced.",
    graph=builder,
    input=SupportCase,
    channel="#support-review",
    policy=Policy(approvers=("@compliance",)),
    sla=Sla(
        respond_within=timedelta(hours=4),
        remind_after=(timedelta(hours=1), timedelta(hours=2)),
        escalate=((timedelta(hours=3), ("U03DANA",)),),
        fallback=Fallback.as_drafted(),
    ),
)
strict = replace(
    workflow,
    name="support_reply_strict",
    description="Answers a customer; a held draft that nobody reviews in 4 hours is withheld.",
    sla=workflow.sla.model_copy(update={"fallback": Fallback.reject()}),
)

samples: dict[str, dict[str, Any]] = {
    "sign-in": {
        "customer": "Jonas Weber",
        "message": "I cannot log in since the update.",
        "product": {"name": "the Everyday account"},
    },
    "refund": {
        "customer": "Amira Haddad",
        "message": "You charged me twice for the yearly plan, I want my money back!",
        "product": {"name": "the Plus plan"},
        "refund": "240.00",
    },
    "advice": {
        "customer": "Tom Baker",
        "message": "Should I move my savings to you? Brightbank offers 2 %.",
        "product": {"name": "the Horizon fund", "pitch": "Guaranteed growth of 5 % a year, risk-free."},
    },
    "card-number": {
        "customer": "Lena Fischer",
        "message": "My card 4111 1111 1111 1111 was declined, what is wrong?",
        "product": {"name": "the Travel card"},
    },
}
