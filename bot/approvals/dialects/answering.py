"""How a pause takes its answer, kept with its approval, so that an answer is judged when it is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

from bot.approvals.decision import By, Decision
from bot.approvals.dialects.asked import Asked, Dialect, End, Original, Resume
from bot.approvals.dialects.replying import reply
from bot.approvals.errors import BadAnswer
from bot.approvals.policy import Verdict
from bot.approvals.workflow import Reply

Declared = Literal["dict", "bool", "text", "function"]

_NEVER = datetime.min.replace(tzinfo=UTC)
_WRITTEN = "what a person wrote"
_OF_A_FORM = ("batched", "per_call", "inbox")


@dataclass(frozen=True)
class Answering:
    """The dialect, the workflow's declared reply, and what an answer is made from beside the decision.

    A declared function is only known to be one: it is the workflow's own code, and runs in workers alone.
    """

    dialect: Dialect
    declared: Declared | None = None
    original: Original | None = None

    @classmethod
    def to(cls, asked: Asked, expected: Reply | None) -> Self:
        """Say what has to be kept of what was asked: the value only where answers are made from it."""
        declared: Declared | None = "function" if callable(expected) else expected
        original = asked.original
        if original is not None and asked.dialect not in _OF_A_FORM:
            original = Original(response_schema=original.response_schema)
        return cls(asked.dialect, declared, original)

    def to_json(self) -> dict[str, Any]:
        return {"declared": self.declared, "original": self.original and self.original.to_json()}

    @classmethod
    def of(cls, dialect: Dialect, stored: dict[str, Any] | None) -> Self | None:
        """Read what `to_json` wrote; None stays None: an approval from before it was kept."""
        if stored is None:
            return None
        return cls(dialect, stored["declared"], Original.of(stored["original"]))

    def judge(self, decision: Decision) -> Resume | End | None:
        """Return what the decision comes to; None where only the workflow's own function can tell.

        Raises `BadAnswer` for what does not fit.
        """
        if self._by_function(decision.verdict):
            return None
        known = None if self.declared == "function" else self.declared
        return reply(decision, self.dialect, known, self.original)

    def ends(self, verdict: Verdict) -> bool:
        """Say whether a person's verdict ends the thread, since the graph has no word for it."""
        if self.dialect == "signoff":
            return False  # it has a word for each
        sample = Decision(verdict=verdict, by=By(kind="human"), text="…", decided_at=_NEVER)
        try:
            return isinstance(self.judge(sample), End)
        except BadAnswer:
            return False

    def tells(self, verdict: Verdict) -> bool:
        """Say whether what a person writes beside a verdict reaches the graph, or may."""
        if self.dialect in ("breakpoint", "node_interrupt"):
            return True  # what is declared for them gets the whole decision
        by = By(kind="human")
        sample = Decision(verdict=verdict, by=by, text=_WRITTEN, comment=_WRITTEN, decided_at=_NEVER)
        try:
            said = self.judge(sample)
        except BadAnswer:
            return True
        return said is None or (isinstance(said, Resume) and _WRITTEN in repr(said.value))

    @property
    def several(self) -> bool:
        """Whether it asks about several actions, each decided by itself in one form."""
        value: Any = self.original.value if self.original else None
        match self.dialect:
            case "batched":
                return len(value["action_requests"]) > 1
            case "inbox":
                return isinstance(value, list) and len(value) > 1
            case _:
                return False

    @property
    def takes_words(self) -> bool:
        """Whether words are, or may be, the very answer: one that runs something, not a no with advice."""
        match self.dialect:
            case "schema" | "breakpoint" | "node_interrupt":
                return True
            case "plain" | "raw":
                return self.declared in ("text", "function")
            case _:
                return False

    def _by_function(self, verdict: Verdict) -> bool:
        if self.declared != "function":
            return False
        return self.dialect in ("plain", "raw") or (self.dialect == "schema" and verdict == "reject")
