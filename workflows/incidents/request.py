"""What on-call reads before a database loses replicas: a pure function of what was worked out before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.approvals import ApprovalRequest
from workflows.incidents.alertmanager import Alert, Webhook
from workflows.incidents.runbook import ScaleDown, Step
from workflows.incidents.topology import TOPOLOGY


def scale_down_request(
    webhook: Webhook,
    steps: Sequence[Step],
    change: ScaleDown,
    *,
    spare: Mapping[str, int],
    asked_again: str | None,
) -> ApprovalRequest:
    """Ask for `change`. `spare` says how many replicas each database can lose; others are not offered."""
    running = TOPOLOGY[change.target].least + spare[change.target]
    schema = ScaleDown.model_json_schema()
    schema["properties"]["target"]["enum"] = list(spare)
    schema["properties"]["count"]["maximum"] = min(
        max(spare.values()), schema["properties"]["count"]["maximum"]
    )
    return ApprovalRequest(
        title=f"Scale {change.target} down from {running} to {running - change.count}",
        summary="\n\n".join(part for part in (asked_again, change.reason, _so_far(steps)) if part),
        fields=_facts(webhook, running),
        links=_links(webhook),
        proposal=change.model_dump(),
        proposal_schema=schema,
        risk="high",
        destructive=True,
    )


def _so_far(steps: Sequence[Step]) -> str:
    lines = [f"- {step.sentence}: {'waits for you' if step.open else step.state}" for step in steps]
    return "\n".join(["Runbook:", *lines])


def _facts(webhook: Webhook, running: int) -> dict[str, str]:
    first = min(webhook.firing, key=lambda alert: alert.startsAt)
    names = dict.fromkeys(alert.name for alert in webhook.firing)
    return {
        "Alert": ", ".join(names),
        "Severity": ", ".join(dict.fromkeys(alert.severity for alert in webhook.firing)),
        "Since": f"{first.startsAt:%Y-%m-%d %H:%M} UTC{first.startsAt:%z}".removesuffix("+0000"),
        "Running now": str(running),
    }


def _links(webhook: Webhook) -> dict[str, str]:
    """Keep the addresses that a browser can open; Alertmanager's may be relative or missing."""
    alert: Alert = webhook.firing[0]
    links = {
        "Runbook": alert.annotations.get("runbook_url", ""),
        "Query": alert.generatorURL,
        "Alertmanager": webhook.externalURL,
    }
    return {label: url for label, url in links.items() if url.startswith(("https://", "http://"))}
