from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from workflow_run import Ledger, Run

from workflows import effects
from workflows.transaction import samples, workflow
from workflows.transaction_risk import Earlier, Transaction, weighed

AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def ledger(monkeypatch):
    ledger = Ledger()
    monkeypatch.setattr(effects, "record", ledger.record)
    monkeypatch.setattr(effects, "recorded", ledger.recorded)
    return ledger


async def started(sample: str, **changes) -> Run:
    return await Run(workflow).start(samples[sample] | changes)


def transaction(**changes) -> Transaction:
    return Transaction.model_validate(samples["small"] | {"at": AT.isoformat()} | changes)


def weight(name: str, earlier=(), **changes) -> float:
    parts = weighed(transaction(**changes), earlier).parts
    return next((part.weight for part in parts if part.name == name), 0.0)


async def test_a_small_and_safe_one_flows_recorded_as_policy(ledger):
    run = await started("small")
    assert run.request.auto.startswith("412.80 EUR at a risk of 0.")

    await run.by_policy()

    assert run.state["result"] == "sent"
    assert "approved by policy (412.80 EUR" in run.state["outcome"]
    (sent,) = ledger.effects
    assert sent.key == f"{run.thread}:transaction"
    assert sent.data.items() >= {"payee": "Stadtwerke Kiel", "amount": "412.80"}.items()


@pytest.mark.parametrize(("amount", "flows"), [("10000.00", True), ("10000.01", False)])
async def test_the_limit_is_over_10000_euro_exactly(amount, flows):
    run = await started("large", amount=amount)
    assert (run.request.auto is not None) is flows


async def test_a_large_one_asks_however_safe_it_is():
    run = await started("large")
    assert run.request.auto is None
    assert run.request.risk == "low"
    assert "over 10,000.00 EUR" in run.request.summary
    assert "over 0.8" not in run.request.summary


async def test_a_risky_one_asks_however_small_it_is_and_says_why():
    run = await started("risky")
    request = run.request
    assert request.auto is None
    assert request.risk == "high"
    assert "a risk over 0.8" in request.summary
    for reason in ("Myanmar", "first payment to Golden Lotus Trading", "02:40"):
        assert reason in request.summary


async def test_an_approved_one_is_sent_as_shown(ledger):
    run = await (await started("large")).approve("U01MAYA")
    assert run.state["outcome"] == "Sent Nordbau GmbH 18,500.00 EUR, approved by U01MAYA."
    assert ledger.effects[0].data["amount"] == "18500.00"


async def test_an_edit_is_what_is_sent(ledger):
    run = await (await started("large")).approve("U01MAYA", amount="9000.00", reference="Half of it")
    assert run.state["result"] == "sent"
    assert ledger.effects[0].data.items() >= {"amount": "9000.00", "reference": "Half of it"}.items()


async def test_an_edit_upwards_is_asked_about_again(ledger):
    run = await (await started("large")).approve("U01MAYA", amount="40000.00")

    assert run.paused
    assert ledger.effects == []
    assert run.request.proposal["amount"] == "40000.00"
    assert "rose from 18,500.00 to 40,000.00 EUR" in run.request.summary
    await run.approve("U01MAYA")
    assert run.state["outcome"].startswith("Sent Nordbau GmbH 40,000.00 EUR")


async def test_an_edit_that_is_no_transfer_is_asked_about_again_and_never_flows_by_policy():
    run = await (await started("large")).approve("U01MAYA", amount="-1")
    assert run.paused
    assert run.request.auto is None
    assert "no valid transfer" in run.request.summary


async def test_what_left_the_account_meanwhile_is_asked_about_again(ledger):
    run = await started("large")
    for n in range(3):
        other = samples["small"] | {"at": f"2026-11-20T10:5{n}:00+01:00"}
        ledger.record(f"other{n}:transaction", "transaction", other)

    await run.approve("U01MAYA")

    assert run.paused
    assert "3 payments in the hour before it" in run.request.summary
    await run.reject("U01MAYA", "too fast")
    assert run.state["outcome"].endswith("rejected by U01MAYA: too fast.")


async def test_a_rejected_one_is_not_sent(ledger):
    run = await (await started("risky")).reject("U02FINN", "never heard of them")
    assert run.state["result"] == "rejected"
    assert ledger.effects == []


@pytest.mark.parametrize(("delivered", "why"), [(True, "nobody answered"), (False, "could not be delivered")])
async def test_an_unanswered_one_is_not_sent_and_not_told_as_a_no(ledger, delivered, why):
    run = await (await started("risky")).time_out(delivered=delivered)
    assert run.state["result"] == "expired"
    assert why in run.state["outcome"]
    assert "rejected" not in run.state["outcome"]
    assert ledger.effects == []


async def test_a_second_run_of_sending_sends_once(ledger):
    run = await (await started("large")).approve("U01MAYA")
    await run.again("send")
    assert ledger.attempts == 2
    assert len(ledger.effects) == 1


async def test_a_run_that_starts_again_asks_for_the_same(ledger):
    run = await started("risky")
    before = run.request.payload()
    ledger.record("other:transaction", "transaction", samples["risky"])
    assert (await run.again("approval")).request.payload() == before


def test_a_known_payee_counts_nothing_whatever_the_case():
    known = [Earlier("STADTWERKE KIEL", AT - timedelta(days=30))]
    assert weight("payee") == 0.35
    assert weight("payee", known) == 0


@pytest.mark.parametrize(("country", "counts"), [("DE", 0), ("BR", 0.3), ("KP", 0.75)])
def test_the_country_counts_by_how_far_it_is_from_the_usual(country, counts):
    assert weight("country", country=country) == counts


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        ("2026-11-20T09:00:00Z", 0),
        ("2026-11-20T21:00:00Z", 0.35),
        ("2026-11-20T05:00:00Z", 0),
        ("2026-11-20T04:59:00Z", 0.35),
        ("2026-11-21T12:00:00Z", 0.15),
    ],
)
def test_the_hour_counts_by_the_clock_in_berlin(at, counts):
    assert weight("hour", at=at) == counts


def test_velocity_counts_only_the_hour_before():
    recent = [Earlier("x", AT - timedelta(minutes=minutes)) for minutes in (0, 10, 59)]
    old = [Earlier("x", AT - timedelta(minutes=60)), Earlier("x", AT + timedelta(minutes=1))]
    assert weight("velocity", old + recent[:1]) == 0
    assert weight("velocity", old + recent) == 0.4


def test_more_money_is_more_risk_and_the_score_stays_below_one():
    scores = [
        weighed(transaction(amount=amount, country="KP"), ()).score for amount in ("1", "100", "9999999")
    ]
    assert scores == sorted(set(scores))
    assert scores[-1] < 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", "0"),
        ("currency", "XXX"),
        ("country", "Germany"),
        ("at", "2026-11-20T10:00:00"),
        ("risk", 0),
    ],
)
def test_a_transaction_that_makes_no_sense_is_refused_by_field(field, value):
    with pytest.raises(ValidationError) as refusal:
        Transaction.model_validate(samples["small"] | {field: value})
    assert [error["loc"][0] for error in refusal.value.errors()] == [field]
