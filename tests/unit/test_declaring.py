"""What an author declares wrongly is refused in one line that says what to give instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import pytest
from fixtures_engine import chain
from pydantic import BaseModel

from bot.approvals import Breakpoints, Workflow
from bot.approvals.workflow import BadWorkflow
from bot.engine.catalog import Catalog, compiled, load


class State(TypedDict, total=False):
    draft: str


class Wish(BaseModel):
    draft: str


@dataclass
class Plain:
    draft: str


def write(state: State) -> State:
    return {"draft": "…"}


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        ({"input": Plain}, "input is Plain; give a pydantic model, the class."),
        ({"input": Wish(draft="")}, "give a pydantic model, the class."),
        ({"state": State}, "state is State; give a pydantic model"),
        ({"corrections": State}, "corrections is State; give a pydantic model"),
        ({"channel": None}, "channel is None; give text."),
        ({"policy": {"approvers": ["U01MAYA"]}}, "give a Policy(…)."),
        ({"sla": {}}, "give an Sla(…)."),
        ({"retries": "3"}, "retries is '3'; give a whole number."),
        ({"secrets": "iban"}, "secrets is 'iban'; give names, such as (\"iban\",)."),
        ({"autonomy": "full"}, "autonomy is 'full'; give names"),
        ({"migrate": [str]}, "give a function for each version"),
        ({"reply": "json"}, 'reply is \'json\'; give "dict", "bool", "text" or a function.'),
        ({"breakpoints": ("draft",)}, "give Breakpoints(…), or one for each node by its name."),
        ({"breakpoints": Breakpoints(show="draft")}, "show is 'draft'; give names of fields"),  # type: ignore[arg-type]
        ({"breakpoints": {"write": Breakpoints(show=State)}}, "show is State; give names of fields"),  # type: ignore[arg-type]
        (
            {"context": dict},
            "context is dict; give a value of the graph's context_schema, or a function of the input.",
        ),
        ({"node_interrupt": "x"}, "node_interrupt is 'x'; give a function."),
    ],
)
def test_what_is_not_of_its_kind_is_told_with_what_to_give(declared: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadWorkflow) as told:
        Workflow(**{"name": "demo", "graph": None} | declared)

    assert complaint in str(told.value)
    assert "\n" not in str(told.value)


def test_a_breakpoint_that_is_declared_of_no_node_is_refused() -> None:
    graph = chain(State, write).compile(interrupt_before=["write"])

    assert compiled(Workflow(name="demo", graph=graph, breakpoints={"write": Breakpoints()}))
    with pytest.raises(BadWorkflow, match="breakpoints names wirte, which is not a node"):
        compiled(Workflow(name="demo", graph=graph, breakpoints={"wirte": Breakpoints()}))


@pytest.mark.parametrize("wrap", [lambda each: each, lambda each: {"write": each}])
def test_a_breakpoint_that_shows_a_field_that_there_is_not_is_refused(wrap: Any) -> None:
    graph = chain(State, write).compile(interrupt_before=["write"])
    (field,) = list(State.__annotations__)[:1]

    assert compiled(Workflow(name="demo", graph=graph, breakpoints=wrap(Breakpoints(show=(field,)))))
    with pytest.raises(BadWorkflow, match="breakpoints shows nope, which is not a field"):
        compiled(Workflow(name="demo", graph=graph, breakpoints=wrap(Breakpoints(show=(field, "nope")))))


def test_a_breakpoint_may_show_any_field_of_a_state_that_declares_none() -> None:
    graph = chain(dict, lambda _: {}, names=("write",)).compile(interrupt_before=["write"])

    assert compiled(Workflow(name="demo", graph=graph, breakpoints=Breakpoints(show=("draft",))))


def test_the_nodes_of_subgraphs_are_known_too() -> None:
    inner = chain(State, write).compile(interrupt_after=["write"])
    outer = chain(State, inner, names=("inner",))

    assert compiled(Workflow(name="demo", graph=outer, breakpoints={"write": Breakpoints()}))


def test_what_a_model_refuses_is_told_by_its_field_in_a_line(tmp_path, monkeypatch) -> None:
    (tmp_path / "badly.py").write_text(
        "from bot.approvals import Policy\nworkflow = Policy(approvers=['finance'])"
    )
    monkeypatch.syspath_prepend(tmp_path)
    catalog: Catalog = load(["badly:workflow"], package="bot.approvals")

    (problem,) = catalog.problems.values()
    assert problem == (
        "ValidationError: Policy: approvers: 'finance' is not a user id (U…), group id (S…) or "
        "group handle (@group) (badly.py, line 2)"
    )
