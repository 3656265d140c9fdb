"""A clause redrafted as counsel said: by a model where one is named, else by a few fixed orders."""

from __future__ import annotations

import re
from decimal import Decimal

from workflows import model
from workflows.contracts.clauses import LONGEST, Clause, Wording, limits
from workflows.contracts.terms import Deal

_QUOTED = r'["“„](?P<{}>[^"“”]+)["“”]'
_REPLACE = re.compile(
    rf"\breplace\s+{_QUOTED.format('old')}\s+(?:with|by)\s+{_QUOTED.format('new')}", re.IGNORECASE
)
_STRIKE = re.compile(rf"\b(?:remove|strike(?: out)?|delete|drop)\s+{_QUOTED.format('old')}", re.IGNORECASE)
_CAP = re.compile(
    r"\b(?:cap|limit)(?:ped|ed)?\b.{0,40}?\b(?:at|to)\s+(?P<currency>EUR|USD|GBP)?\s*(?P<amount>\d[\d,]*(?:\.\d\d)?)"
    r"(?P<thousand>\s?k\b)?",
    re.IGNORECASE,
)
_FEES = re.compile(
    r"\b(?:cap|limit)\w*\b.{0,40}?\b(?P<times>\d+)\s*(?:x|times)\b.{0,20}\bfees?\b", re.IGNORECASE
)

_INSTRUCTIONS = (
    "You redraft one clause of a services contract as counsel asks. Write the clause's whole new text alone, "
    "without its heading or number, and change only what counsel asks for."
)


def redrafted(clause: Clause, words: str, deal: Deal) -> tuple[Clause, str]:
    """Return the clause redrafted, and a sentence on how that was done."""
    asked = f"Clause ({clause.heading}):\n{clause.text}\n\nCounsel says:\n{words}"
    written = model.answered(Wording, _INSTRUCTIONS, asked)
    if written is not None:
        name = model.named() or "a model"
        return clause.redrafted(written.text.strip(), name), f"Redrafted by {name} as told."
    text, how = _by_rules(clause, words, deal)
    if len(text) > LONGEST or not text:
        return clause, "Left as it was: what was asked for would leave no valid clause."
    return clause.redrafted(text, "rules"), how


def _by_rules(clause: Clause, words: str, deal: Deal) -> tuple[str, str]:
    if found := _REPLACE.search(words):
        return _replaced(clause.text, found.group("old"), found.group("new"))
    if found := _STRIKE.search(words):
        return _struck(clause.text, found.group("old"))
    if re.search(r"\blimited to\b", clause.text) and (amount := _amount(words, deal)):
        return _limited(clause, amount, deal)
    sentence = words.strip().rstrip(".")
    sentence = sentence[:1].upper() + sentence[1:]
    return (
        f"{clause.text} {sentence}.",
        "No rule knows this order: the words were added at the end as they are.",
    )


def _replaced(text: str, old: str, new: str) -> tuple[str, str]:
    if old not in text:
        return text, f"Left as it was: “{old}” does not occur in it."
    return text.replace(old, new), f"Replaced “{old}” by “{new}”."


def _struck(text: str, old: str) -> tuple[str, str]:
    """Take out the sentences that hold the words."""
    sentences = re.split(r"(?<=\.)\s+", text)
    kept = [sentence for sentence in sentences if old.lower() not in sentence.lower()]
    if len(kept) == len(sentences):
        return text, f"Left as it was: “{old}” does not occur in it."
    return " ".join(kept), f"Struck out {len(sentences) - len(kept)} of {len(sentences)} sentences."


def _amount(words: str, deal: Deal) -> str | None:
    if found := _FEES.search(words):
        return deal.money(deal.fee * int(found.group("times")))
    if found := _CAP.search(words):
        number = found.group("amount").replace(",", "")
        whole = f"{Decimal(number) * (1000 if found.group('thousand') else 1):,.2f}"
        return f"{(found.group('currency') or deal.currency).upper()} {whole}"
    return None


def _limited(clause: Clause, amount: str, deal: Deal) -> tuple[str, str]:
    text, count = re.subn(r"(\blimited to )[A-Z]{3} [\d,]+\.\d\d", rf"\g<1>{amount}", clause.text)
    return (text if count else limits(deal, amount)), f"The limit is {amount} now."
