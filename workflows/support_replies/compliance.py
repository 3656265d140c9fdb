"""The rules that an answer to a customer must keep, and what in a text breaks them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

Rule = Literal["promise", "advice", "refund", "competitor", "personal data"]

REFUND_LIMIT = Decimal("100.00")
"""What support may give back without asking, in any currency."""

COMPETITORS = ("Brightbank", "Northway Invest", "Kestrel Pay")

_PROMISE = re.compile(
    r"(?<!not )(?<!n't )\b(guarantee[ds]?|risk[- ]free|cannot lose|can't lose|certain to (?:rise|grow))\b",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    r"\b(you should (?:buy|sell|invest|switch)|(?:right|best) (?:choice|product) for you|we recommend)\b",
    re.IGNORECASE,
)
_DISCLAIMER = re.compile(r"not (?:personal|financial|investment) advice", re.IGNORECASE)
_REFUND = re.compile(r"\brefund\w*\b[^.!?]{0,80}?(?:EUR|USD|GBP|[€$£])\s?(\d[\d,]*(?:\.\d+)?)", re.IGNORECASE)
_COMPETITOR = re.compile(rf"\b({'|'.join(map(re.escape, COMPETITORS))})\b", re.IGNORECASE)
_CARD = re.compile(r"(?<!\w)\d(?:[ \u00a0-]?\d){12,60}(?!\w)")
_IBAN = re.compile(r"\b[A-Z]{2}\d\d(?:[ \u00a0-]?[A-Z0-9]){11,60}\b", re.IGNORECASE)
_GAP = re.compile(r"[ \u00a0-]")


class Flag(BaseModel):
    """One breach. `start` and `end` say where in the text; the reason never repeats personal data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Rule
    reason: str
    start: int
    end: int


def breaches(text: str) -> list[Flag]:
    """Return everything in `text` that a compliance officer should see before it goes out."""
    return sorted([*_words(text), *_refunds(text), *_personal_data(text)], key=lambda flag: flag.start)


def without_breaches(text: str) -> str:
    """Return `text` without the paragraphs that break a rule."""
    flags, kept, start = breaches(text), [], 0
    for paragraph in text.split("\n\n"):
        end = start + len(paragraph)
        if not any(flag.start < end and flag.end > start for flag in flags):
            kept.append(paragraph)
        start = end + 2
    return "\n\n".join(kept)


def _words(text: str) -> Iterator[Flag]:
    for found in _PROMISE.finditer(text):
        yield _flag("promise", f"promises what nobody can ({found.group(1)})", found)
    if not _DISCLAIMER.search(text):
        for found in _ADVICE.finditer(text):
            yield _flag("advice", f"gives personal advice without a disclaimer ({found.group(1)})", found)
    for found in _COMPETITOR.finditer(text):
        yield _flag("competitor", f"names a competitor ({found.group(1)})", found)


def _refunds(text: str) -> Iterator[Flag]:
    for found in _REFUND.finditer(text):
        amount = Decimal(found.group(1).replace(",", ""))
        if amount > REFUND_LIMIT:
            yield _flag("refund", f"refunds {amount:,.2f}, above the limit of {REFUND_LIMIT}", found)


def _personal_data(text: str) -> Iterator[Flag]:
    for found in _CARD.finditer(text):
        if card := next(filter(_is_card, _runs(found.group(), 13, 19)), None):
            yield _flag("personal data", f"repeats a card number (ending {card[-4:]})", found)
    for found in _IBAN.finditer(text):
        if account := next(filter(_is_iban, _runs(found.group(), 15, 34)), None):
            yield _flag("personal data", f"repeats an account number (ending {account[-4:]})", found)


def _runs(text: str, least: int, most: int) -> Iterator[str]:
    """Yield what neighbouring groups make together: a number may stand between other digits or words."""
    groups = _GAP.split(text)
    for first in range(len(groups)):
        for last in range(first + 1, len(groups) + 1):
            together = "".join(groups[first:last])
            if least <= len(together) <= most:
                yield together


def _flag(rule: Rule, reason: str, found: re.Match[str]) -> Flag:
    return Flag(rule=rule, reason=reason, start=found.start(), end=found.end())


def _is_card(digits: str) -> bool:
    """Tell by Luhn's check digit (ISO/IEC 7812-1)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _is_iban(account: str) -> bool:
    """Tell by the check digits: moved to the end, with letters as numbers, it is 1 modulo 97 (ISO 13616)."""
    if not re.fullmatch(r"[A-Za-z]{2}\d{2}[A-Za-z0-9]+", account):
        return False
    moved = account[4:] + account[:4]
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1
