from __future__ import annotations

from datetime import datetime, timedelta
from typing import get_args

import pytest
from effect_ledger import AT, Ledger
from pydantic import ValidationError

from bot.testing import Run
from workflows.incident import samples, workflow
from workflows.incidents.alertmanager import Alert, Webhook
from workflows.incidents.runbook import ScaleDown, runbook
from workflows.incidents.topology import TOPOLOGY, find, replicas

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
def started(signoff):
    signoff.group("@on-call", "U04OKEY")

    def started(sample: str) -> Run:
        return signoff.start(workflow, samples[sample])

    return started


def running(service: str) -> int:
    return replicas(TOPOLOGY[service])


def keys(ledger: Ledger) -> list[str]:
    return [effect.key.split(":", 1)[1] for effect in ledger.effects]


def alert(name: str, service: str, severity: str = "critical", **labels: str) -> Alert:
    given = {"alertname": name, "service": service, "severity": severity, **labels}
    return Alert(status="firing", labels=given, startsAt=AT)


def test_safe_steps_run_by_themselves_and_nothing_is_asked(started, ledger):
    run = started("error-rate")

    assert not run.pauses
    assert keys(ledger) == ["diagnose:checkout", "restart:checkout"]
    assert run.state["result"] == "safe steps only"
    assert run.state["outcome"] == "2 safe steps ran. Nothing needed approval."


def test_what_has_resolved_ends_without_a_step(started, ledger):
    run = started("resolved")
    assert run.state["result"] == "resolved"
    assert ledger.effects == []


def test_a_resolved_alert_in_a_firing_group_gets_no_step(signoff):
    group = samples["error-rate"]
    over = group["alerts"][0] | {
        "status": "resolved",
        "labels": {"alertname": "HighLatency", "service": "search"},
    }
    run = signoff.start(workflow, group | {"alerts": [*group["alerts"], over]})
    assert not any("search" in line for line in run.state["runbook"])


def test_scaling_a_database_down_waits_for_on_call_after_the_safe_steps_ran(started, ledger):
    run = started("replica-lag")

    assert keys(ledger) == ["diagnose:catalog-db-replicas", "diagnose:search", "scale_up:search"]
    request = run.request
    assert request.title == "Scale catalog-db-replicas down from 3 to 2"
    assert (request.risk, request.destructive, request.auto) == ("high", True, None)
    assert "Scale search up by 2: done" in request.summary
    assert "Scale catalog-db-replicas down by 1: waits for you" in request.summary
    assert request.fields["Alert"] == "PostgresReplicaLag, HighLatency"
    assert request.links["Alertmanager"] == "https://alertmanager.example.com"


def test_the_form_offers_the_replica_sets_that_can_lose_some_and_how_many(started):
    properties = (started("replicas-idle")).request.proposal_schema["properties"]
    assert properties["target"]["enum"] == [
        "orders-db-replicas",
        "catalog-db-replicas",
        "sessions-db-replicas",
    ]
    assert (properties["count"]["type"], properties["count"]["minimum"]) == ("integer", 1)
    assert properties["count"]["maximum"] == 2


def test_an_approval_scales_down_what_was_shown(started, ledger):
    run = started("replicas-idle")
    assert run.request.proposal["count"] == 2

    run.approve(by="U04OKEY")

    assert running("orders-db-replicas") == 2
    assert run.state["result"] == "scaled down"
    done = "Scale orders-db-replicas down by 2: done, approved by U04OKEY."
    assert run.state["outcome"] == f"1 safe step ran. {done}"


def test_on_call_can_edit_target_and_count(started, ledger):
    run = started("replicas-idle")

    run.edit(
        {"target": "sessions-db-replicas", "count": 1, "reason": "orders is needed on Friday"}, by="U04OKEY"
    )

    assert (running("sessions-db-replicas"), running("orders-db-replicas")) == (1, 4)
    assert ledger.effects[-1].data["reason"] == "orders is needed on Friday"
    told = (
        "Scale orders-db-replicas down by 2: done as edited, sessions-db-replicas by 1, approved by U04OKEY."
    )
    assert run.state["outcome"].endswith(told)


def test_an_edit_that_takes_too_many_is_asked_again_and_nothing_is_lost(started, ledger):
    run = started("replicas-idle")

    run.edit({"target": "sessions-db-replicas", "count": 2}, by="U04OKEY")

    assert run.pauses
    assert "sessions-db-replicas can lose 1 now, not the 2" in run.request.summary
    assert running("sessions-db-replicas") == 2
    run.approve(by="U04OKEY")
    assert running("orders-db-replicas") == 2


def test_replicas_that_went_while_on_call_thought_are_not_taken_twice(started, ledger):
    run, twin = started("replicas-idle"), started("replicas-idle")
    twin.approve(by="U04OKEY")

    run.approve(by="U04OKEY")

    assert running("orders-db-replicas") == 2
    assert run.state["result"] == "nothing scaled down"
    assert "not needed, no replica can be spared" in run.state["outcome"]


def test_an_approved_change_of_a_set_that_nobody_knows_is_asked_again(started, careless_form):
    run = started("replicas-idle")
    run.edit({"target": "billing-db-replicas"}, by="U04OKEY")
    assert run.pauses
    assert "not a valid change" in run.request.summary


def test_a_rejection_leaves_the_replicas_and_the_runbook_says_so(started):
    run = started("replica-lag")
    run.reject("the lag is a backup", by="U04OKEY")

    assert running("catalog-db-replicas") == 3
    assert run.state["result"] == "nothing scaled down"
    assert run.state["runbook"][-1].endswith("not done, rejected by U04OKEY: the lag is a backup")


def test_without_an_answer_nothing_is_scaled_down_and_the_runbook_says_so(started):
    run = started("replica-lag")
    run.time_out()

    assert running("catalog-db-replicas") == 3
    assert run.state["runbook"][-1].endswith("not done, nobody answered in time")
    assert "rejected" not in run.state["outcome"]


def test_two_databases_are_asked_about_one_after_the_other(signoff, ledger):
    group = samples["replicas-idle"]
    other = samples["replica-lag"]["alerts"][0]
    signoff.group("@on-call", "U04OKEY")
    run = signoff.start(workflow, group | {"alerts": [*group["alerts"], other]})
    first = run.request.proposal["target"]
    run.reject(by="U04OKEY")
    assert run.pauses
    assert run.request.proposal["target"] != first

    run.approve(by="U04OKEY")

    assert not run.pauses
    assert run.state["result"] == "scaled down"
    assert [effect.data["service"] for effect in ledger.effects if effect.data.get("change")] == [
        "catalog-db-replicas"
    ]


def test_a_second_run_of_any_effect_happens_once(started, ledger):
    run = started("replica-lag")
    run.approve(by="U04OKEY")
    run.again("scale_down")
    run.again("run_safe_steps")

    assert len(ledger.effects) == len(set(keys(ledger))) == 4
    assert ledger.attempts == 8
    assert running("catalog-db-replicas") == 2
    assert running("search") == 6


def test_a_run_that_starts_again_asks_for_the_same(started):
    run = started("replica-lag")
    run.ask_again()


def test_a_service_grows_no_further_than_its_most(started, ledger):
    ledger.record("other:scale_up:search", "scaled", {"service": "search", "change": 7})
    run = started("replica-lag")
    assert running("search") == 12
    run.time_out()

    full = started("replica-lag")
    assert running("search") == 12
    assert "it already has its maximum (12)" in full.request.summary


def test_keys_that_a_later_alertmanager_adds_are_let_through(signoff):
    given = samples["error-rate"] | {"notificationReason": "new", "alerts": [
        samples["error-rate"]["alerts"][0] | {"silencedBy": []}
    ]}  # fmt: skip
    run = signoff.start(workflow, given)
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
