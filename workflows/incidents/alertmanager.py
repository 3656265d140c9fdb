"""What Alertmanager sends to a webhook, version 4, under its own names.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""
# ruff: noqa: N815 - the names are Alertmanager's

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Labels = dict[str, str]


class Alert(BaseModel):
    """One alert of the group; `endsAt` of a firing one lies at year 1."""

    model_config = ConfigDict(frozen=True)

    status: Literal["firing", "resolved"]
    labels: Labels = Field(default_factory=dict)
    annotations: Labels = Field(default_factory=dict)
    startsAt: AwareDatetime
    endsAt: AwareDatetime | None = None
    generatorURL: str = ""
    fingerprint: str = ""

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "unnamed alert")

    @property
    def severity(self) -> str:
        return self.labels.get("severity", "none")

    @property
    def service(self) -> str:
        """What the alert is about, by the labels that rules commonly carry."""
        named = (self.labels.get(label) for label in ("service", "app", "job", "instance"))
        return next((name for name in named if name), "unknown service")


class Webhook(BaseModel):
    """A group of alerts. Keys that later versions of Alertmanager add are let through and not used."""

    model_config = ConfigDict(frozen=True)

    version: Literal["4"]
    groupKey: str
    status: Literal["firing", "resolved"]
    receiver: str
    groupLabels: Labels = Field(default_factory=dict)
    commonLabels: Labels = Field(default_factory=dict)
    commonAnnotations: Labels = Field(default_factory=dict)
    externalURL: str = ""
    truncatedAlerts: int = Field(default=0, ge=0)
    alerts: tuple[Alert, ...] = Field(min_length=1, max_length=500)

    @property
    def firing(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.status == "firing")
