"""An answer against the schema of whoever waits for it, and what a foreign schema says."""

from __future__ import annotations

from typing import Any

from jsonschema.exceptions import ValidationError, best_match

from bot.approvals.checking import Uncheckable, misfits, unquoted
from bot.approvals.confidential import confidential
from bot.approvals.errors import BadAnswer
from bot.approvals.pointer import pointed

Schema = dict[str, Any]

DEFINITIONS = ("$defs", "definitions")
"""Where a schema keeps what it refers to; the second is the name of drafts before 2019-09."""


def check(schema: Schema, value: Any, what: str) -> None:
    """Raise `BadAnswer` in one line where `value`, called `what`, does not fit, or cannot be checked."""
    try:
        error = best_match(misfits(schema, value))
    except Uncheckable as why:
        raise BadAnswer(f"{what} cannot be checked: the schema {why}.") from None
    if error is not None:
        where = error.json_path.removeprefix("$").lstrip(".")
        at = f" at {where[:100]}" if where else ""
        told = unquoted(error) if confidential(schema) else error.message
        raise BadAnswer(f"{what} does not fit{at}: {_brief(told)}.", _key(error, value))


def local(schema: Any, root: Schema) -> Schema:
    """Follow references into the root; what cannot be followed is an empty schema."""
    for _ in range(32):
        if not isinstance(schema, dict):
            return {}
        if "$ref" not in schema:
            return schema
        schema = pointed(schema["$ref"], root)
    return {}


def rooted(schema: Schema, root: Schema) -> Schema:
    """Return the schema on its own, with the root's definitions, which it may refer to."""
    kept = {key: {**mapping(root.get(key)), **mapping(schema.get(key))} for key in DEFINITIONS}
    return {**schema, **{key: told for key, told in kept.items() if told}}


def mapping(value: Any) -> dict[str, Any]:
    """Return `value` where it is an object, and an empty one otherwise."""
    return value if isinstance(value, dict) else {}


def _brief(told: str) -> str:
    return " ".join(told.split())[:200].rstrip(".")


def _key(error: ValidationError, value: Any) -> str | None:
    """Name the field of an object that the error is about, the first of several that are missing."""
    if error.absolute_path:
        return str(error.absolute_path[0])
    needed: Any = error.validator_value if error.validator == "required" else ()
    return next((key for key in needed if key not in value), None)
