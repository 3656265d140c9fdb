from __future__ import annotations

from datetime import datetime, timedelta
from typing import get_args

import pytest
from pydantic import ValidationError
from workflow_run import AT, Ledger, Run

from workflows import effects
from workflows.alertmanager import Alert, Webhook
from workflows.incident import samples, workflow
from workflows.runbook import ScaleDown, runbook
from workflows.topology import TOPOLOGY, find, replicas


@pytest.fixture(autouse=True)
def ledger(monkeypatch):
    ledger = Ledger()
    monkeypatch.setattr(effects, "record", ledger.record)
    monkeypatch.setattr(effects, "recorded", ledger.recorded)
    return ledger


async def started(sample: str) -> Run:
    return await Run(workflow).start(samples[sample])


def running(service: str) -> int:
    return replicas(TOPOLOGY[service])


def keys(ledger: Ledger) -> list[str]:
    return [effect.key.split(":", 1)[1] for effect in ledger.effects]


def alert(name: str, service: str, severity: str = "critical", **labels: str) -> Alert:
    given = {"alertname": name, "service": service, "severity": severity, **labels}
    return Alert(status="firing", labels=given, startsAt=AT)


async def test_safe_steps_run_by_themselves_and_nothing_is_asked(ledger):
    run = await started("error-rate")

    assert not run.paused
    assert keys(ledger) == ["diagnose:checkout", "restart:checkout"]
    assert run.state["result"] == "safe steps only"
    assert run.state["outcome"] == "2 safe steps ran. Nothing needed approval."


async def test_what_has_resolved_ends_without_a_step(ledger):
    run = await started("resolved")
    assert run.state["result"] == "resolved"
    assert ledger.effects == []


async def test_a_resolved_alert_in_a_firing_group_gets_no_step():
    group = samples["error-rate"]
    over = group["alerts"][0] | {
        "status": "resolved",
        "labels": {"alertname": "HighLatency", "service": "search"},
    }
    run = await Run(workflow).start(group | {"alerts": [*group["alerts"], over]})
    assert not any("search" in line for line in run.state["runbook"])


async def test_scaling_a_database_down_waits_for_on_call_after_the_safe_steps_ran(ledger):
    run = await started("replica-lag")

    assert keys(ledger) == ["diagnose:catalog-db-replicas", "diagnose:search", "scale_up:search"]
    request = run.request
    assert request.title == "Scale catalog-db-replicas down from 3 to 2"
    assert (request.risk, request.destructive, request.auto) == ("high", True, None)
    assert "Scale search up by 2: done" in request.summary
    assert "Scale catalog-db-replicas down by 1: waits for you" in request.summary
    assert request.fields["Alert"] == "PostgresReplicaLag, HighLatency"
    assert request.links["Alertmanager"] == "https://alertmanager.example.com"


async def test_the_form_offers_the_replica_sets_that_can_lose_some_and_how_many():
    properties = (await started("replicas-idle")).request.proposal_schema["properties"]
    assert properties["target"]["enum"] == [
        "orders-db-replicas",
        "catalog-db-replicas",
        "sessions-db-replicas",
    ]
    assert (properties["count"]["type"], properties["count"]["minimum"]) == ("integer", 1)
    assert properties["count"]["maximum"] == 2


async def test_an_approval_scales_down_what_was_shown(ledger):
    run = await started("replicas-idle")
    assert run.request.proposal["count"] == 2

    await run.approve("U04OKEY")

    assert running("orders-db-replicas") == 2
    assert run.state["result"] == "scaled down"
    assert "done, orders-db-replicas by 2, approved by U04OKEY" in run.state["outcome"]


async def test_on_call_can_edit_target_and_count(ledger):
    run = await started("replicas-idle")

    await run.approve("U04OKEY", target="sessions-db-replicas", count=1, reason="orders is needed on Friday")

    assert (running("sessions-db-replicas"), running("orders-db-replicas")) == (1, 4)
    assert ledger.effects[-1].data["reason"] == "orders is needed on Friday"


async def test_an_edit_that_takes_too_many_is_asked_again_and_nothing_is_lost(ledger):
    run = await started("replicas-idle")

    await run.approve("U04OKEY", target="sessions-db-replicas", count=2)

    assert run.paused
    assert "sessions-db-replicas can lose 1 now, not the 2" in run.request.summary
    assert running("sessions-db-replicas") == 2
    await run.approve("U04OKEY")
    assert running("orders-db-replicas") == 2


async def test_replicas_that_went_while_on_call_thought_are_not_taken_twice(ledger):
    run, twin = await started("replicas-idle"), await started("replicas-idle")
    await twin.approve("U04OKEY")

    await run.approve("U04OKEY")

    assert running("orders-db-replicas") == 2
    assert run.state["result"] == "nothing scaled down"
    assert "not needed, no replica can be spared" in run.state["outcome"]


async def test_an_approved_change_of_a_set_that_nobody_knows_is_asked_again(ledger):
    run = await started("replicas-idle")
    await run.approve("U04OKEY", target="billing-db-replicas")
    assert run.paused
    assert "no valid change" in run.request.summary


async def test_a_rejection_leaves_the_replicas_and_the_runbook_says_so():
    run = await started("replica-lag")
    await run.reject("U04OKEY", "the lag is a backup")

    assert running("catalog-db-replicas") == 3
    assert run.state["result"] == "nothing scaled down"
    assert run.state["runbook"][-1].endswith("not done, rejected by U04OKEY: the lag is a backup")


async def test_without_an_answer_nothing_is_scaled_down_and_the_runbook_says_so():
    run = await started("replica-lag")
    await run.time_out()

    assert running("catalog-db-replicas") == 3
    assert run.state["runbook"][-1].endswith("not done, nobody answered in time")
    assert "rejected" not in run.state["outcome"]


async def test_two_databases_are_asked_about_one_after_the_other(ledger):
    group = samples["replicas-idle"]
    other = samples["replica-lag"]["alerts"][0]
    run = await Run(workflow).start(group | {"alerts": [*group["alerts"], other]})
    first = run.request.proposal["target"]
    await run.reject("U04OKEY")
    assert run.paused
    assert run.request.proposal["target"] != first

    await run.approve("U04OKEY")

    assert not run.paused
    assert run.state["result"] == "scaled down"
    assert [effect.data["service"] for effect in ledger.effects if effect.data.get("change")] == [
        "catalog-db-replicas"
    ]


async def test_a_second_run_of_any_effect_happens_once(ledger):
    run = await started("replica-lag")
    await run.again("run_safe_steps")
    await run.approve("U04OKEY")
    await run.again("scale_down")

    assert len(ledger.effects) == len(set(keys(ledger))) == 4
    assert ledger.attempts == 8
    assert running("catalog-db-replicas") == 2
    assert running("search") == 6


async def test_a_run_that_starts_again_asks_for_the_same():
    run = await started("replica-lag")
    before = run.request.payload()
    assert (await run.again("on_call")).request.payload() == before


async def test_a_service_grows_no_further_than_its_most(ledger):
    ledger.record("other:scale_up:search", "scaled", {"service": "search", "change": 7})
    run = await started("replica-lag")
    assert running("search") == 12
    await run.time_out()

    full = await started("replica-lag")
    assert running("search") == 12
    assert "it has its most (12) already" in full.request.summary


async def test_keys_that_a_later_alertmanager_adds_are_let_through():
    given = samples["error-rate"] | {"notificationReason": "new", "alerts": [
        samples["error-rate"]["alerts"][0] | {"silencedBy": []}
    ]}  # fmt: skip
    run = await Run(workflow).start(given)
    assert run.state["result"] == "safe steps only"


@pytest.mark.parametrize(
    ("change", "field"),
    [({"version": "3"}, "version"), ({"alerts": []}, "alerts"), ({"status": "on fire"}, "status")],
)
def test_what_is_no_webhook_is_refused_by_field(change, field):
    with pytest.raises(ValidationError) as refusal:
        Webhook.model_validate(samples["error-rate"] | change)
    assert refusal.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        (alert("HighErrorRate", "checkout"), ["diagnose:checkout", "restart:checkout"]),
        (alert("HighErrorRate", "checkout", "warning"), ["diagnose:checkout"]),
        (alert("HighLatency", "search", "warning"), ["diagnose:search", "scale_up:search"]),
        (alert("HighLatency", "orders-db"), ["diagnose:orders-db-replicas"]),
        (
            alert("PostgresReplicaLag", "orders-db"),
            ["diagnose:orders-db-replicas", "scale_down:orders-db-replicas"],
        ),
        (alert("HighErrorRate", "nobody-knows"), ["diagnose:nobody-knows"]),
        (alert("Watchdog", "checkout"), ["diagnose:checkout"]),
    ],
)  # fmt: skip
def test_the_rules(given, steps):
    assert [step.key for step in runbook([given])] == steps


def test_severity_decides_how_far_to_scale_up():
    critical, warning = (
        runbook([alert("HighLatency", "search", how)])[-1] for how in ("critical", "warning")
    )
    assert (critical.count, warning.count) == (2, 1)


def test_the_same_alert_twice_makes_each_step_once():
    twice = [
        alert("HighErrorRate", "checkout", instance="a"),
        alert("HighErrorRate", "checkout", instance="b"),
    ]
    assert len(runbook(twice)) == 2


def test_only_databases_are_ever_scaled_down():
    targets = get_args(ScaleDown.model_fields["target"].annotation)
    assert set(targets) == {name for name, service in TOPOLOGY.items() if service.kind == "database"}
    assert find("orders-db") is TOPOLOGY["orders-db-replicas"]


def test_on_call_has_half_an_hour_on_the_wall_also_at_night():
    night = datetime(2026, 11, 21, 3, 0, tzinfo=AT.tzinfo)
    assert workflow.sla.due(night) == night + timedelta(minutes=30)
