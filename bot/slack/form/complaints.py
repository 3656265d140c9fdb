"""What JSON Schema's errors mean to the person who has to mend them."""

from __future__ import annotations

from typing import Any

from jsonschema.exceptions import ValidationError

from bot.approvals.checking import unquoted
from bot.approvals.formats import WORDS
from bot.slack.blocks.text import cut, line
from bot.slack.form.numeric import as_decimal, spoken

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "array": "a list",
    "object": "an object",
    "null": "empty",
}


_SENTENCES = {
    "required": "Needs a value.",
    "minimum": "Must be at least {value}.",
    "maximum": "Must be at most {value}.",
    "exclusiveMinimum": "Must be more than {value}.",
    "exclusiveMaximum": "Must be less than {value}.",
    "multipleOf": "Must be a multiple of {value}.",
    "minLength": "Needs at least {value} characters (it has {size}).",
    "maxLength": "At most {value} characters fit (it has {size}); shorten it.",
    "pattern": "Must match the pattern {value}",
    "minItems": "Needs at least {value} of them.",
    "maxItems": "Takes at most {value} of them.",
    "uniqueItems": "Holds the same value twice.",
    "anyOf": "Is not one of the forms that are allowed here.",
    "oneOf": "Is not one of the forms that are allowed here.",
    "additionalProperties": "Is not a field that is allowed here.",
}


def complaint(error: ValidationError) -> str:
    """Say in one line what is wrong and what would be right."""
    return cut(line(_says(str(error.validator), error.validator_value, error)), 200)


def _told(value: Any) -> str:
    """Write a bound of the schema; numbers as people do."""
    number = None if isinstance(value, str) else as_decimal(value)
    return cut(str(value) if number is None else spoken(number), 120)


def _says(keyword: str, value: Any, error: ValidationError) -> str:
    match keyword:
        case "type":
            names = value if isinstance(value, list) else [value]
            return f"Must be {' or '.join(_TYPES.get(name, str(name)) for name in names)}."
        case "enum" | "const":
            values = value if keyword == "enum" else [value]
            return (
                f"Must be {'one of ' if len(values) > 1 else ''}{cut(', '.join(map(_written, values)), 120)}."
            )
        case "format":
            sentence = WORDS.get(value, f"A valid {value}.")
            return f"Must be {sentence[0].lower()}{sentence[1:]}"
        case _ if keyword in _SENTENCES:
            size = len(error.instance) if isinstance(error.instance, str) else 0
            return _SENTENCES[keyword].format(value=_told(value), size=size)
        case _:
            told = unquoted(error)
            return told[:1].upper() + told[1:]


def _written(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)
