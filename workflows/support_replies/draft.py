"""Drafts of answers to customers, from templates: what a model would write, without one."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Topic = Literal["refund", "advice", "access", "other"]
Amount = Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=2)]

_TOPICS: tuple[tuple[Topic, str], ...] = (
    ("refund", r"refund|money back|charged|double charge"),
    ("advice", r"should i|worth it|invest|best for me|recommend"),
    ("access", r"log ?in|password|locked|access|card declined"),
)


class Product(BaseModel):
    """What the customer writes about; `pitch` is what marketing says of it, word for word."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    pitch: str = Field(default="", max_length=500)


class SupportCase(BaseModel):
    """What starts the workflow: a message, its product, and what the case file says could be given back."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    customer: str = Field(min_length=1, max_length=200)
    message: str = Field(min_length=1, max_length=4000)
    product: Product
    refund: Amount | None = None
    currency: Literal["EUR", "USD", "GBP"] = "EUR"


class Reply(BaseModel):
    """What goes out to the customer, and what an officer may change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1, max_length=3000, title="Answer to the customer")


def drafted(case: SupportCase) -> Reply:
    """Write the draft: a greeting, the customer's own words, the answer to their topic, a close."""
    quote = " ".join(case.message.split())
    quote = quote if len(quote) <= 280 else quote[:279] + "…"
    return Reply(
        text=f"Dear {case.customer},\n\nthank you for your message about {case.product.name}: "
        f"“{quote}”\n\n{_answer(case)}\n\nKind regards,\nyour support team"
    )


def topic_of(message: str) -> Topic:
    text = message.lower()
    return next((topic for topic, words in _TOPICS if re.search(rf"\b(?:{words})", text)), "other")


def _answer(case: SupportCase) -> str:
    match topic_of(case.message):
        case "refund" if case.refund is not None:
            amount = f"{case.currency} {case.refund:,.2f}"
            return f"We are sorry. We will refund you {amount} within five working days."
        case "refund":
            return (
                "We are sorry. We are looking into the charge and will write again within two working days."
            )
        case "advice":
            name = case.product.name
            return f"{name[0].upper()}{name[1:]} is the right choice for you. {case.product.pitch}".strip()
        case "access":
            return "Please open the app, choose “Trouble signing in”, and follow the steps."
        case "other":
            return f"A colleague who knows {case.product.name} well will answer you within one working day."
