"""What is in force of what a request wishes: only what is stricter than its workflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from langgraph.graph import StateGraph

from bot.approvals import ApprovalRequest, Fallback, Policy, Sla, Workflow
from bot.facts.pauses import in_force

DAY = timedelta(days=1)
WORKFLOW = Workflow(
    name="payment",
    graph=StateGraph(dict),
    policy=Policy(approvers=("U01MAYA", "U02FINN")),
    sla=Sla(respond_within=DAY, fallback=Fallback.as_drafted()),
)


def asked(**wishes: Any) -> ApprovalRequest:
    return ApprovalRequest(title="Pay Acme", **wishes)


def test_a_request_that_wishes_nothing_has_its_workflows_rules() -> None:
    assert in_force(WORKFLOW, asked()) == (WORKFLOW.policy, WORKFLOW.sla, ())


def test_a_laxer_policy_and_a_laxer_sla_are_refused_and_both_are_told() -> None:
    wishes = asked(policy=Policy(approvers=("U09EVE",)), sla=Sla(respond_within=2 * DAY))
    policy, sla, notices = in_force(WORKFLOW, wishes)
    assert (policy, sla) == (WORKFLOW.policy, WORKFLOW.sla)
    assert [line.partition(":")[0] for line in notices] == ["policy.approvers", "sla.respond_within"]
    assert all(line.endswith("; the workflow's stays in force") for line in notices)


@pytest.mark.parametrize("kind", ["reject", "cancel"])
def test_beside_a_wish_that_is_refused_a_fallback_that_runs_nothing_still_counts(kind: Any) -> None:
    wishes = asked(sla=Sla(respond_within=2 * DAY, fallback=Fallback(kind=kind)))
    _, sla, notices = in_force(WORKFLOW, wishes)
    assert (sla.respond_within, sla.fallback) == (DAY, Fallback(kind=kind))
    assert len(notices) == 1


def test_a_fallback_that_runs_something_counts_in_no_request() -> None:
    _, sla, notices = in_force(WORKFLOW, asked(sla=Sla(fallback=Fallback.approve())))
    assert sla == WORKFLOW.sla
    assert len(notices) == 1


def test_a_stricter_wish_counts_beside_one_that_is_refused() -> None:
    plain = Workflow(name="payment", graph=StateGraph(dict), sla=Sla(respond_within=DAY))
    wishes = asked(sla=Sla(respond_within=DAY / 24, fallback=Fallback.approve()))
    _, sla, (notice,) = in_force(plain, wishes)
    assert (sla.respond_within, sla.fallback) == (DAY / 24, Fallback.reject())
    assert notice.startswith("sla.fallback: ")


def test_times_that_are_meant_for_another_calendar_are_refused_with_it_and_each_is_told() -> None:
    wishes = asked(sla=Sla(respond_within=DAY / 2, remind_after=[DAY / 4], calendar="business"))
    _, sla, notices = in_force(WORKFLOW, wishes)
    assert sla == WORKFLOW.sla
    assert [line.partition(":")[0] for line in notices] == [
        "sla.calendar",
        "sla.respond_within",
        "sla.remind_after",
    ]
