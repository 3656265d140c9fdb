"""What an open form of fields remembers: what it edits, what was done to lists, and which object is open."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Self

from bot.postgres.rows import Approval
from bot.slack.blocks.text import units
from bot.slack.form import UNTOUCHED, Draft, Spot
from bot.slack.token import Token

LONGEST: Final = 3000
"""Characters of a view's private metadata."""

_STATE: Final = "state"

_ENTITIES: Final = {ord(character): f"\\u{ord(character):04x}" for character in "&<>"}
"""What Slack makes entities of in other text that it sends back; in JSON it has an escape."""


@dataclass(frozen=True)
class Editing:
    """The private metadata of the edit modal, and of that of one object of a list (`spot`).

    `correcting` tells the form of the thread's state from that of the proposal.
    A half-done edit lives here and nowhere else: it dies with the modal, as what is typed in it does.
    """

    token: Token
    draft: Draft = UNTOUCHED
    spot: Spot | None = None
    correcting: bool = False

    def subject(self, approval: Approval) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """Return the schema and the value that the form is made from."""
        if not self.correcting:
            proposal = approval.proposal if isinstance(approval.proposal, dict) else {}
            return approval.request.proposal_schema, proposal
        correction = approval.correction
        return (correction.schema, correction.now) if correction else (None, {})

    def is_open(self, approval: Approval) -> bool:
        """Tell whether what the form was made from still waits."""
        return approval.status == "pending" and approval.revision == self.token.revision

    @property
    def fits(self) -> bool:
        return units(self.encode()) <= LONGEST

    def encode(self) -> str:
        """Return the token, and as JSON behind it what it does not say."""
        told: dict[str, Any] = {"lists": self.draft.to_json()} if self.draft.lists else {}
        if self.spot is not None:
            told["open"] = [self.spot.rows, self.spot.number]
        if self.correcting:
            told["of"] = _STATE
        written = json.dumps(told, ensure_ascii=False, separators=(",", ":")).translate(_ENTITIES)
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
            correcting = told.get("of") == _STATE
        except (ValueError, AttributeError, RecursionError):
            return None
        return cls(token, draft, spot, correcting) if token else None


def _spot(told: Any) -> Spot | None:
    match told:
        case None:
            return None
        case [str(rows), int(number)]:
            return Spot(rows, number)
        case _:
            raise ValueError("no spot")
