"""How risky a transaction is: a score between 0 and 1 from what is known of it, each part with its reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from workflows.expenses.claim import Currency, in_euro

ASK_ABOVE = Decimal("10000.00")
"""EUR. What is more is asked about, however safe it looks; exactly this much flows."""

RISKY_ABOVE = 0.8
"""The score above which is asked, however small the amount; exactly this much flows."""

WATCHED: dict[str, str] = {"IR": "Iran", "KP": "North Korea", "MM": "Myanmar"}
"""Countries under a call for action of the FATF.

Source: https://www.fatf-gafi.org/en/countries/black-and-grey-lists.html
"""

HOME = ("AT", "BE", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "LU", "NL", "NO", "PL", "PT", "SE", "CH")

_OFFICE = ZoneInfo("Europe/Berlin")
_RECENTLY = dt.timedelta(hours=1)
_TYPICAL = Decimal("2500.00")
"""EUR; an amount this large alone counts half of what an amount can count."""

Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class Transaction(BaseModel):
    """What starts the workflow: money that leaves an account. `country` is the payee's bank's, ISO 3166."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    account: str = Field(min_length=1, max_length=100)
    payee: str = Field(min_length=1, max_length=150)
    amount: Annotated[Decimal, Field(gt=0, le=10_000_000, decimal_places=2)]
    currency: Currency
    country: Country
    at: AwareDatetime
    reference: str = Field(default="", max_length=140)


@dataclass(frozen=True)
class Earlier:
    """A transaction that went out before."""

    payee: str
    at: dt.datetime


class Part(BaseModel):
    """One reason for the score: `weight` is what it would make the score alone, from 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    weight: float = Field(ge=0, le=1)
    told: str


class Risk(BaseModel):
    """What was worked out before anybody was asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    euros: Decimal
    score: float = Field(ge=0, le=1)
    parts: tuple[Part, ...]

    @property
    def asks(self) -> bool:
        return self.euros > ASK_ABOVE or self.score > RISKY_ABOVE

    def beyond(self, shown: Risk) -> str | None:
        """Say what makes this riskier than what a person was shown, if anything does."""
        if self.euros > shown.euros:
            return f"the amount rose from {shown.euros:,} to {self.euros:,} EUR"
        known = {part.name: part.weight for part in shown.parts}
        worse = (
            part for part in self.parts if part.weight > known.get(part.name, 0) and part.name != "amount"
        )
        return next((part.told for part in worse), None)


def weighed(transaction: Transaction, earlier: Iterable[Earlier]) -> Risk:
    """Score a transaction against what left the same account before.

    The parts count as independent: the score is 1 minus the product of what each leaves, so no single
    part can be outvoted, and several small ones add up.
    """
    euros = in_euro(transaction.amount, transaction.currency)
    parts = tuple(part for part in _parts(transaction, euros, tuple(earlier)) if part.weight > 0)
    safe = 1.0
    for part in parts:
        safe *= 1 - part.weight
    return Risk(euros=euros, score=round(1 - safe, 3), parts=parts)


def earlier_ones(recorded: Iterable[dict[str, Any]]) -> list[Earlier]:
    """Read what the ledger holds of transactions."""
    return [Earlier(data["payee"], dt.datetime.fromisoformat(data["at"])) for data in recorded]


def _parts(transaction: Transaction, euros: Decimal, earlier: Sequence[Earlier]) -> Iterator[Part]:
    share = float(euros / (euros + _TYPICAL))
    yield Part(name="amount", weight=round(0.6 * share, 3), told=f"{euros:,} EUR")
    yield _country(transaction.country)
    if all(one.payee.casefold() != transaction.payee.casefold() for one in earlier):
        yield Part(name="payee", weight=0.35, told=f"first payment to {transaction.payee}")
    yield _hour(transaction.at)
    yield _velocity(transaction.at, earlier)


def _country(country: str) -> Part:
    if country in WATCHED:
        return Part(
            name="country", weight=0.75, told=f"goes to {WATCHED[country]}, which the FATF warns about"
        )
    abroad = country not in HOME
    return Part(name="country", weight=0.3 if abroad else 0, told=f"goes to {country}, a rare destination")


def _hour(at: dt.datetime) -> Part:
    local = at.astimezone(_OFFICE)
    told = f"sent at {local:%H:%M} on a {local:%A} (Berlin)"
    if local.hour < 6 or local.hour >= 22:
        return Part(name="hour", weight=0.35, told=told)
    return Part(name="hour", weight=0.15 if local.weekday() >= 5 else 0, told=told)


def _velocity(at: dt.datetime, earlier: Sequence[Earlier]) -> Part:
    count = sum(at - _RECENTLY < one.at <= at for one in earlier)
    weight = min(0.7, 0.2 * (count - 1)) if count > 1 else 0
    return Part(name="velocity", weight=round(weight, 3), told=f"{count} payments in the hour before it")
