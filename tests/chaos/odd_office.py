"""Workflows that ask at a breakpoint, from an error handler, under a check, or of a state that moves."""

from __future__ import annotations

from typing import Any

from busy_office import HOUR, Fixes, State, anyone, asking, builder
from fixtures_house import Row
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel, field_validator

from bot.approvals import Breakpoints, Fallback, Sla, Workflow


class Tagged(State, total=False):
    tags: list[str]


class Even(BaseModel):
    amount: int

    @field_validator("amount")
    @classmethod
    def _is_even(cls, amount: int) -> int:
        """Check what no JSON Schema tells."""
        if amount % 2:
            raise ValueError("not even")
        return amount


class Kept(BaseModel):
    tags: list[str]


def _raises(state: State) -> State:
    raise RuntimeError("the bank is away")


def _writes(state: State) -> State:
    return {"memo": "Dear Bob"}


def _sends(state: State) -> State:
    return {"log": [["sent", state["memo"]]]}


def _checks(state: State) -> State:
    return {"log": [["checked", interrupt({"title": "How much?"}, response_schema=Even).amount]]}


def _tags(state: Tagged) -> Row:
    return {"log": [["tagged", *state.get("tags", ())]]}


def _chain(*nodes: Any, of: type = State) -> Any:
    return StateGraph(of).add_sequence(nodes).add_edge(START, nodes[0].__name__)


def _declared(name: str, graph: Any, **more: Any) -> Workflow:
    sla = Sla(respond_within=2 * HOUR, fallback=Fallback.reject())
    more = {"policy": anyone, "sla": sla, "retries": 2} | more
    return Workflow(name=name, graph=graph, channel="#finance-approvals", **more)


_handling = (
    StateGraph(State).add_node("left", _raises, error_handler=asking("right")).add_node(asking("last"))
)
handled = _declared("handled", _handling.add_edge(START, "left").add_edge(START, "last"))
guarded = _declared(
    "guarded",
    _chain(_writes, _sends).compile(interrupt_before=["_sends"]),
    breakpoints=Breakpoints(show=("memo",)),
)
checked = _declared("checked", _chain(_checks))
stepped = _declared("stepped", builder)
_tagging = _chain(asking("left"), asking("last"), _tags, of=Tagged)
tagged = _declared("tagged", _tagging, corrections=Fixes)
misfit = _declared("tagged", _tagging, corrections=Fixes, state=Kept, state_version=2)
migrated = _declared(
    "tagged",
    _tagging,
    corrections=Fixes,
    state=Kept,
    state_version=2,
    migrate={1: lambda state: {**state, "tags": ["migrated"]}},
)
ODD = tuple(f"odd_office:{name}" for name in ("handled", "guarded", "checked", "stepped", "tagged"))
