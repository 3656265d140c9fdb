"""A deploy that looks at the world each time it asks, beside a question that does not."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from fixtures_house import MAYA, ROSA
from langgraph.graph import START, StateGraph

from bot.approvals import ApprovalRequest, Policy, Workflow, ask

world = {"head": "f00d"}
"""Each test sets it."""


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


def deploy(state: State) -> State:
    head = world["head"]
    request = ApprovalRequest(title="Deploy the shop?", proposal={"commit": head, "to": "prod"}, basis=head)
    return {"log": [f"deploy: {ask(request).verdict}"]}


def announce(state: State) -> State:
    return {"log": [f"announce: {ask(ApprovalRequest(title='Announce it?')).verdict}"]}


builder = StateGraph(State)
for node in (deploy, announce):
    builder.add_node(node.__name__, node)
    builder.add_edge(START, node.__name__)

workflow = Workflow(
    name="moving", graph=builder, channel="#finance-approvals", policy=Policy(approvers=(MAYA, ROSA))
)
MODULE = "moving_world:workflow"
