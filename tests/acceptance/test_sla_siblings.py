"""Several approvals of one thread that nobody answers: what one does to the thread, the others say."""

from __future__ import annotations

import operator
from datetime import timedelta
from typing import Annotated, Any, TypedDict

import pytest
from asking import wait_out
from fixtures_house import FINANCE, MAYA, ROSA, Running
from langgraph.graph import END, START, StateGraph

from bot.approvals import ApprovalRequest, Fallback, Policy, Sla, Workflow, ask

HOUR = timedelta(hours=1)


class Answers(TypedDict, total=False):
    answers: Annotated[list[str], operator.add]


def offer_two(house: Running, fallback: Fallback, **first: Any) -> None:
    """Put a workflow into the catalog that asks twice at once; `first` are wishes of the first request."""

    def first_node(state: Answers) -> Answers:
        return {"answers": [ask(ApprovalRequest(title="Pay Acme", **first)).verdict]}

    def second_node(state: Answers) -> Answers:
        return {"answers": [ask(ApprovalRequest(title="Pay Bolt")).verdict]}

    graph = StateGraph(Answers)
    for name, node in (("first", first_node), ("second", second_node)):
        graph.add_node(name, node)
        graph.add_edge(START, name)
        graph.add_edge(name, END)
    sla = Sla(respond_within=2 * HOUR, fallback=fallback)
    policy = Policy(approvers=(MAYA,))
    house.house.catalog.add(
        Workflow(name="two", graph=graph, channel="#finance-approvals", policy=policy, sla=sla), "two"
    )


@pytest.mark.parametrize("within", [HOUR, 2 * HOUR])
@pytest.mark.parametrize("fallback", [Fallback.approve(), Fallback.as_drafted()])
async def test_what_a_fallback_would_have_run_is_not_told_as_run_where_its_workflow_was_ended_first(
    house: Running, fallback: Fallback, within: timedelta
) -> None:
    offer_two(house, fallback, sla=Sla(respond_within=within, fallback=Fallback.cancel()))
    thread = await house.run("two", {}, ROSA)
    await wait_out(house, 3 * HOUR)

    assert (await house.thread(thread)).status == "cancelled"
    told = [m["text"] for user in (FINANCE, ROSA) for m in house.slack.messages(user)]
    assert any("ended the workflow" in text for text in told)
    assert any("Its workflow was ended first, so I did not run it" in text for text in told)
    assert not any("unapproved" in text or "as drafted" in text for text in told)


async def test_what_a_fallback_did_run_is_told_as_run_though_its_workflow_was_ended_later(
    house: Running,
) -> None:
    offer_two(house, Fallback.approve(), sla=Sla(fallback=Fallback.cancel()))
    thread = await house.run("two", {}, ROSA)
    await house.execute(
        "update approvals set next_at = next_at - interval '1 hour', due_at = due_at - interval '1 hour' "
        "where request ->> 'title' = 'Pay Bolt'"
    )
    await wait_out(house, 3 * HOUR / 2)
    await wait_out(house, HOUR)

    assert (await house.thread(thread)).status == "cancelled"
    (bolt,) = [m["text"] for m in house.cards(FINANCE) if "Pay Bolt" in m["text"]]
    assert "it ran unapproved" in bolt
