"""Graphs that do not speak our request, in a house: each asks once and keeps what it got."""

from __future__ import annotations

from typing import Any, TypedDict

from fixtures_house import FINN, MAYA, ROSA, Running
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from bot.approvals import Policy, Sla, Workflow

CALL = {"name": "wire", "args": {"amount": 12.5, "to": "Acme"}, "description": "Pay Acme"}
BATCHED = {
    "action_requests": [CALL, CALL],
    "review_configs": [{"action_name": "wire", "allowed_decisions": ["approve", "edit", "reject"]}] * 2,
}
PER_CALL = {"type": "tool_approval", "tool_call_id": "c1", **CALL}
ONE_CALL = {
    "oneOf": [
        {"type": "object", "properties": {"type": {"const": verb}}, "required": ["type"]}
        for verb in ("approve", "reject")
    ]
}
INBOX = {
    "action_request": {"action": "wire", "args": CALL["args"]},
    "config": {"allow_accept": True, "allow_edit": True, "allow_respond": True, "allow_ignore": True},
}


class State(TypedDict, total=False):
    got: list[Any]


def asking(value: Any, response_schema: Any = None) -> StateGraph:
    """A graph that asks with a value and keeps every answer that it got."""

    def node(state: State) -> State:
        return {"got": [*state.get("got", []), interrupt(value, response_schema=response_schema)]}

    graph = StateGraph(State)
    graph.add_node("ask", node)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    return graph


def offer(house: Running, graph: StateGraph, **declared: Any) -> None:
    """Put a graph into the house's catalog as `foreign`."""
    policy = declared.pop("policy", Policy(approvers=(MAYA, FINN)))
    workflow = Workflow(
        name="foreign",
        graph=graph,
        channel="#finance-approvals",
        policy=policy,
        sla=declared.pop("sla", Sla()),
        **declared,
    )
    house.house.catalog.add(workflow, "foreign")
    assert "foreign" in house.house.catalog.entries, house.house.catalog.problems


async def asked(house: Running, value: Any, response_schema: Any = None, **declared: Any) -> str:
    """Let a graph ask; returns its thread, whose card is posted."""
    offer(house, asking(value, response_schema), **declared)
    thread_id = await house.run("foreign", {}, ROSA)
    thread = await house.thread(thread_id)
    assert thread.status == "waiting", thread.error
    return thread_id
