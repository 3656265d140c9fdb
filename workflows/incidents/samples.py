"""Webhooks as Alertmanager sends them, to start the incident workflow with."""

from __future__ import annotations

from typing import Any


def _webhook(*alerts: dict[str, Any], status: str = "firing") -> dict[str, Any]:
    group = {"alertname": alerts[0]["labels"]["alertname"]}
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{group["alertname"]}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "signoff",
        "groupLabels": group,
        "commonLabels": alerts[0]["labels"],
        "commonAnnotations": alerts[0]["annotations"],
        "externalURL": "https://alertmanager.example.com",
        "alerts": list(alerts),
    }


def _alert(
    name: str, service: str, severity: str, summary: str, *, status: str = "firing", **labels: str
) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": name, "service": service, "severity": severity, **labels},
        "annotations": {"summary": summary, "runbook_url": f"https://runbooks.example.com/{name}"},
        "startsAt": "2026-11-20T14:05:12.345Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-20T14:31:00Z",
        "generatorURL": f"https://prometheus.example.com/graph?g0.expr={name}",
        "fingerprint": "c4d1f0a92b7e3358",
    }


samples: dict[str, dict[str, Any]] = {
    "replicas-idle": _webhook(
        _alert(
            "PostgresReplicasIdle",
            "orders-db",
            "warning",
            "Two replicas have had no reads for six hours; p99 latency is normal",
            idle_replicas="2",
        )
    ),
    "replica-lag": _webhook(
        _alert("PostgresReplicaLag", "catalog-db", "critical", "A replica is 40 minutes behind"),
        _alert("HighLatency", "search", "critical", "p99 above 2 s, since reads wait for the catalog"),
    ),
    "error-rate": _webhook(_alert("HighErrorRate", "checkout", "critical", "8 % of requests fail")),
    "resolved": _webhook(
        _alert("HighErrorRate", "checkout", "critical", "8 % of requests failed", status="resolved"),
        status="resolved",
    ),
}
