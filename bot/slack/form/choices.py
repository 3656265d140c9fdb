"""Fields of choices: one of, many of, yes or no."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.slack.blocks.text import cut, line, plain
from bot.slack.form.kind import NOTHING, Block, Reply, Unfit, emptied

MOST = 99
"""Options on offer: Slack takes 100, and one may be needed for "not set"."""

_UNSET = "none"


@dataclass(frozen=True)
class Option:
    value: Any
    label: str


def options(values: Sequence[Any], labels: Sequence[str | None] = ()) -> tuple[Option, ...]:
    """Label each value by itself or as told; labels that look alike once cut are numbered."""
    told = [*labels, *(None for _ in values)]
    texts = [line(label or _text(value)) or "(empty)" for value, label in zip(values, told, strict=False)]
    seen = Counter(cut(text, 75) for text in texts)
    return tuple(
        Option(value, cut(text if seen[cut(text, 75)] == 1 else f"{place}. {text}", 75))
        for place, (value, text) in enumerate(zip(values, texts, strict=True), 1)
    )


@dataclass(frozen=True)
class Choice:
    """One of the options. Slack sends back an option's place, never its content.

    `unset` offers "Not set" as an option of its own: a select or a radio button, once chosen, cannot be taken
    back in every client.
    """

    options: tuple[Option, ...]
    unset: bool = False
    element_type: Literal["static_select", "radio_buttons"] = "static_select"

    def holds(self, value: Any) -> bool:
        return _place(self.options, value) is not None

    def element(self, now: Any) -> Block:
        offered = [_option(str(place), option.label) for place, option in enumerate(self.options)]
        if self.unset:
            offered.append(_option(_UNSET, "Not set"))
        element: Block = {"type": self.element_type, "options": offered}
        if now is not NOTHING:
            element["initial_option"] = offered[_place(self.options, now) or 0]
        elif self.unset:
            element["initial_option"] = offered[-1]
        return element

    def answer(self, state: Block, now: Any) -> Any:
        picked = state.get("selected_option")
        if picked is None or (isinstance(picked, dict) and picked.get("value") == _UNSET):
            return emptied(now)
        place = _picked(picked, len(self.options))
        same = now is not NOTHING and place == _place(self.options, now)
        return Reply.SAME if same else self.options[place].value

    def can_be_empty(self, now: Any) -> bool:  # noqa: ARG002 - no option is empty
        return False

    def words(self) -> list[str]:
        return []


@dataclass(frozen=True)
class Choices:
    """A list of different options; an empty list is a value of its own unless `least` says otherwise."""

    options: tuple[Option, ...]
    least: int = 0
    most: int | None = None

    def holds(self, value: Any) -> bool:
        if not isinstance(value, list):
            return False
        places = [_place(self.options, item) for item in value]
        return None not in places and len(set(places)) == len(places)

    def element(self, now: Any) -> Block:
        offered = [_option(str(place), option.label) for place, option in enumerate(self.options)]
        element: Block = {"type": "multi_static_select", "options": offered}
        if now is not NOTHING and now:
            element["initial_options"] = [offered[_place(self.options, item) or 0] for item in now]
        return element

    def answer(self, state: Block, now: Any) -> Any:
        """Take what was picked: what stays keeps its order, what is new follows in the order of picking."""
        chosen = state.get("selected_options") or []
        if not isinstance(chosen, list):
            raise Unfit("Pick from the list.")
        picked = [_picked(one, len(self.options)) for one in chosen]
        before = [] if now is NOTHING else [_place(self.options, item) for item in now]
        if set(picked) == set(before):
            return Reply.SAME
        if not picked and self.least > 0:
            return emptied(now)
        if complaint := self._complaint(len(set(picked))):
            raise Unfit(complaint)
        held = [] if now is NOTHING else now
        kept = [item for item, place in zip(held, before, strict=True) if place in picked]
        return kept + [self.options[place].value for place in dict.fromkeys(picked) if place not in before]

    def can_be_empty(self, now: Any) -> bool:  # noqa: ARG002 - the list may be emptied whatever it holds
        return self.least == 0

    def words(self) -> list[str]:
        least = [f"Pick at least {self.least}."] if self.least > 0 else []
        return least + ([f"Pick at most {self.most}."] if self.most is not None else [])

    def _complaint(self, count: int) -> str | None:
        if count < self.least:
            return f"Pick at least {self.least}."
        return f"Pick at most {self.most}." if self.most is not None and count > self.most else None


def yes_or_no(values: Sequence[bool] = (True, False), *, unset: bool) -> Choice:
    """Offer radio buttons: an unchecked box could not be told from an unanswered one."""
    offered = tuple(Option(value, "Yes" if value else "No") for value in values)
    return Choice(offered, unset=unset, element_type="radio_buttons")


def _picked(option: Any, count: int) -> int:
    value = option.get("value") if isinstance(option, dict) else None
    places = [str(place) for place in range(count)]
    if value not in places:
        raise Unfit("Pick from the list.")
    return places.index(value)


def _place(offered: tuple[Option, ...], value: Any) -> int | None:
    """Find a value by content and type; failing that as JSON Schema compares: 1.0 is 1, true is not."""
    if isinstance(value, dict | list) or value is NOTHING:
        return None
    exact = [json.dumps(option.value) for option in offered]
    if json.dumps(value) in exact:
        return exact.index(json.dumps(value))
    if isinstance(value, bool):
        return None
    values = [None if isinstance(option.value, bool) else option.value for option in offered]
    return values.index(value) if value is not None and value in values else None


def _option(value: str, label: str) -> Block:
    return {"text": plain(label), "value": value}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
