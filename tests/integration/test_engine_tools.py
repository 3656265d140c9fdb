"""Several questions of one node: each gets its own answer, whichever of them comes first on a run."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Iterable
from typing import Annotated, Any, TypedDict

import pytest
from fixtures_engine import bench, chain, flow
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import StructuredTool
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy, interrupt

from bot.approvals import ApprovalRequest, ask


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


class Turns:
    """Says which tool asks first on each run of their node, and on all after the last that is named."""

    def __init__(self, *order: str) -> None:
        self._order = list(order)

    def begin(self) -> None:
        self._first = self._order.pop(0) if len(self._order) > 1 else self._order[0]
        self._asked = asyncio.Event()

    async def take(self, name: str) -> None:
        if name == self._first:
            self._asked.set()
        else:
            await self._asked.wait()


def agent(turns: Turns, ran: list[str], calls: Iterable[tuple[str, str]]) -> Any:
    """A node with a tool call for each title, whose tools ask when it is their turn."""

    async def act(title: str, what: str) -> str:
        await turns.take(what)
        decision = ask(ApprovalRequest(title=title, proposal={"what": what}))
        ran.append(f"{what}: {decision.verdict} of {decision.proposal['what']}")
        return "ok"

    tools = ToolNode([StructuredTool.from_function(coroutine=act, name="act", description="act")])
    message = AIMessage("", tool_calls=[
        {"name": "act", "args": {"title": title, "what": what}, "id": what} for title, what in calls
    ])  # fmt: skip

    async def node(state: State, config: RunnableConfig) -> Any:
        turns.begin()
        done = await tools.ainvoke({"messages": [message]}, config)
        return {"log": [told.content for told in done["messages"]]}

    return node


@pytest.mark.parametrize("titles", [("Look it up?", "Wire a million?"), ("Go on?", "Go on?")])
async def test_an_approval_runs_the_tool_that_it_was_given_for_whichever_asks_first_by_then(database, titles):
    ran: list[str] = []
    turns = Turns("look", "wire", "wire", "look")
    node = agent(turns, ran, zip(titles, ("look", "wire"), strict=True))
    async with bench(database, flow(chain(State, node, names=("node",)), retries=0)) as it:
        thread_id = await it.run()
        (looking,) = await it.approvals(thread_id, "pending")
        assert looking.proposal == {"what": "look"}
        await it.answer(looking)
        assert "wire" not in str(ran), "nobody has approved that"

        (wiring,) = await it.approvals(thread_id, "pending")
        assert wiring.proposal == {"what": "wire"}
        ran.clear()
        await it.answer(wiring, "reject")
        assert (await it.thread(thread_id)).status == "done"
        assert [a.status for a in await it.approvals(thread_id)] == ["decided", "decided"]
    assert sorted(ran) == ["look: approve of look", "wire: reject of wire"]


async def test_a_tool_that_words_its_question_anew_on_each_run_asks_again_and_runs_nothing(database):
    prices, ran = iter(range(1, 9)), []

    def pay() -> str:
        ran.append(ask(ApprovalRequest(title="Pay?", proposal={"price": next(prices)})).proposal)
        return "ok"

    tools = ToolNode([StructuredTool.from_function(pay, description="pay")])
    message = AIMessage("", tool_calls=[{"name": "pay", "args": {}, "id": "1"}])

    def node(state: State, config: RunnableConfig) -> Any:
        tools.invoke({"messages": [message]}, config)
        return {}

    async with bench(database, flow(chain(State, node, names=("node",)), retries=0)) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["Pay?"])
        assert (await it.pending(thread_id))["Pay?"].proposal == {"price": 2}
    assert ran == []


@pytest.mark.parametrize("config", [{}, {"recursion_limit": 50}])
async def test_a_node_that_words_its_question_anew_on_each_run_gets_what_was_approved(database, config):
    prices = iter(range(1, 9))

    def node(state):
        return {
            "log": [ask(ApprovalRequest(title="Pay?", proposal={"price": next(prices)})).proposal["price"]]
        }

    async with bench(database, flow(chain(State, node, names=("node",)).compile().with_config(config))) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["Pay?"])
        assert (await it.thread(thread_id)).result == {"log": [1]}


async def test_one_question_asked_again_and_again_in_a_node_is_answered_each_time(database):
    def node(state):
        first = interrupt("Begin?")
        said = [ask(ApprovalRequest(title="Sure?")).verdict for _ in range(3)]
        return {"log": [first["decision"], *said, interrupt("End?")["decision"]]}

    async with bench(database, flow(chain(State, node, names=("node",)), reply="dict")) as it:
        thread_id = await it.run()
        for title, verdict in (
            *(("Begin?", "approve"), ("Sure?", "reject"), ("Sure?", "approve"), ("Sure?", "reject")),
            ("End?", "reject"),
        ):
            await it.answer((await it.pending(thread_id))[title], verdict)
        assert (await it.thread(thread_id)).result == {
            "log": ["approve", "reject", "approve", "reject", "reject"]
        }


async def test_a_node_that_langgraph_tries_again_finds_the_answers_that_it_was_given(database):
    answers: list[str] = []

    def node(state):
        answers.append(ask(ApprovalRequest(title="One?")).verdict)
        if len(answers) == 1:
            raise OSError("the network blinked")
        return {"log": [answers[-1], ask(ApprovalRequest(title="Two?")).verdict]}

    builder = StateGraph(State)
    policy = RetryPolicy(retry_on=OSError, max_attempts=2, initial_interval=0, jitter=False)
    builder.add_node("node", node, retry_policy=policy)
    builder.add_edge(START, "node")
    async with bench(database, flow(builder, retries=0)) as it:
        thread_id = await it.run()
        await it.answer((await it.pending(thread_id))["One?"])
        await it.answer((await it.pending(thread_id))["Two?"], "reject")
        assert (await it.thread(thread_id)).result == {"log": ["approve", "reject"]}
        assert [a.request.title for a in await it.approvals(thread_id)] == ["One?", "Two?"]


@pytest.mark.parametrize(
    "at_once", [({"first"}, {"first", "third"}, {"second", "first"}), ({"first"}, {"third"}, {"second"})]
)
async def test_answers_are_kept_where_a_tool_asks_before_another_takes_its_own(database, at_once):
    ran: list[str] = []
    never = asyncio.Event()
    runs = iter([*at_once, {"first", "second", "third"}])
    now: set[str] = set()

    async def act(name: str) -> str:
        if name not in now:
            await never.wait()
        ran.append(f"{name}: {ask(ApprovalRequest(title=name)).verdict}")
        return "ok"

    tools = ToolNode([StructuredTool.from_function(coroutine=act, name="act", description="act")])
    message = AIMessage("", tool_calls=[
        {"name": "act", "args": {"name": name}, "id": name} for name in ("second", "first", "third")
    ])  # fmt: skip

    async def node(state: State, config: RunnableConfig) -> Any:
        now.clear()
        now.update(next(runs))
        await tools.ainvoke({"messages": [message]}, config)
        return {}

    async with bench(database, flow(chain(State, node, names=("node",)), retries=0)) as it:
        thread_id = await it.run()
        for title in ("first", "third", "second"):
            ran.clear()
            await it.answer((await it.pending(thread_id))[title])
        assert (await it.thread(thread_id)).status == "done"
    assert sorted(ran) == ["first: approve", "second: approve", "third: approve"]
