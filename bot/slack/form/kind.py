"""What every kind of field has in common: it shows a value and understands what comes back."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, Protocol

Block = dict[str, Any]

Path = tuple[str | int, ...]
"""Where a value stands in the proposal: keys, and places in lists."""


class Nothing(Enum):
    """No value at all, as against null."""

    NOTHING = "nothing"


NOTHING: Final = Nothing.NOTHING


class Reply(Enum):
    """What a person did to a field other than giving it a new value."""

    SAME = "same"
    EMPTIED = "emptied"


class Unfit(Exception):
    """What was typed does not fit; the message says why and how to mend it."""


class Kind(Protocol):
    """A kind of field. `now` is the value on show: one that it `holds`, or `NOTHING`."""

    def holds(self, value: Any) -> bool:
        """Tell whether the field can show this value whole and recognise it when it comes back."""

    def element(self, now: Any) -> Block:
        """Return Slack's input element, pre-filled; the caller gives it its action id."""

    def answer(self, state: Block, now: Any) -> Any:
        """Return the new JSON value or a `Reply`, from the element's `state.values`; raises `Unfit`."""

    def can_be_empty(self, now: Any) -> bool:
        """Tell whether an empty field is a value of its own, such as the empty text."""

    def words(self) -> list[str]:
        """Return the field's own constraints as sentences for its hint."""


def emptied(now: Any) -> Reply:
    """Read an empty field: nothing happened to what already was nothing."""
    return Reply.SAME if now is NOTHING else Reply.EMPTIED
