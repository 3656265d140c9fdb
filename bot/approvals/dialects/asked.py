"""What reading an interrupt gives, and what answering one comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

from bot.approvals.request import ApprovalRequest

Dialect = Literal[
    "signoff", "batched", "per_call", "inbox", "schema", "plain", "raw", "breakpoint", "node_interrupt"
]
"""`docs/dialects.md` shows each with its interrupt, its card and its answer."""


@dataclass(frozen=True)
class Original:
    """The interrupt as its graph raised it: what an answer in a foreign dialect is made from.

    `value` is plain JSON, and null where the interrupt's was not. `response_schema` is LangGraph's.
    """

    value: Any = None
    response_schema: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "response_schema": self.response_schema}

    @classmethod
    def of(cls, stored: dict[str, Any] | None) -> Self | None:
        """Read what `to_json` wrote; None stays None."""
        return None if stored is None else cls(stored["value"], stored["response_schema"])


@dataclass(frozen=True)
class Asked:
    """What an interrupt asks, in our words, and the dialect its answer must be in.

    `original` is None where the answer needs nothing but the decision (our own dialect). `of` is what its
    answer says back, so that `ask()` knows it for its own.
    """

    request: ApprovalRequest
    dialect: Dialect
    original: Original | None = None
    of: str | None = None


@dataclass(frozen=True)
class Resume:
    """Resume the graph with `value`."""

    value: Any


@dataclass(frozen=True)
class End:
    """Do not resume: what was refused must not run. The thread ends, cancelled, for this reason."""

    reason: str
