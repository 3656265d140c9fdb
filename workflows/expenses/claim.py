"""What an expense claim is, what it is categorised as, and how many people its payment needs."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Category = Literal["travel", "meals", "software", "hardware", "office", "services", "other"]
Currency = Literal["EUR", "USD", "GBP", "CHF"]

AUTO_BELOW = Decimal("500.00")
"""EUR. What costs less is paid by policy, unless it looks like a duplicate."""

TWO_PEOPLE_ABOVE = Decimal("10000.00")
"""EUR. What costs more needs two different people."""

_COUNTS_AS: dict[str, Decimal] = {
    "EUR": Decimal("1.00"),
    "USD": Decimal("0.95"),
    "GBP": Decimal("1.20"),
    "CHF": Decimal("1.10"),
}
"""EUR that one unit counts as against the limits: fixed, and rather too much than too little."""

_TERMS = dt.timedelta(days=14)

_KEYWORDS: tuple[tuple[Category, str], ...] = (
    ("travel", r"hotel|flight|airline|train|railway|taxi|rental car|lodging"),
    ("meals", r"restaurant|lunch|dinner|catering|cafe|coffee"),
    ("software", r"software|licen[cs]e|subscription|cloud|hosting|saas"),
    ("hardware", r"laptop|monitor|server|printer|phone|hardware"),
    ("office", r"office|paper|furniture|chair|desk|cleaning"),
    ("services", r"consult\w*|legal|audit|training|agency|contractor"),
)


def _to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))


def _is_web_address(url: str) -> str:
    if not re.match(r"https?://\S+$", url):
        raise ValueError("write the whole address, starting with https://")
    return url


_CENT = Decimal("0.01")
"""Said beside the places, since JSON Schema, and so the form, knows multiples alone."""

Money = Annotated[
    Decimal, Field(gt=0, le=1_000_000, decimal_places=2, multiple_of=_CENT), AfterValidator(_to_cents)
]
Vendor = Annotated[str, Field(min_length=1, max_length=150)]


class ExpenseClaim(BaseModel):
    """What starts the workflow: one invoice that somebody wants paid. `date` is the invoice's."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    vendor: Vendor
    amount: Money
    currency: Currency
    date: dt.date
    employee: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2000)
    category: Category | None = None
    invoice: Annotated[str, Field(max_length=2000), AfterValidator(_is_web_address)] | None = None
    due: dt.date | None = None


class PaymentProposal(BaseModel):
    """What will be paid, as far as an approver may change it; the currency stays the invoice's."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    vendor: Vendor = Field(title="Vendor")
    amount: Money = Field(title="Amount")
    date: dt.date = Field(title="Pay on")
    category: Category = Field(title="Category")
    note: str = Field(default="", max_length=500, title="Note on the payment")


def category_of(claim: ExpenseClaim) -> Category:
    """Take the claim's own category, or find one by the words of its description and vendor."""
    if claim.category is not None:
        return claim.category
    text = f"{claim.description} {claim.vendor}".lower()
    return next((name for name, words in _KEYWORDS if re.search(rf"\b(?:{words})", text)), "other")


def first_proposal(claim: ExpenseClaim) -> PaymentProposal:
    return PaymentProposal(
        vendor=claim.vendor,
        amount=claim.amount,
        date=claim.due or claim.date + _TERMS,
        category=category_of(claim),
    )


def in_euro(amount: Decimal, currency: Currency) -> Decimal:
    """Return what an amount counts as against the limits."""
    return _to_cents(amount * _COUNTS_AS[currency])


def people_needed(euros: Decimal, *, duplicate: bool) -> int:
    """Return how many people must approve; 0 leaves it to policy, which pays nothing that looks paid."""
    if euros > TWO_PEOPLE_ABOVE:
        return 2
    return 1 if duplicate or euros >= AUTO_BELOW else 0


def identities(claim: ExpenseClaim, payment: PaymentProposal) -> list[str]:
    """Return what makes two payments the same: the invoice, or vendor, amount and day of the invoice."""
    same = f"{payment.vendor.casefold()}|{payment.amount}|{claim.currency}|{claim.date}"
    return [same] if claim.invoice is None else [same, f"invoice|{claim.invoice}"]
