"""What an open edit modal remembers: what it edits, what was done to lists, and which object is open."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Self

from bot.slack.form import UNTOUCHED, Draft, Spot
from bot.slack.text import units
from bot.slack.token import Token

LONGEST: Final = 3000
"""Characters of a view's private metadata."""


@dataclass(frozen=True)
class Editing:
    """The private metadata of the edit modal, and of that of one object of a list (`spot`).

    A half-done edit lives here and nowhere else: it dies with the modal, as what is typed in it does.
    """

    token: Token
    draft: Draft = UNTOUCHED
    spot: Spot | None = None

    @property
    def fits(self) -> bool:
        return units(self.encode()) <= LONGEST

    def encode(self) -> str:
        """Return the token, and as JSON behind it what it does not say."""
        told: dict[str, Any] = {"lists": self.draft.to_json()} if self.draft.lists else {}
        if self.spot is not None:
            told["open"] = [self.spot.rows, self.spot.number]
        written = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        return f"{self.token.encode()} {written}" if told else self.token.encode()

    @classmethod
    def parse(cls, value: object) -> Self | None:
        """Read what `encode` wrote; None for anything else."""
        if not isinstance(value, str):
            return None
        head, _, written = value.partition(" ")
        token = Token.parse(head)
        try:
            told = json.loads(written or "{}")
            draft, spot = Draft.of_json(told.get("lists", {})), _spot(told.get("open"))
        except (ValueError, AttributeError, RecursionError):
            return None
        return cls(token, draft, spot) if token else None


def _spot(told: Any) -> Spot | None:
    match told:
        case None:
            return None
        case [str(rows), int(number)]:
            return Spot(rows, number)
        case _:
            raise ValueError("no spot")
