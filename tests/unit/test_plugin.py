from __future__ import annotations

import asyncio
import operator
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.func import entrypoint
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send, interrupt
from pydantic import AfterValidator, BaseModel, Field

from bot.approvals import ApprovalRequest, Breakpoints, Fallback, Option, Policy, Sla, Workflow, ask
from bot.intake import BadInput
from bot.testing import Refused

ROOT = Path(__file__).parents[2]
MAYA, BEN, ANA, EVE = "U01MAYA", "U02BEN0", "U03ANA0", "U04EVE0"


class Payment(BaseModel):
    amount: int = Field(ge=1, le=100)
    urgent: bool = False
    to: str = "Acme"


class Invoiced(BaseModel):
    amount: int
    pays_to: str = Field(alias="paysTo")


class State(TypedDict, total=False):
    amount: int
    answers: Annotated[list[Any], operator.add]


def graph(*nodes):
    """A chain of nodes."""
    builder = StateGraph(State)
    names = [START, *(node.__name__ for node in nodes), END]
    for node in nodes:
        builder.add_node(node.__name__, node)
    for pair in pairwise(names):
        builder.add_edge(*pair)
    return builder


def payment(state: State) -> State:
    proposal = Payment(amount=state["amount"])
    request = ApprovalRequest(title="Pay Acme", fields={"Invoice": "4711"}, proposal=proposal)
    return {"answers": [ask(request, auto="small" if state["amount"] < 10 else None).answer()]}


def paying(**declared: Any) -> Workflow:
    declared = {"policy": Policy(approvers=("@leads", EVE)), "graph": graph(payment)} | declared
    return Workflow(name="pay", channel="#pay", **declared)


def asking(value: Any) -> StateGraph:
    def asks(state: State) -> State:
        return {"answers": [interrupt(value)]}

    return graph(asks)


@pytest.fixture(autouse=True)
def leads(signoff):
    signoff.group("@leads", MAYA, BEN)


def test_a_run_stops_at_its_pause_with_the_card_that_slack_would_get(signoff):
    run = signoff.start(paying(), {"amount": 40}, requester=ANA)

    assert run.status == "waiting"
    card = run.card
    assert card.title == "Pay Acme"
    assert card.buttons == ("Approve", "Reject", "Edit")
    assert card.menu == ("Approve with a note", "Show everything")
    assert card.mentions == {"@leads", EVE, ANA}
    assert card.fields == {"Invoice": "4711"}
    assert card.proposal == {"amount": 40, "urgent": False, "to": "Acme"}
    assert card.text.startswith("Approval needed: Pay Acme · Asked by @U03ANA0")
    assert "Needs 1 approval by @leads or @U04EVE0" in card
    assert "Amount: 40" in card


def test_an_approval_runs_it_on_and_the_card_says_who(signoff):
    run = signoff.start(paying(), {"amount": 40}).approve(by=MAYA, note="go")
    assert (run.status, run.pauses) == ("done", ())
    (answer,) = run.result["answers"]
    assert (answer["verdict"], answer["comment"], answer["by"]["user"]) == ("approve", "go", MAYA)
    assert answer["votes"][0]["standing"].startswith("@leads, membership checked 0 s before")
    assert run.card.buttons == ()
    assert "Approved by @U01MAYA" in run.card


def test_whoever_may_answers_where_the_test_does_not_say_who(signoff):
    run = signoff.start(
        paying(policy=Policy(approvers=("@leads",), approvals=2)), {"amount": 40}, requester=MAYA
    )
    run.approve()
    assert [vote.user for vote in run.pause.votes] == [BEN]
    with pytest.raises(AssertionError, match="Nobody may decide “Pay Acme”, or nobody is left"):
        run.approve()


@pytest.mark.parametrize(
    ("user", "why", "told"),
    [
        (ANA, "own", "You asked for this yourself"),
        ("U09NOBODY", "not_listed", "Only @leads or @U04EVE0 can decide it"),
        (BEN, "guest", "Guests may not decide"),
        (EVE, "foreign", "People of other workspaces"),
    ],
)
def test_who_may_not_decide_is_told_so_and_nothing_changes(signoff, user, why, told):
    signoff.group("@leads", MAYA, BEN, ANA)
    signoff.person(BEN, guest=True)
    signoff.person(EVE, team="T0OTHER")
    run = signoff.start(paying(), {"amount": 40}, requester=ANA)
    with pytest.raises(Refused, match=told) as refused:
        run.approve(by=user)
    assert refused.value.why == why
    assert (run.status, run.pause.votes) == ("waiting", ())


def test_a_group_that_the_test_forgot_is_named(signoff):
    run = signoff.start(paying(policy=Policy(approvers=("@ghosts",))), {"amount": 40})
    with pytest.raises(Refused, match=r"signoff\.group\('@ghosts', 'U01MAYA'\)"):
        run.approve(by=MAYA)
    with pytest.raises(AssertionError, match="@ghosts"):
        run.approve()


def test_several_must_approve_and_an_edit_voids_the_votes_before_it(signoff):
    run = signoff.start(paying(policy=Policy(approvers=("@leads", EVE), approvals=2)), {"amount": 40})
    run.approve(by=MAYA)
    stale = run.pause
    run.edit({"amount": 50}, by=BEN)
    assert [vote.user for vote in run.pause.votes] == [BEN]
    assert "Revision 2, edited by @U02BEN0" in run.card
    with pytest.raises(Refused, match="out of date"):
        stale.approve(by=EVE)
    run.approve(by=EVE)
    (answer,) = run.result["answers"]
    assert (answer["proposal"]["amount"], answer["edited"]) == (50, ["amount"])


def test_the_vote_of_somebody_who_left_meanwhile_makes_no_quorum(signoff):
    run = signoff.start(paying(policy=Policy(approvers=(MAYA, BEN, EVE), approvals=2)), {"amount": 40})
    run.approve(by=MAYA)
    signoff.person(MAYA, deactivated=True)

    run.approve(by=BEN)

    assert [vote.user for vote in run.pause.votes] == [BEN]
    assert run.approve(by=EVE).status == "done"


RUNBOOK = {"window": {"hours": 2}, "hosts": ["a", "b"], "steps": [{"host": "a"}, {"host": "b"}]}


def runbook(_: State) -> State:
    return {"answers": [ask(ApprovalRequest(title="Run it", proposal=RUNBOOK)).answer()]}


def test_objects_and_lists_are_edited_by_what_changes_in_them(signoff):
    run = signoff.start(paying(graph=graph(runbook)), {})
    with pytest.raises(Refused, match="'steps' is a list of objects; give the whole list as it should be"):
        run.edit({"steps": "a"})
    with pytest.raises(Refused, match="'window' is an object; say what changes in it"):
        run.edit({"window": 3})
    with pytest.raises(Refused, match="no field 'days' to edit; it has hours"):
        run.edit({"window": {"days": 3}})

    changes = {"window": {"hours": 3}, "hosts": ["b", "c"], "steps": [{"host": "c"}]}
    (answer,) = run.edit(changes).result["answers"]

    assert answer["proposal"] == changes
    assert answer["edited"] == ["window.hours", "hosts[0]", "hosts[1]", "steps[0].host", "steps[1]"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"amount": 101}, "Amount: Must be at most 100"),
        ({"amount": "many"}, "Amount: Please enter a number"),
        ({"amount": 1.5}, "Amount: Please enter a whole number"),
        ({"amount": None}, "Amount: Please complete this required field"),
        ({"urgent": "maybe"}, "Urgent: 'maybe' cannot be put in; it offers Yes, No"),
        ({"amonut": 5}, "The form has no field 'amonut' to edit; it has amount, urgent, to"),
    ],
)
def test_an_edit_is_checked_as_the_form_does(signoff, changes, told):
    run = signoff.start(paying(), {"amount": 40})
    with pytest.raises(Refused, match=told) as refused:
        run.edit(changes)
    assert refused.value.why == "mistyped"
    assert run.edit({"amount": 41, "urgent": True}).result["answers"][0]["proposal"] == {
        "amount": 41,
        "urgent": True,
        "to": "Acme",
    }


def test_half_a_cent_is_refused_at_its_field(signoff):
    class Price(BaseModel):
        euros: Decimal = Field(decimal_places=2)

    def asks(state: State) -> State:
        decision = ask(ApprovalRequest(title="Price", proposal=Price(euros="12.50")))
        return {"answers": [decision.proposal]}

    run = signoff.start(paying(graph=graph(asks)))
    with pytest.raises(Refused, match=r"Euros: Must be a multiple of 0\.01"):
        run.edit({"euros": "12.505"})
    assert run.edit({"euros": "13.55"}).result["answers"] == [{"euros": "13.55"}]


def test_a_number_that_no_checkpoint_could_keep_is_refused_where_it_is_typed(signoff):
    asked = {"signoff": 1, "title": "Send it", "proposal": {"wei": 1}}
    run = signoff.start(asking(asked), {}, approvers=[MAYA])
    with pytest.raises(Refused, match="Too large for this field"):
        run.edit({"wei": 2**64})
    assert run.edit({"wei": 2**64 - 1}).status == "done"


def test_an_input_that_no_checkpoint_could_keep_starts_nothing(signoff):
    with pytest.raises(BadInput, match="wei: is a whole number of more than 64 bits"):
        signoff.start(asking("?"), {"wei": 2**64}, approvers=[MAYA])


def test_a_rejection_needs_a_reason_and_a_late_click_changes_nothing(signoff):
    run = signoff.start(paying(), {"amount": 40})
    late = run.pause
    with pytest.raises(Refused, match="required field"):
        run.reject("")
    run.reject("too dear", by=BEN)
    assert run.decisions[0].comment == "too dear"
    with pytest.raises(Refused, match="already rejected by @U02BEN0"):
        late.approve(by=MAYA)


def test_who_could_not_submit_a_form_is_told_so_before_they_fill_it_in(signoff):
    run = signoff.start(paying(), {"amount": 40})
    for answer in (lambda: run.edit({"amount": 999}, by=ANA), lambda: run.reject("", by=ANA)):
        with pytest.raises(Refused, match="not among those who may decide"):
            answer()


def test_who_comes_too_late_is_told_what_the_clock_did(signoff):
    run = signoff.start(paying(sla=Sla(respond_within=timedelta(hours=1))), {"amount": 40})
    late = run.pause
    run.time_out()
    with pytest.raises(Refused, match="I did not run it"):
        late.approve(by=MAYA)


def test_what_a_card_does_not_offer_is_refused(signoff):
    with pytest.raises(Refused, match="cannot be answered that way"):
        signoff.start(paying(), {"amount": 40}).respond("why?")


def test_policy_decides_by_itself_and_nobody_sees_a_card(signoff):
    run = signoff.start(paying(), {"amount": 5})
    assert (run.decisions[0].by.kind, run.decisions[0].reason) == ("policy", "small")
    with pytest.raises(AssertionError, match=r"'Pay Acme' has no card: policy decided it \(small\)"):
        _ = run.card


SLA = Sla(
    respond_within=timedelta(days=1),
    remind_after=(timedelta(hours=2),),
    escalate=((timedelta(hours=4), ("@bosses",)),),
    calendar="business",
    fallback=Fallback.as_drafted(),
)


def test_the_clock_reminds_escalates_and_ends_by_the_calendar(signoff):
    signoff.group("@bosses", ANA)
    run = signoff.start(paying(sla=SLA, policy=Policy(approvers=("@leads",), approvals=2)), {"amount": 40})
    run.approve(by=MAYA)
    with pytest.raises(Refused):
        run.approve(by=ANA)

    run.move_clock(timedelta(hours=2))
    (reminder,) = run.reminders
    assert reminder.mentions == {BEN}
    run.move_clock(timedelta(hours=2))
    assert run.escalations[0].mentions == {"@bosses"}
    assert "Escalated to @bosses" in run.card

    run.time_out()

    assert f"{signoff.now:%A %H:%M}" == "Tuesday 09:00"
    (answer,) = run.result["answers"]
    assert (answer["by"]["kind"], answer["forced"], answer["reason"]) == ("timeout", True, "sla_timeout")
    assert "Timed out" in run.card


def test_what_escalation_adds_may_decide(signoff):
    signoff.group("@bosses", ANA)
    run = signoff.start(paying(sla=SLA), {"amount": 40}).move_clock(timedelta(hours=5))
    assert run.approve(by=ANA).status == "done"


def test_a_fallback_that_cancels_ends_the_run(signoff):
    sla = Sla(respond_within=timedelta(hours=1), fallback=Fallback.cancel())
    run = signoff.start(paying(sla=sla), {"amount": 40}).time_out()
    assert (run.status, run.error) == ("cancelled", "nobody answered in time: Pay Acme")


def test_a_vote_that_was_not_enough_is_told_and_not_taken_for_silence(signoff):
    sla = Sla(respond_within=timedelta(hours=1), fallback=Fallback.cancel())
    policy = Policy(approvers=("@leads",), approvals=2)
    run = signoff.start(paying(sla=sla, policy=policy), {"amount": 40})
    run.approve(by=BEN)
    run.time_out()

    assert (run.status, run.error) == ("cancelled", "too few answered in time: Pay Acme")
    assert [vote.user for vote in run.decisions[0].votes] == [BEN]


def test_a_vote_of_somebody_who_left_does_not_outlast_a_look_at_the_clock(signoff):
    sla = Sla(respond_within=timedelta(hours=1))
    run = signoff.start(paying(sla=sla, policy=Policy(approvers=("@leads",), approvals=2)), {"amount": 40})
    run.approve(by=BEN)
    signoff.person(BEN, guest=True)
    run.move_clock(timedelta(minutes=5))
    assert run.pause.votes == ()
    assert "nobody answered" in run.time_out().card


def test_an_edit_that_too_few_stood_behind_is_dropped_at_the_deadline(signoff):
    policy = Policy(approvers=("@leads",), approvals=2)
    run = signoff.start(paying(sla=SLA, policy=policy), {"amount": 40})
    run.edit({"amount": 50}, by=BEN)
    assert (
        run.time_out().card.proposal
        == run.history[0].proposal
        == {"amount": 40, "urgent": False, "to": "Acme"}
    )


def test_what_is_never_delivered_is_rejected_whatever_the_fallback(signoff):
    signoff.delivers = False
    run = signoff.start(paying(sla=SLA), {"amount": 40})
    assert "Not delivered to its channel" in run.card
    answer = run.time_out().result["answers"][0]
    assert (answer["verdict"], answer["reason"]) == ("reject", "never_delivered")


def test_the_node_runs_again_from_its_top_on_resume(signoff):
    runs = []

    def counting(state: State) -> State:
        runs.append(state["amount"])
        return payment(state)

    signoff.start(paying(graph=graph(counting)), {"amount": 40}).approve()
    assert runs == [40, 40]


def test_a_question_that_changes_by_itself_is_found_out(signoff):
    count = iter(range(100))

    def fickle(state: State) -> State:
        return {"answers": [ask(ApprovalRequest(title=f"Pay no. {next(count)}")).answer()]}

    run = signoff.start(paying(graph=graph(fickle)), {"amount": 40})
    with pytest.raises(AssertionError, match=r"title was 'Pay no\. 0', is 'Pay no\. 1'"):
        run.ask_again()
    assert signoff.start(paying(), {"amount": 40}).ask_again().status == "waiting"


def test_the_state_of_a_function_is_what_it_returned(signoff):
    @entrypoint()
    def pays(given):
        return "paid" if interrupt("Pay?") else "kept"

    run = signoff.start(pays, {}, approvers=[MAYA], reply="bool")
    assert run.state == {}
    run.approve()
    assert run.state == run.result == {"result": "paid"}


def test_an_effect_node_can_be_run_a_second_time(signoff):
    made = []

    def effect(state: State) -> State:
        made.append(1)
        return {}

    run = signoff.start(paying(graph=graph(payment, effect)), {"amount": 40})
    with pytest.raises(AssertionError, match="let it end before effect runs again"):
        run.again("effect")
    run.approve().again("effect")
    assert made == [1, 1]
    with pytest.raises(AssertionError, match="nowhere was never about to run"):
        run.again("nowhere")


def test_a_node_that_raises_is_tried_again_and_then_told_as_the_error(signoff):
    tries = []

    def broken(state: State) -> State:
        tries.append(1)
        raise KeyError("amount")

    run = signoff.start(paying(graph=graph(broken), retries=2), {"amount": 40})
    assert (run.status, run.error, len(tries)) == ("failed", "KeyError: 'amount'", 3)
    with pytest.raises(AssertionError, match="pay asks nothing; it is failed: KeyError: 'amount'") as told:
        run.approve()
    assert isinstance(told.value.__cause__, KeyError)


def test_an_answer_counts_as_taken_where_the_run_fails_after_it(signoff):
    def books(state: State) -> State:
        raise KeyError("amount")

    run = signoff.start(paying(graph=graph(payment, books), retries=0), {"amount": 40}).approve()
    assert run.status == "failed"
    assert run.approval(run.history[0]._approval_id).applied_at is not None


def test_a_node_that_runs_out_of_time_after_its_answer_is_tried_as_often_as_any_other(signoff):
    ran = []

    async def node(state):
        ran.append(interrupt("Pay?"))
        await asyncio.Event().wait()

    graph = StateGraph(State).add_node("node", node, timeout=0.05).add_edge(START, "node")
    run = signoff.start(Workflow(name="slow", graph=graph, policy=Policy(approvers=(MAYA,)), retries=1), {})
    run.approve()

    assert (run.status, len(ran)) == ("failed", 2)


def test_an_input_that_its_models_own_validator_raises_over_starts_nothing(signoff):
    class Claim(BaseModel):
        currency: Annotated[str, AfterValidator({"EUR": "euro"}.__getitem__)]

    with pytest.raises(BadInput, match="the workflow's input model raised KeyError: 'XXX'"):
        signoff.start(paying(input=Claim), {"currency": "XXX"})


def test_what_an_inputs_own_validator_says_is_told_in_its_words_alone(signoff):
    def sane(ticket: str) -> str:
        raise ValueError("a ticket looks like PRIV-7")

    class Wish(BaseModel):
        ticket: Annotated[str, AfterValidator(sane)]

    with pytest.raises(BadInput, match=r"^ticket: a ticket looks like PRIV-7$"):
        signoff.start(paying(input=Wish), {"ticket": "7"})


def test_an_input_that_does_not_fit_starts_nothing(signoff):
    with pytest.raises(BadInput, match="amount: Input should be less than or equal to 100"):
        signoff.start(paying(input=Payment), {"amount": 1000})
    assert signoff.start(paying(input=Payment), Payment(amount=40)).status == "waiting"
    assert signoff.start(paying(input=Invoiced), Invoiced(amount=40, paysTo="Acme")).status == "waiting"


@dataclass
class Tenant:
    name: str


@pytest.mark.parametrize("context", [Tenant("acme"), {"name": "acme"}, lambda given: Tenant(given["to"])])
def test_nodes_find_the_context_that_the_workflow_declares_before_and_after_the_answer(signoff, context):
    def pays(state: State, runtime: Runtime[Tenant]) -> State:
        ask(ApprovalRequest(title=f"Pay {runtime.context.name}"))
        return {"answers": [runtime.context.name]}

    builder = StateGraph(State, context_schema=Tenant)
    builder.add_node("pays", pays)
    builder.add_edge(START, "pays")
    run = signoff.start(paying(graph=builder, context=context), {"to": "acme"})
    assert run.card.title == "Pay acme"
    assert run.approve().result["answers"] == ["acme"]


def test_a_dozen_pauses_at_once_are_answered_one_by_one(signoff):
    builder = StateGraph(State)
    builder.add_node("one", payment)
    builder.add_conditional_edges(START, lambda _: [Send("one", {"amount": 11 + n}) for n in range(12)])
    run = signoff.start(paying(graph=builder), {})
    assert len(run.pauses) == 12
    with pytest.raises(AssertionError, match="12 pauses wait"):
        run.approve()
    for pause in run.pauses:
        pause.approve(by=MAYA)
    assert sorted(answer["proposal"]["amount"] for answer in run.result["answers"]) == list(range(11, 23))


def test_a_choice_is_made_by_its_id(signoff):
    def which(state: State) -> State:
        request = ApprovalRequest(title="Which?", options=tuple(Option(id=c, label=c.upper()) for c in "ab"))
        return {"answers": [ask(request).choice]}

    run = signoff.start(paying(graph=graph(which)), {})
    assert run.card.buttons == ("A", "B")
    with pytest.raises(Refused, match="cannot be answered that way"):
        run.choose("c")
    assert run.choose("b").result["answers"] == ["b"]


@pytest.mark.parametrize(
    ("reply", "approved", "rejected"), [("bool", True, False), ("text", "approve", "reject")]
)
def test_a_bare_graph_gets_what_its_declared_reply_says(signoff, reply, approved, rejected):
    def start():
        return signoff.start(asking("Delete it?"), approvers=[MAYA], reply=reply)

    assert start().card.title == "Delete it?"
    assert start().approve().result["answers"] == [approved]
    assert start().reject().result["answers"] == [rejected]


def test_a_bare_graph_without_a_reply_is_never_resumed_by_a_no(signoff):
    run = signoff.start(asking({"question": "Delete it?", "rows": 3}), approvers=[MAYA]).reject("no way")
    assert (run.status, run.error) == ("cancelled", "rejected by a person: no way")


def test_an_agents_gate_gets_its_decisions(signoff):
    value = {
        "action_requests": [{"name": "wire", "args": {"amount": 5}}],
        "review_configs": [{"action_name": "wire", "allowed_decisions": ["approve", "edit", "reject"]}],
    }
    run = signoff.start(asking(value), approvers=[MAYA]).edit({"amount": 4})
    (answer,) = run.result["answers"]
    edited = {"name": "wire", "args": {"amount": 4}}
    assert answer == {"decisions": [{"type": "edit", "edited_action": edited}]}


def test_an_inbox_request_gets_a_list(signoff):
    value = {
        "action_request": {"action": "mail", "args": {"to": "ana"}},
        "config": dict.fromkeys(("allow_accept", "allow_edit", "allow_respond", "allow_ignore"), True),
        "description": "About the invoice",
    }
    run = signoff.start(asking(value), approvers=[MAYA]).respond("later")
    assert run.result["answers"] == [[{"type": "response", "args": "later"}]]


def test_an_interrupt_with_a_schema_takes_what_fits_it(signoff):
    def asks(state: State) -> State:
        return {"answers": [interrupt("How many?", response_schema=Payment).model_dump()]}

    run = signoff.start(graph(asks), approvers=[MAYA])
    with pytest.raises(Refused, match="Must be at most 100"):
        run.edit({"amount": 900})
    assert run.edit({"amount": 9}).result["answers"] == [{"amount": 9, "urgent": False, "to": "Acme"}]


def test_an_answer_that_the_graph_could_not_take_is_refused_as_in_slack(signoff):
    def asks(state: State) -> State:
        return {"answers": [interrupt("Which invoice?", response_schema={"type": "string", "minLength": 5})]}

    run = signoff.start(paying(graph=graph(asks)), {})
    with pytest.raises(Refused, match="does not fit") as refused:
        run.pause.respond("4711", by=EVE)
    assert refused.value.why == "unfit"
    assert run.pause.status == "pending"

    assert run.pause.respond("INV-4711", by=EVE).result == {"answers": ["INV-4711"]}


async def test_it_works_in_a_test_that_is_a_coroutine_and_with_nodes_that_are(signoff):
    async def waits(state: State) -> State:
        return {"answers": ["first"]}

    run = signoff.start(paying(graph=graph(waits, payment)), {"amount": 40}).approve()
    assert run.state["answers"][0] == "first"


def test_time_goes_one_way_and_stays_put_without_a_deadline(signoff):
    run = signoff.start(paying(), {"amount": 40}).move_clock(timedelta(days=400))
    assert run.status == "waiting"
    with pytest.raises(ValueError, match="only goes on to aware moments"):
        run.until(signoff.now - timedelta(seconds=1))
    with pytest.raises(AssertionError, match="has no deadline"):
        run.time_out()


def test_it_is_installed_as_a_plugin_of_pytest():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"signoff": "bot.testing.plugin"}


def test_loading_the_plugin_imports_nothing_heavy():
    code = "import sys, pytest; old = {*sys.modules}; import bot.testing.plugin; print(*{*sys.modules} - old)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(told.stdout.split()) == {"bot", "bot.testing", "bot.testing.plugin"}


def test_an_answer_to_a_world_that_moved_is_asked_again_with_what_changed(signoff):
    price = [100]

    def asks(state: State) -> State:
        request = ApprovalRequest(title="Buy", fields={"Price": str(price[0])}, basis=str(price[0]))
        return {"answers": [ask(request).verdict]}

    run = signoff.start(paying(graph=graph(asks)), {})
    price[0] = 120
    run.approve(by=MAYA)
    assert (run.status, [pause.status for pause in run.history]) == ("waiting", ["superseded", "pending"])
    assert run.card.fields == {"Price": "120"}
    assert run.approve(by=MAYA).result["answers"] == ["approve"]
    assert [decision.basis for decision in run.decisions] == ["100", "120"]


class Called(BaseModel):
    amount: int = Field(alias="theAmount")


@pytest.mark.parametrize("show", [("amount",), Called])
def test_a_breakpoint_shows_the_state_and_an_edit_changes_it(signoff, show):
    ran = []

    def pay(state: State) -> State:
        ran.append(state["amount"])
        return {}

    def draft(state: State) -> State:
        return {"amount": state["amount"] + 1}

    gated = graph(draft, pay).compile(interrupt_before=["pay"])
    run = signoff.start(paying(graph=gated, breakpoints=Breakpoints(show=show)), {"amount": 40})
    assert (run.card.proposal, ran) == ({"amount": 41}, [])
    with pytest.raises(AssertionError, match="stands at a breakpoint"):
        run.ask_again()
    assert (run.edit({"amount": 30}).status, ran) == ("done", [30])
