"""What is wrong with a whole proposal by its JSON Schema, each thing with the fields that it concerns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import ValidationError, best_match

from bot.approvals.checking import misfits
from bot.slack.form.complaints import complaint


@dataclass(frozen=True)
class Problem:
    """One thing wrong. `keys` are the top-level fields concerned: none where it is about the whole."""

    keys: tuple[str, ...]
    message: str


def problems(schema: dict[str, Any], value: dict[str, Any]) -> list[Problem]:
    """Return all that is wrong; raises `Uncheckable` rather than pass what was not checked."""
    return [_problem(error, value) for error in misfits(schema, value)]


def _problem(error: ValidationError, value: dict[str, Any]) -> Problem:
    leaf = best_match([error]) or error
    path = list(leaf.absolute_path)
    if leaf.validator == "required" and not path:
        needed: Any = leaf.validator_value
        return Problem(tuple(key for key in needed if key not in value), complaint(leaf))
    return Problem((str(path[0]),) if path else (), complaint(leaf))
