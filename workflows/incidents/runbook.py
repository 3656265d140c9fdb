"""From alerts to the steps that answer them: fixed rules, the same for the same alerts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from workflows.incidents.alertmanager import Alert
from workflows.incidents.topology import Service, find

Action = Literal["diagnose", "restart", "scale_up", "scale_down"]

SAFE: frozenset[Action] = frozenset({"diagnose", "restart", "scale_up"})
"""What runs by itself: it can be taken back, and takes no data out of service."""

_URGENT = ("critical", "page")


class Step(BaseModel):
    """One step of a runbook, `state` being how far it has come."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action
    target: str
    count: int = Field(default=1, ge=1)
    why: str
    state: str = "to do"

    @property
    def safe(self) -> bool:
        return self.action in SAFE

    @property
    def open(self) -> bool:
        return self.state == "to do"

    @property
    def key(self) -> str:
        """Its name among the steps of one runbook, and so the name of its effect."""
        return f"{self.action}:{self.target}"

    @property
    def sentence(self) -> str:
        match self.action:
            case "diagnose":
                return f"Collect logs and metrics of {self.target}"
            case "restart":
                return f"Restart {self.target}"
            case "scale_up":
                return f"Scale {self.target} up by {self.count}"
            case "scale_down":
                return f"Scale {self.target} down by {self.count}"


class ScaleDown(BaseModel):
    """What on-call decides about, and may change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Literal["orders-db-replicas", "catalog-db-replicas", "sessions-db-replicas"] = Field(
        title="Replica set"
    )
    count: int = Field(ge=1, le=4, title="Replicas to remove")
    reason: str = Field(min_length=1, max_length=1000, title="Reason")


def runbook(alerts: Iterable[Alert]) -> list[Step]:
    """Return the steps for all alerts, each step once: diagnosis first, what cannot be taken back last."""
    steps = {step.key: step for alert in alerts for step in reversed(_steps(alert))}
    order: tuple[Action, ...] = ("diagnose", "restart", "scale_up", "scale_down")
    return sorted(steps.values(), key=lambda step: order.index(step.action))


def _steps(alert: Alert) -> list[Step]:
    service = find(alert.service)
    target = service.name if service else alert.service
    diagnosis = Step(action="diagnose", target=target, why=f"{alert.name} ({alert.severity})")
    remedy = _remedy(alert, service) if service else None
    return [diagnosis] if remedy is None else [diagnosis, remedy]


def _remedy(alert: Alert, service: Service) -> Step | None:
    """Return what helps against an alert, where a rule knows; otherwise people read the diagnosis."""
    if service.kind == "database":
        return _for_database(alert, service)
    if re.search(r"ErrorRate|Crash|Deadlock|MemoryLeak", alert.name) and alert.severity in _URGENT:
        return Step(action="restart", target=service.name, why=f"{alert.name}: a fresh start clears it")
    if re.search(r"Latency|Saturat|Cpu|CPU|Queue", alert.name):
        count = 2 if alert.severity in _URGENT else 1
        return Step(action="scale_up", target=service.name, count=count, why=f"{alert.name}: too much work")
    return None


def _for_database(alert: Alert, service: Service) -> Step | None:
    if re.search(r"ReplicaLag|ReplicaBehind", alert.name):
        why = f"{alert.name}: a replica that lags answers with old data"
        return Step(action="scale_down", target=service.name, why=why)
    if re.search(r"ReplicasIdle|Overprovisioned", alert.name):
        idle = alert.labels.get("idle_replicas", "1")
        count = int(idle) if re.fullmatch(r"[1-9]", idle) else 1
        why = f"{alert.name}: replicas with nothing to do: {count}"
        return Step(action="scale_down", target=service.name, count=count, why=why)
    return None
