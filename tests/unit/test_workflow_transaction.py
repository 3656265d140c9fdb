from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from bot.testing import Run
from workflows.transaction import samples, workflow
from workflows.transactions.risk import Earlier, Transaction, weighed

pytestmark = pytest.mark.usefixtures("ledger")

AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture
def started(signoff):
    signoff.group("@finance-managers", "U01MAYA", "U02FINN")

    def started(sample: str, **changes) -> Run:
        return signoff.start(workflow, samples[sample] | changes)

    return started


def transaction(**changes) -> Transaction:
    return Transaction.model_validate(samples["small"] | {"at": AT.isoformat()} | changes)


def weight(name: str, earlier=(), **changes) -> float:
    parts = weighed(transaction(**changes), earlier).parts
    return next((part.weight for part in parts if part.name == name), 0.0)


def test_a_small_and_safe_one_flows_recorded_as_policy(started, ledger):
    run = started("small")
    assert run.decisions[0].reason.startswith("412.80 EUR at a risk of 0.")
    assert run.state["result"] == "sent"
    assert "approved by policy (412.80 EUR" in run.state["outcome"]
    (sent,) = ledger.effects
    assert sent.key == f"{run.thread_id}:transaction"
    assert sent.data.items() >= {"payee": "Stadtwerke Kiel", "amount": "412.80"}.items()


@pytest.mark.parametrize(("amount", "flows"), [("10000.00", True), ("10000.01", False)])
def test_the_limit_is_over_10000_euro_exactly(started, amount, flows):
    run = started("large", amount=amount)
    assert (run.status == "done") is flows


def test_a_large_one_asks_however_safe_it_is(started):
    run = started("large")
    assert run.request.auto is None
    assert run.request.risk == "low"
    assert "over 10,000.00 EUR" in run.request.summary
    assert "over 0.8" not in run.request.summary


def test_a_risky_one_asks_however_small_it_is_and_says_why(started):
    run = started("risky")
    request = run.request
    assert request.auto is None
    assert request.risk == "high"
    assert "a risk over 0.8" in request.summary
    for reason in ("Myanmar", "first payment to Golden Lotus Trading", "02:40"):
        assert reason in request.summary


def test_an_approved_one_is_sent_as_shown(started, ledger):
    run = started("large").approve(by="U01MAYA")
    assert run.state["outcome"] == "Sent Nordbau GmbH 18,500.00 EUR, approved by U01MAYA."
    assert ledger.effects[0].data["amount"] == "18500.00"


def test_an_edit_is_what_is_sent(started, ledger):
    run = started("large").edit({"amount": "9000.00", "reference": "Half of it"}, by="U01MAYA")
    assert run.state["result"] == "sent"
    assert ledger.effects[0].data.items() >= {"amount": "9000.00", "reference": "Half of it"}.items()


def test_an_edit_upwards_is_asked_about_again(started, ledger):
    run = started("large").edit({"amount": "40000.00"}, by="U01MAYA")

    assert run.pauses
    assert ledger.effects == []
    assert run.request.proposal["amount"] == "40000.00"
    assert "rose from 18,500.00 to 40,000.00 EUR" in run.request.summary
    run.approve(by="U01MAYA")
    assert run.state["outcome"].startswith("Sent Nordbau GmbH 40,000.00 EUR")


def test_an_edit_that_is_no_transfer_is_asked_about_again_and_never_flows_by_policy(careless_form, started):
    run = started("large").edit({"amount": "-1"}, by="U01MAYA")
    assert run.pauses
    assert run.request.auto is None
    assert "not a valid transfer" in run.request.summary


def test_what_left_the_account_meanwhile_is_asked_about_again(started, ledger):
    run = started("large")
    for n in range(3):
        other = samples["small"] | {"at": f"2026-11-20T10:5{n}:00+01:00"}
        ledger.record(f"other{n}:transaction", "transaction", other)

    run.approve(by="U01MAYA")

    assert run.pauses
    assert "3 payments in the hour before it" in run.request.summary
    run.reject("too fast", by="U01MAYA")
    assert run.state["outcome"].endswith("rejected by U01MAYA: too fast.")


def test_a_rejected_one_is_not_sent(started, ledger):
    run = started("risky").reject("never heard of them", by="U02FINN")
    assert run.state["result"] == "rejected"
    assert ledger.effects == []


@pytest.mark.parametrize(("delivered", "why"), [(True, "nobody answered"), (False, "could not be delivered")])
def test_an_unanswered_one_is_not_sent_and_not_told_as_a_no(signoff, started, ledger, delivered, why):
    signoff.delivers = delivered
    run = started("risky").time_out()
    assert run.state["result"] == "expired"
    assert why in run.state["outcome"]
    assert "rejected" not in run.state["outcome"]
    assert ledger.effects == []


def test_a_second_run_of_sending_sends_once(started, ledger):
    run = started("large").approve(by="U01MAYA")
    run.again("send")
    assert ledger.attempts == 2
    assert len(ledger.effects) == 1


def test_a_run_that_starts_again_asks_for_the_same(started, ledger):
    run = started("risky")
    ledger.record("other:transaction", "transaction", samples["risky"])
    run.ask_again()


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
