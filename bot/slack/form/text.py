"""Fields of text: one line, many lines, email and web addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from unicodedata import category

from bot.slack.blocks.text import units
from bot.slack.form.kind import NOTHING, Block, Reply, Unfit, emptied

LONGEST = 3000
"""UTF-16 units in a Slack text field, as its own JavaScript counts them."""

_TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def legible(text: str) -> bool:
    """Tell whether a field shows the text whole: short enough, and nothing in it that a field would drop."""
    return units(text) <= LONGEST and not any(_lost(c) for c in _unix(text))


@dataclass(frozen=True)
class Text:
    """Text of at most `most` characters, as the schema counts them."""

    most: int | None = None
    notes: tuple[str, ...] = ()
    element_type: Literal["plain_text_input", "email_text_input", "url_text_input"] = "plain_text_input"

    def holds(self, value: Any) -> bool:
        return isinstance(value, str) and legible(value)

    def element(self, now: Any) -> Block:
        shown = "" if now is NOTHING else _unix(now)
        element: Block = {"type": self.element_type}
        if shown:
            element["initial_value"] = shown
        if self.element_type == "plain_text_input":
            element["multiline"] = (self.most or 0) > 150 or "\n" in shown or len(shown) > 100
            # An initial value longer than max_length would be refused; the schema still checks the answer.
            element["max_length"] = min(
                LONGEST, max(LONGEST if self.most is None else self.most, units(shown), 1)
            )
        return element

    def answer(self, state: Block, now: Any) -> Any:
        """Take text as typed. Blanks around it alone are no change: clients may trim them."""
        typed = state.get("value")
        shown = "" if now is NOTHING else _unix(now)
        if not typed:
            return emptied(NOTHING if not shown.strip() else now)
        if not isinstance(typed, str):
            raise Unfit("Could not be read; type it again.")
        if typed.strip() == shown.strip():
            return Reply.SAME
        return self._accepted(typed, now)

    def can_be_empty(self, now: Any) -> bool:
        return now is not NOTHING and not now.strip()

    def words(self) -> list[str]:
        return [*self.notes] if self.most is None else [f"At most {self.most:,} characters.", *self.notes]

    def _accepted(self, typed: str, now: Any) -> str:
        if units(typed) > LONGEST:
            raise Unfit(f"At most {LONGEST:,} characters fit (it has {units(typed):,}); shorten it.")
        if not legible(typed):
            raise Unfit("Holds invisible control characters; type it again without them.")
        windows = now is not NOTHING and "\r\n" in now
        return typed.replace("\n", "\r\n") if windows else typed


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def _lost(character: str) -> bool:
    """Tell whether a field would drop it, or a reader be misled: control, half a pair, turned direction."""
    if character in "\n\t":
        return False
    return category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _TURNS
