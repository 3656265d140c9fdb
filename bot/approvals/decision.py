"""The answer a node gets back: what was decided, by whom, and what exactly was approved."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from bot.approvals.policy import Verdict, Vote

OF = "of"
"""Beside a decision that goes back to `ask()`: the hash of the question that it is of."""


class By(BaseModel):
    """Who decided: a person, the workflow's policy, or the clock. Never ambiguous."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["human", "policy", "timeout"]
    user: str | None = None


class Decision(BaseModel):
    """The outcome of one approval, version 1 (see the contract in docs/workflows.md).

    `proposal` is what was approved, after edits; `edited` names the fields that changed. A fallback that
    runs the draft unanswered has `forced` and the reason `sla_timeout`. `basis` is that of the request that
    was decided. `decided_at` is aware.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    signoff: Literal[1] = 1
    verdict: Verdict
    by: By
    comment: str | None = None
    proposal: Any = None
    edited: tuple[str, ...] = ()
    choice: str | None = None
    text: str | None = None
    forced: bool = False
    reason: str | None = None
    decided_at: datetime
    votes: tuple[Vote, ...] = ()
    basis: str | None = None

    @property
    def approved(self) -> bool:
        return self.verdict == "approve"

    @property
    def rejected(self) -> bool:
        return self.verdict == "reject"

    def answer(self) -> dict[str, Any]:
        """Return the plain JSON that resumes the graph; `basis` only where the request had one."""
        return self.model_dump(mode="json", exclude={"basis"} if self.basis is None else None)
