"""The threads a demo starts: the workflows' own samples, made new each time they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from workflows import expense, incident, support_reply

Json = dict[str, Any]

ROSA = "U05ROSA"
"""Rosa Lindqvist of Sales, who may decide nothing herself."""

ALERTMANAGER = "api:alertmanager"


@dataclass(frozen=True)
class Sample:
    """Something to start: `made` gives the input of the n-th one, counted from 0, on a day.

    Without a requester it is a machine's doing, and nobody is told the outcome directly.
    """

    name: str
    label: str
    hint: str
    workflow: str
    made: Callable[[int, date], Json]
    at_first: bool = True
    requester: str | None = ROSA

    @property
    def starter(self) -> str:
        return f"slack:{self.requester}" if self.requester else ALERTMANAGER


def _claim(name: str) -> Callable[[int, date], Json]:
    """The n-th claim differs in amount and invoice, or it would look like one that was paid before."""
    sample = expense.samples[name]

    def made(n: int, today: date) -> Json:
        claim = sample | {"date": today.isoformat(), "amount": str(Decimal(sample["amount"]) + 10 * n)}
        if "due" in claim:
            del claim["due"]
        if n and "invoice" in claim:
            claim["invoice"] = f"{claim['invoice']}-{n + 1}"
        return claim

    return made


def _as_it_is(samples: dict[str, Json], *names: str) -> Callable[[int, date], Json]:
    return lambda n, _: samples[names[n % len(names)]]


SAMPLES: tuple[Sample, ...] = (
    Sample("lunch", "A lunch", "Under 500 EUR: paid by policy, no card", "expense", _claim("lunch")),
    Sample("hotel", "A hotel bill", "A finance manager decides", "expense", _claim("hotel")),
    Sample("acme", "A big payment", "Two different people must approve", "expense", _claim("acme")),
    Sample(
        "incident",
        "An incident",
        "Scaling down a database replica waits for on-call",
        "incident",
        _as_it_is(incident.samples, "replicas-idle", "replica-lag"),
        requester=None,
    ),
    Sample(
        "reply",
        "A support reply",
        "Compliance looks at a flagged answer",
        "support_reply",
        _as_it_is(support_reply.samples, "refund", "advice", "card-number"),
    ),
)
