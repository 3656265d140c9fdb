"""A value against its JSON Schema, with bounds on what a hostile schema may cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from fractions import Fraction
from functools import cache, lru_cache
from itertools import islice
from typing import Annotated, Any

import attrs
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, UnknownType, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import create
from pydantic import Field, TypeAdapter
from pydantic import ValidationError as NoMatch
from pydantic_core import SchemaError as BadPattern
from referencing import Registry
from referencing.exceptions import Unresolvable

from bot.approvals.drafts import modern
from bot.approvals.formats import format_checker

_WORK = 2_000_000
"""What one check may cost, about a microsecond each: ends what references make exponential, and the few
keywords that cost much. Counted and not timed, since the answer that a click was told is taken is checked
again before it is sent, by another process."""
_KEYWORD = 100
_NEW_PATTERN = 40_000

_MOST_ERRORS = 50
_LONGEST_PATTERN = 1_000
_LONGEST_MATCHED = 10_000

Found = Iterator[ValidationError]
Keyword = Callable[[Any, Any, Any, Any], Found]


class Uncheckable(Exception):
    """The schema itself is broken, points outside or costs too much; the message goes on "its schema …"."""


class _TooCostly(Exception):
    pass


class _Budget:
    """What is left of one check's work."""

    def __init__(self) -> None:
        self._left = _WORK
        self._patterns: set[str] = set()

    def spend(self, work: int) -> None:
        self._left -= work
        if self._left < 0:
            raise _TooCostly

    def search(self, pattern: str, text: str) -> None:
        """Spend what searching the text costs: most of it is to read a pattern that the check has not had."""
        self.spend(len(text) + (0 if pattern in self._patterns else _NEW_PATTERN))
        self._patterns.add(pattern)


_BUDGET: ContextVar[_Budget] = ContextVar("budget")


def misfits(schema: dict[str, Any], value: Any) -> list[ValidationError]:
    """Check by the schema's draft with our formats; raises `Uncheckable` rather than pass what was unchecked.

    Patterns run on pydantic's linear-time engine, never on Python's, which a crafted pattern can hang for
    hours. What that engine does not know (look-around, back-references), and patterns or texts too long for
    it, are left to the workflow's own model.
    """
    budget = _BUDGET.set(_Budget())
    try:
        schema = modern(schema)
        if not _of_schemas().is_valid(schema):
            raise Uncheckable("is not a valid JSON Schema")
        # `unevaluatedProperties` would run such patterns on Python's engine, out of our reach.
        counted = _counted(unevaluated="patternProperties" not in repr(schema))
        validator = counted(schema, registry=Registry(), format_checker=format_checker())
        return list(islice(validator.iter_errors(value), _MOST_ERRORS))
    except _TooCostly as error:
        raise Uncheckable("takes too long to check") from error
    except RecursionError as error:
        raise Uncheckable("goes round in circles") from error
    except Unresolvable as error:
        raise Uncheckable("points at something that is not in it") from error
    except (SchemaError, UnknownType, ValueError) as error:
        raise Uncheckable("is not a valid JSON Schema") from error
    finally:
        _BUDGET.reset(budget)


def unquoted(error: ValidationError) -> str:
    """Return the error's message without the value that it is about, which may be confidential."""
    told = error.message
    if error.validator in ("items", "unevaluatedItems"):
        told = re.split(r" but found| \(", told)[0]  # those quote what is inside of it
    return told.replace(repr(error.instance), "the value")


@cache
def _of_schemas() -> Validator:
    """Return what tells a valid schema: linear in its length, and a pattern need not be one of Python's."""
    keywords: dict[str, Any] = {**Draft202012Validator.VALIDATORS, "uniqueItems": _unique_items}
    return _unswayed(keywords)(Draft202012Validator.META_SCHEMA)


@cache
def _counted(*, unevaluated: bool) -> type[Validator]:
    """Return a validator class that gives up what costs more than the budget."""

    def counted(keyword: Any) -> Any:
        def check(validator: Any, value: Any, instance: Any, schema: Any) -> Found:
            _BUDGET.get().spend(_KEYWORD)
            yield from keyword(validator, value, instance, schema) or ()

        return check

    keywords: dict[str, Any] = {**Draft202012Validator.VALIDATORS, **_OWN}
    if not unevaluated:
        del keywords["unevaluatedProperties"]
    return _unswayed({name: counted(keyword) for name, keyword in keywords.items()})


def _unswayed(keywords: dict[str, Any]) -> type[Validator]:
    """Return a validator class that stays itself: jsonschema's own go over to a dialect that "$schema" names.

    Inside a schema, or at a reference to its root, that would be one without our bounds.
    """
    validator = create(Draft202012Validator.META_SCHEMA, keywords)
    validator.evolve = attrs.evolve  # type: ignore[method-assign, assignment]
    return validator


def _pattern(validator: Any, pattern: Any, instance: Any, _schema: Any) -> Found:
    if validator.is_type(instance, "string") and _matches(pattern, instance) is False:
        yield ValidationError("does not match")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Found:
    if validator.is_type(instance, "object"):
        for pattern, schema in patterns.items():
            for key in [key for key in instance if _matches(pattern, key)]:
                yield from validator.descend(instance[key], schema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Found:
    if not validator.is_type(instance, "object"):
        return
    patterns = schema.get("patternProperties", {})
    for key in [key for key in instance if key not in schema.get("properties", {})]:
        # A pattern that cannot be run may match: what it might allow is not refused.
        if any(_matches(pattern, key) is not False for pattern in patterns):
            continue
        yield from validator.descend(instance[key], allowed, path=key)


def _multiple_of(validator: Any, step: Any, instance: Any, _schema: Any) -> Found:
    """Divide exactly: in floats 0.3 is no multiple of 0.1."""
    if validator.is_type(instance, "number") and Fraction(repr(instance)) % Fraction(repr(step)) != 0:
        yield ValidationError("is no multiple")


def _enum(_validator: Any, offered: Any, instance: Any, _schema: Any) -> Found:
    wanted = _hashed(instance)
    if not any(_hashed(one) == wanted for one in offered):
        yield ValidationError(f"{instance!r} is not one of {offered!r}")


def _unique_items(validator: Any, wanted: Any, instance: Any, _schema: Any) -> Found:
    """Compare by hash: pair by pair, a list as long as a payload may be took minutes."""
    if wanted and validator.is_type(instance, "array") and len(set(map(_hashed, instance))) < len(instance):
        yield ValidationError(f"{instance!r} has non-unique elements")


def _hashed(value: Any) -> Any:
    """Return what is equal where JSON Schema calls values equal: 1 and 1.0, but not 1 and true."""
    _BUDGET.get().spend(1)
    match value:
        case bool():
            return "bool", value
        case list():
            return "list", tuple(map(_hashed, value))
        case dict():
            return "dict", frozenset((key, _hashed(item)) for key, item in value.items())
        case _:
            return value


_OWN: dict[str, Keyword] = {
    "enum": _enum,
    "uniqueItems": _unique_items,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "multipleOf": _multiple_of,
}


def _matches(pattern: str, text: str) -> bool | None:
    """Search the text in linear time; None where the pattern cannot be run so."""
    if len(pattern) > _LONGEST_PATTERN or len(text) > _LONGEST_MATCHED:
        return None
    _BUDGET.get().search(pattern, text)
    matcher = _matcher(pattern)
    if matcher is None:
        return None
    try:
        matcher.validate_python(text)
    except NoMatch:
        return False
    return True


@lru_cache(maxsize=32)  # one may take megabytes
def _matcher(pattern: str) -> TypeAdapter[str] | None:
    # Older pydantic guards a Decimal's pattern with this look-ahead; numbers are read before they get here.
    without_guard = pattern.replace("(?!^[-+.]*$)", "")
    try:
        return TypeAdapter(Annotated[str, Field(pattern=without_guard)])
    except BadPattern:
        return None
