"""An answer that only the graph's own model refuses, run after run: who is asked again, and who is not."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest
from fixtures_refused import Check
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, interrupt
from pydantic import AfterValidator, BaseModel

from bot.approvals import Policy, Workflow
from bot.facts.supersede import MOST_REFUSALS

MAYA, BEN = "U01MAYA", "U02BEN0"


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


class Asking(Check):
    """A check with nodes that ask under it."""

    def ask(self, title: str = "how much?") -> int:
        return interrupt({"title": title}, response_schema=self.Amount).amount

    def asking(self, *titles: str) -> Any:
        return lambda state: {"log": [self.ask(title) for title in titles]}


def graph(state: Any = State, **nodes: Any) -> StateGraph:
    """Nodes side by side."""
    builder = StateGraph(state)
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_edge(START, name)
    return builder


def paying(made: Any, **declared: Any) -> Workflow:
    return Workflow(**{"name": "paying", "graph": made, "policy": Policy(approvers=(MAYA, BEN))} | declared)


def whys(run: Any) -> dict[str, str]:
    return {p.request.title: "".join(p.notices).rpartition("last answer: ")[2] for p in run.pauses}


def test_people_may_be_refused_as_often_as_they_answer(signoff):
    run = signoff.start(paying(graph(pay=Asking().asking("how much?"))))
    for n in range(MOST_REFUSALS + 1):
        assert len(run.history) == n + 1
        run.edit({"amount": 2 * n + 1})

    assert run.edit({"amount": 8}).result == {"log": [8]}


def test_the_card_says_once_and_harmlessly_why_it_asks_again(signoff):
    run = signoff.start(paying(graph(pay=Asking().asking("how much?")))).edit({"amount": 7})
    again = "Asked again, since the workflow's own check refused the last answer: amount: not even <!channel>"

    assert run.pause.notices == (again,)
    assert str(run.card).count("amount: not even") == 1
    assert run.edit({"amount": 9}).pause.notices == (again,)
    assert "own check refused the answer (amount: not even" in str(run.history[0].card)


def test_what_was_filled_in_stands_in_the_form_and_can_be_given_again(signoff):
    check = Asking()
    run = signoff.start(paying(graph(pay=check.asking("how much?")))).edit({"amount": 7})
    assert run.pause.proposal == {"amount": 7}
    check.strict = False
    assert run.edit({}).result == {"log": [7]}


def test_a_proposal_that_can_be_approved_is_asked_about_as_the_workflow_made_it(signoff):
    def even(answer: Any) -> Any:
        if answer["proposal"]["amount"] % 2:
            raise ValueError("not even")
        return answer

    def pay(state):
        asked = {"signoff": 1, "title": "pay?", "proposal": {"amount": 6}, "allow": ["approve", "edit"]}
        answer = interrupt(asked, response_schema=Annotated[dict, AfterValidator(even)])
        return {"log": [answer["proposal"]["amount"]]}

    run = signoff.start(paying(graph(pay=pay))).edit({"amount": 7})
    assert (run.pause.proposal, whys(run)) == ({"amount": 6}, {"pay?": "not even"})
    assert run.approve().result == {"log": [6]}


def test_a_stored_answer_that_is_refused_when_its_node_runs_again_is_asked_about_no_more(signoff):
    check = Asking()
    check.strict = False
    run = signoff.start(paying(graph(pay=check.asking("one?", "two?")), retries=0)).edit({"amount": 7})
    check.strict = True
    run.edit({"amount": 8})

    assert (run.status, [pause.status for pause in run.history]) == ("failed", ["decided", "decided"])
    assert "not even" in run.error


def test_a_node_that_raises_such_a_refusal_after_its_answer_was_taken_is_not_asked_again(signoff):
    check = Asking()

    def pay(state):
        said = interrupt({"title": "pay?"}, response_schema=bool)
        inner = graph(inner=check.asking("within?")).compile(checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": "inner"}}
        asked = inner.invoke({}, config)["__interrupt__"][0].id
        inner.invoke(Command(resume={asked: {"amount": 7}}), config)
        return {"log": [said]}

    run = signoff.start(paying(graph(pay=pay), retries=0)).approve()
    assert (run.status, [pause.status for pause in run.history]) == ("failed", ["decided"])


def test_the_second_question_of_a_node_is_refused_alone(signoff):
    run = signoff.start(paying(graph(pay=Asking().asking("one?", "two?"))))
    run.edit({"amount": 2}).edit({"amount": 7})

    assert whys(run) == {"two?": "amount: not even <!channel>"}
    assert run.edit({"amount": 4}).result == {"log": [2, 4]}


def within(check: Asking) -> Any:
    inner = graph(pay=check.asking("how much?")).compile()
    return graph(inner=graph(deeper=inner).compile())


def retried(check: Asking) -> Any:
    builder = StateGraph(State)
    policy = RetryPolicy(retry_on=Exception, max_attempts=2, initial_interval=0, jitter=False)
    builder.add_node("pay", check.asking("how much?"), retry_policy=policy)
    return builder.add_edge(START, "pay")


def functional(check: Asking) -> Any:
    @task
    def pay() -> int:
        return check.ask()

    @entrypoint()
    def flow(given: Any) -> dict[str, Any]:
        return {"log": [pay().result()]}

    return flow


def guarded(check: Asking) -> Any:
    builder = graph(pay=check.asking("how much?"))
    builder.add_node("after", lambda state: {"log": []})
    return builder.add_edge("pay", "after").compile(interrupt_before=["after"])


@pytest.mark.parametrize("made", [within, retried, functional, guarded])
def test_whatever_the_question_stands_in_it_is_asked_again(signoff, made):
    run = signoff.start(paying(made(Asking()))).edit({"amount": 7})
    assert whys(run) == {"how much?": "amount: not even <!channel>"}
    assert run.history[0].status == "superseded"

    run.edit({"amount": 8})
    if made is guarded:
        run.approve()
    assert run.result == {"log": [8]}


def test_what_was_corrected_with_a_refused_answer_stays_corrected(signoff):
    class Fixes(BaseModel):
        vendor: str

    class Kept(State, total=False):
        vendor: str

    check = Asking()

    def pay(state):
        return {"log": [check.ask(), state["vendor"]]}

    flow = paying(graph(Kept, pay=pay), corrections=Fixes)
    run = signoff.start(flow, {"vendor": "Amce"}).correct({"vendor": "Acme"}).edit({"amount": 7})
    assert whys(run) == {"how much?": "amount: not even <!channel>"}
    assert run.edit({"amount": 8}).result == {"log": [8, "Acme"], "vendor": "Acme"}
