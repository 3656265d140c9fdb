"""An answer against a JSON Schema, with bounds on what a foreign schema may cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, UnknownType, ValidationError, best_match
from jsonschema.protocols import Validator
from jsonschema.validators import create
from referencing import Registry
from referencing.exceptions import Unresolvable

from bot.approvals.errors import BadAnswer

Schema = dict[str, Any]

_STEPS = 20_000
"""Keywords that one check may apply: ends what references make exponential, in well under a second."""


class _TooCostly(Exception):
    pass


def check(schema: Schema, value: Any, what: str) -> None:
    """Raise `BadAnswer` in one line where `value`, called `what`, does not fit, or cannot be checked.

    Patterns are not run: a crafted one hangs Python's engine for hours. The form has run them on another
    engine, and LangGraph checks the types that graphs declare before it stores an answer.
    """
    try:
        Draft202012Validator.check_schema(schema)
        error = best_match(_bounded(schema)(schema, registry=Registry()).iter_errors(value))
    except (_TooCostly, RecursionError):
        raise BadAnswer(f"{what} cannot be checked: the schema takes too long.") from None
    except Unresolvable:
        raise BadAnswer(f"{what} cannot be checked: the schema points at something not in it.") from None
    except (SchemaError, UnknownType, ValueError):
        raise BadAnswer(f"{what} cannot be checked: the schema is not a valid JSON Schema.") from None
    if error is not None:
        where = error.json_path.removeprefix("$").lstrip(".")
        raise BadAnswer(f"{what} does not fit{' at ' + where[:100] if where else ''}: {_brief(error)}.")


def local(schema: Any, root: Schema) -> Schema:
    """Follow references into the root's `$defs`; what cannot be followed is an empty schema."""
    for _ in range(32):
        if not isinstance(schema, dict):
            return {}
        if "$ref" not in schema:
            return schema
        name = str(schema["$ref"]).removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
        schema = mapping(root.get("$defs")).get(name)
    return {}


def mapping(value: Any) -> dict[str, Any]:
    """Return `value` where it is an object, and an empty one otherwise."""
    return value if isinstance(value, dict) else {}


def _brief(error: ValidationError) -> str:
    return " ".join(error.message.split())[:200].rstrip(".")


def _bounded(schema: Schema) -> type[Validator]:
    """Return a validator class that gives up after `_STEPS` keywords and never runs a pattern."""
    steps = iter(range(_STEPS))

    def counted(keyword: Any) -> Any:
        def run(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
            if next(steps, None) is None:
                raise _TooCostly
            yield from keyword(validator, value, instance, schema) or ()

        return run

    words = {**Draft202012Validator.VALIDATORS}
    for name in ("pattern", "patternProperties"):
        del words[name]
    if "patternProperties" in repr(schema):
        # What a pattern allows is not known without running it, so the rest cannot be refused either.
        del words["additionalProperties"], words["unevaluatedProperties"]
    return create(Draft202012Validator.META_SCHEMA, {name: counted(word) for name, word in words.items()})
