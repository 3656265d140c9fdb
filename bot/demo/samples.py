"""The threads a demo starts: the workflows' own samples, made new each time they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bot.approvals.states import Autonomy
from workflows import (
    content_review,
    contract,
    datasource_question,
    expense,
    incident,
    pull_request,
    release,
    support_reply,
    transaction,
)

Json = dict[str, Any]
Made = Callable[[int, datetime], Json]

ROSA, OTTO = "U05ROSA", "U07OTTO"
"""Rosa Lindqvist of Sales and Otto Brandt of the office, who may decide nothing but Rosa's own questions."""

ALERTMANAGER, PIPELINE = "api:alertmanager", "api:pipeline"


@dataclass(frozen=True)
class Sample:
    """Something to start: `made` gives the input of the n-th one, counted from 0, at an aware local time.

    `by` is a person, or a machine behind the API: then nobody is told the outcome directly.
    """

    name: str
    label: str
    hint: str
    workflow: str
    made: Made
    at_first: bool = False
    by: str = ROSA
    autonomy: Autonomy = "on_action"

    @property
    def requester(self) -> str | None:
        return None if self.by.startswith("api:") else self.by

    @property
    def starter(self) -> str:
        return f"slack:{self.requester}" if self.requester else self.by


def _claim(name: str) -> Made:
    """The n-th claim differs in amount and invoice, or it would look like one that was paid before."""
    sample = expense.samples[name]

    def made(n: int, now: datetime) -> Json:
        claim = sample | {
            "date": now.date().isoformat(),
            "amount": str(Decimal(sample["amount"]) + 10 * n),
        }
        if "due" in claim:
            del claim["due"]
        if n and "invoice" in claim:
            claim["invoice"] = f"{claim['invoice']}-{n + 1}"
        return claim

    return made


def _slow_lunch(n: int, now: datetime) -> Json:
    """Elsewhere than the other lunches, or it would look like one of them."""
    return _claim("lunch")(n, now) | {"vendor": "Bistro Elbe"}


def _in_turn(samples: Mapping[str, Json], *names: str) -> Made:
    return lambda n, _: samples[names[n % len(names)]]


def _transfer(n: int, now: datetime) -> Json:
    return _in_turn(transaction.samples, "large", "risky")(n, now) | {"at": now.isoformat()}


def _question(n: int, now: datetime) -> Json:
    return _in_turn(datasource_question.samples, *datasource_question.samples)(n, now) | {
        "as_of": now.date().isoformat()
    }


def _branch(n: int, _: datetime) -> Json:
    """The sample's repository makes each branch when it is asked for."""
    return pull_request.samples["branch"] | {"branch": f"baskets-{n + 1}"}


def _version(n: int, _: datetime) -> Json:
    return release.samples["shop"] | {"version": f"1.{n}.0"}


SAMPLES: tuple[Sample, ...] = (
    Sample("lunch", "A lunch", "Under 500 EUR: paid by policy, no card", "expense", _claim("lunch"), True),
    Sample(
        "hotel",
        "A hotel bill",
        "A finance manager decides: Maya or Finn, in #finance-approvals",
        "expense",
        _claim("hotel"),
        True,
    ),
    Sample(
        "acme",
        "A big payment",
        "Two different people must approve: Maya and Finn, in #finance-approvals",
        "expense",
        _claim("acme"),
        True,
    ),
    Sample(
        "incident",
        "An incident",
        "Scaling down a database replica waits for on-call: Okey, in #on-call",
        "incident",
        _in_turn(incident.samples, "replicas-idle", "replica-lag"),
        True,
        by=ALERTMANAGER,
    ),
    Sample(
        "reply",
        "A support reply",
        "Compliance looks at a flagged answer: Cleo, in #support-review",
        "support_reply",
        _in_turn(support_reply.samples, "refund", "advice", "card-number"),
        True,
    ),
    Sample(
        "pull-request",
        "A pull request",
        "A reviewer strikes out or approves what will be committed: Okey or Maya, in #on-call",
        "pull_request",
        _branch,
        True,
        by=PIPELINE,
    ),
    Sample(
        "contract",
        "A contract",
        "Counsel reads each clause that touches liability: Cleo, in #support-review",
        "contract",
        _in_turn(contract.samples, "hosting", "workshop"),
        True,
    ),
    Sample(
        "question",
        "A question",
        "It can be read in several ways, so it asks back: Rosa, Maya or Finn, in #general",
        "datasource_question",
        _question,
        True,
    ),
    Sample(
        "release",
        "A release",
        "Twenty steps run; the three that cannot be undone wait for on-call: Okey, in #on-call",
        "release",
        _version,
        by=PIPELINE,
    ),
    Sample(
        "transaction",
        "A transfer",
        "Large or risky, so a finance manager decides: Maya or Finn, in #finance-approvals",
        "transaction",
        _transfer,
        by=OTTO,
    ),
    Sample(
        "content",
        "A post to publish",
        "Its graph stops once the draft is written: Cleo reviews it, in #support-review",
        "content_review",
        _in_turn(content_review.samples, "post", "boast"),
    ),
    Sample(
        "reply-static",
        "A reply, stopped",
        "The support reply's graph, stopped before its officer: Cleo, in #support-review",
        "support_reply_static",
        _in_turn(support_reply.samples, "advice", "card-number", "refund"),
    ),
    Sample(
        "steps",
        "A lunch, step by step",
        "Autonomy: a card after every node, for Maya or Finn, in #finance-approvals",
        "expense",
        _slow_lunch,
        autonomy="step_by_step",
    ),
)
