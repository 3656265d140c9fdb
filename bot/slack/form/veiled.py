"""Fields of what is confidential: what they hold is not shown to whoever opens the form next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.slack.form.kind import NOTHING, Block, Kind, Reply


@dataclass(frozen=True)
class Veiled:
    """A field that takes a new value as `kind` does, and keeps the one it has while it is left empty."""

    kind: Kind

    def holds(self, value: Any) -> bool:  # noqa: ARG002 - nothing of it is shown
        return True

    def element(self, now: Any) -> Block:  # noqa: ARG002 - nothing of it is shown
        return self.kind.element(NOTHING)

    def answer(self, state: Block, now: Any) -> Any:  # noqa: ARG002 - nothing of it came back
        answer = self.kind.answer(state, NOTHING)
        return Reply.SAME if answer is Reply.EMPTIED else answer

    def can_be_empty(self, now: Any) -> bool:  # noqa: ARG002 - empty, it stays what it is
        return True

    def words(self) -> list[str]:
        return [*self.kind.words(), "What is set is not shown; leave this empty to keep it."]
