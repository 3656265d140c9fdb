"""What is wrong with a whole proposal by its JSON Schema, each thing with the values that it concerns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import ValidationError, best_match

from bot.approvals.checking import misfits
from bot.slack.form.complaints import complaint
from bot.slack.form.kind import Path
from bot.slack.form.schema import mapping


@dataclass(frozen=True)
class Problem:
    """One thing wrong. `paths` lead to the values concerned: the empty one is the whole proposal."""

    paths: tuple[Path, ...]
    message: str


def problems(schema: dict[str, Any], value: dict[str, Any]) -> list[Problem]:
    """Return all that is wrong; raises `Uncheckable` rather than pass what was not checked."""
    return [_problem(meant) for error in misfits(schema, value) for meant in _meant(error)]


def _meant(error: ValidationError) -> Iterator[ValidationError]:
    """Of alternatives, take what is wrong with the one that the value's constants name."""
    by_branch: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        by_branch.setdefault(inner.relative_schema_path[0], []).append(inner)
    named = [wrong for wrong in by_branch.values() if not any(map(_is_another, wrong))]
    if error.validator not in ("anyOf", "oneOf") or len(named) != 1:
        yield error
        return
    for inner in named[0]:
        yield from _meant(inner)


def _is_another(error: ValidationError) -> bool:
    """Tell whether it says that the value is of another alternative."""
    return error.validator in ("const", "enum") or (error.validator == "type" and not error.relative_path)


def _problem(error: ValidationError) -> Problem:
    leaf = best_match([error]) or error
    path = tuple(leaf.absolute_path)
    if leaf.validator != "required":
        return Problem((path,), complaint(leaf))
    needed: Any = leaf.validator_value
    missing = tuple((*path, key) for key in needed if key not in mapping(leaf.instance))
    return Problem(missing or (path,), complaint(leaf))
