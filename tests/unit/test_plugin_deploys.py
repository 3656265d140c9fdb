"""The pytest plugin, where what runs is declared otherwise: its autonomy, its state, its corrections."""

from __future__ import annotations

import operator
from itertools import count, pairwise
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import BaseModel, Field, model_validator

from bot.approvals import ApprovalRequest, Policy, Workflow, ask
from bot.facts.supersede import KeepsChanging
from bot.intake import BadAutonomy
from bot.testing import Refused

MAYA, BEN, EVE = "U01MAYA", "U02BEN0", "U04EVE0"


class Euros(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    amount: str


class Cents(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    amount: str
    cents: int


class EurosKept(BaseModel):
    amount: str


class CentsKept(BaseModel):
    cents: int


class Fixes(BaseModel):
    amount: str = Field(max_length=5)

    @model_validator(mode="after")
    def is_money(self) -> Fixes:
        if not self.amount.isdecimal():
            raise ValueError("is no amount")
        return self


def pay(state: Any) -> dict[str, Any]:
    return {"log": [ask(ApprovalRequest(title="pay?")).verdict, state.get("cents", state["amount"])]}


def second(state: Any) -> dict[str, Any]:
    return {"log": [ask(ApprovalRequest(title="second?")).verdict]}


def flow(*nodes: Any, state: Any = Euros, beside: bool = False) -> StateGraph:
    """A chain of nodes, or all of them at once."""
    builder = StateGraph(state)
    for node in nodes:
        builder.add_node(node.__name__, node)
    names = [START, *(node.__name__ for node in nodes), END]
    for pair in [(START, name) for name in names[1:-1]] if beside else pairwise(names):
        builder.add_edge(*pair)
    return builder


def paying(graph: Any = None, **declared: Any) -> Workflow:
    policy = declared.pop("policy", Policy(approvers=(MAYA, BEN, EVE)))
    return Workflow(name="pay", channel="#pay", policy=policy, graph=graph or flow(pay), **declared)


def in_cents(**declared: Any) -> Workflow:
    declared = {"state": CentsKept, "state_version": 2} | declared
    return paying(flow(pay, state=Cents), **declared)


def test_full_autonomy_leaves_what_is_asked_to_policy_where_the_workflow_allows_it(signoff):
    run = signoff.start(
        paying(autonomy=("on_action", "full")), {"amount": "5"}, requester=MAYA, autonomy="full"
    )
    assert run.status == "done"
    assert [(one.by.kind, one.reason) for one in run.decisions] == [("policy", "autonomy: full")]


def test_autonomy_that_the_workflow_does_not_allow_starts_nothing(signoff):
    told = "pay cannot run with autonomy 'full'; it allows on_action, step_by_step."
    with pytest.raises(BadAutonomy) as refused:
        signoff.start(paying(), {"amount": "5"}, autonomy="full")
    assert str(refused.value) == told


def test_step_by_step_asks_after_every_node(signoff):
    def draft(state: Any) -> dict[str, Any]:
        return {"log": ["drafted"]}

    def book(state: Any) -> dict[str, Any]:
        return {"log": ["booked"]}

    run = signoff.start(paying(flow(draft, book)), {"amount": "5"}, autonomy="step_by_step")
    assert (run.status, run.state["log"]) == ("waiting", ["drafted"])
    assert run.card.fields == {"log": '+1 ["drafted"]'}
    assert (run.approve().status, run.state["log"]) == ("waiting", ["drafted", "booked"])
    assert run.card.fields == {"log": '+1 ["booked"]'}
    assert run.approve().status == "done"


def test_a_card_between_steps_tells_what_the_last_one_did_without_its_secrets(signoff):
    def draft(state: Any) -> dict[str, Any]:
        return {"amount": "7" * 300, "log": [{"token": "abc", "to": "Acme"}]}

    run = signoff.start(paying(flow(draft)), {"amount": "5"}, autonomy="step_by_step")
    assert run.card.fields == {
        "amount": f"{'7' * 200}… (300 characters)",
        "log": '+1 [{"token": "•••", "to": "Acme"}]',
    }


def test_a_card_between_steps_tells_of_messages_what_was_said_and_called(signoff):
    def model(state: Any) -> dict[str, Any]:
        call = {"name": "send_email", "args": {"to": "bob@example.com"}, "id": "1"}
        return {"messages": [AIMessage("I will write to Bob.", tool_calls=[call])]}

    def tools(state: Any) -> dict[str, Any]:
        return {"messages": [ToolMessage("sent", tool_call_id="1")]}

    agent = paying(flow(model, tools, state=MessagesState))
    run = signoff.start(
        agent, {"messages": [{"role": "user", "content": "Tell Bob"}]}, autonomy="step_by_step"
    )
    said = '+1 [{"ai": "I will write to Bob.", "calls": [{"send_email": {"to": "bob@example.com"}}]}]'
    assert run.card.fields == {"messages": said}
    assert run.approve().card.fields == {"messages": '+1 [{"tool": "sent"}]'}


def test_a_state_that_does_not_fit_what_is_deployed_holds_the_run_until_it_does(signoff):
    run = signoff.start(paying(state=EurosKept), {"amount": "5"})
    run.deploy(in_cents())
    assert (run.status, run.error) == ("waiting", None)

    run.approve()

    assert (run.status, run.pauses) == ("waiting", ())
    assert "cents: Field required" in run.error
    assert "Declare migrate={1: …}" in run.error
    assert "Not handed on yet: The state does not fit" in run.history[0].card
    with pytest.raises(AssertionError, match="pay asks nothing; it is waiting: The state does not fit"):
        run.approve()

    run.deploy(paying(state=EurosKept))
    assert (run.status, run.error, run.result["log"]) == ("done", None, ["approve", "5"])


def test_a_migration_mends_what_a_run_kept(signoff):
    run = signoff.start(paying(state=EurosKept), {"amount": "5"})
    run.deploy(in_cents()).approve()
    run.deploy(in_cents(migrate={1: lambda old: {"cents": int(old["amount"]) * 100}}))
    assert (run.status, run.result["log"]) == ("done", ["approve", 500])


def test_code_older_than_the_state_holds_the_run(signoff):
    run = signoff.start(in_cents(), {"amount": "5", "cents": 500})
    run.deploy(in_cents(state_version=1)).approve()
    assert "The state is of version 2, and the deployed code knows 1" in run.error
    assert run.deploy(in_cents()).status == "done"


def test_a_pause_whose_node_is_gone_orphans_the_run(signoff):
    run = signoff.start(paying(), {"amount": "5"})
    run.deploy(flow(second)).approve()
    assert (run.status, run.history[0].status) == ("orphaned", "orphaned")
    assert run.error == "a pause vanished without an answer"


def test_a_run_never_goes_on_as_another_workflow(signoff):
    run = signoff.start(paying(), {"amount": "5"})
    with pytest.raises(ValueError, match="a run of pay; it never goes on as other"):
        run.deploy(Workflow(name="other", graph=flow(pay)))


def test_a_correction_voids_earlier_votes_and_lands_with_the_answer(signoff):
    policy = Policy(approvers=(MAYA, BEN), approvals=2)
    run = signoff.start(paying(corrections=Fixes, policy=policy), {"amount": "5"})
    assert "Correct…" in run.card.menu
    run.approve(by=MAYA)
    stale = run.pause

    run.correct({"amount": "7"}, by=BEN)

    assert (run.pause.votes, run.state["amount"]) == ((), "5")
    assert "Corrected by @U02BEN0" in run.card
    with pytest.raises(Refused, match="out of date"):
        stale.approve(by=BEN)
    with pytest.raises(Refused, match="out of date"):
        stale.correct({"amount": "8"}, by=BEN)
    run.approve(by=MAYA).approve(by=BEN)
    assert (run.result["amount"], run.result["log"]) == ("7", ["approve", "7"])


def test_a_correction_goes_by_the_names_of_the_state_whatever_its_model_calls_them(signoff):
    class Called(BaseModel):
        amount: str = Field(alias="theAmount")

    run = signoff.start(paying(corrections=Called), {"amount": "5"})
    assert run.correct({"amount": "7"}).approve().result["amount"] == "7"


@pytest.mark.parametrize(
    ("by", "fixed", "why"),
    [
        (MAYA, {"amount": "123456"}, "mistyped"),
        (MAYA, {"log": "5"}, "mistyped"),
        ("U09NOBODY", {"amount": "7"}, "not_listed"),
    ],
)
def test_a_correction_is_checked_as_the_form_and_the_policy_do(signoff, by, fixed, why):
    run = signoff.start(paying(corrections=Fixes), {"amount": "5"})
    with pytest.raises(Refused) as refused:
        run.correct(fixed, by=by)
    assert refused.value.why == why
    assert run.approve().result["amount"] == "5"


def test_a_list_of_objects_is_corrected_as_its_rows_allow(signoff):
    class Line(BaseModel):
        sku: str
        count: int = Field(ge=1)

    class Lines(BaseModel):
        lines: list[Line] = []

    class Order(Euros, total=False):
        lines: list[Any]

    run = signoff.start(
        paying(flow(pay, state=Order), corrections=Lines),
        {"amount": "5", "lines": [{"sku": "a", "count": 1}]},
    )
    with pytest.raises(Refused, match="at least 1"):
        run.correct({"lines": [{"sku": "a", "count": 0}]}, by=MAYA)
    run.correct({"lines": [{"sku": "b", "count": 1}, {"sku": "c", "count": 2}]}, by=MAYA)
    assert run.approve().result["lines"] == [{"sku": "b", "count": 1}, {"sku": "c", "count": 2}]


def test_what_declares_no_corrections_takes_none(signoff):
    run = signoff.start(paying(), {"amount": "5"})
    with pytest.raises(Refused, match="cannot be answered that way") as refused:
        run.correct({"amount": "7"})
    assert refused.value.why == "not_allowed"


def test_a_correction_that_its_model_does_not_take_holds_the_run_with_its_answer(signoff):
    run = signoff.start(paying(corrections=Fixes), {"amount": "5"})
    run.correct({"amount": "much"}, by=MAYA).approve()
    assert run.status == "waiting"
    assert "The correction by U01MAYA does not fit" in run.error


def test_one_correction_lands_in_a_step_and_the_card_beside_it_offers_none_after(signoff):
    run = signoff.start(paying(flow(pay, second, beside=True), corrections=Fixes), {"amount": "5"})
    first, other = run.pauses
    first.correct({"amount": "7"})
    run.pauses[0].approve()
    with pytest.raises(Refused, match="cannot be answered that way"):
        other.correct({"amount": "8"})
    assert run.approve().result["amount"] == "7"


def test_what_was_corrected_on_a_card_that_waits_goes_along_and_is_shown_but_not_offered_again(signoff):
    run = signoff.start(paying(flow(pay, second, beside=True), corrections=Fixes), {"amount": "5"})
    run.pauses[1].correct({"amount": "7"})
    run.pauses[0].approve()
    assert "Corrected by" in run.card
    assert "Correct…" not in run.card.menu
    with pytest.raises(Refused, match="cannot be answered that way"):
        run.correct({"amount": "8"})
    assert run.approve().result["amount"] == "7"


def test_a_basis_that_moves_with_every_answer_fails_the_run(signoff):
    worlds = count()

    def swings(state: Any) -> dict[str, Any]:
        return {"log": [ask(ApprovalRequest(title="pay?", basis=str(next(worlds)))).verdict]}

    run = signoff.start(paying(flow(swings)), {"amount": "5"})
    for _ in range(4):
        assert run.approve().status == "waiting"
    assert run.approve().status == "failed"
    assert run.error == str(KeepsChanging())
    assert run.pauses == ()
    assert [pause.status for pause in run.history] == ["superseded"] * 4 + ["decided"]


def test_answers_that_were_refused_long_ago_and_held_since_fail_nothing(signoff):
    world = [0]

    def asks(name: str) -> Any:
        def node(state: Any) -> dict[str, Any]:
            return {"log": [ask(ApprovalRequest(title=name, basis=str(world[0]))).verdict]}

        node.__name__ = name
        return node

    run = signoff.start(paying(flow(*map(asks, "abcdef"))), {"amount": "5"})
    for _ in "abcdef":
        world[0] += 1
        assert run.approve().status == "waiting"
        run.approve()
    assert (run.status, run.result["log"]) == ("done", ["approve"] * 6)
