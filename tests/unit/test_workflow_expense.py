from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from bot.testing import Refused, Run
from workflows.expense import samples, workflow
from workflows.expenses.claim import ExpenseClaim, category_of, in_euro, people_needed

pytestmark = pytest.mark.usefixtures("ledger")

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def started(signoff):
    signoff.group("@finance-managers", "U01MAYA", "U02FINN")

    def started(sample: str, **changes) -> Run:
        return signoff.start(workflow, samples[sample] | changes)

    return started


def test_a_small_payment_is_left_to_policy_and_then_made(started, ledger):
    run = started("lunch")
    (decision,) = run.decisions
    assert (decision.by.kind, decision.reason) == ("policy", "under 500.00 EUR, and not paid before")
    assert run.state["result"] == "paid"
    assert "approved by policy (under 500.00 EUR" in run.state["outcome"]
    assert [effect.key for effect in ledger.effects] == [f"{run.thread_id}:payment"]


def test_half_a_cent_is_refused_in_the_form_and_not_after_the_approval(started):
    with pytest.raises(Refused, match=r"Must be a multiple of 0\.01"):
        started("hotel").edit({"amount": "1240.005"}, by="U01MAYA")


@pytest.mark.parametrize(("amount", "auto"), [("499.99", True), ("500.00", False)])
def test_the_limit_of_policy_is_500_euro_exactly(started, amount, auto):
    run = started("lunch", amount=amount)
    assert (run.status == "done") is auto


def test_a_manager_approves_and_exactly_what_was_shown_is_paid(started, ledger):
    run = started("hotel")
    request = run.request
    assert request.title == "Pay Hotel Adler 1,240.00 EUR"
    assert (request.risk, request.policy, request.auto) == ("low", None, None)
    assert set(request.allow) == {"approve", "reject", "edit"}

    run.approve(by="U01MAYA")

    assert run.state["outcome"] == "Paid Hotel Adler 1,240.00 EUR on 2026-11-23, approved by U01MAYA."
    (payment,) = ledger.effects
    assert payment.data.items() >= request.proposal.items()


def test_an_edit_is_what_gets_paid(started, ledger):
    run = started("hotel")
    run.edit({"amount": "1200", "note": "Minibar struck out", "category": "other"}, by="U02FINN")

    (payment,) = ledger.effects
    paid = {name: payment.data[name] for name in ("amount", "note", "category", "vendor")}
    assert paid == {
        "amount": "1200.00",
        "note": "Minibar struck out",
        "category": "other",
        "vendor": "Hotel Adler",
    }


def test_a_large_payment_asks_for_two_people_and_tells_both(started, ledger):
    run = started("acme")
    request = run.request
    assert request.risk == "high"
    assert request.policy is not None
    assert request.policy.model_fields_set == {"approvals"}
    assert request.policy.approvals == 2
    assert request.fields["Counts as"] == "11,780.00 EUR"

    run.approve(by="U01MAYA").approve(by="U02FINN")

    assert run.state["outcome"].endswith("approved by U01MAYA and U02FINN.")
    assert len(ledger.effects) == 1


def test_an_edit_above_the_limit_of_one_person_is_asked_again_of_two(started, ledger):
    run = started("hotel")
    run.edit({"amount": "12400"}, by="U02FINN")

    assert run.pauses
    assert ledger.effects == []
    assert run.request.policy.approvals == 2
    assert run.request.proposal["amount"] == "12400.00"
    assert "U02FINN changed the amount from 1,240.00 to 12,400.00 EUR" in run.request.summary

    run.approve(by="U01MAYA").approve(by="U02FINN")

    assert run.state["result"] == "paid"
    assert ledger.effects[0].data["amount"] == "12400.00"


def test_an_edit_among_two_people_that_stays_above_the_limit_is_not_asked_again(started, ledger):
    run = started("acme")
    run.edit({"amount": "20000.00"}, by="U01MAYA").approve(by="U02FINN")
    assert run.state["result"] == "paid"


def test_a_rejection_pays_nothing_and_keeps_the_words(started, ledger):
    run = started("hotel")
    run.reject("wrong cost centre", by="U01MAYA")

    assert run.state["result"] == "rejected"
    assert run.state["outcome"].endswith("rejected by U01MAYA: wrong cost centre.")
    assert ledger.effects == []


@pytest.mark.parametrize(("delivered", "why"), [(True, "nobody answered"), (False, "could not be delivered")])
def test_a_payment_that_nobody_answered_is_not_made_and_told_as_no_no(
    signoff, started, ledger, delivered, why
):
    signoff.delivers = delivered
    run = started("hotel")
    run.time_out()

    assert run.state["result"] == "expired"
    assert why in run.state["outcome"]
    assert "rejected" not in run.state["outcome"]
    assert ledger.effects == []


def test_an_approved_proposal_that_is_not_valid_is_not_paid(careless_form, started, ledger):
    run = started("hotel")
    run.edit({"amount": "-5"}, by="U01MAYA")

    assert run.state["result"] == "rejected"
    assert "not valid, amount: Input should be greater than 0" in run.state["outcome"]
    assert ledger.effects == []


def test_what_looks_paid_already_is_never_left_to_policy(started):
    started("lunch")

    run = started("lunch", vendor="TRATTORIA LUCIA")

    assert run.request.auto is None
    assert run.request.risk == "high"
    assert "Looks like a payment made before: Trattoria Lucia, 84.50" in run.request.summary


def test_the_same_invoice_under_another_amount_looks_paid_already(started):
    started("hotel").approve(by="U01MAYA")
    run = started("hotel", amount="99.00")
    assert run.request.auto is None


def test_a_twin_that_was_paid_while_people_thought_is_asked_about_again(started, ledger):
    run, twin = started("hotel"), started("hotel")
    twin.approve(by="U01MAYA")

    run.approve(by="U01MAYA")

    assert run.pauses
    assert "the last card did not show" in run.request.summary
    assert len(ledger.effects) == 1
    run.reject("paid already", by="U01MAYA")
    assert run.state["result"] == "rejected"
    assert len(ledger.effects) == 1


def test_a_second_run_of_the_payment_pays_once(started, ledger):
    run = started("hotel")
    run.approve(by="U01MAYA")

    run.again("pay")

    assert run.state["result"] == "paid"
    assert ledger.attempts == 2
    assert len(ledger.effects) == 1


def test_a_run_that_starts_again_asks_for_the_same(started):
    run = started("acme")
    run.ask_again()


@pytest.mark.parametrize("sample", samples)
def test_every_sample_ends_paid_once_approved(started, sample, ledger):
    run = started(sample)
    while run.pauses:
        run.approve()
    assert run.state["result"] == "paid"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", "0"),
        ("amount", "NaN"),
        ("amount", "1.005"),
        ("currency", "XXX"),
        ("vendor", " "),
        ("invoice", "javascript:alert(1)"),
        ("date", "soon"),
        ("approved", True),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused_by_field(field, value):
    with pytest.raises(ValidationError) as refusal:
        ExpenseClaim.model_validate(samples["hotel"] | {field: value})
    assert [error["loc"][0] for error in refusal.value.errors()] == [field]


@pytest.mark.parametrize(
    ("words", "category"),
    [("Train to Kiel", "travel"), ("Cloud hosting", "software"), ("A strain gauge", "other")],
)
def test_a_claim_is_categorised_by_its_words(words, category):
    claim = ExpenseClaim.model_validate(samples["lunch"] | {"description": words, "vendor": "Nobody"})
    assert category_of(claim) == category


def test_the_category_that_the_claim_names_wins():
    assert category_of(ExpenseClaim.model_validate(samples["lunch"] | {"category": "office"})) == "office"


@pytest.mark.parametrize(
    ("euros", "duplicate", "people"),
    [("499.99", False, 0), ("499.99", True, 1), ("10000.00", False, 1), ("10000.01", False, 2)],
)
def test_how_many_people_a_payment_needs(euros, duplicate, people):
    assert people_needed(Decimal(euros), duplicate=duplicate) == people


def test_a_foreign_currency_counts_by_its_rate():
    assert in_euro(Decimal("450.00"), "GBP") == Decimal("540.00")


def test_asked_on_friday_at_four_it_is_due_on_monday_at_four():
    friday = datetime(2026, 11, 20, 16, 0, tzinfo=BERLIN)
    assert workflow.sla.due(friday) == datetime(2026, 11, 23, 16, 0, tzinfo=BERLIN)
