"""What two parties agreed on, before anybody wrote it as clauses."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Law = Literal["England and Wales", "Germany", "Ireland", "the State of New York"]
Money = Annotated[Decimal, Field(gt=0, le=1_000_000_000, decimal_places=2)]
Line = Annotated[str, Field(min_length=1, max_length=200)]


class Deal(BaseModel):
    """What starts the workflow. `cap` is the most that either side owes in a year; left out, one year's fee.

    `special` are terms in the parties' own words, each a clause of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    supplier: Line
    customer: Line
    services: str = Field(min_length=1, max_length=1000)
    fee: Money
    currency: Literal["EUR", "USD", "GBP"] = "EUR"
    starts: dt.date
    months: int = Field(default=12, ge=1, le=120)
    notice_days: int = Field(default=90, ge=1, le=365)
    payment_days: int = Field(default=30, ge=1, le=180)
    cap: Money | None = None
    indemnity: bool = False
    personal_data: bool = False
    law: Law = "England and Wales"
    special: tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...] = Field(
        default=(), max_length=10
    )

    @property
    def most_owed(self) -> str:
        return self.money(self.cap or self.fee)

    def money(self, amount: Decimal) -> str:
        return f"{self.currency} {amount:,.2f}"
