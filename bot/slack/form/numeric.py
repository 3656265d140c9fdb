"""Fields of numbers: exact on the way out and on the way in, whatever their size and JSON type."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any

from bot.approvals.canonical import is_storable
from bot.slack.form.kind import NOTHING, Block, Reply, Unfit, emptied

_NUMERAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?", re.ASCII)
_DIGITS = 400
"""Characters a typed number may have; Slack sends what was typed as text, however long."""

_TOO_LARGE = "Too large for this field; write a smaller number."

_SAFE_DIGITS = 15
"""Significant digits that survive a double: what a number field may pass through on somebody's client."""


def numeral(text: str) -> Decimal | None:
    """Read a decimal numeral exactly; NaN, infinity, separators and endless digits are none."""
    if len(text) > _DIGITS or not _NUMERAL.fullmatch(text):
        return None
    return Decimal(text)


def as_decimal(value: Any) -> Decimal | None:
    """Read a JSON number, or a numeral in a string, exactly as its shortest writing says."""
    match value:
        case bool():
            return None
        case int():
            return Decimal(value) if value.bit_length() < 3 * _DIGITS else None
        case float():
            return Decimal(repr(value)) if math.isfinite(value) else None
        case str():
            return numeral(value)
        case _:
            return None


def spoken(number: Decimal) -> str:
    """Write a number as people do: 0, 0.5 or 1,000,000, whatever zeros a schema gave it."""
    if number == 0:
        return "0"
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True)
class Bounds:
    """From `low` to `high`, either may be open, in multiples of `step`; where strict, the bound is out."""

    low: Decimal | None = None
    high: Decimal | None = None
    low_strict: bool = False
    high_strict: bool = False
    step: Decimal | None = None

    def complaint(self, number: Decimal) -> str | None:
        if self.low is not None and (number < self.low or (self.low_strict and number == self.low)):
            return f"Must be {self._low_words()}."
        if self.high is not None and (number > self.high or (self.high_strict and number == self.high)):
            return f"Must be {self._high_words()}."
        if self.step and Fraction(number) % Fraction(self.step):
            return f"Must be a multiple of {spoken(self.step)}."
        return None

    def words(self) -> str:
        return " and ".join(filter(None, (self._low_words(), self._high_words())))

    def _low_words(self) -> str:
        words = "more than" if self.low_strict else "at least"
        return "" if self.low is None else f"{words} {spoken(self.low)}"

    def _high_words(self) -> str:
        words = "less than" if self.high_strict else "at most"
        return "" if self.high is None else f"{words} {spoken(self.high)}"


@dataclass(frozen=True)
class Number:
    """A number. `textual`: its JSON value is a string, as pydantic writes a Decimal."""

    whole: bool
    bounds: Bounds = Bounds()
    textual: bool = False

    def holds(self, value: Any) -> bool:
        if isinstance(value, str) and not self.textual:
            return False
        number = as_decimal(value)
        return (
            number is not None
            and len(_written(number)) <= _DIGITS
            and (not self.whole or number == number.to_integral_value())
        )

    def element(self, now: Any) -> Block:
        shown = "" if now is NOTHING else _written(_known(now))
        initial = {"initial_value": shown} if shown else {}
        if shown and not _survives(_known(now)):
            # A number field may round it to a double; a text field cannot.
            return {"type": "plain_text_input", "multiline": False, "max_length": _DIGITS, **initial}
        return {"type": "number_input", "is_decimal_allowed": not self.whole, **initial, **self._limits(now)}

    def answer(self, state: Block, now: Any) -> Any:
        typed = state.get("value")
        if not typed:
            return emptied(now)
        number = numeral(typed.strip()) if isinstance(typed, str) else None
        if number is None:
            raise Unfit(f"Write {self._noun()} in plain digits, such as {'12' if self.whole else '12.50'}.")
        if now is not NOTHING and number == _known(now):
            return Reply.SAME
        if complaint := self.bounds.complaint(number):
            raise Unfit(complaint)
        return self._json(typed.strip(), number, now)

    def can_be_empty(self, now: Any) -> bool:  # noqa: ARG002 - no number is empty
        return False

    def words(self) -> list[str]:
        bounds = self.bounds.words()
        return [f"{self._noun().capitalize()}{', ' + bounds if bounds else ''}."]

    def _noun(self) -> str:
        return "a whole number" if self.whole else "a number"

    def _json(self, typed: str, number: Decimal, now: Any) -> Any:
        if self.whole:
            if not _WHOLE.fullmatch(typed):
                raise Unfit("Must be a whole number, such as 12.")
            return _int(number)
        if self.textual and (now is NOTHING or isinstance(now, str)):
            return _written(number)
        if _WHOLE.fullmatch(typed) and "." not in typed and not isinstance(now, float):
            return _int(number)
        return _float(number)

    def _limits(self, now: Any) -> Block:
        """Return the bounds for the client to check; none where Slack could refuse the view for them."""
        low, high = self.bounds.low, self.bounds.high
        if self.whole:
            low = _inward(low, ROUND_CEILING, 1 if self.bounds.low_strict else 0)
            high = _inward(high, ROUND_FLOOR, -1 if self.bounds.high_strict else 0)
        if (low is not None and high is not None and low > high) or self._is_out(now):
            return {}
        limits = {"min_value": low, "max_value": high}
        return {
            name: spoken(bound).replace(",", "")
            for name, bound in limits.items()
            if bound is not None and _survives(bound)
        }

    def _is_out(self, now: Any) -> bool:
        return now is not NOTHING and self.bounds.complaint(_known(now)) is not None


def _inward(bound: Decimal | None, rounding: str, step: int) -> Decimal | None:
    """Move a bound to the nearest whole number inside it; past itself by `step` if it is whole."""
    if bound is None:
        return None
    whole = bound.to_integral_value(rounding)
    return whole + step if whole == bound and _survives(bound) else whole


def _int(number: Decimal) -> int:
    value = int(number)
    if not is_storable(value):
        raise Unfit(_TOO_LARGE)
    return value


def _float(number: Decimal) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise Unfit(_TOO_LARGE)
    if Decimal(repr(value)) != number:
        raise Unfit(f"More digits than this field can keep; the nearest it can is {value!r}.")
    return value


def _known(value: Any) -> Decimal:
    number = as_decimal(value)
    if number is None:
        raise ValueError(f"{value!r} is not a number that was shown")
    return number


def _written(number: Decimal) -> str:
    return format(number, "f")


def _survives(number: Decimal) -> bool:
    return len(number.as_tuple().digits) <= _SAFE_DIGITS and len(_written(number)) <= 2 * _SAFE_DIGITS
