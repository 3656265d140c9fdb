"""Lists of text or of numbers in one field, an item a line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bot.slack.blocks.text import cut, line, units
from bot.slack.form.kind import NOTHING, Block, Kind, Reply, Unfit, emptied
from bot.slack.form.text import LONGEST


@dataclass(frozen=True)
class Lines:
    """A list whose items each are one line of `item`, a field of text or of a number.

    Blank lines count for nothing, so that a list which holds an empty text has no field.
    """

    item: Kind
    least: int = 0
    most: int | None = None
    unique: bool = False

    def holds(self, value: Any) -> bool:
        if not isinstance(value, list) or 2 * len(value) > LONGEST + 1:
            return False
        if not all(self.item.holds(one) for one in value):
            return False
        shown = [self._line(one) for one in value]
        return all(one.strip() and "\n" not in one for one in shown) and units("\n".join(shown)) <= LONGEST

    def element(self, now: Any) -> Block:
        shown = "" if now is NOTHING else "\n".join(map(self._line, now))
        element: Block = {"type": "plain_text_input", "multiline": True, "max_length": LONGEST}
        return {**element, "initial_value": shown} if shown else element

    def answer(self, state: Block, now: Any) -> Any:
        """Take the lines. One that was there before is the item it was; only new ones are read anew."""
        typed = state.get("value") or ""
        if not isinstance(typed, str):
            raise Unfit("Could not be read; type it again.")
        if units(typed) > LONGEST:
            raise Unfit(f"At most {LONGEST:,} characters fit (it has {units(typed):,}); shorten it.")
        lines = [one.strip() for one in typed.split("\n") if one.strip()]
        before = [] if now is NOTHING else now
        if lines == [self._line(one).strip() for one in before]:
            return Reply.SAME
        if not lines and self.least > 0:
            return emptied(now)
        items = self._items(lines, before)
        if complaint := self._complaint(items):
            raise Unfit(complaint)
        return items

    def can_be_empty(self, now: Any) -> bool:  # noqa: ARG002 - the list may be emptied whatever it holds
        return self.least == 0

    def words(self) -> list[str]:
        bounds = [f"At least {self.least} lines."] if self.least > 1 else []
        bounds += [f"At most {self.most} lines."] if self.most is not None else []
        return [
            "One item per line.",
            *self.item.words(),
            *bounds,
            *(["No line twice."] if self.unique else []),
        ]

    def _line(self, one: Any) -> str:
        return str(self.item.element(one).get("initial_value", ""))

    def _items(self, lines: list[str], before: list[Any]) -> list[Any]:
        kept: dict[str, list[Any]] = {}
        for one in reversed(before):
            kept.setdefault(self._line(one).strip(), []).append(one)
        sample = before[0] if before else NOTHING
        return [
            kept[text].pop() if kept.get(text) else self._new(place, text, sample)
            for place, text in enumerate(lines, 1)
        ]

    def _new(self, place: int, text: str, sample: Any) -> Any:
        """Read a new item, in the way in which the list's first is written."""
        try:
            answer = self.item.answer({"value": text}, sample)
        except Unfit as unfit:
            raise Unfit(f"Line {place}: {unfit}") from unfit
        return sample if answer is Reply.SAME else answer

    def _complaint(self, items: list[Any]) -> str | None:
        if len(items) < self.least:
            return f"Needs at least {self.least} lines (it has {len(items)})."
        if self.most is not None and len(items) > self.most:
            return f"At most {self.most} lines fit (it has {len(items)}); take some out."
        written = [json.dumps(one) for one in items]
        twice = next((one for n, one in enumerate(items) if written[n] in written[:n]), NOTHING)
        if self.unique and twice is not NOTHING:
            return f"“{cut(line(self._line(twice)), 100)}” is there twice; each line must differ."
        return None
