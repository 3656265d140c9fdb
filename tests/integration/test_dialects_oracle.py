"""The real agents, middleware and graphs judge our answers: their own errors must never appear."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from itertools import product
from typing import Any, Literal
from uuid import uuid4

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel, Field
from scripted import Script
from typing_extensions import TypedDict

from bot.approvals import By, Decision
from bot.approvals.changes import changes
from bot.approvals.dialects import End, read, reply
from bot.approvals.errors import BadAnswer
from bot.approvals.request import parse_request

ALL = ["approve", "edit", "reject", "respond"]
MAYA = By(kind="human", user="U01MAYA")
TIMEOUT = By(kind="timeout")


class Agent:
    """A LangChain agent as it stands, whose tools record what ran."""

    def __init__(self, calls: list[dict[str, Any]], gates: dict[str, Any], mode: str) -> None:
        ran: list[tuple[str, dict[str, Any]]] = []

        @tool
        def wire(amount: float, to: str, memo: str | None = None) -> str:
            """Move money."""
            ran.append(("wire", {"amount": amount, "to": to}))
            return "wired"

        @tool
        def mail(to: str, tags: list[str] | None = None) -> str:
            """Send a mail."""
            ran.append(("mail", {"to": to}))
            return "mailed"

        @tool
        def look(what: str) -> str:
            """Look something up."""
            ran.append(("look", {"what": what}))
            return "seen"

        self.ran = ran
        gate = HumanInTheLoopMiddleware(interrupt_on=gates, interrupt_mode=mode)
        self.graph = create_agent(
            Script(calls=calls),
            [wire, mail, look],
            middleware=[gate],
            checkpointer=InMemorySaver(),
        )
        self.config: Any = {"configurable": {"thread_id": str(uuid4()), "__pregel_strict_resume": True}}

    async def begin(self) -> list[Any]:
        given = {"messages": [HumanMessage("go")]}
        return (await self.graph.ainvoke(given, self.config)).get("__interrupt__", [])

    async def send(self, answers: dict[str, Any]) -> dict[str, Any]:
        return await self.graph.ainvoke(Command(resume=answers), self.config)


def decide(asked: Any, verdict: str, proposal: Any = None, by: By = MAYA, **said: Any) -> Any:
    """Reply as the engine does, to what a person (or the clock) decided."""
    before = asked.request.proposal
    after = before if proposal is None else proposal
    edited = tuple(change.path for change in changes(before, after))
    at = datetime(2026, 11, 20, tzinfo=UTC)
    decision = Decision(verdict=verdict, by=by, proposal=after, edited=edited, decided_at=at, **said)
    return reply(decision, asked.dialect, None, asked.original)


def told(result: dict[str, Any]) -> dict[str, str]:
    """What the model was told of each call."""
    return {m.tool_call_id: m.content for m in result["messages"] if isinstance(m, ToolMessage)}


WIRE = {"name": "wire", "args": {"amount": 100, "to": "acme"}}
MAIL = {"name": "mail", "args": {"to": "bob@example.com"}}

# One action, in both modes: each decision of a person, and the clock's.

ONE = {
    "approve": ({}, [("wire", {"amount": 100, "to": "acme"})], "wired"),
    "edit": ({"proposal": {"amount": 7.5, "to": "acme"}}, [("wire", {"amount": 7.5, "to": "acme"})], "wired"),
    "reject": ({"comment": "too much"}, [], "too much"),
    "respond": ({"text": "ask Bob first"}, [], "ask Bob first"),
    "timeout": ({"by": TIMEOUT, "reason": "sla_timeout"}, [], "Nobody decided"),
}


@pytest.mark.parametrize("mode", ["batched", "per_call"])
@pytest.mark.parametrize("kind", ONE)
async def test_the_agent_takes_every_decision_on_one_action_and_does_it(mode, kind):
    said, ran, heard = ONE[kind]
    agent = Agent([WIRE], {"wire": True}, mode)
    (pause,) = await agent.begin()
    asked = read(pause.value, pause.response_schema)
    verdict = {"edit": "approve", "timeout": "reject"}.get(kind, kind)
    result = await agent.send({pause.id: decide(asked, verdict, **said).value})

    assert asked.dialect == mode
    assert agent.ran == ran
    assert heard in told(result)["c0"]
    assert result["messages"][-1].content == "done"


@pytest.mark.parametrize("mode", ["batched", "per_call"])
@pytest.mark.parametrize("allowed", [["approve"], ["edit"], ["reject"], ["respond"], ["reject", "edit"]])
async def test_the_card_offers_what_the_agent_allows(mode, allowed):
    agent = Agent([WIRE], {"wire": {"allowed_decisions": allowed, "description": "Mind the amount"}}, mode)
    (pause,) = await agent.begin()
    request = read(pause.value, pause.response_schema).request

    assert set(request.allow) == set(allowed)
    assert request.summary == "Mind the amount"
    assert request.proposal == WIRE["args"]


# Several at once.


@pytest.mark.parametrize("kinds", list(product(ALL, repeat=2)), ids="-".join)
async def test_every_pair_of_decisions_reaches_its_own_tool(kinds):
    agent = Agent(
        [WIRE, {"name": "look", "args": {"what": "sky"}}, MAIL], {"wire": True, "mail": True}, "batched"
    )
    (pause,) = await agent.begin()
    asked = read(pause.value, pause.response_schema)
    filled = dict(asked.request.proposal)
    filled |= {"1-wire": kinds[0], "2-mail": kinds[1]}
    for place, (kind, key) in enumerate(zip(kinds, ("1-args-to", "2-args-to"), strict=True), 1):
        if kind == "edit":
            filled[key] = "changed"
        if kind in ("reject", "respond"):
            filled[f"{place}-words"] = f"words {place}"
    result = await agent.send({pause.id: decide(asked, "approve", filled).value})

    runs = {"approve": "asked", "edit": "changed"}
    # Sorted: what runs at once may end in any order.
    assert sorted(tool for tool, _ in agent.ran if tool != "look") == sorted(
        name for name, kind in zip(("wire", "mail"), kinds, strict=True) if kind in runs
    )
    arguments = dict(agent.ran)
    for name, kind, asked_for in (("wire", kinds[0], "acme"), ("mail", kinds[1], "bob@example.com")):
        if kind in runs:
            assert arguments[name]["to"] == (asked_for if kind == "approve" else "changed")
    for place, kind, call in ((1, kinds[0], "c0"), (2, kinds[1], "c2")):
        if kind not in runs:
            assert f"words {place}" in told(result)[call]


@pytest.mark.parametrize(("verdict", "runs"), [("approve", ["wire", "wire"]), ("reject", [])])
async def test_all_of_the_same_tool_are_approved_or_rejected_at_once(verdict, runs):
    agent = Agent([WIRE, {**WIRE, "args": {"amount": 5, "to": "bo"}}], {"wire": True}, "batched")
    (pause,) = await agent.begin()
    asked = read(pause.value)
    await agent.send({pause.id: decide(asked, verdict).value})

    assert [name for name, _ in agent.ran] == runs


async def test_calls_gated_one_by_one_are_answered_one_by_one():
    agent = Agent(
        [WIRE, MAIL], {"wire": True, "mail": {"allowed_decisions": ["approve", "reject"]}}, "per_call"
    )
    pauses = {pause.value["name"]: pause for pause in await agent.begin()}
    asked = {name: read(pause.value, pause.response_schema) for name, pause in pauses.items()}

    await agent.send({pauses["mail"].id: decide(asked["mail"], "approve").value})
    assert agent.ran == [("mail", {"to": "bob@example.com"})]
    result = await agent.send({pauses["wire"].id: decide(asked["wire"], "reject").value})
    assert agent.ran == [("mail", {"to": "bob@example.com"})]
    assert "not executed" in told(result)["c0"]


async def test_an_edit_that_the_tool_would_refuse_never_leaves():
    agent = Agent([WIRE], {"wire": True}, "per_call")
    (pause,) = await agent.begin()
    asked = read(pause.value, pause.response_schema)

    with pytest.raises(BadAnswer, match="amount"):
        decide(asked, "approve", {"amount": "much", "to": "acme"})


@pytest.mark.parametrize("mode", ["batched", "per_call"])
async def test_where_the_agent_knows_no_no_a_timeout_ends_the_thread(mode):
    agent = Agent([WIRE], {"wire": {"allowed_decisions": ["approve", "edit"]}}, mode)
    (pause,) = await agent.begin()

    assert isinstance(decide(read(pause.value, pause.response_schema), "reject", by=TIMEOUT), End)


# Other graphs.


class State(TypedDict, total=False):
    said: Any


async def asked_and_answered(node: Any, verdict: str, **said: Any) -> tuple[Any, Any]:
    """Run a graph of one node to its pause, answer it, and return the request and what the node got."""
    builder = StateGraph(State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    graph = builder.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": str(uuid4())}}
    (pause,) = (await graph.ainvoke({}, config))["__interrupt__"]
    asked = read(pause.value, pause.response_schema)
    answer = decide(asked, verdict, **said)
    assert not isinstance(answer, End)
    return asked, (await graph.ainvoke(Command(resume={pause.id: answer.value}), config))["said"]


INBOX = {
    "action_request": {"action": "run_command", "args": {"command": "ls", "depth": 2}},
    "config": {"allow_ignore": True, "allow_respond": True, "allow_edit": True, "allow_accept": True},
    "description": "Please review the command",
}


@pytest.mark.parametrize("value", [INBOX, [INBOX]], ids=["bare", "list"])
@pytest.mark.parametrize(
    ("verdict", "said", "kind", "args"),
    [
        ("approve", {}, "accept", {"action": "run_command", "args": {"command": "ls", "depth": 2}}),
        (
            "approve",
            {"proposal": {"command": "ls -l", "depth": 2}},
            "edit",
            {"action": "run_command", "args": {"command": "ls -l", "depth": 2}},
        ),
        ("reject", {}, "ignore", None),
        ("respond", {"text": "use find"}, "response", "use find"),
    ],
)
async def test_a_graph_of_the_agent_inbox_reads_the_first_of_a_list(value, verdict, said, kind, args):
    def node(state: State) -> State:
        response = interrupt(value)[0]
        return {"said": (response["type"], response["args"])}

    asked, got = await asked_and_answered(node, verdict, **said)

    assert asked.dialect == "inbox"
    assert got == (kind, args)


class Terms(BaseModel):
    """What counsel must fill in."""

    cap: int = Field(ge=1, description="In EUR")
    party: Literal["us", "them"] = "us"
    note: str | None = None


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("schema", "verdict", "said", "got"),
    [
        (Terms, "approve", {"proposal": {"cap": 5, "party": "them"}}, Terms(cap=5, party="them")),
        (bool, "approve", {}, True),
        (bool, "reject", {}, False),
        (str, "respond", {"text": "blue"}, "blue"),
        (int, "approve", {"proposal": {"answer": 7}}, 7),
        (list[int], "approve", {"proposal": {"answer": [1, 2]}}, [1, 2]),
        (Literal["red", "blue"], "choose", {"choice": "blue"}, "blue"),
        (Colour, "choose", {"choice": "blue"}, Colour.BLUE),
        (bool | None, "approve", {"proposal": {"answer": None}}, None),
    ],
)
async def test_a_graph_that_declares_its_answer_gets_it_in_its_own_type(schema, verdict, said, got):
    def node(state: State) -> State:
        return {"said": interrupt({"question": "What now?"}, response_schema=schema)}

    asked, answer = await asked_and_answered(node, verdict, **said)

    assert (asked.dialect, asked.request.title) == ("schema", "What now?")
    assert answer == got
    assert type(answer) is type(got)


async def test_a_wrong_answer_to_a_declared_schema_never_leaves():
    def node(state: State) -> State:
        return {"said": interrupt("Terms?", response_schema=Terms)}

    for wrong in ({}, {"cap": 0}, {"cap": "5"}, {"cap": 5, "party": "nobody"}):
        with pytest.raises(BadAnswer, match="The answer does not fit"):
            await asked_and_answered(node, "approve", proposal=wrong)


@pytest.mark.parametrize("value", ["Delete it?", {"question": "Delete it?", "rows": 3}, 5, [1, 2], None])
async def test_a_graph_of_a_tutorial_reads_an_approval(value):
    def node(state: State) -> State:
        answer = interrupt(value)
        return {"said": (bool(answer), answer["approved"], answer.get("reason"), answer["decision"])}

    _, got = await asked_and_answered(node, "approve")

    assert got == (True, True, None, "approve")


async def test_our_own_request_sent_as_json_is_answered_with_a_decision():
    asked_for = parse_request({"signoff": 1, "title": "Pay Acme", "proposal": {"amount": 5}}).payload()

    def node(state: State) -> State:
        return {"said": interrupt(asked_for)}

    _, got = await asked_and_answered(node, "approve", proposal={"amount": 4})

    assert Decision.model_validate(got).proposal == {"amount": 4}
