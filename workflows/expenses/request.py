"""What an approver of a payment reads: a pure function of what was worked out before."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot.approvals import ApprovalRequest, Policy
from workflows.expenses.claim import TWO_PEOPLE_ABOVE, ExpenseClaim, PaymentProposal


def payment_request(
    claim: ExpenseClaim,
    payment: PaymentProposal,
    *,
    euros: str,
    people: int,
    duplicates: Sequence[dict[str, Any]],
    asked_again: str | None,
) -> ApprovalRequest:
    """Ask for a payment; above the limit the request tightens the workflow's policy to two people."""
    schema = PaymentProposal.model_json_schema()
    schema["properties"]["amount"]["title"] = f"Amount in {claim.currency}"
    told = [asked_again or "", claim.description, *_warnings(people, duplicates)]
    facts = _facts(claim, payment)
    return ApprovalRequest(
        title=f"Pay {payment.vendor} {payment.amount:,} {claim.currency}",
        summary="\n\n".join(paragraph for paragraph in told if paragraph) or None,
        fields=facts if claim.currency == "EUR" else facts | {"Counts as": f"{Decimal(euros):,} EUR"},
        links={"Invoice": claim.invoice} if claim.invoice else {},
        proposal=payment.model_dump(mode="json"),
        proposal_schema=schema,
        risk="high" if people > 1 or duplicates else "low",
        policy=Policy(approvals=people) if people > 1 else None,
    )


def _warnings(people: int, duplicates: Sequence[dict[str, Any]]) -> list[str]:
    limit = f"More than {TWO_PEOPLE_ABOVE:,} EUR: two different people must approve."
    return [limit] * (people > 1) + [
        f"Looks like a payment made before: {before['vendor']}, {before['amount']}, on {before['date']}."
        for before in duplicates
    ]


def _facts(claim: ExpenseClaim, payment: PaymentProposal) -> dict[str, str]:
    return {
        "Vendor": payment.vendor,
        "Amount": f"{payment.amount:,} {claim.currency}",
        "Category": payment.category,
        "Invoice of": claim.date.isoformat(),
        "Pay on": payment.date.isoformat(),
        "Employee": claim.employee,
    }
