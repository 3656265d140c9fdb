"""`basis`, the fingerprint of the world that a request was made from: an answer holds for no other."""

from __future__ import annotations

from typing import Any, LiteralString

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from bot.approvals.decision import Decision

LONGEST = 500
"""Characters of a basis; longer worlds are hashed by who asks."""

MOST_REFUSALS = 5
"""Answers in a row that came to nothing, since what they were on had changed: it is the workflow's fault."""

_MOVED: LiteralString = "signoff_basis_moved"


def refuse_moved(decision: Decision, basis: str) -> Decision:
    """Return a decision that holds on `basis`; raises what pydantic refuses a value with for any other.

    A rejection runs nothing, so it holds in every world.
    """
    if decision.rejected or decision.basis == basis:
        return decision
    told = {"decided_on": decision.basis or "nothing", "basis": basis}
    raise PydanticCustomError(_MOVED, "decided on {decided_on}, but by now the world is {basis}", told)


def is_moved(error: BaseException) -> bool:
    """Tell whether `error` is a node's refusal of an answer that was given in another world."""
    return isinstance(error, ValidationError) and any(one["type"] == _MOVED for one in _errors(error))


def _errors(error: ValidationError) -> list[Any]:
    return [*error.errors(include_url=False, include_context=False, include_input=False)]
