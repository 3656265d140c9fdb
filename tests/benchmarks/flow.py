"""The graph that both sides of the benchmark run: something before, a question, something after."""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from bot.approvals import ApprovalRequest, Policy, Workflow, ask


class State(TypedDict, total=False):
    n: int
    payment: dict[str, Any]
    approved: bool
    done: bool


def before(state: State) -> State:
    return {"payment": {"vendor": "Acme", "amount": f"{state['n']}.00", "note": "x" * 200}}


def question(state: State) -> State:
    return {"approved": ask(request_of(state)).approved}


def after(state: State) -> State:
    return {"done": True}


def request_of(state: State) -> ApprovalRequest:
    return ApprovalRequest(
        title=f"Pay Acme {state['payment']['amount']} EUR",
        fields={"Vendor": "Acme"},
        proposal=state["payment"],
    )


def graph(middle: Any = question) -> StateGraph[State]:
    builder = StateGraph(State)
    builder.add_node("before", before)
    builder.add_node("question", middle)
    builder.add_node("after", after)
    builder.add_edge(START, "before")
    builder.add_edge("before", "question")
    builder.add_edge("question", "after")
    builder.add_edge("after", END)
    return builder


workflow = Workflow(name="bench", graph=graph(), channel="C01FINANCE", policy=Policy(approvers=("U01MAYA",)))
