"""A workflow that asks once, with the policy, SLA and channel that a test wants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from fixtures_house import FINN, MAYA, OPS, ROSA, Running
from langgraph.graph import END, START, StateGraph
from psycopg import OperationalError

from bot.approvals import ApprovalRequest, Policy, Sla, Workflow, ask
from bot.clock import Clock
from bot.emulator import webapi
from bot.emulator.errors import SlackError
from bot.emulator.method import Call, Method
from bot.facts import deliveries

BOTH = Policy(approvers=(MAYA, FINN))


def _ask(state: dict[str, Any]) -> dict[str, Any]:
    decision = ask(ApprovalRequest.model_validate(state["request"]))
    return {"answer": decision.answer()}


def offer(
    house: Running,
    name: str = "asking",
    *,
    channel: str = "#finance-approvals",
    policy: Policy = BOTH,
    sla: Sla | None = None,
) -> str:
    """Put it into the house's catalog; returns its name."""
    graph = StateGraph(dict)
    graph.add_node("ask", _ask)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    workflow = Workflow(name=name, graph=graph, channel=channel, policy=policy, sla=sla or Sla())
    house.house.catalog.add(workflow, name)
    assert name in house.house.catalog.entries, house.house.catalog.problems
    return name


async def begin(house: Running, title: str = "Pay Acme", workflow: str = "asking", **request: Any) -> str:
    """Start a thread that asks, without running it; returns its id."""
    request = {"signoff": 1, "title": title, **request}
    return await house.start(workflow, {"request": request}, ROSA)


async def asked(house: Running, title: str = "Pay Acme", workflow: str = "asking", **request: Any) -> str:
    """Start a thread and run it to its card; returns its id."""
    thread_id = await begin(house, title, workflow, **request)
    await house.drain()
    return thread_id


async def tick(house: Running, after: timedelta = timedelta(), times: int = 1) -> None:
    """Let time pass and everything that is due be done."""
    for _ in range(times):
        if after:
            await house.pass_time(after)
        await Clock(house.house).tick()
        await house.drain()


async def wait_out(house: Running, length: timedelta) -> None:
    """Let time pass in which Slack could be reached all along, and everything that is due be done."""
    await house.pass_time(length)
    await house.slack_was_reachable()
    await tick(house)


async def retried(house: Running, times: int = 1) -> None:
    """Let as much time pass as the longest wait between attempts, and try again."""
    await tick(house, timedelta(seconds=61), times)


@contextmanager
def dying_as_it_notes() -> Iterator[None]:
    """Have the worker die that writes down more of a drawing than one statement can."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliveries, "fact", _dies)
        with pytest.raises(OperationalError, match="the worker died"):
            yield


def _dies(*_: Any) -> NoReturn:
    raise OperationalError("the worker died")


async def card_row(house: Running, thread_id: str) -> dict[str, Any]:
    (row,) = await house.rows("select * from messages where kind = 'card' and thread_id = %s", thread_id)
    return row


def told_ops(house: Running) -> list[str]:
    return [message["text"] for message in house.slack.messages(OPS)]


def calls(house: Running, method: str, outcome: str | None = None) -> int:
    return sum(
        call.method == method and (outcome is None or call.outcome == outcome) for call in house.slack.calls
    )


def refuse(monkeypatch: Any, method: str, code: str, times: int = 1_000_000) -> None:
    """Let Slack answer a method with an error of its own for so many calls."""
    real = webapi.METHODS[method]
    left = [times]

    def handler(call: Call) -> dict[str, Any]:
        if left[0] <= 0:
            return real.handler(call)
        left[0] -= 1
        raise SlackError(code)

    monkeypatch.setitem(webapi.METHODS, method, Method(handler, real.scopes, real.per_minute, real.token))


async def whispered(house: Running, user: str) -> str:
    """The last private answer to a person, which comes after the acknowledgement."""
    said = await house.slack.until(lambda: house.slack.ephemerals(user))
    return str(said[-1]["text"])


def shows_nothing(house: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hears a click dies before it shows what that recorded."""
    monkeypatch.setattr(house.house.desk.showing, "soon", lambda message_ids: None)
